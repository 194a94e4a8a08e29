"""The condition table of contract 2, row for row: what kubectl wait, kstatus and Argo CD read.

A condition that is absent in a row is removed, not set to False: the abnormal ones, Reconciling
and Stalled, say something only while they are there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal, NamedTuple

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


class _Told(NamedTuple):
    """One condition of a row, without the times."""

    type: ConditionType
    status: Truth | None
    reason: str
    message: str = ""


def conditions(
    judgement: Judgement, before: tuple[Condition, ...], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions to write; a time moves only where the status of a condition moved."""
    row = CONDITIONS[judgement.state]
    valid, reason, message = judgement.valid, judgement.reason, judgement.message
    told = (
        _Told(
            ConditionType.VALID,
            "True" if valid else "False",
            "Valid" if valid else reason,
            judgement.valid_message,
        ),
        _Told(ConditionType.READY, row.ready, reason, message),
        _Told(ConditionType.RECONCILING, row.reconciling, reason),
        _Told(ConditionType.STALLED, row.stalled, reason, message),
        _Told(ConditionType.SUCCEEDED, row.succeeded, reason),
    )
    recorded = {each.type: each for each in before}
    return tuple(
        _condition(each, recorded.get(each.type), generation, now)
        for each in told
        if each.status is not None
    )


def _condition(told: _Told, before: Condition | None, generation: int, now: datetime) -> Condition:
    since = now
    if before is not None and before.status == told.status:
        recorded = (before.type, before.status, before.reason, before.message)
        if told == recorded and before.observed_generation == generation:
            return before
        since = before.last_transition_time
    return Condition(**told._asdict(), observed_generation=generation, last_transition_time=since)
