"""What may start, and how many: the cap of contract 4 is kept here."""

from datetime import datetime
from typing import Unpack

import pytest

from reconciler.core.api import FailurePolicy, Step, WorkflowExecution
from reconciler.core.facts import Child
from reconciler.core.ready import due, ready, slots_free, slots_held, unmade
from reconciler.core.rollup import rollup
from reconciler.core.status import refused
from tests.builders import (
    FactsFields,
    SpecFields,
    after,
    approved,
    at,
    child,
    decide_again,
    deleted,
    edited,
    facts,
    step,
    steps_created,
    workflow,
)

CHAIN = (step("a"), step("b", depends_on=("a",)), step("c", depends_on=("b",)))
SEVEN = tuple(step(name) for name in "abcdefg")


@pytest.mark.parametrize(
    ("steps", "children", "names"),
    [
        pytest.param(CHAIN, (), ["a"], id="without-dependencies-it-is-ready"),
        pytest.param(
            CHAIN, (child("a", "Completed"),), ["b"], id="when-its-dependency-is-completed"
        ),
        pytest.param(CHAIN, (child("a", "Running"),), [], id="not-while-its-dependency-runs"),
        pytest.param(
            (step("a"), step("b"), step("c", depends_on=("a", "b"))),
            (child("a", "Completed"), child("b", "Running")),
            [],
            id="not-before-every-dependency-is-completed",
        ),
        pytest.param(
            (step("a", retries=1), step("b", depends_on=("a",))),
            (child("a", "Failed"),),
            [],
            id="not-while-its-dependency-waits-for-a-retry",
        ),
    ],
)
def test_a_step_starts_when_every_dependency_is_completed(
    steps: tuple[Step, ...], children: tuple[Child, ...], names: list[str]
) -> None:
    """Contract 4, Ready and I3."""
    seen = after(workflow(*steps))
    if not children:
        seen = workflow(*steps)
    assert steps_created(decide_again(seen, *children)) == names


def test_the_order_among_the_ready_is_the_plans() -> None:
    """Contract 4: the first free-slots of the ready, in plan order, are reserved."""
    given = workflow(step("z"), step("b", depends_on=("z",)), step("a"), max_concurrent_steps=1)
    assert steps_created(decide_again(given)) == ["z"]
    assert steps_created(decide_again(after(given), child("z", "Completed"))) == ["b"]


def test_a_retry_counts_as_ready_in_plan_order() -> None:
    """Contract 4: an earlier step's retry goes before a later step's first attempt."""
    given = workflow(step("a", retries=1), step("b"), step("c"), max_concurrent_steps=1)
    seen = after(given, child("a", "Failed"))
    seen = after(seen, child("a", "Failed"), child("b", "Completed"), now=at(seconds=29))
    assert [each.step_name for each in seen.status.step_results] == ["a", "b", "c"]
    waiting = [child("a", "Failed"), child("b", "Completed"), child("c", "Completed")]
    assert steps_created(decide_again(seen, *waiting, now=at(seconds=30))) == ["a"]


def test_a_retry_that_finds_no_slot_waits_for_one() -> None:
    """Contract 4: it counts as ready then, in plan order, as any other."""
    given = workflow(step("a", retries=1), step("b"), max_concurrent_steps=1)
    seen = after(given, child("a", "Failed"))
    busy = decide_again(seen, child("a", "Failed"), child("b", "Running"), now=at(minutes=5))
    assert steps_created(busy) == []
    seen = seen.with_status(busy.status)
    free = decide_again(seen, child("a", "Failed"), child("b", "Completed"), now=at(minutes=6))
    assert steps_created(free) == ["a"]


def test_an_attempt_that_timed_out_is_followed_only_when_its_child_has_ended() -> None:
    """Contract 4: the next attempt when the one before is terminal or gone."""
    running = child("a", "Running", started=at(), cancel_requested=True)
    seen = after(workflow(step(retries=1)), running, now=at(hours=1))
    assert steps_created(decide_again(seen, running, now=at(hours=2))) == []
    ended = child("a", "Failed", started=at(), cancel_requested=True)
    assert steps_created(decide_again(seen, ended, now=at(hours=2))) == ["a"]
    assert steps_created(decide_again(seen, now=at(hours=2))) == ["a"]


@pytest.mark.parametrize(("limit", "created"), [(2, ["a"]), (1, [])])
def test_an_attempt_that_failed_and_is_on_its_way_out_is_followed_where_a_slot_is_free(
    limit: int, created: list[str]
) -> None:
    """Contract 4: terminal, so the next one may follow; not gone, so it holds its slot."""
    leaving = child("a", "Failed", deleting=True)
    seen = after(workflow(step("a", retries=1), max_concurrent_steps=limit), leaving)
    assert steps_created(decide_again(seen, leaving, now=at(minutes=5))) == created


@pytest.mark.parametrize(
    ("children", "held"),
    [
        pytest.param((), 0, id="nothing-holds-nothing"),
        pytest.param((child("a"),), 1, id="a-child-that-has-not-begun"),
        pytest.param((child("a", "Whatever"),), 1, id="an-unknown-phase"),
        pytest.param((child("a", "Completed"),), 0, id="not-a-completed-one"),
        pytest.param((child("a", "Completed", deleting=True),), 1, id="one-that-is-on-its-way-out"),
        pytest.param(
            (child("a", "Failed"), child("a", "Running", 1)), 1, id="one-attempt-of-two-at-work"
        ),
        pytest.param(
            (child("a", "Running"), child("a", "Running", 1)), 2, id="two-attempts-at-work"
        ),
        pytest.param((child("not-in-the-plan", "Running"),), 1, id="a-child-of-no-step"),
    ],
)
def test_slots_go_by_children(children: tuple[Child, ...], held: int) -> None:
    """Contract 4, Rollup: every child of ours that is not terminal, of any attempt."""
    given = facts(workflow(step("a"), step("b")), *children)
    assert slots_held(given, rollup(given)) == held


def test_a_reservation_holds_a_slot_until_its_child_takes_it_over() -> None:
    """Contract 4, Rollup: so does a reservation without a child; one slot, not two."""
    seen = after(workflow(step("a"), step("b"), max_concurrent_steps=2))
    before = facts(seen)
    assert [each.step_name for each in unmade(before, rollup(before))] == ["a", "b"]
    assert slots_held(before, rollup(before)) == 2
    half = facts(seen, child("a"))
    assert slots_held(half, rollup(half)) == 2
    recorded = {each.step_name: each for each in seen.status.step_results}
    assert [each.step_name for each in unmade(half, recorded)] == ["b"]


@pytest.mark.parametrize(
    ("limits", "free"),
    [
        pytest.param({"cap": 5}, 3, id="limit-less-active"),
        pytest.param({"cap": 2}, 0, id="none"),
        pytest.param({"cap": 1}, 0, id="never-negative"),
    ],
)
def test_free_slots_are_never_negative(limits: FactsFields, free: int) -> None:
    """Contract 4, Ready: max(0, limit - active)."""
    given = facts(workflow(*SEVEN), child("a", "Running"), child("b", "Running"), **limits)
    assert slots_free(given, rollup(given)) == free


def test_seven_steps_start_five_at_a_time() -> None:
    """Contract 2: maxConcurrentSteps defaults to 5."""
    assert steps_created(decide_again(workflow(*SEVEN))) == list("abcde")


def test_the_runs_limit_goes_before_the_workflows() -> None:
    """Contract 2: never above the run's --max-concurrent-steps."""
    given = workflow(*SEVEN, max_concurrent_steps=7)
    assert steps_created(decide_again(given, cap=3)) == list("abc")
    assert steps_created(decide_again(given, cap=100)) == list("abcdefg")


def test_a_limit_lowered_in_the_middle_takes_nothing_back() -> None:
    """Contract 4: what is reserved is started; nothing new starts until there is room."""
    seen = after(workflow(*SEVEN))
    running = [child(name, "Running") for name in "abcde"]
    assert steps_created(decide_again(seen, *running, cap=2)) == []
    three_left = [child("a", "Completed"), child("b", "Completed"), *running[2:]]
    assert steps_created(decide_again(seen, *three_left, cap=2)) == []
    one_left = [*(child(name, "Completed") for name in "abcd"), running[4]]
    assert steps_created(decide_again(seen, *one_left, cap=2)) == ["f"]


@pytest.mark.parametrize("cap", [pytest.param(2, id="the-runs"), pytest.param(9, id="its-own")])
def test_a_limit_raised_before_the_start_holds_from_the_next_pass(cap: int) -> None:
    """Contract 2: the limits that this pass reads count, whatever an earlier one saw."""
    seen = after(workflow(*SEVEN, max_concurrent_steps=1, suspend=True))
    given = edited(seen, suspend=False, max_concurrent_steps=7)
    assert steps_created(decide_again(given, cap=cap)) == list("abcdefg")[:cap]


def test_reservations_beyond_a_lowered_limit_are_made_all_the_same() -> None:
    """Contract 4: reserved is started."""
    seen = after(workflow(*SEVEN))
    assert steps_created(decide_again(seen, cap=1)) == list("abcde")


def test_a_freed_slot_goes_to_one_step() -> None:
    """I2: as many start as end."""
    seen = after(workflow(*SEVEN))
    listed = [child("a", "Completed"), *(child(name, "Running") for name in "bcde")]
    assert steps_created(decide_again(seen, *listed)) == ["f"]


def test_a_child_that_times_out_holds_its_slot() -> None:
    """Contract 4: its record is final, yet it runs."""
    given = workflow(*SEVEN, failure_policy=FailurePolicy.CONTINUE)
    running = [child(name, "Running", started=at()) for name in "abcde"]
    assert steps_created(decide_again(after(given), *running, now=at(hours=1))) == []


def _gated(**fields: Unpack[SpecFields]) -> WorkflowExecution:
    """One step has run, the next is held by what the case is about."""
    return edited(after(workflow(*CHAIN), child("a", "Running")), **fields)


@pytest.mark.parametrize(
    ("seen", "fields"),
    [
        pytest.param(_gated(suspend=True), {}, id="suspended"),
        pytest.param(_gated(cancel=True), {}, id="cancelled"),
        pytest.param(_gated(not_before=at(seconds=1)), {}, id="before-notBefore"),
        pytest.param(_gated(not_after=at(seconds=-1)), {}, id="after-notAfter"),
        pytest.param(_gated(), {"paused": True}, id="paused"),
        pytest.param(deleted(_gated()), {}, id="being-deleted"),
    ],
)
def test_nothing_starts_behind_a_closed_gate(seen: WorkflowExecution, fields: FactsFields) -> None:
    """Contract 4, Ready: not suspended, paused, cancelled, outside its window or being deleted."""
    assert steps_created(decide_again(seen, child("a", "Completed"), **fields)) == []


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_gated(), id="no-gate"),
        pytest.param(_gated(not_before=at()), id="at-notBefore"),
        pytest.param(_gated(not_after=at()), id="at-notAfter"),
    ],
)
def test_a_step_starts_where_no_gate_is_closed(seen: WorkflowExecution) -> None:
    """Contract 4, Ready: within notBefore and notAfter, both included."""
    assert steps_created(decide_again(seen, child("a", "Completed"))) == ["b"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"suspend": True}, id="suspended"),
        pytest.param({"not_before": at(hours=1)}, id="before-notBefore"),
        pytest.param({"not_after": at(seconds=1)}, id="after-notAfter"),
    ],
)
def test_a_retry_waits_behind_every_gate(fields: SpecFields) -> None:
    """Contract 4: under every gate but approval."""
    held = edited(after(workflow(step(retries=1)), child("a", "Failed")), **fields)
    assert steps_created(decide_again(held, child("a", "Failed"), now=at(minutes=1))) == []


def test_a_retry_waits_while_runs_are_paused() -> None:
    """Contract 1: nothing new starts."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    paused = decide_again(seen, child("a", "Failed"), now=at(minutes=1), paused=True)
    assert steps_created(paused) == []


def test_a_retry_has_passed_its_approval() -> None:
    """Contract 4: the gate is passed once, though the approval is taken back."""
    given = workflow(step(retries=1, requires_approval=True), approvals=approved("a"))
    seen = edited(after(given, child("a", "Failed")), approvals=())
    assert steps_created(decide_again(seen, child("a", "Failed"), now=at(minutes=1))) == ["a"]


def test_a_late_attempt_has_passed_its_approval() -> None:
    """Contract 4: never made, but approved."""
    given = workflow(step(requires_approval=True), approvals=approved("a"))
    seen = edited(after(given), approvals=())
    assert steps_created(decide_again(seen, child("a", "Failed", reason="Late"))) == ["a"]


def test_an_approval_lets_its_step_start_and_no_other() -> None:
    """Contract 2: gates that may be passed, by step."""
    given = workflow(
        step("a", requires_approval=True), step("b", requires_approval=True), step("c")
    )
    seen = after(given)
    assert [each.step_name for each in seen.status.step_results] == ["c"]
    seen = edited(seen, approvals=approved("b"))
    assert steps_created(decide_again(seen, child("c", "Running"))) == ["b"]


def test_beside_a_gate_the_others_start_retry_and_complete() -> None:
    """Contract 4, Ready: a missing approval holds back its own step, and what is behind it."""
    gate = step("gate", requires_approval=True)
    behind = step("behind", depends_on=("gate",))
    seen = after(workflow(gate, behind, step("a", retries=1), step("b", depends_on=("a",))))
    seen = after(seen, child("a", "Failed"))
    decision = decide_again(seen, child("a", "Failed"), now=at(seconds=30))
    assert steps_created(decision) == ["a"]
    seen = seen.with_status(decision.status)
    again = child("a", "Completed", attempt=1)
    assert steps_created(decide_again(seen, child("a", "Failed"), again)) == ["b"]


@pytest.mark.parametrize(
    ("change", "now", "phase"),
    [
        pytest.param({"cancel": True}, at(), "Cancelled", id="a-cancel"),
        pytest.param({"approvals": approved("gate")}, at(), "Executing", id="the-approval"),
        pytest.param({"suspend": True}, at(), "Executing", id="a-suspension"),
        pytest.param({}, at(hours=2), "Failed", id="the-timeout"),
    ],
)
def test_while_an_approval_is_missing_everything_else_is_still_possible(
    change: SpecFields, now: datetime, phase: str
) -> None:
    """Contract 4: a gate is one of several, and blocks no way out."""
    gate = step("gate", depends_on=("a",), requires_approval=True)
    seen = after(workflow(step("a"), gate, timeout="1h"), child("a", "Completed"))
    decision = decide_again(edited(seen, **change), child("a", "Completed"), now=now)
    assert decision.status.phase == phase
    assert steps_created(decision) == (["gate"] if "approvals" in change else [])


def test_an_approval_replaces_no_dependency() -> None:
    """Contract 4, Ready: every condition holds, not one of them."""
    given = workflow(step("a"), step("b", depends_on=("a",), requires_approval=True))
    seen = edited(after(given), approvals=approved("b"))
    assert steps_created(decide_again(seen, child("a", "Running"))) == []


def test_nothing_starts_beside_a_failure_under_fail_fast() -> None:
    """Contract 4, Ready: and nothing failed under FailFast."""
    seen = after(workflow(*SEVEN))
    listed = [child("a", "Failed"), *(child(name, "Completed") for name in "bcde")]
    assert steps_created(decide_again(seen, *listed)) == []


def test_the_others_start_beside_a_failure_under_continue() -> None:
    """Contract 2: failurePolicy Continue."""
    seen = after(workflow(*SEVEN, failure_policy=FailurePolicy.CONTINUE))
    listed = [child("a", "Failed"), *(child(name, "Running") for name in "bcde")]
    assert steps_created(decide_again(seen, *listed)) == ["f"]


def test_suspending_takes_no_reservation_back() -> None:
    """Contract 4: reserved is started."""
    seen = edited(after(workflow(step("a"))), suspend=True)
    decision = decide_again(seen, now=at(seconds=9))
    assert steps_created(decision) == ["a"]
    assert not decision.create[0].cancelled


def test_resuming_starts_what_was_held_back() -> None:
    """Contract 2: no new steps while true."""
    seen = after(workflow(step("a"), suspend=True))
    assert seen.status.step_results == ()
    assert steps_created(decide_again(edited(seen, suspend=False))) == ["a"]


def test_a_reservation_is_made_though_runs_are_paused() -> None:
    """Contract 1: a pause holds back what is new; reserved is started."""
    assert steps_created(decide_again(after(workflow(step("a"))), paused=True)) == ["a"]


def test_a_refused_creation_is_due_when_its_backoff_has_passed() -> None:
    """Contract 4: after 30 s."""
    seen = after(workflow(step("a"), step("b")))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
    early, late = facts(seen, now=at(seconds=29)), facts(seen, now=at(seconds=30))
    assert [each.step_name for each in due(early, rollup(early))] == ["b"]
    assert [each.step_name for each in due(late, rollup(late))] == ["a", "b"]


def test_a_refused_creation_holds_its_slot_meanwhile() -> None:
    """I2: it may yet be made."""
    seen = after(workflow(step("a"), step("b"), max_concurrent_steps=1))
    seen = seen.with_status(refused(seen.status, "a", "", "forbidden"))
    assert steps_created(decide_again(seen, now=at(seconds=1))) == []


def test_nothing_is_due_in_a_workflow_that_is_being_deleted() -> None:
    """Contract 4: its children go with it."""
    given = facts(deleted(after(workflow(step("a")))))
    assert due(given, rollup(given)) == ()
    assert len(unmade(given, rollup(given))) == 1


def test_ready_tells_more_than_the_slots_take() -> None:
    """Contract 10: reconciler_steps_ready_waiting counts what found no slot."""
    given = facts(workflow(*SEVEN))
    assert ready(given, rollup(given)) == tuple("abcdefg")
