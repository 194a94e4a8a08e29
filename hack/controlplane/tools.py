"""Programs beside the control plane that tests and the demo need, and where each comes from.

One on PATH comes first, in whatever version. Else a Debian package is unpacked into the cache (no
root, no daemon started, nothing installed), or a pinned Go module is built there.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hack.controlplane import locks
from hack.controlplane.binaries import located
from hack.controlplane.build import built
from hack.controlplane.modules import HELM, HELM3, KUBERNETES, Module
from hack.controlplane.places import cache
from hack.controlplane.progress import say
from hack.controlplane.trouble import Trouble


@dataclass(frozen=True)
class Debian:
    """A program out of a package of Debian or a relative of it."""

    package: str
    program: str  # inside the package


@dataclass(frozen=True)
class Tool:
    """What it is for, where it comes from when PATH has none, and how it tells its version."""

    purpose: str
    source: Module | Debian
    version: tuple[str, ...]


TOOLS: Mapping[str, Tool] = {
    "kubectl": Tool("looks at a cluster", KUBERNETES, ("version", "--client")),
    "helm": Tool("renders and lints the chart", HELM, ("version", "--short")),
    "helm3": Tool("does the same as Helm 3 does it", HELM3, ("version", "--short")),
    "pushgateway": Tool(
        "takes the gauges of a run",
        Debian("prometheus-pushgateway", "usr/bin/prometheus-pushgateway"),
        ("--version",),
    ),
    "promtool": Tool("tests the alerts", Debian("prometheus", "usr/bin/promtool"), ("--version",)),
    "prometheus": Tool(
        "scrapes the gauges", Debian("prometheus", "usr/bin/prometheus"), ("--version",)
    ),
}


def tool(name: str) -> Path:
    """The path of the program, fetched or built when it is not there."""
    present = found(name)
    if present is not None:
        return present
    match TOOLS[name].source:
        case Module() as module:
            program = located(module) / name
            return program if program.exists() else built(module) / name
        case Debian() as source:
            return unpacked(name, source)


def found(name: str) -> Path | None:
    """The path of the program when it is there already."""
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    match TOOLS[name].source:
        case Module() as module:
            kept = module.home / name
        case Debian() as source:
            kept = _home(source) / source.program
    return kept if kept.exists() else None


def version(name: str, program: Path) -> str:
    """The first line of what it says about itself."""
    answer = subprocess.run(
        [program, *TOOLS[name].version], capture_output=True, text=True, check=False
    )
    return ((answer.stdout or answer.stderr).strip().splitlines() or ["?"])[0]


def _home(source: Debian) -> Path:
    return cache() / "debian" / source.package


def unpacked(name: str, source: Debian) -> Path:
    """The path of what a package holds, in the cache; fetched when it is not there."""
    program = _home(source) / source.program
    lock = cache() / f"{source.package}.lock"  # one package may hold two programs
    with locks.holding(lock, lambda: say(f"Another process fetches {name}")):
        if not program.exists():
            say(f"{name} is not on PATH: unpacking Debian's {source.package} into the cache")
            _unpack(name, source)
    return program


def _unpack(name: str, source: Debian) -> None:
    remedy = f"Put a `{name}` on PATH, then it is used."
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise Trouble(f"{name} is missing, and this machine has no apt-get to fetch it", remedy)
    home = _home(source)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        archive = _downloaded(source, Path(folder))
        if isinstance(archive, str):
            raise Trouble(f"{source.package} could not be fetched:\n{archive}", remedy)
        content = Path(folder) / "content"
        subprocess.run(["dpkg", "-x", archive, content], check=True)
        if not (content / source.program).exists():
            raise Trouble(f"{source.package} holds no {source.program}", remedy)
        shutil.rmtree(home, ignore_errors=True)
        content.rename(home)


def _downloaded(source: Debian, folder: Path) -> Path | str:
    """The package, or apt's complaint; by the machine's lists, else by lists of our own."""
    # Private lists: who may not write the machine's, or has never run `apt-get update`.
    state = cache() / "apt"
    own = [f"-oDir::State={state}/state", f"-oDir::Cache={state}/cache"]
    own.append("-oDir::State::status=/var/lib/dpkg/status")
    _apt(folder, "download", source.package)
    if not list(folder.glob("*.deb")):
        for part in ("state/lists/partial", "cache/archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        say("The machine's package lists do not do: fetching lists into the cache")
        complaint = _apt(folder, *own, "update") or _apt(folder, *own, "download", source.package)
        if complaint:
            return complaint
    return next(folder.glob("*.deb"), "apt-get downloaded nothing")


def _apt(folder: Path, *arguments: str) -> str:
    """What apt complains about; nothing when it went well."""
    sandbox = ["-oAPT::Sandbox::User=root"] if os.geteuid() == 0 else []
    answer = subprocess.run(
        ["apt-get", "--quiet", *sandbox, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stderr.strip() if answer.returncode else ""
