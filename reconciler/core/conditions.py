"""The condition table of contract 2, row for row: what kubectl wait, kstatus and Argo CD read.

A condition that is absent in a row is removed, not set to False: the abnormal ones, Reconciling
and Stalled, say something only while they are there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal

from reconciler.core.api import Condition, ConditionType

Truth = Literal["True", "False", "Unknown"]


class State(Enum):
    """Rows of the table."""

    RUNNING = auto()
    WAITING = auto()  # suspended or awaiting approval, nothing active or about to be retried
    COMPLETED = auto()
    FAILED = auto()  # failed, invalid or cancelled, settled or not


@dataclass(frozen=True, slots=True)
class Row:
    ready: Truth
    reconciling: Truth | None
    stalled: Truth | None
    succeeded: Truth


CONDITIONS: Mapping[State, Row] = {
    State.RUNNING: Row("Unknown", "True", None, "Unknown"),
    State.WAITING: Row("Unknown", None, None, "Unknown"),
    State.COMPLETED: Row("True", None, None, "True"),
    State.FAILED: Row("False", None, "True", "False"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row of the table, and why: the same reason on every condition of the row."""

    state: State
    reason: str
    message: str
    valid: bool = True
    valid_message: str = ""


def conditions(
    judgement: Judgement, before: tuple[Condition, ...], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions to write; a time moves only where the status of a condition moved."""
    row = CONDITIONS[judgement.state]
    wanted: tuple[tuple[ConditionType, Truth | None, str, str], ...] = (
        (
            ConditionType.VALID,
            "True" if judgement.valid else "False",
            "Valid" if judgement.valid else judgement.reason,
            judgement.valid_message,
        ),
        (ConditionType.READY, row.ready, judgement.reason, judgement.message),
        (ConditionType.RECONCILING, row.reconciling, judgement.reason, ""),
        (ConditionType.STALLED, row.stalled, judgement.reason, judgement.message),
        (ConditionType.SUCCEEDED, row.succeeded, judgement.reason, ""),
    )
    since = {each.type: each for each in before}
    return tuple(
        Condition(
            type=type_,
            status=status,
            observed_generation=generation,
            last_transition_time=(
                since[type_].last_transition_time
                if type_ in since and since[type_].status == status
                else now
            ),
            reason=reason,
            message=message,
        )
        for type_, status, reason, message in wanted
        if status is not None
    )
