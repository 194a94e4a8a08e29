"""Stage 5: from the facts of one workflow to what a run does about it (contract 4).

A pure function: no I/O, no clock, no log, and it never raises; whatever a child's status holds,
there is a decision. Read it top to bottom: what happened, where that leaves the workflow, what
starts, what is asked to stop, what to write.
"""

from dataclasses import dataclass

from reconciler.core.api import Phase, StepResult, StepStatus, WorkflowStatus
from reconciler.core.facts import Child, Facts
from reconciler.core.ready import due, ready, slots_free
from reconciler.core.rollup import Results, healed, reservation, rollup, skipped
from reconciler.core.status import WORKFLOW_TIMED_OUT, Verdict, closed, compose, verdict


@dataclass(frozen=True, slots=True)
class Creation:
    """One child to create, after the status that reserves it was written.

    `cancelled`: from birth, so that its name is taken and no run that slept can start it later.
    """

    result: StepResult
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, what to create after that, which children to ask to stop."""

    status: WorkflowStatus
    changed: bool
    create: tuple[Creation, ...] = ()
    stop: tuple[Child, ...] = ()
    starts: int = 0  # of the creations those that were reserved just now
    waiting: int = 0  # ready steps that found no slot

    @property
    def idle(self) -> bool:
        return not self.changed and not self.stop


def decide(facts: Facts) -> Decision:
    """The decision about one workflow at one moment."""
    results = rollup(facts)
    found = verdict(facts, results)
    over = found.phase.terminal
    if over:
        results = skipped(facts, closed(results))
    again = {result.step_name: healed(facts, result) for result in due(facts, results)}
    results |= again
    able = () if over else ready(facts, results)
    begun = _reserved(facts, results, able)
    results = _in_plan_order(facts, results | begun)
    if begun and found.phase is Phase.PENDING:
        found = Verdict(Phase.EXECUTING, Phase.EXECUTING.value)
    status = compose(facts, results, found)
    return Decision(
        status=status,
        changed=status != facts.workflow.status,
        create=tuple(
            Creation(results[name], cancelled=over)
            for name in results
            if name in again or name in begun
        ),
        stop=_stopped(facts, results, found),
        starts=len(begun),
        waiting=len(able) - len(begun),
    )


def _reserved(facts: Facts, results: Results, able: tuple[str, ...]) -> dict[str, StepResult]:
    """The first of the ready that find a slot."""
    return {
        step: reservation(facts, step, results.get(step))
        for step in able[: slots_free(facts, results)]
    }


def _in_plan_order(facts: Facts, results: Results) -> dict[str, StepResult]:
    return {step.name: results[step.name] for step in facts.steps if step.name in results}


def _stopped(facts: Facts, results: Results, found: Verdict) -> tuple[Child, ...]:
    """Children at work that should not be: cancelled, timed out, or of an attempt that is over.

    Under FailFast the siblings of a failed step run on.
    """
    everything = facts.workflow.spec.cancel or found.reason == WORKFLOW_TIMED_OUT
    return tuple(
        child
        for child in facts.children.active
        if not child.cancel_requested
        and not child.terminal
        and not child.deleting
        and (everything or _over(results.get(child.step), child))
    )


def _over(result: StepResult | None, child: Child) -> bool:
    """Whether the step's result no longer waits for this child."""
    return result is None or (
        child.attempt != result.attempt
        or result.status.final
        or result.status is StepStatus.RETRYING
    )
