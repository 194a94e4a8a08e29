"""Attempts: when one is over time, when the next is due, and which ones count."""

from datetime import datetime, timedelta

import pytest

from reconciler.core.api import StepStatus
from reconciler.core.decide import Decision
from reconciler.core.rollup import backoff, creation_at, healed, reservation
from reconciler.core.status import refused
from tests.builders import (
    after,
    at,
    child,
    decide_again,
    facts,
    result,
    step,
    steps_created,
    workflow,
)


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        pytest.param(359, StepStatus.RUNNING, id="within-the-grace"),
        pytest.param(360, StepStatus.RUNNING, id="not-longer-than-timeout-and-grace"),
        pytest.param(361, StepStatus.FAILED, id="longer-than-both"),
    ],
)
def test_a_step_times_out_after_its_timeout_and_a_grace(seconds: int, status: StepStatus) -> None:
    """Contract 4: timeout 5 m plus a grace of 60 s, by the child's executionStartTime."""
    seen = after(workflow(step(timeout="5m")))
    decision = decide_again(seen, child("a", "Running", started=at()), now=at(seconds=seconds))
    assert result(decision).status is status
    assert (result(decision).reason == "TimedOut") is (status is StepStatus.FAILED)


def test_the_catalogue_gives_a_timeout_where_none_is_stated() -> None:
    """Contract 6: ten minutes for an action of the user's own."""
    seen = after(workflow(step()))
    running = child("a", "Running", started=at())
    assert result(decide_again(seen, running, now=at(minutes=11))).reason == ""
    assert result(decide_again(seen, running, now=at(minutes=11, seconds=1))).reason == "TimedOut"


@pytest.mark.parametrize(
    ("started", "created", "now", "reason"),
    [
        pytest.param(at(hours=-9), at(), at(minutes=11), "", id="never-before-its-creation"),
        pytest.param(at(hours=9), at(), at(hours=1), "", id="never-after-now"),
        pytest.param(
            at(hours=-9), at(), at(minutes=12), "TimedOut", id="a-clock-that-lags-saves-nobody"
        ),
        pytest.param(at(), at(hours=1), at(minutes=30), "", id="made-after-now-by-its-own-time"),
    ],
)
def test_an_executors_clock_is_held_between_creation_and_now(
    started: datetime, created: datetime, now: datetime, reason: str
) -> None:
    """Contract 4: executionStartTime, never before its creation nor after now."""
    seen = after(workflow(step()))
    running = child("a", "Running", started=started, created=created)
    assert result(decide_again(seen, running, now=now)).reason == reason


def test_running_without_a_start_time_counts_from_creation() -> None:
    """Contract 4: an executor that says Running has begun, though it keeps no times."""
    seen = after(workflow(step()))
    running = child("a", "Running")
    assert result(decide_again(seen, running, now=at(minutes=11))).reason == ""
    assert result(decide_again(seen, running, now=at(minutes=12))).reason == "TimedOut"


@pytest.mark.parametrize("phase", ["", "Pending"])
def test_a_child_that_nobody_has_started_never_times_out_by_itself(phase: str) -> None:
    """Contract 4: it is bounded by the workflow's timeout alone."""
    seen = after(workflow(step(timeout="1s")))
    decision = decide_again(seen, child("a", phase), now=at(hours=100))
    assert (result(decision).status, decision.stop) == ("Pending", ())


def test_nothing_times_out_by_a_nodes_clock() -> None:
    """Contract 1, decide: no Date header, no timeouts in this pass."""
    seen = after(workflow(step(timeout="1s"), timeout="1s"))
    running = child("a", "Running", started=at())
    decision = decide_again(seen, running, now=at(hours=9), timed=False)
    assert (result(decision).status, decision.status.phase) == ("Running", "Executing")
    assert decision.stop == ()


def test_a_step_that_timed_out_says_how_its_child_stood() -> None:
    """Contract 4: TimedOut, and the error tells a person what was seen."""
    decision = decide_again(
        after(workflow(step(timeout="5m"))), child("a", "Running", started=at()), now=at(hours=1)
    )
    assert result(decision).last_error == "still Running after 5m"
    assert result(decision).execution_end_time is None


def test_a_step_that_timed_out_is_retried_when_attempts_are_left() -> None:
    """Contract 4: its own Failed, or TimedOut, with attempts left: Retrying."""
    seen = after(workflow(step(retries=1)), child("a", "Running", started=at()), now=at(hours=1))
    assert (result(seen).status, result(seen).reason) == ("Retrying", "TimedOut")
    assert result(seen).execution_end_time == at(hours=1)


def test_an_attempt_that_timed_out_and_completed_after_all_completes_its_step() -> None:
    """Contract 4: its child is terminal: its result; Retrying is not final."""
    seen = after(workflow(step(retries=1)), child("a", "Running", started=at()), now=at(hours=1))
    decision = decide_again(seen, child("a", "Completed", started=at()), now=at(hours=2))
    assert (result(decision).status, result(decision).reason) == ("Completed", "")
    assert decision.status.phase == "Completed"


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [
        pytest.param(-1, 0, id="never-negative"),
        pytest.param(0, 0, id="none-made"),
        pytest.param(1, 30, id="30s-after-the-first"),
        pytest.param(2, 60, id="doubled"),
        pytest.param(3, 120, id="and-again"),
        pytest.param(4, 240, id="and-again-2"),
        pytest.param(5, 480, id="and-again-3"),
        pytest.param(6, 600, id="ten-minutes-at-most"),
        pytest.param(1_000_000, 600, id="for-ever"),
    ],
)
def test_backoff_doubles_from_30_seconds_to_ten_minutes(attempts: int, seconds: int) -> None:
    """Contract 4: 30 s, 60 s, 120 s ... capped at 10 m."""
    assert backoff(attempts) == timedelta(seconds=seconds)


def _failing(attempt: int, *, now: datetime, retries: int = 5) -> Decision:
    """Every attempt up to this one failed; this one's failure is recorded now."""
    seen = after(workflow(step(retries=retries)))
    for number in range(attempt + 1):
        moment = now - timedelta(hours=attempt - number)
        failed = [child("a", "Failed", each) for each in range(number + 1)]
        decision = decide_again(seen, *failed, now=moment)
        seen = seen.with_status(decision.status)
        if number < attempt:
            due = decide_again(seen, *failed, now=moment + timedelta(minutes=20))
            seen = seen.with_status(due.status)
    return decision


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [
        pytest.param(0, 30, id="after-the-first-attempt"),
        pytest.param(1, 60, id="after-the-second"),
        pytest.param(2, 120, id="after-the-third"),
        pytest.param(3, 240, id="after-the-fourth"),
        pytest.param(4, 480, id="after-the-fifth"),
    ],
)
def test_the_next_attempt_waits_since_the_failure_was_recorded(attempt: int, wait: int) -> None:
    """Contract 4: 30 s, 60 s ... since its failure was recorded, not since the child ended."""
    recorded = _failing(attempt, now=at(hours=50))
    assert (result(recorded).status, result(recorded).attempt) == ("Retrying", attempt)
    seen = workflow(step(retries=5)).with_status(recorded.status)
    failed = [child("a", "Failed", each, ended=at()) for each in range(attempt + 1)]
    early = decide_again(seen, *failed, now=at(hours=50, seconds=wait - 1))
    assert steps_created(early) == []
    due = decide_again(seen, *failed, now=at(hours=50, seconds=wait))
    assert steps_created(due) == ["a"]
    assert result(due).attempt == attempt + 1
    assert result(due).execution_ref == child("a", attempt=attempt + 1).name


def test_the_last_attempt_fails_for_good() -> None:
    """Contract 2: retries are further attempts after a failed one."""
    assert result(_failing(1, now=at(hours=50), retries=2)).status == "Retrying"
    assert result(_failing(2, now=at(hours=50), retries=2)).status == "Failed"


def test_a_step_without_retries_fails_at_once() -> None:
    """Contract 2: retries default to 0."""
    assert result(_failing(0, now=at(hours=50), retries=0)).status == "Failed"


def test_a_new_attempt_starts_with_a_clean_record() -> None:
    """Contract 2: stepResults speak of the attempt they name."""
    seen = after(workflow(step(retries=1)), child("a", "Failed", last_error="no", started=at()))
    fresh = result(decide_again(seen, child("a", "Failed"), now=at(seconds=30)))
    assert (fresh.attempt, fresh.status, fresh.reserved_at) == (1, "Pending", at(seconds=30))
    assert (fresh.execution_uid, fresh.last_error, fresh.reason) == ("", "", "")
    assert (fresh.execution_start_time, fresh.execution_end_time) == (None, None)


def test_a_late_attempt_was_never_made_and_the_next_follows_at_once() -> None:
    """Contract 2: the next follows and uses up no retry."""
    seen = after(workflow(step()))
    decision = decide_again(seen, child("a", "Failed", reason="Late"))
    assert steps_created(decision) == ["a"]
    assert (result(decision).attempt, result(decision).status) == (1, "Pending")


def test_late_after_late_backs_off() -> None:
    """Contract 4: a run that is late again and again does not spin."""
    seen = after(workflow(step()), child("a", "Failed", reason="Late"))
    late = [child("a", "Failed", each, reason="Late") for each in (0, 1)]
    again = decide_again(seen, *late)
    assert (steps_created(again), result(again).status) == ([], "Retrying")
    waiting = seen.with_status(again.status)
    assert steps_created(decide_again(waiting, *late, now=at(seconds=29))) == []
    assert steps_created(decide_again(waiting, *late, now=at(seconds=30))) == ["a"]


def test_a_late_attempt_uses_up_no_retry() -> None:
    """Contract 2: with one retry a step may fail twice, however often it was late."""
    late = child("a", "Failed", reason="Late")
    seen = after(workflow(step(retries=1)), late)
    seen = after(seen, late, child("a", "Failed", 1))
    assert (result(seen).status, result(seen).attempt) == ("Retrying", 1)
    seen = after(seen, late, child("a", "Failed", 1), now=at(seconds=30))
    assert result(seen).attempt == 2
    seen = after(seen, late, child("a", "Failed", 1), child("a", "Failed", 2), now=at(minutes=9))
    assert (result(seen).status, result(seen).attempt) == ("Failed", 2)


def test_a_late_attempt_is_followed_though_the_one_before_it_is_gone() -> None:
    """Contract 2: whoever deletes the first late child, the second was not made either."""
    seen = after(workflow(step()), child("a", "Failed", reason="Late"))
    found = result(decide_again(seen, child("a", "Failed", 1, reason="Late")))
    assert (found.status, found.attempt) == ("Pending", 2)


def test_a_late_attempt_lengthens_no_backoff() -> None:
    """Contract 4: the first failure waits 30 s, though it was the second attempt."""
    late = child("a", "Failed", reason="Late")
    seen = after(workflow(step(retries=1)), late)
    seen = after(seen, late, child("a", "Failed", 1))
    due = decide_again(seen, late, child("a", "Failed", 1), now=at(seconds=30))
    assert steps_created(due) == ["a"]


@pytest.mark.parametrize("phase", ["", "Running", "Completed"])
def test_only_a_failed_child_can_be_late(phase: str) -> None:
    """Contract 2: it ends it untouched, Failed, reason Late."""
    decision = decide_again(after(workflow(step())), child("a", phase, reason="Late"))
    assert (result(decision).attempt, steps_created(decision)) == (0, [])


def test_attempts_end_before_their_number_outgrows_its_field() -> None:
    """Contract 2: every number is bounded; a run that is late a thousand times gives up."""
    decision = decide_again(workflow(step()), child("a", "Failed", 1000, reason="Late"))
    assert (result(decision).status, result(decision).reason) == ("Failed", "Late")


def test_a_refused_creation_is_tried_again_with_backoff() -> None:
    """Contract 4: 401, 403, 404 stay reserved and are tried again after 30 s, 60 s, 120 s ..."""
    seen = after(workflow(step(timeout="24h")))
    tried = []
    for seconds in range(0, 1700, 10):
        seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
        decision = decide_again(seen, now=at(seconds=seconds))
        seen = seen.with_status(decision.status)
        if decision.create:
            tried.append(seconds)
    assert tried == [30, 90, 210, 450, 930, 1530]


def test_a_try_that_came_late_is_followed_by_a_whole_backoff() -> None:
    """Contract 4: tried again after 30 s, 60 s ...: no run knocks twice in a row."""
    seen = after(workflow(step(timeout="24h")))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
    seen = after(seen, now=at(seconds=449))
    assert result(seen).healed_at == at(seconds=449)
    assert creation_at(result(seen)) == at(seconds=449 + 240)


def test_a_refused_creation_keeps_its_reservation_and_its_error() -> None:
    """Contract 4: stays reserved with lastError."""
    seen = after(workflow(step()))
    seen = after(seen.with_status(refused(seen.status, "a", "", "forbidden")), now=at(seconds=10))
    assert (result(seen).status, result(seen).last_error) == ("Pending", "forbidden")
    assert seen.status.active_steps == 1


def test_a_creation_that_went_through_forgets_its_refusal() -> None:
    """Contract 4: the child tells the result from then on."""
    seen = after(workflow(step()))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
    assert result(decide_again(seen, child("a"))).last_error == ""


@pytest.mark.parametrize(
    ("now", "timed", "status"),
    [
        pytest.param(at(seconds=299), True, "Pending", id="not-before-its-timeout"),
        pytest.param(at(seconds=300), True, "Failed", id="when-its-timeout-has-passed"),
        pytest.param(at(hours=9), False, "Pending", id="never-by-a-nodes-clock"),
    ],
)
def test_a_refusal_that_lasts_fails_the_step(now: datetime, timed: bool, status: str) -> None:
    """Contract 4: CreationRefused when its timeout has passed since reservedAt."""
    seen = after(workflow(step(timeout="5m")))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
    found = result(decide_again(seen, now=now, timed=timed))
    assert found.status == status
    assert (found.reason, found.last_error) == (
        "CreationRefused" if status == "Failed" else "",
        "forbidden",
    )


def test_a_reservation_that_was_not_refused_never_expires() -> None:
    """Contract 4: reserved is started; only a refusal is bounded by the step's timeout."""
    seen = after(workflow(step(timeout="1s")))
    assert steps_created(decide_again(seen, now=at(hours=100))) == ["a"]


@pytest.mark.parametrize("reason", ["CreationRefused", "NameCollision"])
def test_a_creation_refused_for_good_is_a_result(reason: str) -> None:
    """Contract 4: 400, 422, NameCollision: Failed; a stranger of that name changes nothing."""
    seen = after(workflow(step(retries=5)))
    seen = seen.with_status(refused(seen.status, "a", reason, "the server said no"))
    decision = decide_again(seen, child("a", "Running", owner="stranger"), now=at(hours=1))
    assert (result(decision).status, result(decision).reason) == ("Failed", reason)
    assert (decision.status.phase, decision.status.settled) == ("Failed", True)
    assert (decision.create, decision.stop) == ((), ())


def test_healing_always_moves_its_time() -> None:
    """Contract 1, create: an unchanged status moves no resourceVersion; one of two must lose."""
    seen = after(workflow(step()))
    healed_at = [result(seen).healed_at]
    for _ in range(3):
        seen = after(seen, now=at())
        healed_at.append(result(seen).healed_at)
    assert healed_at == [None, at(), at(seconds=1), at(seconds=2)]


def test_healing_moves_forward_though_a_clock_went_back() -> None:
    """Contract 1, create: the servers of one cluster need not agree on the second."""
    given = facts(workflow(step()), now=at())
    once = healed(given, reservation(given, "a", None))
    before = facts(workflow(step()), now=at(seconds=-30))
    assert healed(before, once).healed_at == at(seconds=1)
