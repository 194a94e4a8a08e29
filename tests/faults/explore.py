"""`make explore`: every space over every workload; `make explore PLAN='…'`: one schedule, told.

Prints how many schedules there were, and of those that break something what and how to replay it,
the shortest first. Ends with 1 when there was one.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial

from tests.faults.explorer import Explorer, Tally
from tests.faults.invariants import Violation
from tests.faults.parts import SHARE, WHOLE, Part, parts
from tests.faults.schedule import read
from tests.faults.workloads import WORKLOADS

_TOLD = 3  # violations of one part; more of them seldom say more
_ROW = "{:<22} {:<17} {:>9} {:>9} {:>9} {:>10} {:>7}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one part."""

    space: str
    workload: str
    tally: Tally
    violations: tuple[str, ...]
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="explore", description=__doc__)
    parser.add_argument("plan", nargs="*", help="one schedule, replayed and told")
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        choices=sorted({part.space for part in parts(WHOLE)}),
    )
    parser.add_argument("--workload", action="append", default=[], choices=list(WORKLOADS))
    parser.add_argument("--share", action="store_true", help="what `make test` explores")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    flags = parser.parse_args(argv)
    logging.getLogger("reconciler").setLevel(logging.CRITICAL + 1)
    if flags.plan:
        return _replay(" ".join(flags.plan))
    chosen = [
        number
        for number, part in enumerate(_every(share=flags.share))
        if (not flags.space or part.space in flags.space)
        and (not flags.workload or part.workload in flags.workload)
    ]
    return _explore(partial(_explored, flags.share), chosen, flags.jobs)


def _every(*, share: bool) -> list[Part]:
    return list(parts(SHARE if share else WHOLE))


# --- one ----------------------------------------------------------------------------------------


def _replay(text: str) -> int:
    schedule = read(text)
    explorer = Explorer(WORKLOADS[schedule.workload])
    explorer.listen(_say)
    try:
        carried = explorer.carry_out(schedule)
    except Violation as violation:
        _say(str(violation))
        return 1
    _say("holds" if carried else "a word of it can do nothing where it stands")
    return 0 if carried else 2


# --- all ----------------------------------------------------------------------------------------


def _explore(explored: Callable[[int], Result], chosen: Iterable[int], jobs: int) -> int:
    _say(_ROW.format("space", "workload", "schedules", "alike", "known", "calls", "seconds"))
    total = Tally()
    broken: list[str] = []
    with ProcessPoolExecutor(jobs, initializer=_quiet) as pool:
        for done in as_completed([pool.submit(explored, number) for number in chosen]):
            result = done.result()
            total += result.tally
            broken += result.violations
            _print(result.space, result.workload, result.tally, result.seconds)
            for violation in result.violations[:_TOLD]:
                _say(violation)
    _print("all", "", total, 0)
    _say(f"{len(broken)} violations")
    return 1 if broken else 0


def _quiet() -> None:
    logging.getLogger("reconciler").setLevel(logging.CRITICAL + 1)


def _explored(share: bool, number: int) -> Result:
    """In a process of its own, which is told by number what to do."""
    part, began = _every(share=share)[number], time.process_time()
    explorer = part.carried_out(patient=True)
    shortest = sorted(explorer.violations, key=len)
    seconds = time.process_time() - began
    return Result(part.space, part.workload, explorer.tally, tuple(shortest), seconds)


def _print(space: str, workload: str, tally: Tally, seconds: float) -> None:
    counts = (tally.schedules, tally.alike, tally.known, tally.calls)
    _say(_ROW.format(space, workload, *counts, round(seconds)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
