"""An `Outcome` -> the gauges of contract 10. Pure; `stages/push.py` sends what comes out.

Every value of an enumeration is sent, zeros too, so that no series is missing when it matters. A
family that is left out keeps what was pushed before, by whichever run: that is how `last_success`
and the last failure outlive a run that saw neither.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from reconciler.core.api import Phase, StepStatus
from reconciler.core.outcome import CreationError, DocumentResult, Outcome, Stage
from reconciler.seams import Gauge

Word = TypeVar("Word", bound=StrEnum)


def gauges(outcome: Outcome, version: str) -> Sequence[Gauge]:
    """What this run may say: nothing without the Lease, four families when it saw not all."""
    if outcome.held_elsewhere:
        return ()
    if not outcome.observed:
        return tuple(_always(outcome))
    return (
        *_always(outcome),
        *_run(outcome, version),
        *_workflows(outcome),
        *_steps(outcome),
        *_source(outcome),
    )


def _always(outcome: Outcome) -> Iterator[Gauge]:
    yield _one(
        "last_run_timestamp_seconds", "When a run ended last, by its node's clock.", outcome.ended
    )
    yield _one("run_exit_code", "How the last run exited; 0 is good.", outcome.exit_code)
    yield _one(
        "run_truncated", "1: the deadline or SIGTERM cut the last run short.", outcome.truncated
    )
    if outcome.source_ready is not None:
        yield _one("source_ready", "1: the source could be read.", outcome.source_ready)


def _run(outcome: Outcome, version: str) -> Iterator[Gauge]:
    if outcome.succeeded:
        yield _one(
            "last_success_timestamp_seconds",
            "When a run last did the whole of its work.",
            outcome.ended,
        )
    yield _one("run_duration_seconds", "How long the last run took.", outcome.seconds)
    yield _many(
        "stage_duration_seconds", "How long each stage took.", "stage", Stage, outcome.stage_seconds
    )
    yield _one("paused", "1: the ConfigMap reconciler-paused exists.", outcome.paused)
    yield _one(
        "conflicts", "Workflows left to the next run: somebody was faster.", outcome.work.conflicts
    )
    yield Gauge(
        "reconciler_api_requests",
        "Requests of the last run; code error: no answer came.",
        {key: float(count) for key, count in outcome.requests.items()},
        ("verb", "code"),
    )
    yield Gauge(
        "reconciler_build_info", "Version of the reconciler.", {(version,): 1.0}, ("version",)
    )


def _workflows(outcome: Outcome) -> Iterator[Gauge]:
    work = outcome.work
    unseen = work.phases.get(Phase.NEW, 0)
    yield _many(
        "workflows",
        "Workflows that are not settled, or settled in the last run.",
        "phase",
        [phase for phase in Phase if phase is not Phase.NEW],
        # One that no run has planned yet waits like a pending one.
        {**work.phases, Phase.PENDING: work.phases.get(Phase.PENDING, 0) + unseen},
    )
    yield _one(
        "oldest_unsettled_workflow_age_seconds",
        "Age of the oldest workflow that is not settled.",
        work.oldest_unsettled,
    )
    yield _one(
        "workflows_not_reached",
        "Workflows that the last run had no time for; they come first in the next.",
        work.not_reached,
    )
    if work.last_failure is not None:
        yield _one(
            "workflow_last_failure_timestamp_seconds",
            "When a run last saw a workflow fail.",
            work.last_failure,
        )


def _steps(outcome: Outcome) -> Iterator[Gauge]:
    work = outcome.work
    yield _many("steps", "Steps of these workflows.", "status", StepStatus, work.steps)
    yield Gauge(
        "reconciler_slots",
        "How many steps may be active at once, and how many are.",
        {("limit",): float(work.slots_limit), ("used",): float(work.slots_used)},
        ("state",),
    )
    yield _one("steps_ready_waiting", "Steps that wait for a slot alone.", work.ready_waiting)
    yield _one("steps_created", "Steps that the last run started.", work.created)
    yield _many(
        "step_creation_errors",
        "Steps that the last run could not start.",
        "reason",
        CreationError,
        work.creation_errors,
    )
    yield Gauge(
        "reconciler_step_duration_seconds",
        "How long the steps took that ended in the last run.",
        {
            ("p50",): quantile(work.step_durations, 0.5),
            ("p95",): quantile(work.step_durations, 0.95),
            ("max",): quantile(work.step_durations, 1.0),
        },
        ("statistic",),
    )


def _source(outcome: Outcome) -> Iterator[Gauge]:
    if outcome.work.commit_to_first_step is not None:
        yield _one(
            "commit_to_first_step_seconds",
            "From a commit to the first step that it started.",
            outcome.work.commit_to_first_step,
        )
    documents = outcome.documents
    if documents is None:
        return
    yield _many(
        "documents",
        "What became of the documents that were read last.",
        "result",
        DocumentResult,
        documents.results,
    )
    yield _one(
        "source_commit_timestamp_seconds",
        "When the commit was made that was read last.",
        documents.committed_at,
    )
    yield Gauge(
        "reconciler_source_info",
        "The commit that was read last.",
        {(documents.ref, documents.commit): 1.0},
        ("ref", "commit"),
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed; 0 when there are none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _one(name: str, text: str, value: float | datetime) -> Gauge:
    number = value.timestamp() if isinstance(value, datetime) else float(value)
    return Gauge(f"reconciler_{name}", text, {(): number})


def _many(
    name: str, text: str, label: str, words: Iterable[Word], counts: Mapping[Word, float]
) -> Gauge:
    samples: dict[tuple[str, ...], float] = {
        (word.value,): float(counts.get(word, 0)) for word in words
    }
    return Gauge(f"reconciler_{name}", text, samples, (label,))
