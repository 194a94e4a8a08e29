"""One run as a process: what it is built of, when it must end, which exit code it has (contract 7).

The only place that reads a clock. A bug of ours ends in exit 70 and a traceback in the log.
"""

import logging
import secrets
import socket
import sys
import threading
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from reconciler import logs
from reconciler.core.outcome import ExitCode, Outcome
from reconciler.errors import (
    ClusterError,
    DeadlinePassed,
    ReconcilerError,
    SourceError,
    UsageError,
)
from reconciler.logs import Redactor
from reconciler.process import Stop, leave
from reconciler.run import run
from reconciler.seams import Clock, Deadline, World
from reconciler.settings import Settings
from reconciler.wiring import Process, real_world

_log = logging.getLogger(__name__)

_GRACE = 5.0  # seconds that a run has after its deadline, for one push and the Lease's release
_TICK = 0.25  # seconds: a wait that SIGTERM ends lasts no longer

_EXIT_CODES: Sequence[tuple[type[ReconcilerError], ExitCode]] = (
    (UsageError, ExitCode.USAGE),
    (SourceError, ExitCode.SOURCE),
    (ClusterError, ExitCode.CLUSTER),
    (DeadlinePassed, ExitCode.DONE),
)


class RealClock:
    """The node's clock. A wait ends early when somebody asks the process to stop."""

    def __init__(self, stop: Stop | None = None) -> None:
        self._stop = stop or Stop()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._stop.asked and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, _TICK))


def main(values: Namespace, stop: Stop) -> int:
    """`reconciler run` with these flags; the exit code."""
    clock, redact, run_id = RealClock(stop), Redactor(), secrets.token_hex(4)
    deadline = Deadline(clock, values.deadline)
    stop.tells(deadline.stop)
    logs.configure(redact, form=values.log_format, verbosity=values.verbose, run_id=run_id)
    threading.Thread(
        target=watch, args=(RealClock(), deadline, lambda: _abandon(stop)), daemon=True
    ).start()
    return execute(values, Process(clock, deadline, f"{socket.gethostname()}_{run_id}", redact))


def execute(
    values: Namespace,
    process: Process,
    build: Callable[[Namespace, Process], tuple[World, Settings]] = real_world,
    carry_out: Callable[[World, Settings], Outcome] = run,
) -> ExitCode:
    """Builds the World, carries out one run, sorts what comes back."""
    try:
        world, settings = build(values, process)
        outcome = carry_out(world, settings)
    except ReconcilerError as error:
        code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
        _log.log(logging.ERROR if code else logging.WARNING, "%s", error)
        return code
    except Exception:  # noqa: BLE001  # whatever it is, it is our bug, and it is logged whole
        _log.critical("a bug in the reconciler; please report what follows", exc_info=True)
        return ExitCode.BUG
    _log.info("%s", outcome.summary)
    return outcome.exit_code


def watch(clock: Clock, deadline: Deadline, abandon: Callable[[], object]) -> None:
    """The last resort: no timeout bounds a resolver or a disk that hangs, this does.

    What is left behind is one of the states that the next run heals, as after a crash.
    """
    while not deadline.passed:
        clock.sleep(_TICK)
    ends = clock.monotonic() + _GRACE
    while clock.monotonic() < ends:
        clock.sleep(_TICK)
    abandon()


def _abandon(stop: Stop) -> None:
    """After SIGTERM a run that was cut; after its deadline a run that somebody never answered."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]  # noqa: SLF001  # documented
    where = "".join(traceback.format_stack(frame)[-3:])
    _log.error("the run did not end in time and is abandoned; it was at\n%s", where)
    leave(ExitCode.DONE if stop.asked else ExitCode.CLUSTER)
