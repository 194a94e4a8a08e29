"""The peers that are not there yet: the Go program is built, kopf is installed, into the cache.

Both from what is pinned: go.sum, and the hashes of requirements/bench.txt.
"""

import hashlib
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from hack.controlplane import locks
from hack.controlplane.build import built
from hack.controlplane.modules import Module
from hack.controlplane.places import cache
from hack.controlplane.progress import say

_HERE = Path(__file__).resolve().parent
_LOCKED = _HERE.parents[1] / "requirements" / "bench.txt"
OPERATOR = _HERE / "kopf" / "operator.py"


@dataclass(frozen=True)
class _Peer(Module):
    """A module of the bench: as those of the control plane, from another folder."""

    @property
    @override
    def folder(self) -> Path:
        return _HERE / "go"


_GO = _Peer(
    name="bench-go", main=".", pin="k8s.io/client-go", programs=("bench-go",), gigabytes=1.0
)


def go() -> Path:
    """The program in bench/peers/go."""
    return built(_GO) / "bench-go"


def kopf() -> Path:
    """The kopf command of an environment of its own."""
    key = hashlib.sha256(_LOCKED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = cache() / "environments" / f"bench-{key}"
    command, done = home / "bin" / "kopf", home / ".installed"
    with locks.holding(cache() / "bench.lock", lambda: say("Another process installs kopf")):
        if not done.exists():
            say(f"Installing kopf, once: {home}")
            venv.create(home, clear=True, with_pip=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--require-hashes", "-r", str(_LOCKED)], check=True)
            done.touch()
    return command
