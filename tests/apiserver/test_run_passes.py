"""Passes within one run, and what holds a run back (contract 1, 4, 7), on a real server."""

import signal
from datetime import UTC, datetime

import pytest

from tests.apiserver.gate import Gate
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, diamond, ended, steps
from tests.controlplane import Audit, eventually

pytestmark = [pytest.mark.apiserver]


# --- several passes --------------------------------------------------------------------------


def test_with_an_interval_one_run_carries_a_diamond_to_its_end(shop: Shop) -> None:
    """Contract 1: a step that finished is seen by the next pass of the same run."""
    shop.workflow("restart", *diamond())
    run = shop.start("--interval", "1s", "--deadline", "50s")

    def settled() -> bool:
        shop.executor.completes()
        return bool(shop.status("restart").get("settled"))

    eventually(settled, "the workflow does not end")
    run.send_signal(signal.SIGTERM)
    over = ended(run)
    assert over.code == 0, over.log
    assert shop.status("restart")["phase"] == "Completed"


def test_with_an_interval_a_new_commit_is_read_by_the_next_pass(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Contract 1: stages 2 and 3 are repeated when the ref has moved."""
    repository = Repository.new(tmp_path_factory.mktemp("git") / "repository")
    repository.commit({"one.yaml": document("one", *steps("a"))})
    run = shop.start("--interval", "1s", "--deadline", "50s", "--source-url", repository.url)
    eventually(lambda: len(shop.listed(shop.children)) == 1, "the first commit starts nothing")
    repository.commit({"two.yaml": document("two", *steps("b"))})
    eventually(lambda: len(shop.listed(shop.children)) == 2, "the second commit starts nothing")
    run.send_signal(signal.SIGTERM)
    assert ended(run).code == 0


def test_a_run_with_an_interval_ends_by_its_deadline(shop: Shop, audit: Audit) -> None:
    """I7: another pass begins only where it fits."""
    mark = audit.mark()
    run = shop.done("--interval", "1s", "--deadline", "3s")
    lists = [call for call in shop.calls(audit, mark) if call.text == "list workflowexecutions"]
    assert 2 <= len(lists) <= 3, run.log
    assert shop.writes(audit, mark).total() == 2


# --- what holds a run back -------------------------------------------------------------------


def test_while_it_is_paused_nothing_starts_and_what_runs_is_followed(
    shop: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Contract 1: nothing is applied, nothing new starts; the rollup goes on; why is told."""
    shop.workflow("restart", *steps("a"), *steps("b", after=["a"]))
    shop.done()
    shop.executor.completes()
    repository = Repository.new(tmp_path_factory.mktemp("git") / "repository")
    repository.commit({"shop.yaml": document("new", *steps("c"))})
    shop.config_map("reconciler-paused", why="the database moves house")
    run = shop.done("--source-url", repository.url)
    assert "paused: the database moves house" in run.of("WARNING")
    status = shop.status("restart")
    assert (status["completedSteps"], status["progress"]) == (1, "1/2")
    assert shop.steps("restart") == ["a"]
    assert [each["metadata"]["name"] for each in shop.listed(shop.workflows)] == ["restart"]
    shop.api.delete(f"/api/v1/namespaces/{shop.namespace}/configmaps/reconciler-paused")
    shop.done("--source-url", repository.url)
    assert shop.steps("restart") == ["a", "b"]
    assert len(shop.listed(shop.children)) == 3


def test_a_server_that_tells_no_time_times_nothing_out(shop: Shop, gated: Gate) -> None:
    """Contract 1, decide: without a `Date` there is the node's clock, and it may be wrong."""
    shop.workflow("restart", *steps("a"), timeout="1s")
    shop.done()
    eventually(lambda: _seconds_since_start(shop, "restart") > 2)
    gated.dateless = True
    shop.through(gated).done()
    assert shop.status("restart")["phase"] == "Executing"
    gated.dateless = False
    shop.through(gated).done()
    status = shop.status("restart")
    assert status["phase"] == "Failed"
    assert {each["reason"] for each in status["conditions"] if each["type"] == "Ready"} == {
        "WorkflowTimedOut"
    }


def _seconds_since_start(shop: Shop, workflow: str) -> float:
    began = datetime.fromisoformat(shop.status(workflow)["executionStartTime"])
    return (datetime.now(UTC) - began).total_seconds()


# --- what harms one workflow alone -----------------------------------------------------------


def test_a_bug_of_ours_that_one_workflow_meets_stops_no_other(shop: Shop) -> None:
    """I11, contract 7: exit 70, the traceback in the log, the others done."""
    for name in ("before", "poisoned", "then"):
        shop.workflow(name, *steps("a"))
    over = ended(shop.start(program=["tests.apiserver.poisoned"]))
    assert over.code == 70, over.log
    (told,) = over.of("ERROR")
    assert f"a bug of ours, met at {shop.namespace}/poisoned" in told
    assert "Traceback (most recent call last):" in over.lines
    assert "TypeError: a mistake of ours" in over.lines
    assert (shop.steps("before"), shop.steps("poisoned"), shop.steps("then")) == (["a"], [], ["a"])
