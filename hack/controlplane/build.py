"""Builds the programs of a module from pinned sources into the user's cache, once.

Two callers never build the same thing twice: the second waits for the first. A build that is cut
short leaves nothing that looks finished. Go's own caches stay where the user has them.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from hack.controlplane import daemons, golang, locks
from hack.controlplane.modules import Module
from hack.controlplane.places import cache
from hack.controlplane.progress import Progress, duration, say
from hack.controlplane.trouble import Trouble

_GIGABYTE = 1_000_000_000
_WARM = 300  # packages; a rebuild after a change of ours compiles fewer
_TAIL = 15  # lines of a compiler's complaint that a person reads


def built(module: Module) -> Path:
    """The folder with the module's programs, built when they are not there."""
    if _finished(module):
        return module.home
    lock = cache() / f"{module.name}.lock"
    with locks.holding(lock, lambda: say(f"Another process builds {module.name}: waiting for it")):
        if not _finished(module):
            _build(module)
    return module.home


def _finished(module: Module) -> bool:
    return all((module.home / program).exists() for program in module.programs)


def _build(module: Module) -> None:
    program = golang.go(module.needs_go)
    say(f"Building {module.name} {module.version} from source, once: {module.home}")
    say("Fetching the sources it needs")
    _fetch(program, module)
    total = _to_compile(program, module)
    _check_disk(program, module, total)
    module.home.parent.mkdir(parents=True, exist_ok=True)
    unfinished = f".building-{module.name}-"
    for left in module.home.parent.glob(f"{unfinished}*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=module.home.parent, prefix=unfinished) as folder:
        output = Path(folder) / module.name
        command = [program, "build", "-v", *module.flags, "-o", output, module.main]
        _compile([str(part) for part in command], module, total, Path(folder))
        for name in module.programs:
            if name != module.name:
                (Path(folder) / name).symlink_to(module.name)
        shutil.rmtree(module.home, ignore_errors=True)  # one that somebody pruned by half
        Path(folder).rename(module.home)
        Path(folder).mkdir()  # for TemporaryDirectory to remove
    module.home.chmod(0o755)


def _fetch(program: Path, module: Module) -> None:
    """Downloads the sources beforehand, so that a network that fails is told as such."""
    answer = _go(program, module, "mod", "download")
    if answer.returncode != 0:
        complaint = answer.stderr.strip()
        raise Trouble(
            f"The sources of {module.name} could not be fetched:\n{complaint}",
            "Go's module proxy must be reachable (`go env GOPROXY`), and the disk have room.",
        )


def _to_compile(program: Path, module: Module) -> int:
    """How many packages Go has to compile; those in its build cache cost nothing."""
    every = _go(program, module, "list", "-deps", module.main).stdout.split()
    stale = "{{if .Stale}}{{.StaleReason}}{{end}}"
    reasons = _go(program, module, "list", *module.flags, "-f", stale, *every).stdout.splitlines()
    return sum(bool(reason) and "available in build cache" not in reason for reason in reasons)


def _check_disk(program: Path, module: Module, total: int) -> None:
    """Refuses a first build that cannot end; a warm one needs little more than its output."""
    needed = (module.gigabytes if total > _WARM else 0.5) * _GIGABYTE
    caches = _go(program, module, "env", "GOCACHE").stdout.split()
    for folder in {cache(), *map(Path, caches)}:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise Trouble(
                f"Building {module.name} needs {needed / _GIGABYTE:.1f} GB at {folder},"
                f" {free / _GIGABYTE:.1f} GB are free",
                "Make room, or point GOCACHE and XDG_CACHE_HOME elsewhere.",
            )


def _compile(command: list[str], module: Module, total: int, folder: Path) -> None:
    begun = os.times().elapsed
    progress = Progress(f"Building {module.name}", total)
    told: list[str] = []
    with subprocess.Popen(
        command,
        cwd=module.folder,
        env=golang.environment() | {"GOTMPDIR": str(folder)},  # /tmp is often small
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=daemons.dies_with_parent(signal.SIGTERM),  # noqa: PLW1509  # one thread
    ) as process:
        try:
            for line in process.stderr or ():
                told.append(line.rstrip())
                progress(len(told))
        except BaseException:
            process.terminate()
            raise
        finally:
            progress.close()
    if process.returncode != 0:
        # `go build -v` mixes package names with complaints; complaints hold a space.
        complaint = "\n".join([line for line in told if " " in line][-_TAIL:] or told[-_TAIL:])
        raise Trouble(f"{module.name} could not be built:\n{complaint}")
    say(f"Built {module.name} {module.version} in {duration(os.times().elapsed - begun)}")


def _go(program: Path, module: Module, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=module.folder,
        env=golang.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
