"""The condition table of contract 2, row for row."""

import pytest

from reconciler.core.api import Condition, ConditionType, WorkflowExecution
from reconciler.core.conditions import Judgement, State, conditions
from reconciler.core.facts import Child
from tests.builders import (
    NOW,
    after,
    approved,
    at,
    child,
    decide_again,
    edited,
    step,
    workflow,
)

RUNNING = {"Valid": "True", "Ready": "Unknown", "Reconciling": "True", "Succeeded": "Unknown"}
WAITING = {"Valid": "True", "Ready": "Unknown", "Succeeded": "Unknown"}
COMPLETED = {"Valid": "True", "Ready": "True", "Succeeded": "True"}
FAILED = {"Valid": "True", "Ready": "False", "Stalled": "True", "Succeeded": "False"}
INVALID = FAILED | {"Valid": "False"}

GATED = workflow(step("a", requires_approval=True))
CYCLE = workflow(step("a", depends_on=("b",)), step("b", depends_on=("a",)))


@pytest.mark.parametrize(
    ("seen", "children", "row", "reason"),
    [
        pytest.param(
            workflow(step(), not_before=at(hours=1)), (), RUNNING, "Pending", id="pending"
        ),
        pytest.param(workflow(step()), (), RUNNING, "Executing", id="executing"),
        pytest.param(
            workflow(step(), suspend=True), (), WAITING, "Suspended", id="suspended-before-it-began"
        ),
        pytest.param(
            edited(after(workflow(step(), step("b", depends_on=("a",)))), suspend=True),
            (child("a", "Running"),),
            RUNNING,
            "Executing",
            id="suspended-and-still-active",
        ),
        pytest.param(
            edited(after(workflow(step(), step("b", depends_on=("a",)))), suspend=True),
            (),
            RUNNING,
            "Executing",
            id="suspended-and-a-reservation-to-make",
        ),
        pytest.param(
            edited(after(workflow(step(), step("b", depends_on=("a",)))), suspend=True),
            (child("a", "Completed"),),
            WAITING,
            "Suspended",
            id="suspended-and-nothing-active",
        ),
        pytest.param(
            edited(after(workflow(step(), step("b", depends_on=("a",)))), suspend=True),
            (child("a", "Completed", deleting=True),),
            RUNNING,
            "Executing",
            id="suspended-and-a-child-on-its-way-out",
        ),
        pytest.param(
            edited(after(workflow(step(retries=1)), child("a", "Failed")), suspend=True),
            (child("a", "Failed"),),
            RUNNING,
            "Executing",
            id="suspended-and-a-retry-is-left",
        ),
        pytest.param(GATED, (), WAITING, "AwaitingApproval", id="awaiting-approval"),
        pytest.param(
            workflow(*GATED.spec.workflow_definition.steps, step("b", depends_on=("a",))),
            (),
            WAITING,
            "AwaitingApproval",
            id="awaiting-approval-and-what-is-behind-it",
        ),
        pytest.param(
            workflow(*GATED.spec.workflow_definition.steps, suspend=True),
            (),
            WAITING,
            "Suspended",
            id="suspended-goes-before-awaiting-approval",
        ),
        pytest.param(
            after(workflow(step("a", requires_approval=True), step("b"))),
            (child("b", "Running"),),
            RUNNING,
            "Executing",
            id="awaiting-approval-and-another-active",
        ),
        pytest.param(
            after(workflow(step("a", requires_approval=True), step("b", retries=1))),
            (child("b", "Failed"),),
            RUNNING,
            "Executing",
            id="awaiting-approval-and-another-about-to-be-retried",
        ),
        pytest.param(
            workflow(*GATED.spec.workflow_definition.steps, step("b"), not_before=at(hours=1)),
            (),
            RUNNING,
            "Pending",
            id="awaiting-approval-and-another-awaits-its-time",
        ),
        pytest.param(
            workflow(*GATED.spec.workflow_definition.steps, approvals=approved("a")),
            (),
            RUNNING,
            "Executing",
            id="approved",
        ),
        pytest.param(
            after(workflow(step())),
            (child("a", "Completed"),),
            COMPLETED,
            "Completed",
            id="completed",
        ),
        pytest.param(workflow(), (), COMPLETED, "Completed", id="without-steps"),
        pytest.param(
            after(workflow(step())), (child("a", "Failed"),), FAILED, "StepFailed", id="failed"
        ),
        pytest.param(
            after(workflow(step(), step("b"))),
            (child("a", "Failed"), child("b", "Running")),
            FAILED,
            "StepFailed",
            id="failed-and-not-settled",
        ),
        pytest.param(
            edited(after(workflow(step())), cancel=True),
            (child("a", "Running"),),
            FAILED,
            "Cancelled",
            id="cancelled-and-not-settled",
        ),
        pytest.param(
            workflow(step(), not_after=at(seconds=-1)), (), FAILED, "Expired", id="expired"
        ),
        pytest.param(CYCLE, (), INVALID, "CycleDetected", id="invalid"),
    ],
)
def test_every_state_has_its_row(
    seen: WorkflowExecution, children: tuple[Child, ...], row: dict[str, str], reason: str
) -> None:
    """Contract 2: so that kubectl wait, kstatus and Argo CD's health all say the same."""
    written = decide_again(seen, *children).status.conditions
    assert {each.type: each.status for each in written} == row
    assert {each.reason for each in written if each.type != "Valid"} == {reason}


def test_an_invalid_workflow_says_why_on_valid_too() -> None:
    """Contract 4, Planning: condition Valid=False, and a message that names the cycle."""
    by_type = {each.type: each for each in decide_again(CYCLE).status.conditions}
    assert by_type["Valid"].reason == by_type["Stalled"].reason == "CycleDetected"
    assert "a -> b -> a" in by_type["Valid"].message


def _written(state: State, before: tuple[Condition, ...], seconds: int) -> tuple[Condition, ...]:
    return conditions(Judgement(state, "Because", ""), before, 1, at(seconds=seconds))


def test_a_time_moves_only_where_a_status_moved() -> None:
    """metav1.Condition: lastTransitionTime is when the status last changed."""
    running = _written(State.RUNNING, (), 0)
    waiting = _written(State.WAITING, running, 10)
    failed = _written(State.FAILED, waiting, 20)
    again = _written(State.FAILED, failed, 30)
    assert {each.last_transition_time for each in running} == {NOW}
    assert {each.last_transition_time for each in waiting} == {NOW}
    assert {each.type: each.last_transition_time for each in failed} == {
        "Valid": NOW,
        "Ready": at(seconds=20),
        "Stalled": at(seconds=20),
        "Succeeded": at(seconds=20),
    }
    assert again == failed


def test_a_condition_that_comes_back_is_new() -> None:
    """Contract 2: what is absent in a row is removed, not set to False."""
    running = _written(State.RUNNING, (), 0)
    waiting = _written(State.WAITING, running, 10)
    resumed = {each.type: each for each in _written(State.RUNNING, waiting, 20)}
    assert resumed["Reconciling"].last_transition_time == at(seconds=20)
    assert resumed["Ready"].last_transition_time == NOW


def test_a_reason_may_change_without_moving_the_time() -> None:
    """metav1.Condition: the time is the status's, not the reason's."""
    pending = after(workflow(step(), not_before=at(minutes=1)))
    started = after(pending, now=at(minutes=1))
    ready = started.status.condition(ConditionType.READY)
    assert ready is not None
    assert (ready.reason, ready.last_transition_time) == ("Executing", NOW)


def test_conditions_speak_of_the_generation_that_was_seen() -> None:
    """metav1.Condition and kstatus: observedGeneration."""
    seen = edited(after(workflow(step(), suspend=True)), suspend=False)
    decision = decide_again(seen)
    assert decision.status.observed_generation == 2
    assert {each.observed_generation for each in decision.status.conditions} == {2}


def test_valid_says_when_the_runs_limit_is_lower() -> None:
    """Contract 2: its message also says when a limit of the run is lower."""
    given = workflow(step(), max_concurrent_steps=20)
    cut = decide_again(given).status.conditions[0]
    assert (cut.type, cut.status) == ("Valid", "True")
    assert cut.message == "maxConcurrentSteps 20 is cut to the run's limit of 5"
    assert decide_again(given, cap=20).status.conditions[0].message == ""


@pytest.mark.parametrize("state", [pytest.param(each, id=each.name.lower()) for each in State])
def test_a_message_that_is_there_stands_on_ready(state: State) -> None:
    """Contract 2: Ready and Stalled carry the sentence, the others only the word."""
    written = conditions(Judgement(state, "Because", "it is so"), (), 1, NOW)
    told = {each.type for each in written if each.message}
    assert told == {"Ready"} | ({"Stalled"} if state is State.FAILED else set())
