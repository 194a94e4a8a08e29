"""What a decision may look at: which children are ours, which hold a slot, which to read again."""

import pytest

from reconciler.core.api import WorkflowExecution, WorkflowStatus
from reconciler.core.facts import Child, Children, unlisted
from reconciler.core.plan import Finding, Plan
from tests.builders import (
    NAMESPACE,
    UID,
    WORKFLOW,
    after,
    at,
    child,
    decide_again,
    facts,
    result,
    step,
    workflow,
)


def test_a_child_is_ours_by_owner_uid_and_computed_name() -> None:
    """Contract 3: the controller reference's uid, and the name made of uid, step and attempt."""
    ours = Children.of(workflow(step("a")), [child("a", attempt=1)])
    assert ours.get("a", 1) == child("a", attempt=1)


@pytest.mark.parametrize(
    "stranger",
    [
        pytest.param(child(owner="another-uid"), id="of-a-namesake-made-before"),
        pytest.param(child(owner=""), id="without-an-owner"),
        pytest.param(child(namespace="elsewhere"), id="in-another-namespace"),
        pytest.param(child(name="restart-checkout-a-0000000000"), id="of-another-name"),
        pytest.param(child(name=child("b").name), id="under-the-name-of-another-step"),
        pytest.param(child(name=child("a", attempt=1).name), id="under-another-attempts-name"),
    ],
)
def test_a_foreign_child_goes_no_further(stranger: Child) -> None:
    """Contract 3: labels only find candidates; nothing else is adopted or counted."""
    assert len(Children.of(workflow(step("a")), [stranger])) == 0


def test_a_foreign_child_changes_no_decision() -> None:
    """Contract 3, I5: a stranger holds no slot and is not asked to stop."""
    seen = after(workflow(step("a"), cancel=True), child("a", "Running"))
    alone = decide_again(seen, child("a", "Running"))
    beside = decide_again(seen, child("a", "Running"), child("b", "Running", owner="stranger"))
    assert beside == alone


def test_a_child_is_ours_by_its_recorded_uid() -> None:
    """Contract 3: or when its uid is the recorded one, whatever became of its owner reference."""
    seen = after(workflow(step("a")), child("a", "Running"))
    decision = decide_again(seen, child("a", "Completed", owner=""))
    assert result(decision).status == "Completed"


@pytest.mark.parametrize(
    ("phase", "active"),
    [
        pytest.param("", True, id="not-begun"),
        pytest.param("Pending", True, id="pending"),
        pytest.param("Running", True, id="running"),
        pytest.param("Completed", False, id="completed"),
        pytest.param("Failed", False, id="failed"),
        pytest.param("Succeeded", True, id="a-word-that-nobody-knows"),
        pytest.param("completed", True, id="a-word-in-another-case"),
        pytest.param("Cancelled", True, id="a-word-of-workflows"),
    ],
)
def test_any_phase_but_two_means_active(phase: str, active: bool) -> None:
    """Contract 2: any value that is not Completed or Failed means active."""
    assert child("a", phase).active is active


@pytest.mark.parametrize("phase", ["", "Running", "Completed", "Failed"])
def test_a_child_that_is_being_deleted_is_active_until_it_is_gone(phase: str) -> None:
    """Contract 4, Rollup: slots go by children."""
    assert child("a", phase, deleting=True).active


def test_active_children_are_of_any_attempt() -> None:
    """Contract 4, Rollup: every child that is not terminal, of any attempt, holds a slot."""
    children = facts(
        workflow(step("a", retries=1)), child("a", "Running"), child("a", "Failed", 1)
    ).children
    assert children.active == (child("a", "Running"),)


def test_the_latest_attempt_of_a_step_is_the_last_one() -> None:
    """In whatever order the server lists them."""
    listed = [child("a", attempt=attempt) for attempt in (2, 10, 0, 1)]
    children = Children.of(workflow(step("a")), listed)
    assert {each.attempt for each in children.of_step("a")} == {0, 1, 2, 10}
    assert children.latest("a") == child("a", attempt=10)
    assert children.latest("b") is None


@pytest.mark.parametrize(
    ("wanted", "cap", "limit"),
    [
        pytest.param(3, 5, 3, id="the-workflows-is-lower"),
        pytest.param(50, 5, 5, id="the-runs-is-lower"),
    ],
)
def test_the_lower_limit_holds(wanted: int, cap: int, limit: int) -> None:
    """Contract 2: maxConcurrentSteps, never above the run's --max-concurrent-steps."""
    assert facts(workflow(step(), max_concurrent_steps=wanted), cap=cap).limit == limit


def test_steps_stand_in_execution_order() -> None:
    """Contract 4, Planning: the plan, not the definition, gives the order."""
    given = workflow(step("b", depends_on=("a",)), step("a"))
    assert [each.name for each in facts(given).steps] == ["a", "b"]


def test_a_started_workflow_keeps_its_order_under_rules_that_refuse_it() -> None:
    """Contract 4, Planning: only what has not started is planned, so a run goes on."""
    started = after(workflow(step("b", depends_on=("a",)), step("a")))
    refused = Plan((), (Finding("spec", "another release refuses this"),))
    assert [each.name for each in facts(started, plan=refused).steps] == ["a", "b"]


@pytest.mark.parametrize(
    ("seen", "listed", "names"),
    [
        pytest.param(
            after(workflow(step())), (), (child().name,), id="a-reservation-that-may-be-made"
        ),
        pytest.param(
            after(workflow(step()), child("a", "Running")),
            (),
            (child().name,),
            id="a-child-at-work-that-no-list-shows",
        ),
        pytest.param(
            after(workflow(step(retries=1)), child("a", "Failed")),
            (),
            (child().name,),
            id="a-step-that-is-retrying",
        ),
        pytest.param(
            after(workflow(step()), child("a", "Running", started=at()), now=at(hours=1)),
            (),
            (child().name,),
            id="a-step-that-timed-out",
        ),
        pytest.param(
            after(workflow(step()), child("a", "Running")),
            (child("a", "Running"),),
            (),
            id="not-one-that-is-listed",
        ),
        pytest.param(
            after(workflow(step()), child("a", "Completed")), (), (), id="not-a-completed-step"
        ),
        pytest.param(after(workflow(step()), child("a", "Failed")), (), (), id="not-a-failed-step"),
        pytest.param(
            after(workflow(step(), assume_completed=("a",))), (), (), id="not-an-assumed-step"
        ),
        pytest.param(workflow(step()), (), (), id="nothing-of-a-new-workflow"),
    ],
)
def test_what_may_live_though_no_list_shows_it_is_read_by_name(
    seen: WorkflowExecution, listed: tuple[Child, ...], names: tuple[str, ...]
) -> None:
    """Contract 4, Rollup: read once, before its slot counts as free or it counts as gone."""
    assert unlisted(seen, Children.of(seen, listed)) == names


def test_a_child_of_another_attempt_is_no_substitute() -> None:
    """Contract 4, Rollup: the attempt that is recorded is the one that is read."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    seen = after(seen, child("a", "Failed"), now=at(seconds=30))
    listed = Children.of(seen, [child("a", "Failed")])
    assert unlisted(seen, listed) == (child("a", attempt=1).name,)


def test_the_builders_child_is_ours_by_default() -> None:
    """A test that names nothing speaks of a child of `workflow()`."""
    given = child()
    assert (given.namespace, given.owner) == (NAMESPACE, UID)
    assert given.name.startswith(f"{WORKFLOW}-a-")
    assert workflow().status == WorkflowStatus()
