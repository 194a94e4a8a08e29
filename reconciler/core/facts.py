"""One workflow at one moment: all that a decision may look at (contract 3 and 4).

Children are sorted at the door: ours from foreign, by uid and name and never by label. What is
foreign goes no further.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from reconciler.core.api import DEFAULT_MAX_CONCURRENT_STEPS, Step, StepResult, WorkflowExecution
from reconciler.core.names import child_name
from reconciler.core.plan import Plan

LATE = "Late"


@dataclass(frozen=True, slots=True)
class Child:
    """A KubernetesExecution cut down to what a decision needs: 50,000 are held at once.

    `phase` is the executor's word, any string. `owner` is the uid of the controller reference.
    Times are aware, UTC, whole seconds; `started` and `ended` are by the executor's clock.
    """

    namespace: str
    name: str
    uid: str
    owner: str
    step: str
    attempt: int
    phase: str
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    last_error: str = ""
    cancel_requested: bool = False
    deleting: bool = False

    @property
    def terminal(self) -> bool:
        """Only these two words end it: any other, known or not, is still at work."""
        return self.phase in ("Completed", "Failed")

    @property
    def active(self) -> bool:
        """Holds a slot: not terminal, or being deleted and not gone."""
        return self.deleting or not self.terminal

    @property
    def late(self) -> bool:
        """The executor ended it untouched: the attempt was never made."""
        return self.phase == "Failed" and self.reason == LATE


@dataclass(frozen=True, slots=True)
class Children:
    """The children of one workflow that are ours, by step and attempt; sorted once."""

    by_step: Mapping[str, Mapping[int, Child]] = field(default_factory=lambda: MappingProxyType({}))
    every: tuple[Child, ...] = field(init=False)
    active: tuple[Child, ...] = field(init=False)

    def __post_init__(self) -> None:
        every = tuple(child for attempts in self.by_step.values() for child in attempts.values())
        object.__setattr__(self, "every", every)
        object.__setattr__(self, "active", tuple(child for child in every if child.active))

    @classmethod
    def of(cls, workflow: WorkflowExecution, listed: Iterable[Child]) -> "Children":
        """Ours among what was listed or looked up; contract 3 says when a child is ours."""
        recorded = {
            result.execution_uid for result in workflow.status.step_results if result.execution_uid
        }
        ours: dict[str, dict[int, Child]] = {}
        for child in listed:
            if child.uid in recorded or _made_for(workflow, child):
                ours.setdefault(child.step, {})[child.attempt] = child
        return cls(ours)

    def get(self, step: str, attempt: int) -> Child | None:
        return self.by_step.get(step, {}).get(attempt)

    def latest(self, step: str) -> Child | None:
        """The last attempt of a step that exists."""
        attempts = self.by_step.get(step)
        return attempts[max(attempts)] if attempts else None

    def of_step(self, step: str) -> Iterable[Child]:
        """Every attempt of a step that exists."""
        return self.by_step.get(step, {}).values()

    def __len__(self) -> int:
        return len(self.every)


def _made_for(workflow: WorkflowExecution, child: Child) -> bool:
    meta = workflow.metadata
    return (
        child.namespace == meta.namespace
        and child.owner == meta.uid
        and child.name == child_name(meta.name, meta.uid, child.step, child.attempt)
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """One workflow at one moment.

    `now` is the API server's time; where it told none, `timed` is False and nothing times out.
    `cap` is the run's limit of active children a workflow; `paused` holds back what is new.
    `room` is how many more steps the run may start in this one, None for as many as find a slot.
    `steps` are in execution order: of a workflow that started under another release's rules, the
    order it started with.
    """

    workflow: WorkflowExecution
    plan: Plan
    children: Children
    now: datetime
    cap: int = DEFAULT_MAX_CONCURRENT_STEPS
    timed: bool = True
    paused: bool = False
    room: int | None = None
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        order = self.plan.order or self.workflow.status.execution_plan
        by_name = {step.name: step for step in self.workflow.spec.workflow_definition.steps}
        steps = tuple(by_name[name] for name in order if name in by_name)
        object.__setattr__(self, "steps", steps)

    @property
    def limit(self) -> int:
        """Most children active at once: the lower of the workflow's limit and the run's."""
        return min(self.workflow.spec.max_concurrent_steps, self.cap)

    def child_of(self, result: StepResult) -> Child | None:
        return self.children.get(result.step_name, result.attempt)


def unlisted(
    workflow: WorkflowExecution, children: Children, *, settling: bool = False
) -> tuple[str, ...]:
    """Names to be read once: an attempt that may live though no list shows it.

    A list can lag, and a label can be edited away. So before a slot counts as free, an attempt
    as gone or a reservation as never made, its child is looked up by name (contract 4, Rollup).
    A final step's child has ended, but for the one that timed out; it may still be on its way
    out, which is asked once, before the workflow settles.
    """
    return tuple(
        result.execution_ref
        for result in workflow.status.step_results
        if result.reserved
        and (settling or not result.status.final or result.reason == "TimedOut")
        and children.get(result.step_name, result.attempt) is None
    )
