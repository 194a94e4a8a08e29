"""`make mutants`: seeds one bug after the other, and looks whether the exploration sees it.

Each bug is seeded into a copy of the tree; the tree itself is never touched. Prints a table, and
ends with 1 when fewer than 95 of 100 are caught.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEEDED = Path(__file__).with_name("seeded.txt")
WANTED = 0.95  # of all bugs, at least

# The share of the exploration that `make test` carries out; not the tests that name a schedule.
_SHARE = tuple(
    f"tests/faults/test_{name}.py"
    for name in ("overlaps", "sleepers", "single_faults", "hands", "double_faults")
)
_COPIED = ("reconciler", "tests", "hack", "pyproject.toml")
_LONGEST = 1800.0  # seconds a bug; one that hangs is seen, too
_SEEN_BY = re.compile(r"^seen by: (.*)$", re.MULTILINE)
_CHANGE = re.compile(
    r"^in: ([^\n]*)\n-----\n(.*?)\n=====\n(.*?)\n?^-----$", re.MULTILINE | re.DOTALL
)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """`old` stands exactly once in the file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    """`tests` are the files that must turn red."""

    name: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...] = _SHARE


@dataclass(frozen=True, slots=True)
class Verdict:
    """`by` is the first test that failed, empty for a bug that nothing saw."""

    bug: str
    by: str
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--only", default="", help="bugs whose name holds these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    flags = parser.parse_args(argv)
    chosen = [bug for bug in bugs(SEEDED.read_text()) if flags.only in bug.name]
    every = sorted({test for bug in chosen for test in bug.tests})
    healthy = _tested(Bug("no bug at all", (), tuple(every)))
    if healthy.by:
        _say(f"without a bug {healthy.by} fails: nothing can be said")
        return 2
    with ThreadPoolExecutor(flags.jobs) as pool:
        verdicts = []
        for verdict in pool.map(_tested, chosen):
            verdicts.append(verdict)
            seen = verdict.by or "SURVIVES"
            _say(f"{verdict.bug:<55} {verdict.seconds:>6.0f} s  {seen}")
    caught = sum(bool(each.by) for each in verdicts)
    _say(f"{caught} of {len(verdicts)} are caught")
    return 0 if caught >= WANTED * len(verdicts) else 1


def bugs(text: str) -> list[Bug]:
    """Those that a file of the form of `seeded.txt` holds."""
    found = text.split("\nbug: ")[1:]
    return [
        Bug(
            name=each.partition("\n")[0],
            changes=tuple(Change(*groups) for groups in _CHANGE.findall(each)),
            tests=_tests(each),
        )
        for each in found
    ]


def _tests(text: str) -> tuple[str, ...]:
    seen_by = _SEEN_BY.search(text)
    return tuple(seen_by[1].split()) if seen_by else _SHARE


def _tested(bug: Bug) -> Verdict:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reconciler-mutant-") as folder:
        copy = Path(folder)
        _copied(copy)
        for change in bug.changes:
            _changed(copy / change.path, change.old, change.new)
        by = _first_failure(copy, bug.tests)
    return Verdict(bug.name, by, time.monotonic() - began)


def _copied(to: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=ignored)
        else:
            shutil.copy(source, to / name)


def _changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{path.name}: {old!r} stands there {text.count(old)} times, not once")
    path.write_text(text.replace(old, new))


def _first_failure(copy: Path, tests: Sequence[str]) -> str:
    # Without the options of pyproject.toml: in one process, and to the first failure.
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-o", "addopts=", *tests]
    try:
        done = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        return "it hangs"
    if done.returncode == 0:
        return ""
    found = _FAILED.search(done.stdout)
    return found[1].removeprefix("tests/") if found else done.stdout[-200:] + done.stderr


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
