"""What is written, created and asked to stop: the decision as a whole."""

import pytest

from reconciler.core.api import FailurePolicy, Phase, StepStatus, WorkflowExecution
from reconciler.core.decide import Decision, decide
from reconciler.core.facts import Child
from reconciler.core.status import refused
from tests.builders import (
    FactsFields,
    after,
    approved,
    at,
    carried_out,
    child,
    decide_again,
    deleted,
    edited,
    facts,
    result,
    step,
    steps_created,
    workflow,
)

TWO = (step("a"), step("b"))
CHAIN = (step("a"), step("b", depends_on=("a",)))
CONTINUE = FailurePolicy.CONTINUE


def _stopped(decision: Decision) -> list[tuple[str, int]]:
    return [(each.step, each.attempt) for each in decision.stop]


def test_a_first_sight_plans_and_reserves_in_one_write() -> None:
    """Contract 1, reserve: the status carries the rollup and the steps about to start."""
    decision = decide_again(workflow(*CHAIN))
    assert (decision.status.phase, decision.status.execution_plan) == ("Executing", ("a", "b"))
    reserved = result(decision)
    assert (reserved.status, reserved.attempt, reserved.reserved_at) == ("Pending", 0, at())
    assert (reserved.execution_ref, reserved.execution_uid) == (child().name, "")
    assert [each.result for each in decision.create] == [reserved]


def test_results_stand_in_plan_order_whenever_they_began() -> None:
    """Contract 2: stepResults in plan order."""
    seen = after(workflow(step("a"), step("b", requires_approval=True), step("c")))
    seen = after(edited(seen, approvals=approved("b")), child("a", "Running"), child("c"))
    assert [each.step_name for each in seen.status.step_results] == ["a", "b", "c"]


def test_everything_that_is_created_was_reserved_by_the_same_decision() -> None:
    """Contract 1, create: the children that the status now reserves."""
    seen = after(workflow(*(step(name) for name in "abcdefg")))
    decision = decide_again(seen, child("a", "Completed"), child("b", "Running"), now=at(seconds=9))
    assert steps_created(decision) == ["c", "d", "e", "f"]
    for creation in decision.create:
        assert creation.result in decision.status.step_results
        assert creation.result.reserved_at == at(seconds=9) or creation.result.healed_at == at(
            seconds=9
        )


def test_nothing_new_means_nothing_to_do() -> None:
    """Contract 1: nothing to do means nothing written."""
    running = child("a", "Running", started=at())
    seen = after(workflow(*CHAIN), running)
    later = decide_again(seen, running, now=at(minutes=5))
    assert later.idle
    assert (later.changed, later.create, later.stop) == (False, (), ())
    assert later.status == seen.status


def test_a_child_to_stop_is_something_to_do() -> None:
    """Contract 4: asked again while it was not asked, though the status says all there is."""
    seen = after(edited(after(workflow(step())), cancel=True), child("a", "Running"))
    decision = decide(facts(seen, child("a", "Running")))
    assert (decision.changed, decision.idle) == (False, False)
    assert _stopped(decision) == [("a", 0)]


def test_an_invalid_workflow_creates_nothing_and_settles() -> None:
    """Contract 4, Planning: phase Failed, condition Valid=False."""
    decision = decide_again(workflow(step("a", depends_on=("b",))))
    assert (decision.status.phase, decision.status.settled) == (Phase.FAILED, True)
    assert (decision.create, decision.status.step_results) == ((), ())
    assert (decision.status.execution_plan, decision.status.total_steps) == ((), 1)


def test_a_workflow_without_steps_is_done_at_first_sight() -> None:
    """Contract 4, Planning: no steps: Completed, message `no steps`."""
    status = decide_again(workflow()).status
    assert (status.phase, status.settled, status.message) == (Phase.COMPLETED, True, "no steps")
    assert (status.progress, status.execution_start_time) == ("0/0", None)
    assert status.execution_end_time == at()


# FailFast


def test_siblings_of_a_failed_step_run_on_and_their_ends_are_recorded() -> None:
    """Contract 4, Phase: under FailFast they run on; recorded until settled."""
    three = tuple(step(name) for name in "abc")
    failed = child("a", "Failed")
    seen = after(workflow(*three), failed, child("b", "Running"), child("c", "Running"))
    assert (seen.status.phase, seen.status.settled) == ("Failed", False)
    quiet = decide_again(seen, failed, child("b", "Running"), child("c", "Running"))
    assert (quiet.stop, quiet.create) == ((), ())
    seen = after(seen, failed, child("b", "Completed"), child("c", "Running"))
    assert (result(seen, "b").status, seen.status.settled) == ("Completed", False)
    seen = after(seen, failed, child("b", "Completed"), child("c", "Failed"), now=at(minutes=1))
    assert (result(seen, "c").status, seen.status.settled) == ("Failed", True)
    assert seen.status.execution_end_time == at(minutes=1)


def test_a_sibling_that_fails_with_retries_left_is_closed() -> None:
    """Contract 4, Phase: nothing starts any more, so nothing waits for its next attempt."""
    given = workflow(step("a"), step("b", retries=5))
    seen = after(given, child("a", "Failed"), child("b", "Running"))
    decision = decide_again(seen, child("a", "Failed"), child("b", "Failed", last_error="no"))
    assert (result(decision, "b").status, result(decision, "b").last_error) == ("Failed", "no")
    assert decision.status.settled


def test_a_step_that_waits_for_its_retry_is_closed_when_a_sibling_fails() -> None:
    """Contract 4, Phase: and its child, if it still runs, is asked to stop."""
    given = workflow(step("a", retries=5, timeout="1s"), step("b"))
    slow = child("a", "Running", started=at())
    seen = after(given, slow, child("b", "Running"), now=at(minutes=2))
    assert result(seen).status == "Retrying"
    decision = decide_again(seen, slow, child("b", "Failed"), now=at(minutes=2))
    assert (result(decision).status, result(decision).reason) == ("Failed", "TimedOut")
    assert (_stopped(decision), decision.status.settled) == ([("a", 0)], False)


def test_a_reservation_beside_a_failure_is_made_with_the_cancel_from_birth() -> None:
    """Contract 4: so that its name is taken and no sleeping run can start it later."""
    seen = after(workflow(*TWO))
    decision = decide_again(seen, child("a", "Failed"), now=at(seconds=1))
    assert [(each.result.step_name, each.cancelled) for each in decision.create] == [("b", True)]
    assert result(decision, "b").healed_at == at(seconds=1)
    assert not decision.status.settled


# Continue


def test_a_failure_under_continue_stops_only_what_depends_on_it() -> None:
    """Contract 4, Phase: all done with a failure: Failed."""
    given = workflow(*CHAIN, step("c"), step("d", depends_on=("c",)), failure_policy=CONTINUE)
    seen = after(given, child("a", "Failed"), child("c", "Completed"))
    assert (seen.status.phase, result(seen, "b").status) == ("Executing", "Skipped")
    done = [child("a", "Failed"), child("c", "Completed"), child("d", "Completed")]
    seen = after(seen, *done)
    assert (seen.status.phase, seen.status.progress, seen.status.settled) == ("Failed", "2/4", True)


# cancel, timeout


@pytest.mark.parametrize(
    ("seen", "fields", "phase"),
    [
        pytest.param(edited(after(workflow(*TWO)), cancel=True), {}, "Cancelled", id="cancel"),
        pytest.param(
            after(workflow(*TWO, timeout="1h")), {"now": at(hours=2)}, "Failed", id="timeout"
        ),
    ],
)
def test_active_children_are_asked_to_stop(
    seen: WorkflowExecution, fields: FactsFields, phase: str
) -> None:
    """Contract 4, Phase: under cancel and timeout."""
    decision = decide_again(seen, child("a"), child("b", "Unheard-of"), **fields)
    assert (decision.status.phase, decision.status.settled) == (phase, False)
    assert _stopped(decision) == [("a", 0), ("b", 0)]
    assert steps_created(decision) == []


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(child("a", "Running", cancel_requested=True), id="asked-already"),
        pytest.param(child("a", "Completed"), id="completed"),
        pytest.param(child("a", "Failed", deleting=True), id="failed-and-on-its-way-out"),
        pytest.param(child("a", "Running", deleting=True), id="on-its-way-out"),
    ],
)
def test_nobody_is_asked_twice_or_for_nothing(listed: Child) -> None:
    """I6: what was asked needs no second write."""
    assert decide_again(edited(after(workflow(*TWO)), cancel=True), listed).stop == ()


def test_a_child_that_is_asked_to_stop_ends_and_the_workflow_settles() -> None:
    """Contract 4, Phase: their own ends are recorded until settled."""
    seen = after(edited(after(workflow(step(retries=3))), cancel=True), child("a", "Running"))
    ended = child("a", "Failed", reason="Cancelled", cancel_requested=True)
    decision = decide_again(seen, ended)
    assert (result(decision).status, result(decision).reason) == ("Failed", "Cancelled")
    assert (decision.status.phase, decision.status.settled) == ("Cancelled", True)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(edited(after(workflow(*TWO)), cancel=True), id="cancel"),
        pytest.param(after(workflow(*TWO, timeout="1s")), id="timeout"),
        pytest.param(
            after(edited(after(workflow(*TWO)), cancel=True), child("a")), id="under-its-phase"
        ),
    ],
)
def test_a_reservation_that_comes_too_late_is_made_with_the_cancel_from_birth(
    seen: WorkflowExecution,
) -> None:
    """Contract 4: under a terminal phase, cancel or a timeout it is created all the same."""
    decision = decide_again(seen, child("a", cancel_requested=True), now=at(hours=1))
    assert [(each.result.step_name, each.cancelled) for each in decision.create] == [("b", True)]


def test_a_reservation_of_a_workflow_that_goes_on_is_made_as_it_is() -> None:
    """Contract 4: a crash came between: create it."""
    decision = decide_again(after(workflow(*TWO)), child("a", "Running"))
    assert [(each.result.step_name, each.cancelled) for each in decision.create] == [("b", False)]


def test_a_cancel_before_the_start_settles_at_once() -> None:
    """Contract 2: no new steps, phase Cancelled."""
    decision = decide_again(workflow(*TWO, cancel=True))
    assert (decision.status.phase, decision.status.settled) == ("Cancelled", True)
    assert (decision.create, decision.status.step_results) == ((), ())
    assert decision.status.execution_start_time is None


def test_a_cancel_while_a_failed_workflow_drains_stops_its_children() -> None:
    """Contract 2: active children are asked to stop; the phase stays."""
    seen = after(workflow(*TWO), child("a", "Failed"), child("b", "Running"))
    decision = decide_again(edited(seen, cancel=True), child("a", "Failed"), child("b", "Running"))
    assert (decision.status.phase, _stopped(decision)) == ("Failed", [("b", 0)])


def test_nothing_starts_in_the_run_that_finds_the_workflow_out_of_time() -> None:
    """Contract 4, Phase: what became ready in the same run stays unstarted."""
    seen = after(workflow(*CHAIN, timeout="1h"))
    decision = decide_again(seen, child("a", "Completed"), now=at(hours=1))
    assert (decision.status.phase, steps_created(decision)) == ("Failed", [])
    assert [each.step_name for each in decision.status.step_results] == ["a"]


def test_taking_a_cancel_back_is_too_late() -> None:
    """Contract 4: a terminal phase never changes."""
    seen = after(edited(after(workflow(*CHAIN)), cancel=True), child("a", "Running"))
    decision = decide_again(edited(seen, cancel=False), child("a", "Completed"))
    assert (decision.status.phase, steps_created(decision)) == ("Cancelled", [])


def test_a_workflow_that_timed_out_goes_on_asking() -> None:
    """Contract 4: also a child that came to life later, in a pass without the server's time."""
    seen = after(workflow(*TWO, timeout="1s"), child("a"), child("b"))
    seen = after(seen, child("a"), child("b"), now=at(hours=1))
    assert seen.status.phase == "Failed"
    decision = decide_again(seen, child("a"), child("b"), now=at(hours=1), timed=False)
    assert _stopped(decision) == [("a", 0), ("b", 0)]


# children that should not be at work


def test_a_step_that_timed_out_asks_its_child_to_stop_and_holds_its_slot() -> None:
    """Contract 4: TimedOut, the child is asked to stop; slots go by children."""
    seen = after(workflow(*TWO, failure_policy=CONTINUE))
    slow = (child("a", "Running", started=at()), child("b", "Completed"))
    decision = decide_again(seen, *slow, now=at(hours=1))
    assert (result(decision).status, _stopped(decision)) == ("Failed", [("a", 0)])
    assert (decision.status.phase, decision.status.active_steps) == ("Failed", 1)
    assert not decision.status.settled


def test_a_step_that_timed_out_and_is_retried_asks_its_child_to_stop() -> None:
    """Contract 4: the next attempt waits until this one has ended."""
    seen = after(workflow(step(retries=1)))
    decision = decide_again(seen, child("a", "Running", started=at()), now=at(hours=1))
    assert (result(decision).status, _stopped(decision)) == ("Retrying", [("a", 0)])


def test_deleting_a_stubborn_child_frees_its_slot_and_changes_no_result() -> None:
    """Contract 4: `kubectl delete ke <child>`."""
    seen = after(workflow(step()), child("a", "Running", started=at()), now=at(hours=1))
    decision = decide_again(seen, now=at(hours=2))
    assert result(decision) == result(seen)
    assert decision.status.settled


def test_a_completed_child_that_comes_back_to_life_is_asked_to_stop() -> None:
    """Contract 4: the step unchanged, the child asked to stop, its slot held."""
    given = workflow(*CHAIN, max_concurrent_steps=1)
    seen = after(given, child("a", "Completed"))
    seen = after(seen, child("a", "Completed"), child("b", "Completed", deleting=True))
    decision = decide_again(seen, child("a", "Running"), child("b", "Completed"))
    assert (result(decision).status, _stopped(decision)) == ("Completed", [("a", 0)])
    assert decision.status.active_steps == 1


def test_an_older_attempt_at_work_is_asked_to_stop() -> None:
    """Contract 4: of any attempt, it holds a slot; its step waits for another."""
    seen = after(workflow(step(retries=1)), child("a", "Failed"))
    seen = after(seen, child("a", "Failed"), now=at(minutes=1))
    decision = decide_again(seen, child("a", "Running"), child("a", "Running", 1))
    assert _stopped(decision) == [("a", 0)]
    assert (result(decision).attempt, decision.status.active_steps) == (1, 2)


def test_a_child_of_a_step_that_is_not_in_the_workflow_is_asked_to_stop() -> None:
    """Contract 3: ours by owner and name, and nobody waits for it."""
    decision = decide_again(after(workflow(step())), child("a", "Running"), child("z", "Running"))
    assert _stopped(decision) == [("z", 0)]
    assert decision.status.active_steps == 2


# a workflow that is being deleted


def test_in_a_workflow_that_is_being_deleted_nothing_is_created() -> None:
    """Contract 4: no reservation is dropped and nothing settles: its children go with it."""
    seen = deleted(after(workflow(*(step(name) for name in "abc"), max_concurrent_steps=2)))
    decision = decide_again(seen, child("a", "Completed"), now=at(hours=1))
    assert decision.create == ()
    assert [(each.step_name, each.status) for each in decision.status.step_results] == [
        ("a", StepStatus.COMPLETED),
        ("b", StepStatus.PENDING),
    ]
    assert not decision.status.settled


def test_a_cancel_of_a_workflow_that_is_being_deleted_stops_its_children() -> None:
    """Contract 2: cancel is cancel; a finalizer may hold the workflow for long."""
    seen = deleted(edited(after(workflow(*TWO)), cancel=True))
    decision = decide_again(seen, child("a", "Running"))
    assert (_stopped(decision), decision.create) == ([("a", 0)], ())


# a status that was lost


def test_a_lost_status_is_rebuilt_and_the_cap_still_holds() -> None:
    """Contract 4: rebuilt as far as the children tell."""
    seven = tuple(step(name) for name in "abcdefg")
    listed = [child("a", "Completed"), *(child(name, "Running") for name in "bcde")]
    decision = decide_again(workflow(*seven), *listed)
    assert steps_created(decision) == ["f"]
    assert decision.status.active_steps == 5


def test_a_lost_status_of_a_failed_attempt_is_retried() -> None:
    """Contract 4: its own Failed, with attempts left; the failure is recorded now."""
    decision = decide_again(workflow(step(retries=2)), child("a", "Failed"), now=at(hours=1))
    assert (result(decision).status, result(decision).execution_end_time) == (
        "Retrying",
        at(hours=1),
    )
    assert steps_created(decision) == []


# what waits


@pytest.mark.parametrize(
    ("seen", "children", "waiting"),
    [
        pytest.param(workflow(*(step(name) for name in "abcdefg")), (), 2, id="ready-and-no-slot"),
        pytest.param(workflow(*CHAIN), (), 0, id="not-what-waits-for-a-dependency"),
        pytest.param(
            after(workflow(*(step(name) for name in "abcdefg"))),
            (child("a", "Failed"),),
            0,
            id="not-what-will-never-start",
        ),
    ],
)
def test_steps_that_find_no_slot_are_counted(
    seen: WorkflowExecution, children: tuple[Child, ...], waiting: int
) -> None:
    """Contract 10: reconciler_steps_ready_waiting."""
    assert decide_again(seen, *children).waiting == waiting


# the second write of a pass


@pytest.mark.parametrize("reason", ["", "CreationRefused", "NameCollision"])
def test_a_refusal_comes_to_rest(reason: str) -> None:
    """I6: at most two clean runs after it."""
    seen = after(workflow(*CHAIN))
    decide_again(seen.with_status(refused(seen.status, "a", reason, "no")), now=at(seconds=5))


def test_a_whole_workflow_runs_to_its_end() -> None:
    """Contract 4: a diamond under one slot, run by run, each step once and in order."""
    diamond = (
        step("d", depends_on=("b", "c")),
        step("b", depends_on=("a",)),
        step("c", depends_on=("a",)),
        step("a"),
    )
    seen, listed, order = workflow(*diamond, max_concurrent_steps=1), list[Child](), list[str]()
    for minute in range(5):
        moment = facts(seen, *listed, now=at(minutes=minute))
        decision = decide(moment)
        order += steps_created(decision)
        made = carried_out(moment, decision)
        seen = made.workflow
        listed = [child(each.step, "Completed") for each in made.children.every]
    assert order == ["a", "b", "c", "d"]
    assert (seen.status.phase, seen.status.settled, seen.status.progress) == (
        "Completed",
        True,
        "4/4",
    )
