"""What is written: phase by first match, counts, times, a message for people, and its bounds."""

import pytest

from reconciler.core.api import (
    ConditionType,
    FailurePolicy,
    Phase,
    WorkflowExecution,
    WorkflowStatus,
)
from reconciler.core.facts import Child
from reconciler.core.plan import Finding, Plan
from reconciler.core.status import already_ran, refused
from tests.builders import (
    NOW,
    FactsFields,
    after,
    approved,
    at,
    child,
    decide_again,
    deleted,
    edited,
    facts,
    result,
    step,
    workflow,
)

CONTINUE = FailurePolicy.CONTINUE
TWO = (step("a"), step("b"))
CHAIN = (step("a"), step("b", depends_on=("a",)))


@pytest.mark.parametrize(
    ("seen", "children", "phase"),
    [
        pytest.param(workflow(step(), suspend=True), (), "Pending", id="pending-before-it-begins"),
        pytest.param(workflow(step()), (), "Executing", id="executing-from-the-first-reservation"),
        pytest.param(workflow(), (), "Completed", id="completed-without-steps"),
        pytest.param(workflow(cancel=True), (), "Completed", id="without-steps-before-cancel"),
        pytest.param(
            after(workflow(*TWO)),
            (child("a", "Completed"), child("b", "Completed")),
            "Completed",
            id="completed-when-all-are",
        ),
        pytest.param(
            edited(after(workflow(*TWO)), cancel=True),
            (child("a", "Completed"), child("b", "Completed")),
            "Completed",
            id="completed-goes-before-cancel",
        ),
        pytest.param(
            edited(after(workflow(*TWO)), cancel=True),
            (child("a", "Failed"), child("b", "Running")),
            "Cancelled",
            id="cancel-goes-before-a-failure",
        ),
        pytest.param(
            workflow(step(), cancel=True), (), "Cancelled", id="cancelled-before-it-began"
        ),
        pytest.param(
            after(workflow(*TWO)),
            (child("a", "Failed"), child("b", "Running")),
            "Failed",
            id="failed-at-once-under-fail-fast",
        ),
        pytest.param(
            after(workflow(*TWO, failure_policy=CONTINUE)),
            (child("a", "Failed"), child("b", "Running")),
            "Executing",
            id="not-at-once-under-continue",
        ),
        pytest.param(
            after(workflow(*TWO, failure_policy=CONTINUE)),
            (child("a", "Failed"), child("b", "Completed")),
            "Failed",
            id="failed-when-all-are-done-under-continue",
        ),
        pytest.param(
            after(workflow(*CHAIN, failure_policy=CONTINUE)),
            (child("a", "Failed"),),
            "Failed",
            id="failed-when-the-rest-is-skipped",
        ),
        pytest.param(
            after(workflow(step("a", retries=1), step("b"))),
            (child("a", "Failed"), child("b", "Running")),
            "Executing",
            id="executing-while-a-retry-is-left",
        ),
        pytest.param(
            workflow(step(depends_on=("missing",)), cancel=True), (), "Failed", id="invalid-first"
        ),
        pytest.param(
            workflow(step(), assume_completed=("a",)), (), "Completed", id="completed-by-assumption"
        ),
    ],
)
def test_the_phase_is_the_first_match(
    seen: WorkflowExecution, children: tuple[Child, ...], phase: str
) -> None:
    """Contract 4, Phase."""
    assert decide_again(seen, *children).status.phase == phase


def test_a_workflow_that_lost_its_plan_is_not_one_without_steps() -> None:
    """Contract 4, Phase: Completed means that every step of the definition is."""
    started = after(workflow(step()))
    lost = started.with_status(started.status.model_copy(update={"execution_plan": ()}))
    refused_now = Plan((), (Finding("spec", "another release refuses this"),))
    decision = decide_again(lost, child("a", "Running"), plan=refused_now)
    assert decision.status.phase == "Executing"


@pytest.mark.parametrize(
    ("minutes", "phase"),
    [
        pytest.param(59, "Executing", id="not-before"),
        pytest.param(60, "Failed", id="from-the-first-reservation"),
    ],
)
def test_a_workflow_times_out(minutes: int, phase: str) -> None:
    """Contract 2 and 4: from the first reservation; Failed, reason WorkflowTimedOut."""
    seen = after(workflow(step(timeout="24h"), timeout="1h"))
    decision = decide_again(seen, child("a", "Running"), now=at(minutes=minutes))
    assert decision.status.phase == phase
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.reason == ("WorkflowTimedOut" if phase == "Failed" else "Executing")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(
            edited(after(workflow(*CHAIN, timeout="1h"), child("a", "Completed")), suspend=True),
            id="suspension-counts",
        ),
        pytest.param(
            after(
                workflow(
                    step("a"), step("b", depends_on=("a",), requires_approval=True), timeout="1h"
                ),
                child("a", "Completed"),
            ),
            id="approval-counts",
        ),
        pytest.param(
            after(workflow(step("a", retries=5), timeout="1h"), child("a", "Failed")),
            id="backoff-counts",
        ),
    ],
)
def test_waiting_counts_for_the_workflows_timeout(seen: WorkflowExecution) -> None:
    """Contract 2: suspension and approval count."""
    listed = child("a", "Failed" if result(seen).status == "Retrying" else "Completed")
    assert decide_again(seen, listed, now=at(hours=2)).status.phase == "Failed"


def test_a_workflow_that_has_not_started_never_times_out() -> None:
    """Contract 2: from the first reservation."""
    seen = after(workflow(step(requires_approval=True), timeout="1s"))
    assert decide_again(seen, now=at(hours=100)).status.phase == "Pending"


def test_everything_completed_goes_before_the_timeout() -> None:
    """Contract 4, Phase: first match."""
    seen = after(workflow(step(), timeout="1s"))
    assert decide_again(seen, child("a", "Completed"), now=at(hours=1)).status.phase == "Completed"


@pytest.mark.parametrize(
    ("seen", "fields", "phase"),
    [
        pytest.param(workflow(step(), not_after=at()), {}, "Executing", id="at-notAfter-it-starts"),
        pytest.param(
            workflow(step(), not_after=at()), {"now": at(seconds=1)}, "Failed", id="after-it-fails"
        ),
        pytest.param(
            workflow(step(), not_after=at(), suspend=True),
            {"now": at(seconds=1)},
            "Failed",
            id="suspended-it-fails-too",
        ),
        pytest.param(
            workflow(step(), not_after=at()),
            {"now": at(seconds=1), "timed": False},
            "Pending",
            id="not-by-a-nodes-clock",
        ),
        pytest.param(
            after(workflow(*CHAIN, not_after=at())),
            {"now": at(seconds=1)},
            "Executing",
            id="not-when-it-has-started",
        ),
    ],
)
def test_a_workflow_expires_when_it_has_not_started(
    seen: WorkflowExecution, fields: FactsFields, phase: str
) -> None:
    """Contract 2 and 4: notAfter passed before the first step: Failed, reason Expired."""
    decision = decide_again(seen, **fields)
    assert decision.status.phase == phase
    told = "no step had started by notAfter, 2026-03-01T12:00:00Z" in decision.status.message
    assert told is (phase == "Failed")


@pytest.mark.parametrize(
    ("before", "children"),
    [
        pytest.param(
            after(workflow(*TWO), child("a", "Failed"), child("b", "Running")),
            (child("a", "Completed"), child("b", "Completed")),
            id="failed",
        ),
        pytest.param(
            after(workflow(*TWO), child("a", "Completed"), child("b", "Completed")),
            (child("a", "Failed"), child("b", "Running")),
            id="completed",
        ),
        pytest.param(
            after(edited(after(workflow(*TWO)), cancel=True), child("a"), child("b")),
            (child("a", "Completed"), child("b", "Completed")),
            id="cancelled",
        ),
    ],
)
def test_a_terminal_phase_never_changes(
    before: WorkflowExecution, children: tuple[Child, ...]
) -> None:
    """Contract 4, I4: whatever children say or people edit later."""
    for seen in (before, edited(before, cancel=True), edited(before, cancel=False)):
        later = decide_again(seen, *children, now=at(hours=1)).status
        assert later.phase is before.status.phase
        assert later.last_transition_time == before.status.last_transition_time
        ready, was = (each.condition(ConditionType.READY) for each in (later, before.status))
        assert ready is not None
        assert was is not None
        assert (ready.status, ready.reason) == (was.status, was.reason)


@pytest.mark.parametrize(
    ("listed", "settled"),
    [
        pytest.param(child("b", "Running"), False, id="not-while-a-child-is-active"),
        pytest.param(child("b", "Done?"), False, id="not-while-a-phase-is-unknown"),
        pytest.param(
            child("b", "Completed", deleting=True), False, id="not-while-a-child-is-on-its-way-out"
        ),
        pytest.param(child("b", "Completed"), True, id="when-every-child-has-ended"),
    ],
)
def test_a_workflow_settles_when_nothing_is_active(listed: Child, settled: bool) -> None:
    """Contract 2: terminal phase, no reservation without a child, no active child."""
    seen = after(workflow(*TWO), child("a", "Failed"), child("b", "Running"))
    status = decide_again(seen, child("a", "Failed"), listed, now=at(minutes=5)).status
    assert status.settled is settled
    assert status.execution_end_time == (at(minutes=5) if settled else None)


def test_a_workflow_with_a_reservation_does_not_settle() -> None:
    """Contract 2 and faults of overlapping runs: a sleeping run may still create it."""
    seen = edited(after(workflow(step())), cancel=True)
    decision = decide_again(seen)
    assert (decision.status.phase, decision.status.settled) == ("Cancelled", False)


def test_the_end_is_set_once() -> None:
    """Contract 2, I4: executionEndTime is set once, when settled."""
    seen = after(workflow(step()), child("a", "Completed"), now=at(minutes=1))
    flipped = after(seen, child("a", "Running"), now=at(minutes=2))
    again = after(flipped, child("a", "Completed"), now=at(minutes=3))
    assert again.status.settled
    assert again.status.execution_end_time == at(minutes=1)


def test_a_child_that_flips_unsettles_nothing() -> None:
    """I4: what is settled stays settled, though a child comes back to life."""
    seen = after(workflow(step()), child("a", "Completed"))
    assert decide_again(seen, child("a", "Running")).status.settled


def test_the_start_is_the_first_reservation() -> None:
    """Contract 2: executionStartTime, of the first reservation."""
    seen = after(workflow(step(), suspend=True))
    assert seen.status.execution_start_time is None
    seen = after(edited(seen, suspend=False), now=at(minutes=3))
    assert seen.status.execution_start_time == at(minutes=3)
    seen = after(seen, child("a", "Running", started=at(minutes=4)), now=at(minutes=5))
    assert seen.status.execution_start_time == at(minutes=3)


def test_the_phases_time_moves_with_the_phase_alone() -> None:
    """Contract 2: lastTransitionTime, of the phase."""
    seen = after(workflow(*CHAIN))
    assert seen.status.last_transition_time == NOW
    seen = after(seen, child("a", "Completed"), now=at(minutes=1))
    assert seen.status.last_transition_time == NOW
    both = (child("a", "Completed"), child("b", "Completed"))
    assert after(seen, *both, now=at(minutes=2)).status.last_transition_time == at(minutes=2)


def test_the_counts_add_up() -> None:
    """Contract 2: totalSteps, completedSteps, failedSteps, activeSteps, progress."""
    given = workflow(*(step(name) for name in "abcdefg"), failure_policy=CONTINUE)
    seen = after(given)
    listed = [child("a", "Completed"), child("b", "Failed"), child("c", "Running"), child("d")]
    status = decide_again(seen, *listed, child("e", "Completed")).status
    assert (status.total_steps, status.completed_steps, status.failed_steps) == (7, 2, 1)
    assert (status.active_steps, status.progress) == (4, "2/7")
    assert status.execution_plan == tuple("abcdefg")
    assert [each.step_name for each in status.step_results] == list("abcdefg")


def test_a_generation_that_was_seen_is_told() -> None:
    """kstatus: an object whose observedGeneration lags is in progress."""
    seen = edited(after(workflow(step(), suspend=True)), suspend=False)
    assert seen.status.observed_generation == 1
    assert decide_again(seen).status.observed_generation == 2


def test_nothing_in_a_status_moves_with_the_clock_alone() -> None:
    """Contract 1: nothing in a status is relative to now."""
    seen = after(workflow(step(retries=1), step("b", requires_approval=True)), child("a", "Failed"))
    for seconds in (1, 10, 29):
        assert decide_again(seen, child("a", "Failed"), now=at(seconds=seconds)).idle


def test_refusing_a_creation_for_good_is_a_result() -> None:
    """Contract 4: the one case of a second status write in a pass."""
    status = refused(after(workflow(*TWO)).status, "b", "NameCollision", "taken by a stranger")
    assert (result(status, "b").status, result(status, "b").reason) == ("Failed", "NameCollision")
    assert result(status, "b").last_error == "taken by a stranger"
    assert result(status, "a").status == "Pending"
    assert WorkflowStatus.model_validate(status.wire()) == status


def test_refusing_a_creation_for_now_keeps_the_reservation() -> None:
    """Contract 4: 401, 403, 404: stays reserved with lastError."""
    before = after(workflow(*TWO)).status
    status = refused(before, "b", "", "forbidden " * 1000)
    assert (result(status, "b").status, result(status, "b").reason) == ("Pending", "")
    assert len(result(status, "b").last_error) == 1024
    assert status.step_results[0] == before.step_results[0]


def test_an_object_whose_content_has_run_ends_untouched() -> None:
    """Contract 5: one status write, Failed, reason AlreadyRan, settled; nothing of it runs."""
    status = already_ran(facts(workflow(*TWO), now=at(minutes=1)))
    assert (status.phase, status.settled, status.step_results) == (Phase.FAILED, True, ())
    assert status.execution_end_time == status.last_transition_time == at(minutes=1)
    assert (status.observed_generation, status.progress) == (1, "0/2")
    assert "kubernaut.ai/rerun" in status.message
    stalled = status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert (stalled.status, stalled.reason) == ("True", "AlreadyRan")
    assert WorkflowStatus.model_validate(status.wire()) == status


def test_in_a_workflow_that_is_being_deleted_nothing_settles() -> None:
    """Contract 4: its children go with it."""
    seen = deleted(edited(after(workflow(step()), child("a", "Running")), cancel=True))
    status = decide_again(seen, child("a", "Failed")).status
    assert (status.phase, status.settled, status.execution_end_time) == ("Cancelled", False, None)


def test_a_lost_status_gets_its_start_from_the_first_child() -> None:
    """Contract 4: status lost: rebuilt as far as the children tell."""
    decision = decide_again(
        workflow(*CHAIN),
        child("a", "Completed", created=at(minutes=-9)),
        child("b", "Running", created=at(minutes=-5)),
    )
    assert decision.status.execution_start_time == at(minutes=-9)
    assert (decision.status.phase, decision.create) == ("Executing", ())
    assert result(decision, "b").execution_uid == "uid-b-0"


def test_an_approval_that_names_no_step_stops_no_started_workflow() -> None:
    """Contract 4, Planning: only a generation that has not started is judged."""
    seen = edited(after(workflow(*CHAIN)), approvals=approved("typo"))
    decision = decide_again(seen, child("a", "Completed"))
    assert [each.result.step_name for each in decision.create] == ["b"]
