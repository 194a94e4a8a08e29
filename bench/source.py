"""A source of 5,000 files against a bare clone of it, and its YAML against ruamel.yaml alone.

Fetch and read: `GitSource.fetch` (init, fetch, ls-tree with sizes, cat-file, its checks) against
`git clone --depth 1 --bare` and `git cat-file --batch`, over file://, in turns. A clone alone does
not tell the ids: the peer lists them with `git ls-tree`, once, without sizes. One that lets git
print every object instead (`--batch-all-objects`, trees as well) is told beside it, without a
budget: nobody could read a folder of the repository that way. YAML: bytes to documents with lines
and checks against ruamel.yaml's pure loader, which knows neither, on a file of 20 steps.
What counts is processor time, that of the programs that are started too, and the median of the
rounds' ratios: on a machine that does other things the wall clock, told beside it, tells of those.
Ends with 1 above a budget.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML

from reconciler.app import RealClock
from reconciler.git.command import Limits
from reconciler.git.remote import Remote
from reconciler.git.repository import GitSource
from reconciler.manifests import documents
from reconciler.seams import Deadline

FETCH_BUDGET = 1.5  # times the clone
YAML_BUDGET = 0.2  # times the pure loader
ROUNDS = 7
FILES = 5_000
STEPS = 20


class Spent(NamedTuple):
    """Seconds: of the processor, and on the clock."""

    cpu: float
    wall: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        listed, unlisted, ours = _fetches(Path(name), told.rounds)
    pure, documents_ = _parses(told.rounds)
    reading = f"fetch and read of {FILES:,} files, beside a bare clone"
    parsing = f"YAML of a file of {STEPS} steps, beside the pure loader"
    within = (
        _told(f"{reading}, ls-tree and cat-file", listed, ours, FETCH_BUDGET),
        _told(f"{reading} and cat-file of all objects", unlisted, ours),
        _told(parsing, pure, documents_, YAML_BUDGET),
    )
    return int(not all(within))


def _told(
    what: str, theirs: Sequence[Spent], ours: Sequence[Spent], budget: float | None = None
) -> bool:
    """Prints one row; whether the ratio of the processor times is within the budget."""
    pairs = list(zip(ours, theirs, strict=True))
    cpu = statistics.median(mine.cpu / other.cpu for mine, other in pairs)
    wall = statistics.median(mine.wall / other.wall for mine, other in pairs)
    mine, other = (statistics.median(each.cpu for each in column) for column in (ours, theirs))
    owed = "" if budget is None else f" <= {budget}"
    print(f"{what}: {mine:.4f} s beside {other:.4f} s, {cpu:.2f}{owed} (clock: {wall:.2f})")
    return budget is None or cpu <= budget


# --- fetch and read -------------------------------------------------------------------------


def _fetches(folder: Path, rounds: int) -> tuple[Sequence[Spent], ...]:
    """The clone with ls-tree, the one without, and ours, a round each."""
    repository = _repository(folder)
    limits = Limits(files=FILES, total_bytes=64 << 20)
    source = GitSource(Remote(f"file://{repository}"), Deadline(RealClock(), 600.0), limits)
    commit = source.resolve()
    samples = []
    for number in range(rounds + 1):
        targets = (folder / f"clone-{number}", folder / f"whole-{number}")
        samples.append((
            _spent(partial(_clone, repository, targets[0])),
            _spent(partial(_clone, repository, targets[1], every=True)),
            _spent(partial(_read, source, commit)),
        ))  # fmt: skip
    return tuple(zip(*samples[1:], strict=True))  # the first finds the disk cold


def _repository(folder: Path) -> Path:
    """A bare repository of one commit, as a server holds it."""
    repository = folder / "shop.git"
    stream = ["commit refs/heads/main\ncommitter D <d@example.org> 1700000000 +0000\ndata 1\nx\n"]
    for number in range(FILES):
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


def _read(source: GitSource, commit: str) -> None:
    assert len(source.fetch(commit).files) == FILES  # noqa: S101  # all of it was read


def _git(*arguments: str, given: bytes = b"") -> bytes:
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", *arguments], input=given, capture_output=True, check=True, env=environment
    ).stdout


# --- YAML -----------------------------------------------------------------------------------


def _parses(rounds: int) -> tuple[Sequence[Spent], ...]:
    """The pure loader and ours for one file, a round each."""
    data = _document(1, steps=STEPS).encode()
    samples = []
    for _ in range(rounds):
        pure = _spent(lambda: YAML(typ="safe", pure=True).load(data))
        ours = _spent(lambda: [documents("a", "b", data) for _ in range(10)])
        samples.append((pure, Spent(ours.cpu / 10, ours.wall / 10)))
    return tuple(zip(*samples, strict=True))


def _spent(work: Callable[[], object]) -> Spent:
    """By us and by the processes which have ended meanwhile."""
    used, began = _used(), time.monotonic()
    work()
    return Spent(_used() - used, time.monotonic() - began)


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


if __name__ == "__main__":
    sys.exit(main())
