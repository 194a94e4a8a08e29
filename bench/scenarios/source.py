"""A source of 5,000 files beside a bare clone of it, and its YAML beside ruamel.yaml alone.

Fetch and read: `GitSource.fetch` (init, fetch, ls-tree with sizes, cat-file, its checks) beside
`git clone --depth 1 --bare` and `git cat-file --batch`, over file://. A clone alone does not tell
the ids: the peer lists them with `git ls-tree`, once, without sizes. One that lets git print every
object instead (`--batch-all-objects`, trees as well) is told without a budget: nobody could read a
folder of the repository that way. YAML: bytes to documents with lines and checks beside
ruamel.yaml's pure loader, which knows neither. The budgets are for processor time, that of the
programs that are started too: on a machine that does other things the clock tells of those.
"""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

from bench.measure import Broken, Spent
from bench.options import Options
from bench.result import Beside, Ratio
from reconciler.app import RealClock
from reconciler.git.command import Limits
from reconciler.git.remote import Remote
from reconciler.git.repository import GitSource
from reconciler.manifests import documents
from reconciler.seams import Deadline

NAME = "source"
_FETCH_BUDGET = 1.5  # times the clone
_YAML_BUDGET = 0.2  # times the pure loader
_STEPS = 20


def play(options: Options) -> Iterator[Ratio]:
    with tempfile.TemporaryDirectory() as name:
        listed, unlisted, ours = _fetches(Path(name), options.files, options.rounds)
    pure, parsed = _parses(options.rounds)
    reading = f"{options.files:,} files / git clone, cat-file"
    parsing = f"YAML of {_STEPS} steps / the pure loader"
    fetch = Beside(NAME, ours, listed)
    yield fetch.ratio("process CPU", f"{reading} and ls-tree", _FETCH_BUDGET)
    yield fetch.ratio("process", f"{reading} and ls-tree")
    yield Beside(NAME, ours, unlisted).ratio("process CPU", f"{reading} of all objects")
    yield Beside(NAME, parsed, pure).ratio("process CPU", parsing, _YAML_BUDGET)


# --- fetch and read -------------------------------------------------------------------------


def _fetches(folder: Path, files: int, rounds: int) -> tuple[Sequence[Spent], ...]:
    """The clone with ls-tree, the one without, and ours, a round each."""
    repository = _repository(folder, files)
    limits = Limits(files=files, total_bytes=64 << 20)
    source = GitSource(Remote(f"file://{repository}"), Deadline(RealClock(), 600.0), limits)
    commit = source.resolve()
    samples = []
    for number in range(rounds + 1):
        targets = (folder / f"clone-{number}", folder / f"whole-{number}")
        samples.append((
            _spent(partial(_clone, repository, targets[0])),
            _spent(partial(_clone, repository, targets[1], every=True)),
            _spent(partial(_read, source, commit, files)),
        ))  # fmt: skip
    return tuple(zip(*samples[1:], strict=True))  # the first finds the disk cold


def _repository(folder: Path, files: int) -> Path:
    """A bare repository of one commit, as a server holds it."""
    repository = folder / "shop.git"
    stream = ["commit refs/heads/main\ncommitter D <d@example.org> 1700000000 +0000\ndata 1\nx\n"]
    for number in range(files):
        text = _document(number, steps=3)
        stream.append(f"M 644 inline team-{number % 50}/{number}.yaml\ndata {len(text)}\n{text}\n")
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(repository))
    _git("-C", str(repository), "fast-import", "--quiet", given="".join(stream).encode())
    _git("-C", str(repository), "repack", "-adq")
    return repository


def _clone(repository: Path, target: Path, *, every: bool = False) -> None:
    url = f"file://{repository}"
    _git("clone", "--quiet", "--depth", "1", "--bare", url, str(target))
    if every:
        _git("-C", str(target), "cat-file", "--batch", "--batch-all-objects", "--unordered")
        return
    listed = _git("-C", str(target), "ls-tree", "-r", "--full-tree", "main").splitlines()
    blobs = b"".join(line.split()[2] + b"\n" for line in listed)
    _git("-C", str(target), "cat-file", "--batch", given=blobs)


def _read(source: GitSource, commit: str, files: int) -> None:
    if len(source.fetch(commit).files) != files:
        raise Broken(f"{files} files were to be read")


def _git(*arguments: str, given: bytes = b"") -> bytes:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", *arguments], input=given, capture_output=True, check=True, env=environment
    ).stdout


# --- YAML -----------------------------------------------------------------------------------


def _parses(rounds: int) -> tuple[Sequence[Spent], ...]:
    """The pure loader and ours for one file, a round each."""
    data = _document(1, steps=_STEPS).encode()
    samples = []
    for _ in range(rounds):
        pure = _spent(lambda: YAML(typ="safe", pure=True).load(data))
        ours = _spent(lambda: [documents("a", "b", data) for _ in range(10)])
        samples.append((pure, Spent(ours.wall / 10, ours.cpu / 10, 0)))
    return tuple(zip(*samples, strict=True))


def _spent(work: Callable[[], object]) -> Spent:
    """By us and by the processes which have ended meanwhile."""
    used, began = _used(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - began, _used() - used, 0)


def _used() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _document(number: int, *, steps: int) -> str:
    head = (
        "apiVersion: workflowexecution.kubernaut.ai/v1alpha1\nkind: WorkflowDefinition\n"
        f"metadata:\n  name: w{number}\nspec:\n  workflowDefinition:\n    steps:\n"
    )
    return head + "".join(
        f"      - name: s{each}\n        action: ScaleDeployment\n        timeout: 5m\n"
        "        parameters: {scaleDeployment: "
        f"{{deploymentName: d{number}, replicas: {each}}}}}\n"
        for each in range(steps)
    )
