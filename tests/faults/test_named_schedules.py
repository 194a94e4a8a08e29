"""Schedules that broke earlier wordings of the contract: each stays a test of its own.

A, B and C are runs; what the words mean stands in the contract, sections 1, 3, 4 and 5.
"""

from dataclasses import replace

from reconciler.kube.requests import CHILDREN, CONFIG_MAPS, WORKFLOWS, Verb
from tests.faults import reading
from tests.faults.executor import NEVER
from tests.faults.process import REF
from tests.faults.scenario import Scenario
from tests.faults.workloads import (
    CHAIN,
    FAIL_FAST,
    SOURCE,
    STEERED,
    TIMEOUT,
    step,
    workflow,
)

FOREVER = 300.0  # seconds: every deadline and every `not-after` of a run before is over


# --- the bound of a child -----------------------------------------------------------------------


def test_a_child_that_comes_after_its_bound_is_ended_untouched_and_frees_its_slot() -> None:
    """Contract 2 and 4: it is Late, the attempt was never made, the next one follows."""
    scenario = Scenario(CHAIN)
    sleeper = scenario.begin("A", Verb.CREATE, CHILDREN)
    scenario.passes(FOREVER, sleeper)
    scenario.rest(sleeper)
    scenario.does("begin")
    late = scenario.child("a")
    assert late is not None
    assert late["status"]["reason"] == "Late"
    scenario.run()
    scenario.run()
    assert scenario.result("a")["attempt"] == 1
    assert scenario.status["activeSteps"] == 1
    scenario.does("finish")
    scenario.run()
    assert scenario.result("a")["status"] == "Completed"


def test_within_its_bound_a_sleeping_create_may_make_a_deleted_child_again() -> None:
    """I1: the one window that is admitted; the step has failed and stays so."""
    scenario = Scenario(CHAIN)
    sleeper = scenario.begin("A", Verb.CREATE, CHILDREN)
    assert sleeper.pending is not None
    scenario.play.act_as(sleeper, sleeper.pending)  # its answer is lost
    scenario.run()
    recorded = scenario.result("a")["executionUID"]
    scenario.does("child-deleted")
    scenario.call(sleeper)
    again = scenario.child("a")
    assert again is not None
    assert again["metadata"]["uid"] != recorded
    scenario.run()
    assert scenario.result("a")["reason"] == "ExecutionDeleted"
    assert scenario.child("a", 1) is None


def test_a_run_that_wakes_up_after_its_deadline_creates_nothing_more() -> None:
    """Contract 1: the deadline is asked before each call."""
    scenario = Scenario(replace(FAIL_FAST, ends={}))
    sleeper = scenario.begin("A", Verb.CREATE, CHILDREN)
    answer = scenario.play.perform(sleeper)
    scenario.passes(FOREVER, sleeper)
    scenario.play.proceed(sleeper, answer)
    assert sleeper.over
    assert scenario.child("a") is not None
    assert scenario.child("b") is None


# --- lists that lag, and their order ------------------------------------------------------------


def test_a_step_that_timed_out_does_not_let_its_workflow_settle_while_its_child_lives() -> None:
    """Contract 4, Rollup: not gone until it was read by name."""
    one = replace(TIMEOUT, workflows=(workflow("w", step("a", timeout="1m")),))
    scenario = Scenario(one)
    scenario.run()
    scenario.does("begin")
    scenario.run()
    scenario.passes(130)
    scenario.run()
    assert scenario.result("a")["reason"] == "TimedOut"
    scenario.does("label-lost")  # no list shows it
    scenario.run()
    assert not scenario.status["settled"]
    scenario.does("finish")
    scenario.run()
    assert scenario.status["settled"]


def test_no_second_attempt_works_beside_one_that_a_list_does_not_show() -> None:
    """Contract 4, Rollup: read by name before the next attempt is reserved."""
    scenario = Scenario(replace(TIMEOUT, ends={"a/0": NEVER}))
    scenario.run()
    scenario.does("begin")
    scenario.run()
    scenario.passes(130)
    scenario.run()
    assert scenario.result("a")["status"] == "Retrying"
    scenario.does("label-lost")
    scenario.passes(60)
    scenario.run()
    assert scenario.result("a")["attempt"] == 0
    scenario.does("finish")
    scenario.run()
    assert scenario.result("a")["attempt"] == 1


def test_children_are_listed_after_their_workflows() -> None:
    """Contract 1, observe: a child list older than the status would invent deletions."""
    scenario = Scenario(CHAIN)
    scenario.run()
    late = scenario.begin("A", Verb.LIST, CHILDREN)
    listed = [each.target.resource for each in late.calls if each.verb is Verb.LIST]
    assert listed == [WORKFLOWS]
    scenario.run()  # records the child's uid
    scenario.rest(late)
    assert scenario.result("a")["status"] == "Pending"


# --- reservations -------------------------------------------------------------------------------


def test_of_two_passes_that_heal_one_reservation_one_loses() -> None:
    """Contract 1, create: an unchanged status moves no resourceVersion; `healedAt` does."""
    scenario = Scenario(CHAIN)
    scenario.begin("A", Verb.CREATE, CHILDREN).kill()
    first = scenario.begin("B", Verb.UPDATE, WORKFLOWS)
    second = scenario.begin("C", Verb.UPDATE, WORKFLOWS)
    scenario.call(first)
    scenario.rest(second)
    assert scenario.child("a") is None
    scenario.rest(first)
    assert scenario.child("a") is not None
    assert second.outcome is not None
    assert second.outcome.work.conflicts == 1


def test_a_reservation_is_not_dropped_in_a_workflow_that_is_being_deleted() -> None:
    """Contract 4: nothing is created, nothing settles, and a sleeping create may still land."""
    scenario = Scenario(CHAIN)
    sleeper = scenario.begin("A", Verb.CREATE, CHILDREN)
    scenario.does("cancelled", "held-and-deleted")
    scenario.run()
    scenario.run()
    assert scenario.result("a")["status"] == "Pending"
    assert not scenario.status["settled"]
    assert scenario.child("a") is None
    scenario.rest(sleeper)
    scenario.comes_to_rest()
    assert scenario.child("a") is not None
    assert not scenario.status["settled"]


def test_what_is_reserved_when_a_sibling_fails_is_made_and_asked_to_stop_at_once() -> None:
    """Contract 4, Rollup: its name is taken, so that no sleeping run starts it later."""
    scenario = Scenario(FAIL_FAST)
    sleeper = scenario.begin("A", Verb.CREATE, CHILDREN)
    scenario.call(sleeper)  # a is made, b is on its way
    scenario.does("finish-first")  # a fails
    scenario.run()
    made = scenario.child("b")
    assert made is not None
    assert reading.asked_to_stop(made)
    scenario.does("begin")
    scenario.run()
    assert scenario.status["settled"]
    scenario.rest(sleeper)
    ended = scenario.child("b")
    assert ended is not None
    assert ended["metadata"]["uid"] == made["metadata"]["uid"]
    assert ended["status"]["reason"] == "Cancelled"


def test_a_pass_whose_status_write_lost_creates_nothing() -> None:
    """Contract 1, create: cancel wins, the pass leaves the workflow to the next run."""
    scenario = Scenario(CHAIN)
    run = scenario.begin("A", Verb.UPDATE, WORKFLOWS)
    scenario.does("cancelled")
    scenario.rest(run)
    assert scenario.child("a") is None
    scenario.run()
    assert scenario.status["phase"] == "Cancelled"
    assert scenario.status["settled"]
    assert scenario.child("a") is None


# --- the source ---------------------------------------------------------------------------------


def runs(scenario: Scenario) -> list[str]:
    return [each["metadata"]["name"] for each in scenario.play.server.objects(WORKFLOWS)]


def test_a_late_apply_of_a_commit_that_was_replaced_never_starts() -> None:
    """Contract 5: its content is dropped by then; the object waits untouched."""
    scenario = Scenario(SOURCE)
    sleeper = scenario.begin("A", Verb.APPLY, WORKFLOWS)
    scenario.does("push-c1")
    scenario.run()
    (newer,) = runs(scenario)
    scenario.rest(sleeper)
    (older,) = set(runs(scenario)) - {newer}
    scenario.run()
    scenario.run()
    assert reading.started(scenario.workflow_named(newer))
    assert reading.status(scenario.workflow_named(older)).get("phase") is None
    assert [each["state"] for each in scenario.record("d")] == ["created", "dropped"]


def test_an_apply_that_lands_between_anothers_list_and_its_fence_does_not_run_beside_it() -> None:
    """Contract 5: of one document one content is created without a result."""
    scenario = Scenario(SOURCE)
    first = scenario.begin("A", Verb.APPLY, WORKFLOWS)
    scenario.does("push-c1")
    second = scenario.begin("B", Verb.UPDATE, CONFIG_MAPS)
    scenario.rest(first)
    scenario.rest(second)
    scenario.run()
    scenario.run()
    entries = scenario.record("d")
    assert sum(each["state"] == "created" and not each.get("phase") for each in entries) == 1
    assert sum(map(reading.started, scenario.play.server.objects(WORKFLOWS))) == 1


def test_a_suspension_that_git_took_back_does_not_come_back_with_a_run_that_slept() -> None:
    """Contract 5: objects are read before the fence, and an unfinished one is sent again."""
    scenario = Scenario(STEERED)
    scenario.run()
    scenario.does("push-c1")
    sleeper = scenario.begin("A", Verb.APPLY, WORKFLOWS)
    scenario.does("push-c2")
    scenario.run()
    scenario.rest(sleeper)
    scenario.run()
    assert not scenario.workflow["spec"].get("suspend")


def test_what_comes_back_from_a_backup_without_its_status_does_not_run_again() -> None:
    """I12: the same names with other uids; their contents have had their run."""
    scenario = Scenario(replace(SOURCE, ends={}))
    for _ in range(4):
        scenario.run()
        scenario.play.time.sleep(1)
        scenario.workload.executor(scenario.play).finish()
    assert scenario.status["settled"]
    children = len(scenario.play.server.objects(CHILDREN))
    scenario.does("made-again")
    scenario.run()
    scenario.run()
    assert reading.reason(scenario.workflow) == "AlreadyRan"
    assert scenario.status["settled"]
    assert len(scenario.play.server.objects(CHILDREN)) == children


def test_where_the_ref_stands_is_asked_after_the_records_were_read() -> None:
    """Contract 5: who overwrites what another run intended has seen a commit at least as new."""
    scenario = Scenario(SOURCE)
    run = scenario.play.start("A")
    while run.pending is not REF:
        scenario.call(run)
    listed = [each.target.resource.plural for each in run.calls if each.verb is Verb.LIST]
    assert listed == ["workflowexecutions", "workflowexecutions", "workflowrecords"]
