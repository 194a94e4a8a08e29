"""What is not there yet, into the cache: the Go program is built, kopf and what we ship installed.

All from what is pinned: go.sum, and the hashes in requirements/.
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
_ROOT = _HERE.parents[1]
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
    return _environment("bench", "bench.txt") / "kopf"


def shipped() -> Path:
    """A Python with what the image holds and nothing else: some libraries import what they find."""
    return _environment("shipped", "runtime.txt") / "python"


def _environment(name: str, locked: str) -> Path:
    """Its folder of programs."""
    file = _ROOT / "requirements" / locked
    key = hashlib.sha256(file.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = cache() / "environments" / f"{name}-{key}"
    programs, done = home / "bin", home / ".installed"
    with locks.holding(cache() / f"{name}.lock", lambda: say(f"Another process makes {home}")):
        if not done.exists():
            say(f"Installing {locked}, once: {home}")
            venv.create(home, clear=True, with_pip=True)
            pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--require-hashes", "-r", str(file)], check=True)
            done.touch()
    return programs
