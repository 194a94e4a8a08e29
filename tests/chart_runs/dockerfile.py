"""The image without Docker: the build stage of the Dockerfile, run as it is written.

Its RUN lines write to /opt/reconciler, where bubblewrap puts a folder of the user's cache; what the
last stage says of user, environment and entry point is read. What this does not prove is the base
image, and what apt-get installs into it: the machine's Python, git and ssh stand in.
"""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Template

from hack.controlplane import locks
from hack.controlplane.places import cache
from hack.controlplane.progress import say
from tests.chart_runs.bubblewrap import bwrap
from tests.controlplane import ROOT

PROGRAM = Path("/opt/reconciler")  # what the last stage takes from the first
_DAY = 86_400.0  # seconds that a layer is kept without being asked for
_DEBIANS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """What a container starts with."""

    program: Path  # lies at /opt/reconciler
    entrypoint: Sequence[str]
    environment: Mapping[str, str]
    user: int
    group: int
    workdir: str


@dataclass(frozen=True)
class Stage:
    """Where a stage has come to: what stood in the lines read so far."""

    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": _DEBIANS_PATH})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: Sequence[str] = ()


def image(dockerfile: Path = ROOT / "Dockerfile") -> Image:
    """Built where the cache has none of these very files."""
    build, last = _stages(dockerfile.read_text())
    end = Stage()
    for word, rest in last:
        end = _after(end, word, rest)
    user, _, group = end.user.partition(":")
    return Image(
        program=_built(build),
        entrypoint=end.entrypoint,
        environment=end.environment,
        user=int(user),
        group=int(group),
        workdir=end.workdir,
    )


Instruction = tuple[str, str]


def _stages(text: str) -> list[list[Instruction]]:
    """The instructions after each FROM."""
    stages: list[list[Instruction]] = []
    for word, rest in _instructions(text):
        if word == "FROM":
            stages.append([])
        elif stages:
            stages[-1].append((word, rest))
    return stages


def _instructions(text: str) -> Iterator[Instruction]:
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word:
            yield word, rest.strip()


def _after(stage: Stage, word: str, rest: str) -> Stage:
    match word:
        case "ENV":
            known = dict(stage.environment)
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                known[name] = Template(value).safe_substitute(known)
            return replace(stage, environment=known)
        case "WORKDIR":
            return replace(stage, workdir=rest)
        case "USER":
            return replace(stage, user=rest)
        case "ENTRYPOINT":
            return replace(stage, entrypoint=json.loads(rest))
        case _:
            return stage


def _built(build: Sequence[Instruction]) -> Path:
    """Layer upon layer, as Docker does: only from the first line on that has changed."""
    layers = cache() / "image"
    layers.mkdir(parents=True, exist_ok=True)
    with (
        locks.holding(layers / ".lock", lambda: say("Another process builds the image")),
        tempfile.TemporaryDirectory(prefix="reconciler-image-") as source,
    ):
        stage, below = Stage(), layers / "empty"
        key = _digest(sys.version.encode(), sys.base_prefix.encode())
        below.mkdir(exist_ok=True)
        for word, rest in build:
            stage = _after(stage, word, rest)
            key = _digest(key.encode(), word.encode(), rest.encode())
            if word == "COPY":
                key = _digest(key.encode(), _copy(rest, Path(source)).encode())
            elif word == "RUN":
                below = _layer(layers / key, below, stage, rest, Path(source))
        _tidy(layers)
    return below


def _copy(rest: str, source: Path) -> str:
    """Into the work folder of the stage, and the digest of what was copied."""
    *names, target = shlex.split(rest)
    digests = []
    for name in names:
        from_, to = ROOT / name, source / target
        to = to / from_.name if target.endswith("/") and from_.is_file() else to
        if from_.is_dir():
            shutil.copytree(from_, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to = to / from_.name if to.is_dir() else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(from_, to)
        files = sorted(each for each in to.rglob("*") if each.is_file()) or [to]
        digests += [str(each.relative_to(source)) + _digest(each.read_bytes()) for each in files]
    return _digest("".join(digests).encode())


def _layer(layer: Path, below: Path, stage: Stage, script: str, source: Path) -> Path:
    """What one RUN line leaves in /opt/reconciler."""
    if layer.exists():
        layer.touch()
        return layer
    say(f"Dockerfile: {' '.join(script.split())[:70]}")
    with tempfile.TemporaryDirectory(dir=layer.parent) as folder:
        draft = Path(folder) / "draft"
        shutil.copytree(below, draft, symlinks=True)
        _run(stage, script, source, draft)
        draft.chmod(0o755)  # whoever's umask it was
        draft.rename(layer)
    return layer


def _tidy(layers: Path) -> None:
    """Without those that nobody has asked for since yesterday."""
    for layer in layers.iterdir():
        if layer.is_dir() and layer.name != "empty" and time.time() - layer.stat().st_mtime > _DAY:
            shutil.rmtree(layer)


def _run(stage: Stage, script: str, source: Path, program: Path) -> None:
    """One RUN line, on this machine's files but for its own two folders."""
    pythons = f"{sys.base_prefix}/bin"
    environment = {**os.environ, **stage.environment, "PATH": f"{pythons}:{os.environ['PATH']}"}
    layout = ["--dev-bind", "/", "/", "--tmpfs", str(PROGRAM.parent)]
    layout += ["--bind", str(program), str(PROGRAM)]
    user = [] if os.geteuid() == 0 else ["--unshare-user"]
    done = subprocess.run(
        [bwrap(), *user, *layout, "--chdir", str(source), "--", "sh", "-euc", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )
    if done.returncode:
        raise AssertionError(f"the Dockerfile's RUN {script}\nfailed:\n{done.stdout}{done.stderr}")


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
