"""Carries the checks out: one that fails stops none but those that need it (contract 9).

The cluster, the source and the gateway are asked side by side, each in order. What was not answered
when the time is over is told as such: a report comes in any case.
"""

import threading
from collections.abc import Callable, Sequence

from reconciler.checks.ground import Ground
from reconciler.checks.result import Found, Result, Status, failed, named, skipped
from reconciler.checks.table import Check, Side
from reconciler.errors import DeadlinePassed, ReconcilerError
from reconciler.reconcile import survive

_TICK = 0.2  # seconds: how late the end of the time may be noticed
_GRACE = 3.0  # seconds after the deadline for a call that is about to notice it
_LATE = "no answer before the deadline, or SIGTERM came"
_LONGER = "see what keeps it from answering; --deadline gives more time"


def perform(
    ground: Ground, checks: Sequence[Check], clean: Callable[[str], str] = str
) -> tuple[Result, ...]:
    """The result of each, in their order; `clean` keeps secrets out of what is told."""
    done: dict[str, Result] = {}
    threads = [
        # Left behind it harms nothing: no check writes, and the process is about to end.
        threading.Thread(target=_side, args=(ground, of, done, clean), daemon=True)
        for side in Side
        if (of := [check for check in checks if check.side is side])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not ground.deadline.passed:
            thread.join(_TICK)
        thread.join(_GRACE)
    told = dict(done)
    late = failed(_LATE, _LONGER)
    return tuple(told.get(check.name) or named(check.name, late, clean) for check in checks)


def _side(
    ground: Ground, checks: Sequence[Check], done: dict[str, Result], clean: Callable[[str], str]
) -> None:
    stopped: set[str] = set()
    for check in checks:
        found = _found(ground, check, stopped)
        if found.status is Status.FAILED:
            stopped.add(check.name)
        done[check.name] = named(check.name, found, clean)


def _found(ground: Ground, check: Check, stopped: set[str]) -> Found:
    missing = [name for name in check.needs if name in stopped]
    if missing:
        stopped.add(check.name)  # and whoever needs this one
        return skipped(f"needs {missing[0]}")
    bug = failed("a bug in the reconciler", "report what the log says")
    try:
        return survive(f"the check {check.name}", lambda: check.ask(ground), lambda: bug)
    except DeadlinePassed:
        return failed(_LATE, _LONGER)
    except ReconcilerError as error:
        return failed(str(error), check.advice)
