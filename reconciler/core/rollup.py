"""What happened: children -> one result a step (contract 4, Rollup).

Whatever a child's status holds, there is a result; nothing here raises. What is final stays as
it was recorded, whatever its child says later.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.core.api import MAX_MESSAGE, FailurePolicy, Step, StepResult, StepStatus
from reconciler.core.facts import LATE, Child, Facts
from reconciler.core.names import child_name
from reconciler.core.plan import go_duration, step_timeout

Results = Mapping[str, StepResult]

ASSUMED = "Assumed"
CREATION_REFUSED = "CreationRefused"
EXECUTION_DELETED = "ExecutionDeleted"
NAME_COLLISION = "NameCollision"
STEP_FAILED = "StepFailed"
TIMED_OUT = "TimedOut"

GRACE = timedelta(seconds=60)  # an executor's clock may lag, and it may just be ending
_FIRST_BACKOFF = timedelta(seconds=30)
_LONGEST_BACKOFF = timedelta(minutes=10)
_NO_WORD = re.compile(r"[^A-Za-z0-9_.,:-]")
_LAST_ATTEMPT = 1000  # the field's bound; only attempts that are Late for days come near it


def rollup(facts: Facts) -> dict[str, StepResult]:
    """One result a step that was reserved, skipped or assumed, in plan order."""
    recorded = {result.step_name: result for result in _standing(facts)}
    results: dict[str, StepResult] = {}
    for step in facts.steps:
        result = _result(facts, step, recorded.get(step.name))
        if result is not None:
            results[step.name] = result
    return skipped(facts, results)


def skipped(facts: Facts, results: Results) -> dict[str, StepResult]:
    """With what they skip, in plan order: asked again when a terminal phase closed some."""
    found: dict[str, StepResult] = {}
    for step in facts.steps:
        result = results.get(step.name) or _skipped(facts, step, found)
        if result is not None:
            found[step.name] = result
    return found


def backoff(attempts: int) -> timedelta:
    """Time to wait after that many attempts were made in vain: 30 s, doubled, 10 m at most."""
    if attempts <= 0:
        return timedelta()
    # 2**5 is over the bound already: no larger power is worth computing.
    doubled: timedelta = _FIRST_BACKOFF * 2 ** min(attempts - 1, 5)
    return min(doubled, _LONGEST_BACKOFF)


def retry_at(facts: Facts, result: StepResult) -> datetime:
    """When a Retrying step is due. An attempt that ended Late was never made: once, at once."""
    late = _late(facts, result)
    waits = backoff(late - 1 if result.reason == LATE else result.attempt + 1 - late)
    return (result.execution_end_time or facts.now) + waits


def creation_at(result: StepResult) -> datetime | None:
    """When a refused creation is tried again: as long after the last try as retries wait.

    Only the first and the last try are recorded: how many there were is taken from the time
    between them. None when it was not refused: a crash came between, and it is due now.
    """
    if not result.last_error or result.reserved_at is None:
        return None
    last = result.healed_at or result.reserved_at
    tries, next_try = 1, result.reserved_at + backoff(1)
    while next_try <= last:
        tries += 1
        next_try += backoff(tries)
    return last + backoff(tries)


def _standing(facts: Facts) -> tuple[StepResult, ...]:
    """The recorded results that still hold.

    Until it starts a workflow may be given another spec: what that one no longer assumes goes.
    """
    recorded = facts.workflow.status.step_results
    if facts.workflow.status.phase.started:
        return recorded
    assumed = facts.workflow.spec.assume_completed
    return tuple(
        result for result in recorded if result.reason != ASSUMED or result.step_name in assumed
    )


def _result(facts: Facts, step: Step, recorded: StepResult | None) -> StepResult | None:
    if recorded is not None and recorded.status.final:
        return recorded
    latest = facts.children.latest(step.name)
    if latest is not None and _speaks_for(recorded, latest):
        return _from_child(facts, step, _known(step, recorded, latest), latest)
    if recorded is not None:
        return _without_child(facts, step, recorded)
    if step.name in facts.workflow.spec.assume_completed:
        return StepResult(step_name=step.name, status=StepStatus.COMPLETED, reason=ASSUMED)
    return None


def _speaks_for(recorded: StepResult | None, latest: Child) -> bool:
    """Whether the child tells where the step stands, and not the record.

    A child of the recorded attempt with another uid was made by somebody else: ours is gone.
    """
    if recorded is None or recorded.attempt < latest.attempt:
        return True
    return recorded.attempt == latest.attempt and recorded.execution_uid in ("", latest.uid)


def _known(step: Step, recorded: StepResult | None, child: Child) -> StepResult:
    """What stands recorded of this very child, or, of a lost status, what the child tells."""
    if recorded is None or recorded.attempt != child.attempt:
        recorded = StepResult(
            step_name=step.name,
            status=StepStatus.PENDING,
            attempt=child.attempt,
            execution_ref=child.name,
            reserved_at=child.created,
        )
    if recorded.execution_uid == child.uid and recorded.execution_start_time == child.started:
        return recorded
    return replace(recorded, execution_uid=child.uid, execution_start_time=child.started)


def _from_child(facts: Facts, step: Step, known: StepResult, child: Child) -> StepResult:
    if child.phase == "Completed":
        return replace(
            known,
            status=StepStatus.COMPLETED,
            reason="",
            last_error="",
            execution_end_time=child.ended,
        )
    if known.status is StepStatus.RETRYING:
        return known  # its failure is recorded; the child may still be on its way out
    if child.phase == "Failed":
        return _failed(facts, step, known, _one_word(child.reason), child.last_error)
    if _overdue(facts, step, child):
        text = f"still {child.phase or 'Pending'} after {go_duration(step_timeout(step))}"
        return _failed(facts, step, known, TIMED_OUT, text)
    return _at_work(known, child)


def _one_word(reason: str) -> str:
    """An executor's reason may be any text; in a result it is one word of plain characters."""
    return _NO_WORD.sub("", reason)[:64] or STEP_FAILED


def _at_work(known: StepResult, child: Child) -> StepResult:
    status = StepStatus.PENDING if child.phase in ("", "Pending") else StepStatus.RUNNING
    if known.status is status and not known.last_error:
        return known
    return replace(known, status=status, last_error="")


def _without_child(facts: Facts, step: Step, recorded: StepResult) -> StepResult:
    """Neither listed nor found by name: gone, or reserved and not made yet."""
    if recorded.status is StepStatus.RETRYING:
        return recorded
    if recorded.execution_uid:
        return _final(
            recorded,
            EXECUTION_DELETED,
            f"{recorded.execution_ref} was deleted before its result was seen; "
            "it is not run again, for an action may not be repeatable",
        )
    refused_for_good = (
        recorded.last_error
        and facts.timed
        and recorded.reserved_at is not None
        and recorded.reserved_at + step_timeout(step) <= facts.now
    )
    if refused_for_good and not facts.workflow.deleting:
        return _final(recorded, CREATION_REFUSED, recorded.last_error)
    return recorded


def _failed(facts: Facts, step: Step, known: StepResult, reason: str, error: str) -> StepResult:
    """An attempt that failed: retried while attempts are left, else failed for good."""
    child = facts.child_of(known)
    never_made = child is not None and child.late
    made = known.attempt + 1 - _late(facts, known)
    if known.attempt < _LAST_ATTEMPT and (never_made or made <= step.retries):
        return replace(
            known,
            status=StepStatus.RETRYING,
            reason=reason,
            last_error=error[:MAX_MESSAGE],
            execution_end_time=facts.now,
        )
    ended = child.ended if child is not None and child.terminal else None
    return _final(replace(known, execution_end_time=ended), reason, error)


def _final(result: StepResult, reason: str, error: str) -> StepResult:
    return replace(result, status=StepStatus.FAILED, reason=reason, last_error=error[:MAX_MESSAGE])


def _late(facts: Facts, result: StepResult) -> int:
    """Attempts of the step, up to this one, that no executor ever made."""
    return sum(
        child.late and child.attempt <= result.attempt
        for child in facts.children.of_step(result.step_name)
    )


def _overdue(facts: Facts, step: Step, child: Child) -> bool:
    """Whether it has run for longer than its timeout and the grace, by the server's time.

    A child that nobody has started is bounded by the workflow's timeout alone. An executor that
    says Running and no start time is taken to have begun when the child was made.
    """
    started = child.started or (child.created if child.phase == "Running" else None)
    if started is None or not facts.timed:
        return False
    began = min(max(started, child.created), facts.now)
    return facts.now - began > step_timeout(step) + GRACE


def _skipped(facts: Facts, step: Step, results: Results) -> StepResult | None:
    """Under Continue: what depends on a failed step, transitively, with that step as reason."""
    if facts.workflow.spec.failure_policy is not FailurePolicy.CONTINUE:
        return None
    for dependency in step.depends_on:
        blocker = results.get(dependency)
        if blocker is None:
            continue
        if blocker.status is StepStatus.FAILED:
            return StepResult(
                step_name=step.name, status=StepStatus.SKIPPED, reason=blocker.step_name
            )
        if blocker.status is StepStatus.SKIPPED:
            return StepResult(step_name=step.name, status=StepStatus.SKIPPED, reason=blocker.reason)
    return None


def reservation(facts: Facts, step: str, recorded: StepResult | None) -> StepResult:
    """The next attempt of a step, reserved now: its name is fixed, its child not made yet."""
    attempt = 0 if recorded is None else recorded.attempt + 1
    meta = facts.workflow.metadata
    return StepResult(
        step_name=step,
        status=StepStatus.PENDING,
        attempt=attempt,
        execution_ref=child_name(meta.name, meta.uid, step, attempt),
        reserved_at=facts.now,
    )


def healed(facts: Facts, result: StepResult) -> StepResult:
    """A reservation whose creation is tried again.

    The time always moves: an unchanged status moves no resourceVersion, and of two passes that
    read the same status one must lose.
    """
    after = result.healed_at + timedelta(seconds=1) if result.healed_at else facts.now
    return replace(result, healed_at=max(facts.now, after))
