"""What to write: phase, counts, message and conditions of a workflow (contract 2 and 4, Phase).

A phase that is terminal never changes again; whatever waits for a run to be over waits for
`settled`. Nothing in a status is relative to now.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.core.api import (
    MAX_MESSAGE,
    ConditionType,
    FailurePolicy,
    Phase,
    StepResult,
    StepStatus,
    WorkflowStatus,
    rfc3339,
)
from reconciler.core.conditions import Judgement, State, conditions
from reconciler.core.facts import Facts
from reconciler.core.plan import duration
from reconciler.core.ready import slots_held, unmade
from reconciler.core.reasons import Because, obstacles, unattended
from reconciler.core.rollup import STEP_FAILED, Results

ALREADY_RAN = "AlreadyRan"
AWAITING_APPROVAL = "AwaitingApproval"
CANCELLED = "Cancelled"
EXPIRED = "Expired"
SUSPENDED = "Suspended"
WORKFLOW_TIMED_OUT = "WorkflowTimedOut"

MAX_STATUS_BYTES = 768 * 1024  # below etcd's 1.5 MiB an object with its spec
_MAX_RESULTS_BYTES = MAX_STATUS_BYTES - 128 * 1024  # the plan, message and conditions at their most
_MANY_ERRORS = 50
_ERROR_LENGTHS = (MAX_MESSAGE, 256, 96, 32, 0)
_NAMES_TOLD = 3
_ERROR_TOLD = 400  # the whole error stands in the result; what to do about it must fit beside it


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase, the one word for it, and the sentence when there is something to explain."""

    phase: Phase
    reason: str
    why: str = ""


def verdict(facts: Facts, results: Results) -> Verdict:
    """The phase, first match of contract 4."""
    status = facts.workflow.status
    if status.phase.terminal:
        return Verdict(status.phase, *_recorded(status))
    if not facts.plan.valid and not status.phase.started:
        findings = facts.plan.findings
        return Verdict(
            Phase.FAILED, findings[0].reason, "; ".join(finding.text for finding in findings)
        )
    if _count(results, StepStatus.COMPLETED) == _total(facts):
        return Verdict(Phase.COMPLETED, "Completed", "" if _total(facts) else "no steps")
    return _stopped(facts, results) or _going(facts, results)


def _stopped(facts: Facts, results: Results) -> Verdict | None:
    """Cancelled, failed, timed out or expired: the matches between Completed and Executing."""
    spec = facts.workflow.spec
    failed = [result for result in results.values() if result.status is StepStatus.FAILED]
    if spec.cancel:
        return Verdict(Phase.CANCELLED, CANCELLED, "cancelled")
    if failed and spec.failure_policy is FailurePolicy.FAIL_FAST:
        return Verdict(Phase.FAILED, STEP_FAILED, _failures(failed))
    late = _too_late(facts, results)
    if late is not None:
        return late
    if failed and all(
        step.name in results and results[step.name].status.final for step in facts.steps
    ):
        return Verdict(Phase.FAILED, STEP_FAILED, _failures(failed))
    return None


def _too_late(facts: Facts, results: Results) -> Verdict | None:
    spec = facts.workflow.spec
    if not facts.timed:
        return None
    begun = started_at(facts, results)
    if begun is not None and spec.timeout and begun + duration(spec.timeout) <= facts.now:
        return Verdict(
            Phase.FAILED,
            WORKFLOW_TIMED_OUT,
            f"timed out: not done {spec.timeout} after {rfc3339(begun)}",
        )
    if begun is None and spec.not_after is not None and spec.not_after < facts.now:
        return Verdict(
            Phase.FAILED, EXPIRED, f"no step had started by notAfter, {rfc3339(spec.not_after)}"
        )
    return None


def _going(facts: Facts, results: Results) -> Verdict:
    phase = Phase.PENDING if started_at(facts, results) is None else Phase.EXECUTING
    return Verdict(phase, phase.value)


def _recorded(status: WorkflowStatus) -> tuple[str, str]:
    """Reason and sentence of a terminal phase, as they were recorded."""
    stalled = status.condition(ConditionType.STALLED) or status.condition(ConditionType.READY)
    if stalled is None:
        return status.phase.value, ""
    return stalled.reason, stalled.message


def _failures(failed: Sequence[StepResult]) -> str:
    """The first step that failed, with its reason and error, and how many more did."""
    first = failed[0]
    error = f": {first.last_error[:_ERROR_TOLD]}" if first.last_error else ""
    more = f"; and {len(failed) - 1} more failed" if len(failed) > 1 else ""
    return f"step {first.step_name} failed ({first.reason}){error}{more}"


def started_at(facts: Facts, results: Results) -> datetime | None:
    """When the first step was reserved; of a lost status, when the first child was made."""
    recorded = facts.workflow.status.execution_start_time
    if recorded is not None:
        return recorded
    return min((r.reserved_at for r in results.values() if r.reserved_at), default=None)


def closed(results: Results) -> dict[str, StepResult]:
    """Results under a terminal phase: what waits for its next attempt has none any more."""
    return {
        name: replace(result, status=StepStatus.FAILED)
        if result.status is StepStatus.RETRYING
        else result
        for name, result in results.items()
    }


def compose(facts: Facts, results: Results, found: Verdict) -> WorkflowStatus:
    """The whole status; equal to the recorded one when there is nothing to tell."""
    # First of all: what the message quotes is what the next run will read.
    results = bounded(results)
    before = facts.workflow.status
    held = slots_held(facts, results)
    settled = before.settled or (found.phase.terminal and held == 0 and not facts.workflow.deleting)
    judgement = _judgement(facts, results, found)
    moved = found.phase is not before.phase or before.last_transition_time is None
    completed, total = _count(results, StepStatus.COMPLETED), _total(facts)
    return WorkflowStatus(
        phase=found.phase,
        settled=settled,
        message=_message(facts, results, found, judgement)[:MAX_MESSAGE],
        progress=f"{completed}/{total}",
        observed_generation=facts.workflow.metadata.generation,
        total_steps=total,
        completed_steps=completed,
        failed_steps=_count(results, StepStatus.FAILED),
        active_steps=held,
        execution_plan=tuple(step.name for step in facts.steps),
        step_results=tuple(results.values()),
        execution_start_time=started_at(facts, results),
        execution_end_time=before.execution_end_time or (facts.now if settled else None),
        last_transition_time=facts.now if moved else before.last_transition_time,
        conditions=conditions(
            judgement, before.conditions, facts.workflow.metadata.generation, facts.now
        ),
    )


def already_ran(facts: Facts) -> WorkflowStatus:
    """The one status write of an object whose content has had its run: it ends untouched."""
    judgement = Judgement(
        State.FAILED,
        ALREADY_RAN,
        "this content has had its run; change the annotation kubernaut.ai/rerun in git "
        "to run it again",
    )
    before = facts.workflow.status
    return WorkflowStatus(
        phase=Phase.FAILED,
        settled=True,
        message=judgement.message,
        observed_generation=facts.workflow.metadata.generation,
        total_steps=_total(facts),
        progress=f"0/{_total(facts)}",
        execution_end_time=facts.now,
        last_transition_time=facts.now,
        conditions=conditions(
            judgement, before.conditions, facts.workflow.metadata.generation, facts.now
        ),
    )


def refused(status: WorkflowStatus, step: str, reason: str, error: str) -> WorkflowStatus:
    """The status after the API server refused a creation: the second write of a pass.

    With a reason the step failed for good; without one it stays reserved and is tried again.
    """
    results = {result.step_name: result for result in status.step_results}
    met = replace(results[step], last_error=error[:MAX_MESSAGE])
    results[step] = replace(met, status=StepStatus.FAILED, reason=reason) if reason else met
    return status.model_copy(update={"step_results": tuple(bounded(results).values())})


def _total(facts: Facts) -> int:
    return len(facts.workflow.spec.workflow_definition.steps)


def _count(results: Results, status: StepStatus) -> int:
    return sum(result.status is status for result in results.values())


def _judgement(facts: Facts, results: Results, found: Verdict) -> Judgement:
    valid = _valid(facts)
    return Judgement(
        state=_state(facts, results, found),
        reason=_waiting_for(facts, results, found) or found.reason,
        message=found.why[:MAX_MESSAGE],
        valid=valid,
        valid_message=_limits(facts) if valid else found.why[:MAX_MESSAGE],
    )


def _valid(facts: Facts) -> bool:
    """Of the plan; of a workflow past Pending, what was recorded: its plan is made."""
    status = facts.workflow.status
    if not status.phase.started:
        return facts.plan.valid
    recorded = status.condition(ConditionType.VALID)
    return recorded is None or recorded.status != "False"


def _limits(facts: Facts) -> str:
    wanted = facts.workflow.spec.max_concurrent_steps
    if wanted <= facts.cap:
        return ""
    return f"maxConcurrentSteps {wanted} is cut to the run's limit of {facts.cap}"


def _state(facts: Facts, results: Results, found: Verdict) -> State:
    if found.phase is Phase.COMPLETED:
        return State.COMPLETED
    if found.phase.terminal:
        return State.FAILED
    return State.WAITING if _waiting_for(facts, results, found) else State.RUNNING


def _waiting_for(facts: Facts, results: Results, found: Verdict) -> str:
    """Suspended or AwaitingApproval, when that is all that goes on; else nothing."""
    about = (StepStatus.RETRYING, StepStatus.PENDING, StepStatus.RUNNING)
    if found.phase.terminal or facts.children.active:
        return ""
    if any(result.status in about for result in results.values()):
        return ""
    if facts.workflow.spec.suspend:
        return SUSPENDED
    held_back = {each.because for each in obstacles(facts, results).values()}
    waits = Because.APPROVAL in held_back
    return AWAITING_APPROVAL if waits and held_back <= _APPROVAL_ONLY else ""


# Besides the approval itself: what is behind it, and what a failure under Continue skipped.
_APPROVAL_ONLY = frozenset({Because.APPROVAL, Because.DEPENDENCY, Because.BLOCKED})


def _message(facts: Facts, results: Results, found: Verdict, judgement: Judgement) -> str:
    if found.phase is Phase.FAILED and not judgement.valid:
        return found.why
    done = f"{_count(results, StepStatus.COMPLETED)} of {_total(facts)} steps completed"
    parts = [] if found.why == "no steps" else [done]
    return ", ".join(
        [*([found.why] if found.why else []), *parts, *_details(facts, results, found)]
    )


def _details(facts: Facts, results: Results, found: Verdict) -> Iterator[str]:
    """What goes on, and what holds the rest back, a few words each."""
    running = [child.name for child in facts.children.active]
    if running or unmade(facts, results):
        yield f"{slots_held(facts, results)} running"
    stubborn = [child.name for child in facts.children.active if child.cancel_requested]
    if stubborn:
        yield (
            f"{_names(stubborn)} was asked to stop and holds its slot until it does, "
            f"or until kubectl delete ke {stubborn[0]}"
        )
    alone = [child.name for child in facts.children.active if unattended(facts, child)]
    if alone:
        yield f"no executor has picked up {_names(alone)}"
    if found.phase.terminal:
        return
    if facts.workflow.spec.suspend:
        yield "suspended"
    yield from _held_back(facts, results)


def _held_back(facts: Facts, results: Results) -> Iterator[str]:
    """Steps that something other than a dependency holds back."""
    told = (Because.APPROVAL, Because.BACKOFF, Because.NOT_BEFORE, Because.NOT_AFTER)
    groups: dict[str, list[str]] = {}
    for step, obstacle in obstacles(facts, results).items():
        if obstacle.because in (*told, Because.REFUSED):
            groups.setdefault(obstacle.text, []).append(step)
    for text, steps in groups.items():
        if text.startswith("waits"):
            yield f"{_names(steps)} {text if len(steps) == 1 else text.replace('waits', 'wait', 1)}"
        else:
            yield f"{_names(steps)}: {text}"


def _names(names: Sequence[str]) -> str:
    told = ", ".join(names[:_NAMES_TOLD])
    more = len(names) - _NAMES_TOLD
    return f"{told} and {more} more" if more > 0 else told


def bounded(results: Results) -> dict[str, StepResult]:
    """The results within their bound: errors are shortened where there are many.

    A thousand longest names, references and times take about 550 KiB; what grows is the errors.
    """
    found = dict(results)
    errors = sum(bool(result.last_error) for result in results.values())
    for length in _ERROR_LENGTHS if errors <= _MANY_ERRORS else _ERROR_LENGTHS[1:]:
        found = {name: _shortened(result, length) for name, result in found.items()}
        if not _may_be_large(found) or _size(found) < _MAX_RESULTS_BYTES:
            break
    return found


def _shortened(result: StepResult, length: int) -> StepResult:
    if len(result.last_error) <= length:
        return result
    return replace(result, last_error=result.last_error[:length])


def _may_be_large(results: Results) -> bool:
    """A cheap upper bound, so that small statuses are not measured: 6 bytes a character."""
    errors = sum(6 * len(result.last_error) for result in results.values())
    return 700 * len(results) + errors > _MAX_RESULTS_BYTES // 2


def _size(results: Results) -> int:
    """Bytes in etcd: the API server stores JSON as Go writes it, with < > and & escaped."""
    text = json.dumps([result.wire() for result in results.values()], ensure_ascii=False)
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))
