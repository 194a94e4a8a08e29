"""One run as a process: the exit code of whatever happens, and the last resort."""

import io
import logging
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace

import pytest

from reconciler.app import RealClock, execute, watch
from reconciler.core.outcome import ExitCode, Outcome
from reconciler.errors import (
    AlreadyExists,
    Conflict,
    DeadlinePassed,
    Gone,
    Refused,
    SourceError,
    Unreachable,
    UsageError,
)
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import Request
from reconciler.logs import Redactor, TextLines
from reconciler.process import Stop
from reconciler.seams import Deadline, World
from reconciler.settings import Settings
from reconciler.wiring import Process
from tests.fakes.clock import START, FrozenClock

SECRET = "hunter2hunter2"  # noqa: S105  # a canary
DONE = Outcome(ended=START, seconds=1.0, observed=True)


class Unasked:
    """A transport for runs that ask nothing."""

    def send(self, request: Request, timeout: float) -> Response:
        raise AssertionError((request, timeout))


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What our loggers write, formatted and redacted as a process does it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextLines(Redactor([SECRET]), "r1"))
    ours = logging.getLogger("reconciler")
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield stream
    ours.removeHandler(handler)
    ours.setLevel(level)


def process() -> Process:
    clock = FrozenClock()
    return Process(clock, Deadline(clock, 50.0), "test", Redactor())


def world(_values: Namespace, process: Process) -> tuple[World, Settings]:
    calls = Calls(Unasked(), process.clock, process.deadline)
    cluster = KubeCluster(calls, state_namespace="default")
    return World(cluster, process.clock, process.deadline), Settings()


def ending(outcome: Outcome | Exception) -> ExitCode:
    """The exit code of a run that comes to this."""

    def run(_world: World, _settings: Settings) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return execute(Namespace(), process(), world, run)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        pytest.param(DONE, ExitCode.DONE, id="done"),
        pytest.param(replace(DONE, strict=True, reported=1), ExitCode.REPORTED, id="strict"),
        pytest.param(UsageError("x"), ExitCode.USAGE, id="wrong-usage"),
        pytest.param(SourceError("x"), ExitCode.SOURCE, id="no-source"),
        pytest.param(Unreachable("x"), ExitCode.CLUSTER, id="no-answer"),
        pytest.param(Refused("x", status=403), ExitCode.CLUSTER, id="a-refusal"),
        pytest.param(Conflict("x"), ExitCode.CLUSTER, id="a-conflict-that-nobody-caught"),
        pytest.param(AlreadyExists("x"), ExitCode.CLUSTER, id="a-name-that-nobody-caught"),
        pytest.param(Gone("x"), ExitCode.CLUSTER, id="a-list-that-is-gone"),
        pytest.param(DeadlinePassed("x"), ExitCode.DONE, id="cut-by-the-deadline"),
        pytest.param(RuntimeError("x"), ExitCode.BUG, id="a-bug-of-ours"),
        pytest.param(RecursionError("x"), ExitCode.BUG, id="any-bug-of-ours"),
    ],
)
def test_the_exit_code_says_what_became_of_the_run(
    outcome: Outcome | Exception, code: ExitCode
) -> None:
    """Contract 7."""
    assert ending(outcome) is code


def test_a_world_that_cannot_be_built_is_sorted_alike() -> None:
    """Contract 7: no kubeconfig is wrong configuration."""

    def build(_values: Namespace, _process: Process) -> tuple[World, Settings]:
        raise UsageError("no kubeconfig")

    assert execute(Namespace(), process(), build, lambda _world, _settings: DONE) is ExitCode.USAGE


def test_a_run_ends_with_one_summary_line(told: io.StringIO) -> None:
    """Contract 9, at INFO."""
    ending(DONE)
    [line] = told.getvalue().splitlines()
    assert line.endswith(f"INFO    {DONE.summary}")


def test_a_known_error_is_one_line_without_a_traceback(told: io.StringIO) -> None:
    """Errors speak to people."""
    ending(Refused("the CRDs are not installed: reconciler crds | kubectl apply", status=404))
    [line] = told.getvalue().splitlines()
    assert line.endswith("ERROR   the CRDs are not installed: reconciler crds | kubectl apply")


def test_a_bug_of_ours_leaves_a_traceback_without_a_secret(told: io.StringIO) -> None:
    """Contract 7 and invariant I9."""
    ending(RuntimeError(f"Bearer {SECRET}"))
    assert "Traceback (most recent call last)" in told.getvalue()
    assert "RuntimeError" in told.getvalue()
    assert SECRET not in told.getvalue()


# --- the last resort ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "ends"),
    [
        pytest.param(False, 55.0, id="its-deadline-and-five-seconds"),
        pytest.param(True, 5.0, id="five-seconds-after-sigterm"),
    ],
)
def test_a_run_that_hangs_is_abandoned(asked: bool, ends: float) -> None:
    """Invariant I7: whatever hangs, a run ends within its deadline plus 5 s."""
    clock = FrozenClock()
    deadline = Deadline(clock, 50.0)
    if asked:
        deadline.stop()
    abandoned: list[float] = []
    watch(clock, deadline, lambda: abandoned.append(deadline.elapsed))
    assert abandoned == [ends]


@pytest.mark.timeout(30)
def test_a_wait_ends_when_the_process_is_asked_to_stop() -> None:
    """Contract 7: SIGTERM is the deadline."""
    stop = Stop()
    stop.asked = True
    RealClock(stop).sleep(3600)


def test_the_real_clock_is_utc_and_goes_forward() -> None:
    """The seam: aware, and never backwards."""
    clock = RealClock()
    assert clock.now().utcoffset() is not None
    assert clock.now().utcoffset() == START.utcoffset()
    before = clock.monotonic()
    assert clock.monotonic() >= before
