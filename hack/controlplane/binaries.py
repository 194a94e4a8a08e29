"""Finds the programs of a control plane: the machine's own, the cache's, else they are built.

A program of the machine counts only in exactly the pinned version, and a module's programs come
from one place, all of them: a control plane of mixed versions proves nothing.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hack.controlplane.build import built
from hack.controlplane.modules import KUBERNETES, KWOK, Module

# Needed to run a control plane; kubectl is a convenience, any version of it will do.
_NEEDED = {KUBERNETES: ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")}


@dataclass(frozen=True)
class Binaries:
    """The two folders that hold the programs of a control plane."""

    kubernetes: Path
    kwok: Path

    def __getitem__(self, name: str) -> Path:
        return (self.kwok if name in KWOK.programs else self.kubernetes) / name


def binaries() -> Binaries:
    """Every program of the control plane; the first call ever builds for minutes."""
    return Binaries(kubernetes=located(KUBERNETES), kwok=located(KWOK))


def located(module: Module) -> Path:
    """One folder that holds all needed programs of the module."""
    if _in_cache(module):
        return module.home
    pinned = (folder for folder in _machine(module) if _pinned(module, folder))
    return next(pinned, None) or built(module)


def _in_cache(module: Module) -> bool:
    """Whether PATH leads into the cache anyway (inside `run`): then versions need no asking."""
    found = shutil.which(module.programs[0])
    return found is not None and Path(found).parent == module.home


def _machine(module: Module) -> Iterator[Path]:
    """Folders of the machine that may hold the programs, the most explicit first."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    if assets:
        yield Path(assets)
    found = shutil.which(module.programs[0])
    if found is not None:
        yield Path(found).parent


def _pinned(module: Module, folder: Path) -> bool:
    """Whether the folder holds all of the module's programs in the pinned versions."""
    names = _NEEDED.get(module, module.programs)
    return all(_answers(folder / name, _expected(module, name)) for name in names)


def _expected(module: Module, name: str) -> str:
    version = module.version_of("go.etcd.io/etcd/server/v3") if name == "etcd" else module.version
    return version.removeprefix("v")


def _answers(program: Path, version: str) -> bool:
    if not os.access(program, os.X_OK):
        return False
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    words = answer.stdout.replace(",", " ").split()
    return any(word.removeprefix("v") == version for word in words)
