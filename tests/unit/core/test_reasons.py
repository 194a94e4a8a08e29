"""Why a step does not run: one reason each, the first that applies."""

from datetime import datetime
from typing import Unpack

import pytest

from reconciler.core.api import Approval, FailurePolicy, WorkflowExecution
from reconciler.core.facts import Child
from reconciler.core.ready import ready, waiting
from reconciler.core.reasons import awaiting_approval, no_slot, obstacles, unattended
from reconciler.core.rollup import rollup
from reconciler.core.status import refused
from tests.builders import (
    FactsFields,
    after,
    approved,
    at,
    child,
    deleted,
    edited,
    facts,
    step,
    workflow,
)

PAIR = (step("a"), step("b", depends_on=("a",)))
COMPLETED = child("a", "Completed")


def _why(
    seen: WorkflowExecution, *children: Child, of: str = "b", **fields: Unpack[FactsFields]
) -> str | None:
    """The words for what holds the step back, None when nothing does."""
    given = facts(seen, *children, **fields)
    found = waiting(given, rollup(given)).get(of)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("seen", "children", "text"),
    [
        pytest.param(after(workflow(*PAIR)), (child("a"),), "waits for a", id="a-dependency"),
        pytest.param(
            after(workflow(step("a"), step("c"), step("b", depends_on=("a", "c")))),
            (child("a"), child("c")),
            "waits for a, c",
            id="two-dependencies",
        ),
        pytest.param(
            after(workflow(step("a"), step("b", requires_approval=True))),
            (),
            "waits for approval",
            id="approval",
        ),
        pytest.param(
            after(workflow(*PAIR, suspend=True)), (COMPLETED,), "suspended", id="suspended"
        ),
        pytest.param(
            after(workflow(*PAIR, cancel=True)), (), "the workflow is Cancelled", id="over"
        ),
        pytest.param(
            edited(after(workflow(*PAIR)), cancel=True), (COMPLETED,), "cancelled", id="cancelled"
        ),
        pytest.param(
            deleted(after(workflow(*PAIR))),
            (COMPLETED,),
            "the workflow is being deleted",
            id="being-deleted",
        ),
        pytest.param(
            edited(after(workflow(*PAIR)), not_before=at(minutes=5)),
            (COMPLETED,),
            "not before 2026-03-01T12:05:00Z",
            id="not-before",
        ),
        pytest.param(
            edited(after(workflow(*PAIR)), not_after=at(minutes=-5)),
            (COMPLETED,),
            "not after 2026-03-01T11:55:00Z",
            id="not-after",
        ),
        pytest.param(
            after(workflow(step("a"), step("b"))),
            (child("a", "Failed"), child("b", "Completed")),
            None,
            id="nothing-when-it-is-completed",
        ),
        pytest.param(
            after(workflow(step("a"), step("c"), step("b"), max_concurrent_steps=2)),
            (child("a", "Failed"), child("c")),
            "blocked by failed a",
            id="a-failure-under-fail-fast",
        ),
        pytest.param(
            after(workflow(*PAIR, failure_policy=FailurePolicy.CONTINUE)),
            (child("a", "Failed"),),
            "blocked by failed a",
            id="a-failure-under-continue",
        ),
        pytest.param(
            after(workflow(step("b", retries=1)), child("b", "Failed")),
            (child("b", "Failed"),),
            "retry at 2026-03-01T12:00:30Z",
            id="backoff",
        ),
        pytest.param(
            after(
                workflow(step("b", retries=1, timeout="1s")),
                child("b", "Running", started=at(hours=-1), created=at(hours=-1)),
            ),
            (child("b", "Running"),),
            f"waits for {child('b').name} to end",
            id="an-attempt-that-does-not-stop",
        ),
        pytest.param(
            after(workflow(step("a"), step("b"), max_concurrent_steps=1)),
            (child("a", "Running"),),
            "no slot (1/1)",
            id="no-slot",
        ),
        pytest.param(
            after(workflow(step("b"))), (child("b", "Running"),), None, id="nothing-when-it-runs"
        ),
    ],
)
def test_there_is_one_reason_for_a_step_that_does_not_run(
    seen: WorkflowExecution, children: tuple[Child, ...], text: str | None
) -> None:
    """Contract 4, last paragraph."""
    assert _why(seen, *children) == text


def test_a_pause_is_a_reason() -> None:
    """Contract 1: nothing new starts."""
    assert _why(after(workflow(*PAIR)), COMPLETED, paused=True) == "paused"


def test_a_child_that_nobody_picks_up_is_a_reason() -> None:
    """Contract 4: after 2 minutes."""
    seen = after(workflow(step("b")))
    assert _why(seen, child("b"), now=at(minutes=2)) is None
    waits = _why(seen, child("b"), now=at(minutes=2, seconds=1))
    assert waits == f"no executor has picked up {child('b').name}"


def test_a_refused_creation_is_a_reason() -> None:
    """Contract 4: stays reserved with lastError, tried again."""
    seen = after(workflow(step("b")))
    seen = seen.with_status(refused(seen.status, "b", "", "forbidden"))
    assert _why(seen) == (
        "its creation was refused, tried again at 2026-03-01T12:00:30Z: forbidden"
    )


@pytest.mark.parametrize(
    ("first", "approvals", "text"),
    [
        pytest.param(
            child("a"), (), "waits for a", id="a-dependency-goes-before-approval-and-suspension"
        ),
        pytest.param(COMPLETED, (), "waits for approval", id="approval-goes-before-suspension"),
        pytest.param(COMPLETED, approved("b"), "suspended", id="suspension-goes-before-times"),
    ],
)
def test_the_first_reason_that_applies_is_told(
    first: Child, approvals: tuple[Approval, ...], text: str
) -> None:
    """Contract 4: one reason, though many hold."""
    given = workflow(step("a"), step("b", depends_on=("a",), requires_approval=True))
    seen = edited(after(given), suspend=True, not_before=at(hours=1), approvals=approvals)
    assert _why(seen, first) == text


def test_what_has_no_obstacle_is_ready() -> None:
    """Contract 4: the reason that a person reads is the one that held the step back."""
    seen = after(workflow(step("a"), step("b", depends_on=("a",)), step("c"), step("d")))
    given = facts(seen, COMPLETED, child("c", "Running"), child("d", "Completed"))
    results = rollup(given)
    assert ready(given, results) == ("b",)
    assert obstacles(given, results) == {}


def test_reasons_stand_in_plan_order() -> None:
    """Contract 4: as everything that is told of steps."""
    given = facts(workflow(step("z", depends_on=("a",)), step("a"), suspend=True))
    assert list(waiting(given, rollup(given))) == ["a", "z"]


@pytest.mark.parametrize(
    ("held", "text"),
    [
        pytest.param(5, "no slot (5/5)", id="the-workflow-has-no-slot"),
        pytest.param(7, "no slot (5/5)", id="the-limit-was-lowered"),
        pytest.param(4, "no slot left of the run's --max-active-steps", id="the-run-has-none"),
    ],
)
def test_whose_slots_are_all_held_is_told(held: int, text: str) -> None:
    """Contract 4: no slot (5/5)."""
    assert no_slot(5, held).text == text


@pytest.mark.parametrize(
    ("given", "now", "alone"),
    [
        pytest.param(child(), at(minutes=2), False, id="patience-of-two-minutes"),
        pytest.param(child(), at(minutes=2, seconds=1), True, id="and-no-more"),
        pytest.param(child("a", "Pending"), at(hours=1), True, id="pending-is-not-begun"),
        pytest.param(child("a", "Running"), at(hours=1), False, id="not-when-it-runs"),
        pytest.param(child("a", "Claimed"), at(hours=1), False, id="not-in-an-unknown-phase"),
        pytest.param(child("a", started=at()), at(hours=1), False, id="not-with-a-start-time"),
        pytest.param(child("a", "Failed"), at(hours=1), False, id="not-when-it-has-ended"),
    ],
)
def test_a_child_is_unattended_after_two_minutes(given: Child, now: datetime, alone: bool) -> None:
    """Contract 4: a child that nobody has started."""
    assert unattended(facts(workflow(step()), given, now=now), given) is alone


def test_no_child_is_unattended_by_a_nodes_clock() -> None:
    """Contract 1: a node's wrong clock times nothing out."""
    assert not unattended(facts(workflow(step()), child(), now=at(hours=1), timed=False), child())


@pytest.mark.parametrize(
    ("given", "children", "gates"),
    [
        pytest.param(
            workflow(step("a", requires_approval=True)), (), ("a",), id="a-step-at-its-gate"
        ),
        pytest.param(
            workflow(step("a", requires_approval=True), approvals=approved("a")),
            (),
            (),
            id="not-one-that-is-approved",
        ),
        pytest.param(
            workflow(step("a"), step("b", depends_on=("a",), requires_approval=True)),
            (child("a", "Running"),),
            (),
            id="not-before-its-dependencies-are-completed",
        ),
        pytest.param(
            workflow(step("a"), step("b", depends_on=("a",), requires_approval=True)),
            (child("a", "Failed"),),
            (),
            id="not-behind-a-failed-dependency",
        ),
        pytest.param(
            workflow(step("a", requires_approval=True)),
            (child("a", "Running"),),
            (),
            id="not-when-it-runs-already",
        ),
    ],
)
def test_a_gate_is_told_when_only_the_approval_is_missing(
    given: WorkflowExecution, children: tuple[Child, ...], gates: tuple[str, ...]
) -> None:
    """Contract 10, ApprovalRequired."""
    assert awaiting_approval(given.spec, rollup(facts(given, *children))) == gates
