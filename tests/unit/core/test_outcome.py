"""What one run comes to: its exit code, whether it succeeded, its last line."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.core.api import Phase
from reconciler.core.outcome import (
    CreationError,
    DocumentResult,
    Documents,
    ExitCode,
    Outcome,
    Rule,
    Work,
)

GOOD = Outcome(ended=datetime(2026, 3, 1, 12, 0, 4, tzinfo=UTC), seconds=3.94, observed=True)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        pytest.param(GOOD, ExitCode.DONE, id="a-run-that-did-its-work"),
        pytest.param(replace(GOOD, reported=3), ExitCode.DONE, id="failed-workflows-are-not-ours"),
        pytest.param(
            replace(GOOD, reported=3, strict=True), ExitCode.REPORTED, id="but-strict-says-so"
        ),
        pytest.param(replace(GOOD, strict=True), ExitCode.DONE, id="strict-with-nothing-to-report"),
        pytest.param(replace(GOOD, held_elsewhere=True), ExitCode.DONE, id="somebody-elses-lease"),
        pytest.param(replace(GOOD, truncated=True), ExitCode.DONE, id="cut-by-the-deadline"),
        pytest.param(replace(GOOD, source_ready=True), ExitCode.DONE, id="a-source-that-was-read"),
        pytest.param(
            replace(GOOD, source_ready=False, strict=True, reported=1),
            ExitCode.SOURCE,
            id="an-unreadable-source-before-strict",
        ),
        pytest.param(
            replace(GOOD, cluster_failed=True, source_ready=False),
            ExitCode.CLUSTER,
            id="the-cluster-before-the-source",
        ),
        pytest.param(
            replace(GOOD, bug=True, cluster_failed=True, source_ready=False),
            ExitCode.BUG,
            id="a-bug-of-ours-before-all",
        ),
    ],
)
def test_the_exit_code_speaks_of_the_reconciler(outcome: Outcome, code: ExitCode) -> None:
    """Contract 7: 70, 4, 3, 1 in this order, else 0."""
    assert outcome.exit_code is code


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(replace(GOOD, observed=False), id="not-everything-was-observed"),
        pytest.param(replace(GOOD, truncated=True), id="cut-short"),
        pytest.param(replace(GOOD, source_ready=False), id="the-source-was-not-read"),
        pytest.param(replace(GOOD, bug=True), id="a-bug"),
    ],
)
def test_last_success_moves_only_when_the_whole_work_was_done(outcome: Outcome) -> None:
    """Invariant I10."""
    assert GOOD.succeeded
    assert not outcome.succeeded


def test_an_earlier_pass_of_a_run_keeps_its_failure() -> None:
    """Contract 7: the exit code is of the run, not of its last pass."""
    failed = replace(GOOD, cluster_failed=True, source_ready=False, bug=True, reported=2)
    run = replace(GOOD, source_ready=True, reported=1).after(failed)
    assert run.exit_code is ExitCode.BUG
    assert (run.cluster_failed, run.source_ready, run.reported) == (True, False, 3)


def test_the_last_line_names_commit_documents_workflows_created_failed_and_seconds() -> None:
    """Contract 9."""
    documents = Documents(
        ref="main",
        commit="4f2a9c0b7d1e5a6c8b3f",
        committed_at=GOOD.ended,
        results={DocumentResult.APPLIED: 2, DocumentResult.INVALID: 1, DocumentResult.QUEUED: 0},
    )
    work = Work(
        phases={Phase.EXECUTING: 4, Phase.NEW: 1},
        created=7,
        creation_errors={CreationError.NAME_COLLISION: 1},
    )
    assert replace(GOOD, documents=documents, work=work).summary == (
        "commit 4f2a9c0b7d; documents: 2 applied, 1 invalid; workflows: 4 Executing, 1 new; "
        "steps: 7 created, 1 not to be created; 3.9s"
    )


def test_the_last_line_counts_the_runs_that_were_deleted() -> None:
    """Contract 9 and I8: nothing goes without a word."""
    results = {DocumentResult.APPLIED: 2}
    documents = Documents("main", "4f2a9c0b7d11", GOOD.ended, results, {Rule.PRUNE: 2, Rule.TTL: 1})
    assert replace(GOOD, documents=documents).summary.startswith(
        "commit 4f2a9c0b7d; documents: 2 applied; deleted: 2 prune, 1 ttl; workflows: "
    )


def test_the_last_line_of_an_idle_run_is_short() -> None:
    """Contract 9: quiet when there is nothing to say."""
    assert GOOD.summary == "workflows: none; steps: 0 created; 3.9s"


def test_the_last_line_says_what_was_out_of_the_ordinary() -> None:
    """Contract 1 and 7: paused, cut, or not observed at all."""
    assert replace(GOOD, paused=True, truncated=True).summary.startswith(
        "paused; cut short, what is left is the next run's; "
    )
    assert replace(GOOD, observed=False).summary == "the workflows were not observed; 3.9s"
    assert replace(GOOD, held_elsewhere=True).summary == (
        "nothing done: another run holds the Lease; 3.9s"
    )
