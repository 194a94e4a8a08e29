"""What changed between two statuses -> Events and log fields (contract 10).

Pure, and asked only after the write went through: a lost race tells nothing, a crash may lose an
Event but never invents one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.api import (
    ConditionType,
    Phase,
    StepResult,
    StepStatus,
    WorkflowExecution,
    WorkflowStatus,
)
from reconciler.core.reasons import awaiting_approval
from reconciler.core.rollup import TIMED_OUT

MAX_NOTE_BYTES = 1024
_LINE_BYTES = 320  # of one step where there are several: three are named at least

_SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class Transition:
    """One Event about a workflow: `note` is at most 1,024 bytes."""

    reason: str
    note: str
    warning: bool = False


def transitions(
    before: WorkflowExecution, after: WorkflowStatus, created: Sequence[StepResult] = ()
) -> tuple[Transition, ...]:
    """What to tell, one a reason: from the status that was read to the one that was written.

    `created` are the reservations whose child this pass made.
    """
    return (
        *_validity(before.status, after),
        *_steps(before, after, created),
        *_suspension(before, after),
        *_end(before.status, after),
    )


def ended(before: WorkflowStatus, after: WorkflowStatus) -> tuple[StepResult, ...]:
    """Results that became final in this pass."""
    was = _final(before)
    return tuple(
        result
        for result in after.step_results
        if result.status.final and result.step_name not in was
    )


def note(lines: Iterable[str]) -> str:
    """The lines as they fit an Event's note: where they do not, each is cut so that more fit."""
    lines = list(lines)
    whole = "; ".join(lines)
    if len(lines) == 1 or len(whole.encode()) <= MAX_NOTE_BYTES:
        return _cut(whole, MAX_NOTE_BYTES)
    told: list[str] = []
    size = 0
    for line in (_cut(each, _LINE_BYTES) for each in lines):
        size += len(line.encode()) + len("; ")
        if size > MAX_NOTE_BYTES - len("and 1000 more"):
            break
        told.append(line)
    rest = len(lines) - len(told)
    return "; ".join([*told, f"and {rest} more"] if rest else told)


def _cut(text: str, size: int) -> str:
    """The text within so many bytes of UTF-8, cut between two characters."""
    data = text.encode()
    return text if len(data) <= size else data[: size - 3].decode(errors="ignore") + "..."


def _validity(before: WorkflowStatus, after: WorkflowStatus) -> Iterator[Transition]:
    was, now = (status.condition(ConditionType.VALID) for status in (before, after))
    if now is None or (was is not None and was.status == now.status):
        return
    if now.status == "True":
        yield Transition("WorkflowValidated", note([f"{after.total_steps} steps in order"]))
    else:
        yield Transition("WorkflowInvalid", note([now.message]), warning=True)


def _steps(
    before: WorkflowExecution, after: WorkflowStatus, created: Sequence[StepResult]
) -> Iterator[Transition]:
    fresh = ended(before.status, after)
    groups: tuple[tuple[str, list[str], bool], ...] = (
        ("StepStarted", [_started(each) for each in created if not each.attempt], False),
        ("StepRetried", [_started(each) for each in created if each.attempt], False),
        (
            "StepFailed",
            [
                _failed(each)
                for each in fresh
                if each.status is StepStatus.FAILED and each.reason != TIMED_OUT
            ],
            True,
        ),
        ("StepTimedOut", [_failed(each) for each in _timed_out(before.status, after)], True),
        (
            "StepSkipped",
            [
                f"{each.step_name}: blocked by failed {each.reason}"
                for each in fresh
                if each.status is StepStatus.SKIPPED
            ],
            False,
        ),
        ("ApprovalRequired", _gates(before, after), False),
    )
    for reason, lines, warning in groups:
        if lines:
            yield Transition(reason, note(lines), warning)


def _started(result: StepResult) -> str:
    attempt = f" (attempt {result.attempt + 1})" if result.attempt else ""
    return f"{result.step_name}{attempt}: created {result.execution_ref}"


def _failed(result: StepResult) -> str:
    error = f": {result.last_error}" if result.last_error else ""
    return f"{result.step_name} ({result.reason}){error}"


def _timed_out(before: WorkflowStatus, after: WorkflowStatus) -> list[StepResult]:
    was = {
        (result.step_name, result.attempt)
        for result in before.step_results
        if result.reason == TIMED_OUT
    }
    return [
        result
        for result in after.step_results
        if result.reason == TIMED_OUT and (result.step_name, result.attempt) not in was
    ]


def _gates(before: WorkflowExecution, after: WorkflowStatus) -> list[str]:
    """Steps that came to stand before their gate in this pass."""
    if after.phase.terminal:
        return []
    now = awaiting_approval(before.spec, _by_step(after))
    new = before.status.phase is Phase.NEW
    was = () if new else awaiting_approval(before.spec, _by_step(before.status))
    return [f"{step}: waits for an entry in spec.approvals" for step in now if step not in was]


def _suspension(before: WorkflowExecution, after: WorkflowStatus) -> Iterator[Transition]:
    was, now = (_ready_reason(status) for status in (before.status, after))
    if now == _SUSPENDED and was != _SUSPENDED:
        yield Transition("WorkflowSuspended", "no step starts while spec.suspend is true")
    # The reason alone would not do: a child that comes back to life moves it too.
    if was == _SUSPENDED and not before.spec.suspend and not after.phase.terminal:
        yield Transition("WorkflowResumed", "steps start again")


def _end(before: WorkflowStatus, after: WorkflowStatus) -> Iterator[Transition]:
    reasons: Mapping[Phase, tuple[str, bool]] = {
        Phase.COMPLETED: ("WorkflowCompleted", False),
        Phase.FAILED: ("WorkflowFailed", True),
        Phase.CANCELLED: ("WorkflowCancelled", False),
    }
    valid = after.condition(ConditionType.VALID)
    told_as_invalid = valid is not None and valid.status == "False"
    if after.phase is not before.phase and after.phase in reasons and not told_as_invalid:
        reason, warning = reasons[after.phase]
        yield Transition(reason, note([after.message]), warning)


def _final(status: WorkflowStatus) -> frozenset[str]:
    return frozenset(each.step_name for each in status.step_results if each.status.final)


def _by_step(status: WorkflowStatus) -> dict[str, StepResult]:
    return {result.step_name: result for result in status.step_results}


def _ready_reason(status: WorkflowStatus) -> str:
    ready = status.condition(ConditionType.READY)
    return ready.reason if ready is not None else ""
