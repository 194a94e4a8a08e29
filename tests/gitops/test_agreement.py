"""Argo CD, kstatus, kubectl wait and Flux say the same of every status that our code can write."""

import pytest
from hypothesis import given

from reconciler.core.conditions import CONDITIONS, State
from reconciler.core.decide import decide
from reconciler.core.facts import Facts
from reconciler.kube.requests import RECORDS
from tests.faults.workloads import SOURCE, STEERED, Workload
from tests.gitops.lua import Script
from tests.gitops.statuses import NAMED, STORIES, deleting, stored, wired
from tests.gitops.verdicts import CUSTOMIZATIONS, EXPECTED, Judges, Row, kstatus, row
from tests.properties.strategies import anything, histories

JUDGES = Judges()


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in NAMED])
def test_every_named_state_reads_as_the_table_says(name: str) -> None:
    """Contract 2, the condition table: a person wrote down the row of each."""
    expected, made = NAMED[name]
    obj = wired(made())
    assert row(obj) is expected
    assert JUDGES.verdicts(obj) == EXPECTED[expected]


def test_every_row_of_the_table_is_named() -> None:
    """Contract 2: a new row of the table needs a verdict of every tool."""
    assert {expected for expected, _ in NAMED.values()} == set(Row)
    assert {state.name for state in CONDITIONS} == {state.name for state in State}
    assert {state.name for state in State} == {each.name for each in Row} - {"UNSEEN", "STALE"}


@given(histories())
def test_whatever_honest_runs_leave_reads_as_the_table_says(moment: Facts) -> None:
    """Contract 2: on every status that runs, crashes and executors bring about."""
    obj = wired(moment.workflow, decide(moment).status)
    assert JUDGES.verdicts(obj) == EXPECTED[row(obj)]


@given(anything())
def test_whatever_a_decision_writes_reads_as_the_table_says(moment: Facts) -> None:
    """Contract 2: also where the status before was one that no run would write."""
    obj = wired(moment.workflow, decide(moment).status)
    assert JUDGES.verdicts(obj) == EXPECTED[row(obj)]


@pytest.mark.parametrize("story", [pytest.param(each, id=each.name) for each in STORIES])
def test_every_version_that_the_server_held_reads_as_the_table_says(story: Workload) -> None:
    """Contract 2: whole stories, from the API server's default of a status to the last write."""
    versions = list(stored(story))
    assert versions
    for each in versions:
        assert JUDGES.verdicts(each) == EXPECTED[row(each)]


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in NAMED])
def test_what_is_being_deleted_is_neither_done_nor_failed(name: str) -> None:
    """Beside the table: only `kubectl wait` looks at the conditions all the same."""
    _, made = NAMED[name]
    before, after = JUDGES.verdicts(wired(made())), JUDGES.verdicts(deleting(made()))
    assert (after.argocd, after.kstatus, after.flux) == ("Progressing", "Terminating", "InProgress")
    assert (after.ready, after.stalled) == (before.ready, before.stalled)


@pytest.mark.parametrize("story", [pytest.param(each, id=each.name) for each in (SOURCE, STEERED)])
def test_a_record_is_done_once_it_was_written(story: Workload) -> None:
    """Contract 5: a record is a history; that a run of it failed is told by the run."""
    health = Script.of(CUSTOMIZATIONS / RECORDS.group / RECORDS.kind / "health.lua")
    versions = stored(story, RECORDS)
    read = {(health(each)["status"], kstatus(each)) for each in versions}
    assert read == {("Progressing", "InProgress"), ("Healthy", "Current")}
