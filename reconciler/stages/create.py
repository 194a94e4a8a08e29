"""Stage 7: the children that the status now reserves, and who is asked to stop (contract 1, 3).

Runs only after this pass's own status write of the workflow went through, and asks the deadline
before each call. A name that exists is read: ours means done, anything else is a collision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.core.api import (
    ChildSpec,
    KubernetesExecution,
    Metadata,
    OwnerReference,
    StepResult,
    WorkflowExecution,
    WorkflowExecutionRef,
    rfc3339,
)
from reconciler.core.decide import Creation, Decision
from reconciler.core.facts import Child, Children
from reconciler.core.names import (
    MANAGED_BY_LABEL,
    MANAGER,
    NOT_AFTER,
    PROVENANCE,
    STEP_LABEL,
    WORKFLOW_LABEL,
    workflow_label,
)
from reconciler.core.outcome import CreationError
from reconciler.core.plan import go_duration, step_timeout
from reconciler.core.rollup import CREATION_REFUSED, NAME_COLLISION
from reconciler.errors import AlreadyExists, Conflict, DeadlinePassed, Refused, Unreachable
from reconciler.seams import NewChild, World


@dataclass(frozen=True, slots=True)
class Refusal:
    """A creation that the server refused; `final` is the reason of a step that failed for good.

    Without it the step stays reserved.
    """

    step: str
    kind: CreationError
    error: str
    final: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    """What came of a pass's creations: made, refused, and those that got no answer."""

    made: tuple[StepResult, ...] = ()
    refused: tuple[Refusal, ...] = ()
    unreachable: int = 0
    truncated: bool = False

    @property
    def errors(self) -> tuple[CreationError, ...]:
        """Why children were not created, one each."""
        unanswered = (CreationError.UNREACHABLE,) * self.unreachable
        return (*(refusal.kind for refusal in self.refused), *unanswered)


def create(
    world: World, workflow: WorkflowExecution, decision: Decision, not_after: datetime
) -> Created:
    """The children of one workflow, in plan order. Raises nothing that belongs to one child."""
    made: list[StepResult] = []
    refused: list[Refusal] = []
    for index, creation in enumerate(decision.create):
        # a crash here: reserved, no child; the next run creates it under the same name.
        try:
            world.deadline.check()
            outcome = _create(world, workflow, creation, not_after)
        except DeadlinePassed:
            return Created(tuple(made), tuple(refused), truncated=True)
        except Unreachable:
            # It may have been made all the same. A server that does not answer is asked no more.
            return Created(tuple(made), tuple(refused), unreachable=len(decision.create) - index)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
        elif outcome is not None:
            made.append(outcome)
    return Created(tuple(made), tuple(refused))


def ask_to_stop(world: World, children: tuple[Child, ...]) -> None:
    """Sets `cancelRequested`; one that changed or went meanwhile is looked at by the next run."""
    for child in children:
        world.deadline.check()
        try:
            world.cluster.ask_to_stop(child)
        except Conflict:
            continue


def manifest(workflow: WorkflowExecution, creation: Creation, not_after: datetime) -> NewChild:
    """The child as it is sent: one owner, three labels, its own bound in the server's time."""
    meta, result = workflow.metadata, creation.result
    step = next(
        each for each in workflow.spec.workflow_definition.steps if each.name == result.step_name
    )
    body = KubernetesExecution(
        metadata=Metadata(
            name=result.execution_ref,
            namespace=meta.namespace,
            labels={
                WORKFLOW_LABEL: workflow_label(meta.name),
                STEP_LABEL: step.name,
                MANAGED_BY_LABEL: MANAGER,
            },
            annotations={NOT_AFTER: rfc3339(not_after), **_provenance(meta.annotations)},
            owner_references=(
                OwnerReference(
                    api_version=workflow.api_version,
                    kind=workflow.kind,
                    name=meta.name,
                    uid=meta.uid,
                    controller=True,
                    block_owner_deletion=False,
                ),
            ),
        ),
        spec=ChildSpec(
            workflow_execution_ref=WorkflowExecutionRef(name=meta.name, uid=meta.uid),
            step_name=step.name,
            attempt=result.attempt,
            action=step.action,
            action_parameters=step.parameters,
            target_resource=step.target_resource,
            timeout=step.timeout or go_duration(step_timeout(step)),
            service_account_name=workflow.spec.service_account_name,
            cancel_requested=creation.cancelled,
        ),
    )
    return NewChild(
        namespace=meta.namespace,
        name=result.execution_ref,
        owner=meta.uid,
        step=step.name,
        attempt=result.attempt,
        body=_without_status(body.wire()),
    )


def _create(
    world: World, workflow: WorkflowExecution, creation: Creation, not_after: datetime
) -> StepResult | Refusal | None:
    """What was made or refused; None when it was there already."""
    step = creation.result.step_name
    new = manifest(workflow, creation, not_after)
    try:
        world.cluster.create_child(new)
    except AlreadyExists:
        child = world.cluster.child(new.namespace, new.name)
        if child is None:
            raise Unreachable(f"{new.name} existed and is gone: the next run creates it") from None
        return _whose(workflow, new, child)
    except Refused as error:
        if not error.lasting:
            return Refusal(step, CreationError.FORBIDDEN, str(error))
        return _refused_for_good(world, workflow, new, creation, str(error))
    return creation.result


def _refused_for_good(
    world: World, workflow: WorkflowExecution, new: NewChild, creation: Creation, error: str
) -> Refusal | None:
    """A permanent refusal is final only where no other create of this name can have landed.

    An attempt before this one at the same call may have, its answer lost: the name is read. And
    where an earlier pass reserved the step, that one may be asleep before its create, which this
    server may take: the step stays reserved until its timeout, as after any other refusal.
    """
    child = world.cluster.child(new.namespace, new.name)
    if child is not None:
        return _whose(workflow, new, child)
    reserved_here = creation.result.healed_at is None
    final = CREATION_REFUSED if reserved_here else ""
    return Refusal(new.step, CreationError.REFUSED, error, final)


def _whose(workflow: WorkflowExecution, new: NewChild, child: Child) -> Refusal | None:
    """None when ours: another run made it, or this one before its answer was lost."""
    if Children.of(workflow, [child]).get(new.step, new.attempt) is not None:
        return None
    return Refusal(
        new.step,
        CreationError.NAME_COLLISION,
        f"{new.name} exists and belongs to somebody else; it is left alone",
        NAME_COLLISION,
    )


def _provenance(annotations: Mapping[str, str]) -> dict[str, str]:
    return {key: annotations[key] for key in PROVENANCE if key in annotations}


def _without_status(body: dict[str, Any]) -> dict[str, Any]:
    """The server drops a status on creation; the CRD's default tells that nobody saw it yet."""
    return {key: value for key, value in body.items() if key != "status"}
