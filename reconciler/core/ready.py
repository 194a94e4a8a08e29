"""What may start, and how many slots are left (contract 4, Ready). The cap is enforced here.

Reservations are made in the status before a child exists, by compare-and-swap, so that two runs
that look at the same moment cannot both fill the last slot.
"""

from reconciler.core.api import StepResult, StepStatus
from reconciler.core.facts import Facts
from reconciler.core.reasons import Obstacle, no_slot, obstacles
from reconciler.core.rollup import Results, creation_at


def ready(facts: Facts, results: Results) -> tuple[str, ...]:
    """Steps that could start now were there slots enough, in plan order."""
    startable = [step.name for step in facts.steps if _startable(results.get(step.name))]
    held_back = obstacles(facts, results) if startable else {}
    return tuple(name for name in startable if name not in held_back)


def waiting(facts: Facts, results: Results) -> dict[str, Obstacle]:
    """Why each step that does not run does not: one reason each, in plan order.

    Asked after a decision: what is ready and has no reservation found no slot.
    """
    held_back = obstacles(facts, results)
    full = no_slot(facts.limit, slots_held(facts, results))
    return {
        step.name: held_back.get(step.name) or full
        for step in facts.steps
        if step.name in held_back or _startable(results.get(step.name))
    }


def slots_held(facts: Facts, results: Results) -> int:
    """Active children, of any attempt, and reservations without a child; each holds one slot.

    A child that timed out still holds its slot: its record is final, yet it runs (I2).
    """
    return len(facts.children.active) + len(unmade(facts, results))


def slots_free(facts: Facts, results: Results) -> int:
    """Never negative: more may be active than a limit that was lowered allows."""
    free = max(0, facts.limit - slots_held(facts, results))
    return free if facts.room is None else min(free, facts.room)


def unmade(facts: Facts, results: Results) -> tuple[StepResult, ...]:
    """Reservations without a child: reserved is started, so each will be created."""
    return tuple(
        result
        for result in results.values()
        if result.status is StepStatus.PENDING
        and not result.execution_uid
        and facts.child_of(result) is None
    )


def due(facts: Facts, results: Results) -> tuple[StepResult, ...]:
    """Of the reservations that an earlier pass left, those whose creation is tried again now.

    In a workflow that is being deleted nothing is created: its children go with it.
    """
    if facts.workflow.deleting:
        return ()
    return tuple(
        result
        for result in unmade(facts, results)
        if (at := creation_at(result)) is None or at <= facts.now
    )


def _startable(result: StepResult | None) -> bool:
    return result is None or result.status is StepStatus.RETRYING
