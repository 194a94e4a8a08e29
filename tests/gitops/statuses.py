"""WorkflowExecutions as the API server may hold them: each status is written by the real code.

`NAMED` has one for each thing that can be said of a workflow, with the row of contract 2 that a
person gave it; `stored` has every version that runs left in the stories of tests/faults.
"""

from collections.abc import Callable, Mapping

from reconciler.core.api import FailurePolicy, WorkflowExecution, WorkflowStatus
from reconciler.core.status import already_ran
from reconciler.kube.requests import WORKFLOWS, Resource
from tests.builders import (
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
from tests.fakes.memory.storage import Change
from tests.faults.scene import Asleep, Scene
from tests.faults.workloads import WORKLOADS, Workload
from tests.gitops.lua import Json
from tests.gitops.verdicts import Row


def wired(of: WorkflowExecution, status: WorkflowStatus | None = None) -> Json:
    """The object on the wire, with the status that was decided; not being deleted."""
    given = of if status is None else of.with_status(status)
    metadata = given.metadata.model_copy(update={"deletion_timestamp": None})
    return given.model_copy(update={"metadata": metadata}).wire()


def _failed() -> WorkflowExecution:
    return after(workflow(step("a")), child("a", "Failed", last_error="no such image"))


def _failed_at_work() -> WorkflowExecution:
    """Failed under FailFast, not settled: b runs on."""
    return after(workflow(step("a"), step("b")), child("a", "Failed"), child("b", "Running"))


def _cancelled() -> WorkflowExecution:
    return after(workflow(step("a"), cancel=True))


def _cancelled_at_work() -> WorkflowExecution:
    running = after(workflow(step("a")), child("a", "Running"))
    return after(edited(running, cancel=True), child("a", "Running"))


def _suspended_at_work() -> WorkflowExecution:
    running = after(workflow(step("a"), step("b", depends_on=("a",))), child("a", "Running"))
    return after(edited(running, suspend=True), child("a", "Running"))


def _gated_behind_a_step() -> WorkflowExecution:
    steps = step("a"), step("b", depends_on=("a",), requires_approval=True)
    return after(workflow(*steps), child("a", "Completed"))


def _gated_beside_a_step() -> WorkflowExecution:
    return after(workflow(step("a"), step("b", requires_approval=True)), child("a", "Running"))


def _retrying() -> WorkflowExecution:
    return after(workflow(step("a", retries=1)), child("a", "Failed"))


def _suspended_while_retrying() -> WorkflowExecution:
    before = edited(_retrying(), suspend=True)
    return after(before, child("a", "Failed"))


def _completed() -> WorkflowExecution:
    return after(workflow(step("a")), child("a", "Completed"))


def _timed_out() -> WorkflowExecution:
    begun = after(workflow(step("a"), timeout="1h"))
    seen = after(begun, child("a", "Running"))
    return after(seen, child("a", "Running"), now=at(hours=2))


def _skipped() -> WorkflowExecution:
    steps = step("a"), step("b", depends_on=("a",))
    return after(workflow(*steps, failure_policy=FailurePolicy.CONTINUE), child("a", "Failed"))


def _already_ran() -> WorkflowExecution:
    fresh = workflow(step("a"))
    return fresh.with_status(already_ran(facts(fresh)))


def _gated() -> WorkflowExecution:
    return after(workflow(step("a", requires_approval=True)))


NAMED: Mapping[str, tuple[Row, Callable[[], WorkflowExecution]]] = {
    "no run has seen it": (Row.UNSEEN, lambda: workflow(step("a"))),
    "pending, before its time": (
        Row.RUNNING,
        lambda: after(workflow(step("a"), not_before=at(hours=1))),
    ),
    "reserved, no child yet": (Row.RUNNING, lambda: after(workflow(step("a")))),
    "executing": (Row.RUNNING, lambda: after(workflow(step("a")), child("a", "Running"))),
    "a phase nobody knows": (Row.RUNNING, lambda: after(workflow(step("a")), child("a", "Odd"))),
    "retrying": (Row.RUNNING, _retrying),
    "suspended": (Row.WAITING, lambda: after(workflow(step("a"), suspend=True))),
    "suspended with an active child": (Row.RUNNING, _suspended_at_work),
    "suspended while a retry is due": (Row.RUNNING, _suspended_while_retrying),
    "awaiting approval": (Row.WAITING, _gated),
    "awaiting approval, the step before it done": (Row.WAITING, _gated_behind_a_step),
    "awaiting approval with an active child": (Row.RUNNING, _gated_beside_a_step),
    "approved": (
        Row.RUNNING,
        lambda: after(workflow(step("a", requires_approval=True), approvals=approved("a"))),
    ),
    "completed": (Row.COMPLETED, _completed),
    "no steps": (Row.COMPLETED, lambda: after(workflow())),
    "all assumed": (Row.COMPLETED, lambda: after(workflow(step("a"), assume_completed=("a",)))),
    "failed": (Row.FAILED, _failed),
    "failed, not settled": (Row.FAILED, _failed_at_work),
    "failed, the rest skipped": (Row.FAILED, _skipped),
    "timed out": (Row.FAILED, _timed_out),
    "expired": (
        Row.FAILED,
        lambda: after(
            workflow(step("a", requires_approval=True), not_after=at(hours=-1)), now=at(hours=1)
        ),
    ),
    "invalid": (Row.FAILED, lambda: after(workflow(step("a", depends_on=("a",))))),
    "cancelled before it began": (Row.FAILED, _cancelled),
    "cancelled, not settled": (Row.FAILED, _cancelled_at_work),
    "already ran": (Row.FAILED, _already_ran),
    "changed since the last run": (Row.STALE, lambda: edited(_gated(), approvals=approved("a"))),
    "resumed since the last run": (
        Row.STALE,
        lambda: edited(after(workflow(step("a"), suspend=True)), suspend=False),
    ),
}


def deleting(of: WorkflowExecution) -> Json:
    """The same while a finalizer holds it."""
    return deleted(of).wire()


def stored(story: Workload, resource: Resource = WORKFLOWS) -> list[Json]:
    """Every version of every object of a kind while the story runs without a fault."""

    def keep(change: Change) -> None:
        if change.resource is resource and change.after is not None:
            versions.append(change.after)

    play = story.play()
    versions = [*play.server.objects(resource)]
    play.server.observers.append(keep)
    for acts in story.scenes:
        for act in acts:
            act(play, story)
        Scene(play, story, {}, Asleep()).perform()
    return versions


STORIES = tuple(WORKLOADS.values())
