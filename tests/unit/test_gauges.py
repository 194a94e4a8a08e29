"""An outcome as gauges: every name, every word of an enumeration, and what is left out when."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.api import Phase, StepStatus
from reconciler.core.outcome import (
    CreationError,
    DocumentResult,
    Documents,
    Outcome,
    Stage,
    Work,
)
from reconciler.gauges import gauges, quantile
from tests.fakes.gateway import MemoryGateway, Sample

ENDED = datetime(2026, 3, 1, 12, 0, 4, tzinfo=UTC)
GOOD = Outcome(ended=ENDED, seconds=3.5, observed=True, source_ready=True)
DOCUMENTS = Documents(
    ref="main",
    commit="4f2a9c0b7d1e5a6c8b3f",
    committed_at=datetime(2026, 3, 1, 11, 0, tzinfo=UTC),
    results={DocumentResult.APPLIED: 2, DocumentResult.INVALID: 1},
)


def pushed(outcome: Outcome) -> Mapping[Sample, float]:
    gateway = MemoryGateway()
    gateway.push(gauges(outcome, "1.2.3"), {"job": "reconciler"})
    return gateway.samples({"job": "reconciler"})


def sample(name: str, **labels: str) -> Sample:
    return (f"reconciler_{name}", frozenset(labels.items()))


def names(outcome: Outcome) -> set[str]:
    return {gauge.name.removeprefix("reconciler_") for gauge in gauges(outcome, "1.2.3")}


ALWAYS = {"last_run_timestamp_seconds", "run_exit_code", "run_truncated"}
OBSERVED = ALWAYS | {
    "run_duration_seconds",
    "stage_duration_seconds",
    "paused",
    "workflows",
    "steps",
    "slots",
    "steps_ready_waiting",
    "steps_created",
    "step_creation_errors",
    "step_duration_seconds",
    "workflows_not_reached",
    "oldest_unsettled_workflow_age_seconds",
    "api_requests",
    "conflicts",
    "build_info",
}
READ = {"documents", "source_commit_timestamp_seconds", "source_info"}


@pytest.mark.parametrize(
    ("outcome", "families"),
    [
        pytest.param(replace(GOOD, held_elsewhere=True), set(), id="without-the-lease-nothing"),
        pytest.param(
            replace(GOOD, observed=False), ALWAYS | {"source_ready"}, id="four-when-it-saw-not-all"
        ),
        pytest.param(
            replace(GOOD, observed=False, source_ready=None),
            ALWAYS,
            id="without-a-source-none-is-ready-or-not",
        ),
        pytest.param(
            GOOD,
            OBSERVED | {"source_ready", "last_success_timestamp_seconds"},
            id="all-but-the-documents-when-the-source-stands-still",
        ),
        pytest.param(
            replace(GOOD, documents=DOCUMENTS),
            OBSERVED | READ | {"source_ready", "last_success_timestamp_seconds"},
            id="all-when-documents-were-read",
        ),
        pytest.param(
            replace(GOOD, source_ready=False),
            OBSERVED | {"source_ready"},
            id="a-failed-run-leaves-the-last-success-alone",
        ),
        pytest.param(
            replace(GOOD, source_ready=None, work=Work(last_failure=ENDED)),
            OBSERVED
            | {"last_success_timestamp_seconds", "workflow_last_failure_timestamp_seconds"},
            id="the-last-failure-by-a-run-that-saw-one",
        ),
        pytest.param(
            replace(GOOD, source_ready=None, work=Work(commit_to_first_step=41.0)),
            OBSERVED | {"last_success_timestamp_seconds", "commit_to_first_step_seconds"},
            id="the-way-from-a-commit-by-a-run-that-started-one",
        ),
    ],
)
def test_a_run_says_what_it_knows_and_nothing_else(outcome: Outcome, families: set[str]) -> None:
    """Contract 10: POST keeps what is left out."""
    assert names(outcome) == families


def test_every_word_of_an_enumeration_is_sent_zeros_too() -> None:
    """Contract 10: a series that is missing cannot be alerted on."""
    told = pushed(replace(GOOD, documents=DOCUMENTS))
    for name, label, words in (
        ("workflows", "phase", [phase for phase in Phase if phase is not Phase.NEW]),
        ("steps", "status", list(StepStatus)),
        ("step_creation_errors", "reason", list(CreationError)),
        ("stage_duration_seconds", "stage", list(Stage)),
    ):
        for word in words:
            assert told[sample(name, **{label: str(word)})] == 0.0
    assert told[sample("documents", result="applied")] == 2.0
    assert told[sample("documents", result="name-taken")] == 0.0


def test_the_numbers_are_those_of_the_outcome() -> None:
    """Invariant I10."""
    work = Work(
        phases={Phase.EXECUTING: 3, Phase.PENDING: 1, Phase.NEW: 2},
        steps={StepStatus.RUNNING: 4},
        slots_limit=15,
        slots_used=4,
        ready_waiting=2,
        created=5,
        creation_errors={CreationError.NAME_COLLISION: 1},
        step_durations=(1.0, 2.0, 30.0),
        oldest_unsettled=3600.0,
        conflicts=1,
        last_failure=ENDED,
        commit_to_first_step=41.0,
    )
    told = pushed(
        replace(
            GOOD,
            documents=DOCUMENTS,
            work=work,
            paused=True,
            stage_seconds={Stage.OBSERVE: 0.25},
            requests={("list", "200"): 2, ("create", "error"): 1},
        )
    )
    assert {
        sample("last_run_timestamp_seconds"): ENDED.timestamp(),
        sample("last_success_timestamp_seconds"): ENDED.timestamp(),
        sample("run_duration_seconds"): 3.5,
        sample("stage_duration_seconds", stage="observe"): 0.25,
        sample("run_exit_code"): 0.0,
        sample("run_truncated"): 0.0,
        sample("paused"): 1.0,
        sample("workflows", phase="Executing"): 3.0,
        sample("workflows", phase="Pending"): 3.0,
        sample("steps", status="Running"): 4.0,
        sample("slots", state="limit"): 15.0,
        sample("slots", state="used"): 4.0,
        sample("steps_ready_waiting"): 2.0,
        sample("steps_created"): 5.0,
        sample("step_creation_errors", reason="NameCollision"): 1.0,
        sample("step_duration_seconds", statistic="p50"): 2.0,
        sample("step_duration_seconds", statistic="p95"): 30.0,
        sample("step_duration_seconds", statistic="max"): 30.0,
        sample("oldest_unsettled_workflow_age_seconds"): 3600.0,
        sample("workflow_last_failure_timestamp_seconds"): ENDED.timestamp(),
        sample("commit_to_first_step_seconds"): 41.0,
        sample("documents", result="invalid"): 1.0,
        sample("source_commit_timestamp_seconds"): DOCUMENTS.committed_at.timestamp(),
        sample("source_info", ref="main", commit="4f2a9c0b7d1e5a6c8b3f"): 1.0,
        sample("source_ready"): 1.0,
        sample("api_requests", verb="list", code="200"): 2.0,
        sample("api_requests", verb="create", code="error"): 1.0,
        sample("conflicts"): 1.0,
        sample("build_info", version="1.2.3"): 1.0,
    }.items() <= told.items()


def test_a_failed_run_tells_how_it_ended() -> None:
    """Contract 10: the exit code, also when nothing was observed."""
    told = pushed(replace(GOOD, observed=False, cluster_failed=True, truncated=True))
    assert told == {
        sample("last_run_timestamp_seconds"): ENDED.timestamp(),
        sample("run_exit_code"): 4.0,
        sample("run_truncated"): 1.0,
        sample("source_ready"): 1.0,
    }


def test_no_name_of_a_workflow_step_or_commit_is_a_label_of_anything_but_info() -> None:
    """Contract 10: the number of series does not grow with use."""
    families = gauges(replace(GOOD, documents=DOCUMENTS), "1.2.3")
    labels = {
        label for family in families if not family.name.endswith("_info") for label in family.labels
    }
    assert labels == {
        *("stage", "phase", "status", "state", "reason", "statistic", "result", "verb", "code")
    }


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [
        pytest.param((), 0.5, 0.0, id="of-nothing-zero"),
        pytest.param((7.0,), 0.95, 7.0, id="of-one-itself"),
        pytest.param((4.0, 1.0, 3.0, 2.0), 0.5, 2.0, id="of-four-the-second"),
        pytest.param(tuple(map(float, range(1, 101))), 0.95, 95.0, id="of-a-hundred-the-95th"),
        pytest.param((1.0, 2.0), 1.0, 2.0, id="all-of-them-the-largest"),
    ],
)
def test_a_quantile_is_a_value_that_occurred(
    values: tuple[float, ...], share: float, value: float
) -> None:
    """Contract 10: p50, p95, max."""
    assert quantile(values, share) == value
