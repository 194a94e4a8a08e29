"""What the run did to each workflow -> the numbers of its `Work` (contract 10).

Pure; counts the unsettled and those that settled in this run, as they stand at its end.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.api import Phase, StepResult, WorkflowExecution, WorkflowStatus
from reconciler.core.outcome import CreationError, Work
from reconciler.core.transitions import ended

COMMITTED_AT = "kubernaut.ai/committed-at"


@dataclass(frozen=True, slots=True)
class Handled:
    """One workflow as a run read it and as it left it.

    `problem` is what the log says went wrong with this workflow alone; `bug` is a mistake of ours.
    """

    workflow: WorkflowExecution
    status: WorkflowStatus
    limit: int = 0
    waiting: int = 0
    created: tuple[StepResult, ...] = ()
    creation_errors: tuple[CreationError, ...] = ()
    conflict: bool = False
    truncated: bool = False
    problem: str = ""
    bug: bool = False

    @property
    def failed_now(self) -> bool:
        return self.status.phase is Phase.FAILED and self.workflow.status.phase is not Phase.FAILED


@dataclass(frozen=True, slots=True)
class Tally:
    """The sum over the workflows of a run."""

    work: Work = field(default_factory=Work)
    reported: int = 0
    truncated: bool = False
    bug: bool = False


def tally(handled: Sequence[Handled], now: datetime) -> Tally:
    """`now` is the server's time of the pass."""
    work = Work(
        phases=Counter(each.status.phase for each in handled),
        steps=Counter(result.status for each in handled for result in each.status.step_results),
        slots_limit=sum(each.limit for each in handled),
        slots_used=sum(each.status.active_steps for each in handled),
        ready_waiting=sum(each.waiting for each in handled),
        created=sum(len(each.created) for each in handled),
        creation_errors=Counter(error for each in handled for error in each.creation_errors),
        step_durations=tuple(_durations(handled)),
        oldest_unsettled=max(_ages(handled, now), default=0.0),
        conflicts=sum(each.conflict for each in handled),
        not_reached=sum(each.truncated for each in handled),
        last_failure=now if any(each.failed_now for each in handled) else None,
        commit_to_first_step=max(_first_steps(handled), default=None),
    )
    return Tally(
        work,
        reported=sum(each.failed_now or bool(each.problem) for each in handled),
        truncated=any(each.truncated for each in handled),
        bug=any(each.bug for each in handled),
    )


def _durations(handled: Sequence[Handled]) -> list[float]:
    return [
        max(0.0, (result.execution_end_time - result.execution_start_time).total_seconds())
        for each in handled
        for result in ended(each.workflow.status, each.status)
        if result.execution_start_time and result.execution_end_time
    ]


def _ages(handled: Sequence[Handled], now: datetime) -> list[float]:
    return [
        max(0.0, (now - each.workflow.metadata.creation_timestamp).total_seconds())
        for each in handled
        if not each.status.settled and each.workflow.metadata.creation_timestamp
    ]


def _first_steps(handled: Sequence[Handled]) -> list[float]:
    """Seconds from commit to first reservation, of the workflows that started in this run."""
    return [
        max(0.0, (each.status.execution_start_time - committed).total_seconds())
        for each in handled
        if each.status.execution_start_time
        and not each.workflow.status.execution_start_time
        and (committed := _committed_at(each.workflow)) is not None
    ]


def _committed_at(workflow: WorkflowExecution) -> datetime | None:
    try:
        stated = datetime.fromisoformat(workflow.metadata.annotations.get(COMMITTED_AT, ""))
    except ValueError:
        return None
    return stated if stated.tzinfo else None
