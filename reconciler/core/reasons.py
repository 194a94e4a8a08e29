"""Why a step does not run: one reason each, from one function (contract 4).

`core/ready.py` asks the same function: what has no obstacle is ready, so the reason that a
person reads is the one that held the step back.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from reconciler.core.api import FailurePolicy, Step, StepResult, StepStatus, WorkflowSpec, rfc3339
from reconciler.core.facts import Child, Facts
from reconciler.core.rollup import Results, creation_at, retry_at

PATIENCE = timedelta(minutes=2)  # after it nobody seems to pick the child up


class Because(StrEnum):
    """What holds a step back, the first that applies."""

    TERMINAL = "Terminal"
    BLOCKED = "Blocked"
    DEPENDENCY = "Dependency"
    APPROVAL = "Approval"
    CANCELLED = "Cancelled"
    DELETING = "Deleting"
    SUSPENDED = "Suspended"
    PAUSED = "Paused"
    NOT_BEFORE = "NotBefore"
    NOT_AFTER = "NotAfter"
    STOPPING = "Stopping"
    BACKOFF = "Backoff"
    REFUSED = "Refused"
    NO_EXECUTOR = "NoExecutor"
    NO_SLOT = "NoSlot"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason, and the words for it; nothing in them is relative to now."""

    because: Because
    text: str


@dataclass(frozen=True, slots=True)
class _Gates:
    """What holds for every step of the workflow, worked out once for a thousand steps."""

    failure: Obstacle | None
    workflow: Obstacle | None
    approved: frozenset[str]


def obstacles(facts: Facts, results: Results) -> dict[str, Obstacle]:
    """Why each step starts no attempt now, slots apart, in plan order.

    A step that is not in it is ready, at work, or over.
    """
    steps = [step for step in facts.steps if not _under_way(results.get(step.name))]
    if not steps:
        return {}
    gates = _Gates(
        failure=_of_failures(facts, results),
        workflow=_of_workflow(facts),
        approved=frozenset(approval.step for approval in facts.workflow.spec.approvals),
    )
    found = ((step.name, _obstacle(facts, results, gates, step)) for step in steps)
    return {name: obstacle for name, obstacle in found if obstacle is not None}


def _under_way(result: StepResult | None) -> bool:
    """Whether nothing can hold it back any more; most steps of an active workflow are."""
    return result is not None and result.status in _UNDER_WAY


_UNDER_WAY = (StepStatus.RUNNING, StepStatus.COMPLETED, StepStatus.FAILED)


def _obstacle(facts: Facts, results: Results, gates: _Gates, step: Step) -> Obstacle | None:
    result = results.get(step.name)
    if result is not None and result.status is not StepStatus.RETRYING:
        return _of_result(facts, result)
    return (
        gates.failure
        or _of_dependencies(results, step)
        # An attempt that failed has passed its gate.
        or (_of_approval(gates, step) if result is None else None)
        or gates.workflow
        or (_of_retry(facts, result) if result is not None else None)
    )


def no_slot(limit: int, held: int) -> Obstacle:
    """Ready, and every slot is held: of the workflow, or else of the whole run."""
    if held < limit:
        return Obstacle(Because.NO_SLOT, "no slot left of the run's --max-active-steps")
    return Obstacle(Because.NO_SLOT, f"no slot ({limit}/{limit})")


def unattended(facts: Facts, child: Child) -> bool:
    """Whether nobody has picked the child up for two minutes."""
    return (
        facts.timed
        and child.phase in ("", "Pending")
        and child.started is None
        and facts.now - child.created > PATIENCE
    )


def awaiting_approval(spec: WorkflowSpec, results: Results) -> tuple[str, ...]:
    """Steps that only an approval keeps from starting: their dependencies are Completed."""
    approved = {approval.step for approval in spec.approvals}
    return tuple(
        step.name
        for step in spec.workflow_definition.steps
        if step.requires_approval
        and step.name not in approved
        and step.name not in results
        and not _unmet(step, results)
    )


def _of_result(facts: Facts, result: StepResult) -> Obstacle | None:
    if result.status is StepStatus.SKIPPED:
        return Obstacle(Because.BLOCKED, f"blocked by failed {result.reason}")
    child = facts.child_of(result)  # Pending
    if child is None and result.last_error:
        due = creation_at(result)
        at = f", tried again at {rfc3339(due)}" if due else ""
        return Obstacle(Because.REFUSED, f"its creation was refused{at}: {result.last_error}")
    if child is not None and unattended(facts, child):
        return Obstacle(Because.NO_EXECUTOR, f"no executor has picked up {child.name}")
    return None


def _of_failures(facts: Facts, results: Results) -> Obstacle | None:
    phase = facts.workflow.status.phase
    if phase.terminal:
        return Obstacle(Because.TERMINAL, f"the workflow is {phase}")
    if facts.workflow.spec.failure_policy is FailurePolicy.FAIL_FAST:
        failed = [name for name, each in results.items() if each.status is StepStatus.FAILED]
        if failed:
            return Obstacle(Because.BLOCKED, f"blocked by failed {failed[0]}")
    return None


def _of_dependencies(results: Results, step: Step) -> Obstacle | None:
    unmet = _unmet(step, results)
    return Obstacle(Because.DEPENDENCY, f"waits for {', '.join(unmet)}") if unmet else None


def _of_approval(gates: _Gates, step: Step) -> Obstacle | None:
    if step.requires_approval and step.name not in gates.approved:
        return Obstacle(Because.APPROVAL, "waits for approval")
    return None


def _unmet(step: Step, results: Results) -> list[str]:
    return [
        name
        for name in step.depends_on
        if name not in results or results[name].status is not StepStatus.COMPLETED
    ]


def _of_workflow(facts: Facts) -> Obstacle | None:
    spec = facts.workflow.spec
    table = (
        (spec.cancel, Because.CANCELLED, "cancelled"),
        (facts.workflow.deleting, Because.DELETING, "the workflow is being deleted"),
        (spec.suspend, Because.SUSPENDED, "suspended"),
        (facts.paused, Because.PAUSED, "paused"),
        (
            spec.not_before is not None and facts.now < spec.not_before,
            Because.NOT_BEFORE,
            f"not before {rfc3339(spec.not_before)}" if spec.not_before else "",
        ),
        (
            spec.not_after is not None and facts.now > spec.not_after,
            Because.NOT_AFTER,
            f"not after {rfc3339(spec.not_after)}" if spec.not_after else "",
        ),
    )
    return next((Obstacle(because, text) for holds, because, text in table if holds), None)


def _of_retry(facts: Facts, result: StepResult) -> Obstacle | None:
    child = facts.child_of(result)
    if child is not None and not child.terminal:
        return Obstacle(Because.STOPPING, f"waits for {child.name} to end")
    due = retry_at(facts, result)
    if facts.now < due:
        return Obstacle(Because.BACKOFF, f"retry at {rfc3339(due)}")
    return None
