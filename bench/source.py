"""A source of 5,000 files against a bare clone of it, and its YAML against ruamel.yaml alone.

Fetch and read: `GitSource.fetch` (init, fetch, ls-tree, cat-file, its checks) against
`git clone --depth 1 --bare`, one `git ls-tree` and one `git cat-file --batch` of the blobs that it
lists, over file://, in turns. YAML: bytes to documents with lines and checks against ruamel.yaml's
pure loader, which knows neither, on a file of 20 steps. All in processor time, that of the programs
that are started too: on a machine that does other things the wall clock tells of those. Medians of
the rounds' ratios are what counts. Ends with 1 above a budget.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        fetch = _fetches(Path(name), told.rounds)
    parse = _parses(told.rounds)
    rows = (
        (f"fetch and read of {FILES:,} files, beside a bare clone", fetch, FETCH_BUDGET, "s"),
        (f"YAML of a file of {STEPS} steps, beside the pure loader", parse, YAML_BUDGET, "s"),
    )
    over = False
    for what, samples, budget, unit in rows:
        theirs, ours = (statistics.median(column) for column in zip(*samples, strict=True))
        ratio = statistics.median(mine / other for other, mine in samples)
        over = over or ratio > budget
        print(f"{what}: {ours:.4f} {unit} beside {theirs:.4f} {unit}, {ratio:.2f} (<= {budget})")
    return int(over)


# --- fetch and read -------------------------------------------------------------------------


def _fetches(folder: Path, rounds: int) -> list[tuple[float, float]]:
    """Seconds of the clone and of ours, a round."""
    repository = _repository(folder)
    limits = Limits(files=FILES, total_bytes=64 << 20)
    source = GitSource(Remote(f"file://{repository}"), Deadline(RealClock(), 600.0), limits)
    commit = source.resolve()
    samples = []
    for number in range(rounds + 1):
        target = folder / f"clone-{number}"
        clone = _seconds(partial(_clone, repository, target))
        samples.append((clone, _seconds(partial(_read, source, commit))))
    return samples[1:]  # the first finds the disk cold


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


def _clone(repository: Path, target: Path) -> None:
    url = f"file://{repository}"
    _git("clone", "--quiet", "--depth", "1", "--bare", url, str(target))
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


def _parses(rounds: int) -> list[tuple[float, float]]:
    """Processor seconds of the pure loader and of ours for one file, a round."""
    data = _document(1, steps=STEPS).encode()
    samples = []
    for _ in range(rounds):
        pure = _seconds(lambda: YAML(typ="safe", pure=True).load(data))
        ours = _seconds(lambda: [documents("a", "b", data) for _ in range(10)])
        samples.append((pure, ours / 10))
    return samples


def _seconds(work: Callable[[], object]) -> float:
    """Of the processor, ours and that of the processes which have ended meanwhile."""
    before = _used()
    work()
    return _used() - before


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
