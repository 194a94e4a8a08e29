"""Where files live: programs in the user's cache, the lasting control plane in the user's state.

Nothing is ever written into the checkout, and nothing outside these folders.
"""

import os
import tempfile
from pathlib import Path

from hack.controlplane.trouble import Trouble

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parents[1]
SCRIPT = ROOT / "hack" / "cluster"
MANIFESTS = PACKAGE / "manifests"
DEMO_STAGES = ROOT / "hack" / "demo" / "stages.yaml"


def cache() -> Path:
    """Programs that were built or fetched; may be deleted at any time."""
    return _home("XDG_CACHE_HOME", ".cache") / "reconciler"


def lasting() -> Path:
    """The directory of the control plane that `up` starts; one a user."""
    return _home("XDG_STATE_HOME", ".local/state") / "reconciler" / "cluster"


def throwaway() -> Path:
    """The folder in which each `run` makes a directory of its own."""
    folder = Path(tempfile.gettempdir()) / f"reconciler-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():  # a name anybody could take
        raise Trouble(f"{folder} belongs to somebody else", "Set TMPDIR to a folder of your own.")
    return folder


def _home(variable: str, default: str) -> Path:
    stated = os.environ.get(variable, "")
    # The XDG specification: a path that is not absolute is to be ignored.
    return Path(stated) if stated.startswith("/") else Path.home() / default
