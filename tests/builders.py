"""Workflows, steps and children for tests: every default is the dull one.

A test names only what it is about. `after` is one workflow as the runs before left it, and
`decide_again` one run later; both prove on the way that deciding twice is deciding once (I6).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypedDict, Unpack

from reconciler.core.api import (
    Approval,
    FailurePolicy,
    Metadata,
    Parameters,
    Step,
    StepResult,
    TargetResource,
    WorkflowDefinition,
    WorkflowExecution,
    WorkflowSpec,
    WorkflowStatus,
)
from reconciler.core.decide import Creation, Decision, decide
from reconciler.core.facts import Child, Children, Facts
from reconciler.core.names import child_name
from reconciler.core.plan import Plan, plan

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NAMESPACE = "shop"
WORKFLOW = "restart-checkout"
UID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def at(*, seconds: float = 0, minutes: float = 0, hours: float = 0) -> datetime:
    """That long after NOW."""
    return NOW + timedelta(seconds=seconds, minutes=minutes, hours=hours)


class StepFields(TypedDict, total=False):
    action: str
    parameters: Parameters | None
    target_resource: TargetResource | None
    timeout: str
    depends_on: tuple[str, ...]
    retries: int
    requires_approval: bool


def step(name: str = "a", **fields: Unpack[StepFields]) -> Step:
    """A step of an action of the user's own: timeout 10 m, no retries, nothing before it."""
    stated: StepFields = {"action": "Notify", "parameters": Parameters(custom={}), **fields}
    return Step(name=name, **stated)


class SpecFields(TypedDict, total=False):
    assume_completed: tuple[str, ...]
    max_concurrent_steps: int
    failure_policy: FailurePolicy
    timeout: str
    not_before: datetime
    not_after: datetime
    ttl_seconds_after_settled: int
    suspend: bool
    cancel: bool
    approvals: tuple[Approval, ...]
    service_account_name: str


def workflow(*steps: Step, name: str = WORKFLOW, **fields: Unpack[SpecFields]) -> WorkflowExecution:
    """A workflow that no run has seen yet."""
    return WorkflowExecution(
        metadata=Metadata(
            name=name,
            namespace=NAMESPACE,
            uid=UID,
            resource_version="1",
            generation=1,
            creation_timestamp=NOW,
        ),
        spec=WorkflowSpec.model_validate(
            {"workflow_definition": WorkflowDefinition(steps=steps), **fields}
        ),
    )


def edited(before: WorkflowExecution, **fields: Unpack[SpecFields]) -> WorkflowExecution:
    """The workflow after somebody edited its spec: one generation on."""
    return before.model_copy(
        update={
            "spec": before.spec.model_copy(update=fields),
            "metadata": before.metadata.model_copy(
                update={"generation": before.metadata.generation + 1}
            ),
        }
    )


def deleted(before: WorkflowExecution) -> WorkflowExecution:
    """The workflow while it is being deleted and a finalizer holds it."""
    return before.model_copy(
        update={"metadata": before.metadata.model_copy(update={"deletion_timestamp": NOW})}
    )


def approved(*steps: str) -> tuple[Approval, ...]:
    """`spec.approvals` of these steps."""
    return tuple(Approval(step=each) for each in steps)


class ChildFields(TypedDict, total=False):
    namespace: str
    name: str
    uid: str
    owner: str
    created: datetime
    started: datetime | None
    ended: datetime | None
    reason: str
    last_error: str
    cancel_requested: bool
    deleting: bool


def _child_uid(step_name: str, attempt: int) -> str:
    """As long as a uid may be."""
    return f"uid-{step_name[:54]}-{attempt}"


def child(
    step_name: str = "a", phase: str = "", attempt: int = 0, **fields: Unpack[ChildFields]
) -> Child:
    """A child of `workflow()`, ours, made at NOW and untouched by an executor but for its phase."""
    dull = Child(
        namespace=NAMESPACE,
        name=child_name(WORKFLOW, UID, step_name, attempt),
        uid=_child_uid(step_name, attempt),
        owner=UID,
        step=step_name,
        attempt=attempt,
        phase=phase,
        created=NOW,
    )
    return replace(dull, **fields)


class FactsFields(TypedDict, total=False):
    plan: Plan
    now: datetime
    cap: int
    timed: bool
    paused: bool


def facts(of: WorkflowExecution, *children: Child, **fields: Unpack[FactsFields]) -> Facts:
    """The workflow and what was listed, at NOW, under the default limit of a run."""
    dull = Facts(workflow=of, plan=plan(of.spec), children=Children.of(of, children), now=NOW)
    return replace(dull, **fields)


def made(by: Facts, creation: Creation) -> Child:
    """The child that the create stage makes of a creation."""
    result = creation.result
    meta = by.workflow.metadata
    return child(
        result.step_name,
        attempt=result.attempt,
        namespace=meta.namespace,
        name=result.execution_ref,
        uid=_child_uid(result.step_name, result.attempt),
        owner=meta.uid,
        created=by.now,
        cancel_requested=creation.cancelled,
    )


def carried_out(by: Facts, decision: Decision) -> Facts:
    """The same moment after stages 6 and 7: written, created, asked to stop."""
    stopped = {each.uid for each in decision.stop}
    children = [
        replace(each, cancel_requested=True) if each.uid in stopped else each
        for each in by.children.every
    ]
    written = by.workflow.with_status(decision.status)
    created = [made(by, creation) for creation in decision.create]
    return replace(by, workflow=written, children=Children.of(written, [*children, *created]))


def decided(by: Facts) -> Decision:
    """The decision, proved to be one that the API server takes and that is idle when repeated.

    What was created is recorded by the next run, which creates nothing; the one after is idle.
    """
    decision = decide(by)
    assert WorkflowStatus.model_validate(decision.status.wire()) == decision.status
    later = carried_out(by, decision)
    again = decide(later)
    assert not again.create, "the same moment again creates again"
    if not (decision.create or decision.stop):
        assert again.idle, "the same moment again writes again"
    last = decide(carried_out(later, again))
    assert last.idle, "two runs at the same moment do not come to rest"
    return decision


def after(
    before: WorkflowExecution, *children: Child, **fields: Unpack[FactsFields]
) -> WorkflowExecution:
    """The workflow as a run left it that saw these children.

    Of one that no run had seen, a first run made its reservations: the children are its.
    """
    if children and before.status == WorkflowStatus():
        before = after(before, **fields)
    return before.with_status(decided(facts(before, *children, **fields)).status)


def decide_again(
    before: WorkflowExecution, *children: Child, **fields: Unpack[FactsFields]
) -> Decision:
    """What the next run decides about it, with these children and no others."""
    return decided(facts(before, *children, **fields))


def result(of: WorkflowExecution | WorkflowStatus | Decision, step_name: str = "a") -> StepResult:
    """The one result of that step."""
    status = of if isinstance(of, WorkflowStatus) else of.status
    (found,) = [each for each in status.step_results if each.step_name == step_name]
    return found


def steps_created(decision: Decision) -> list[str]:
    """Names of the steps whose next attempt the decision creates, in order."""
    return [creation.result.step_name for creation in decision.create]
