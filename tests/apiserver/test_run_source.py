"""From a commit to a finished workflow and back, on a real server (contract 5, I12)."""

from collections import Counter
from pathlib import Path

import pytest

from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, diamond, steps
from tests.controlplane import Audit

pytestmark = [pytest.mark.apiserver]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


def _until_settled(shop: Shop, *flags: str) -> None:
    """Run after run while the executor completes what it finds, until nothing is left."""
    for _ in range(10):
        shop.done(*flags)
        shop.executor.completes()
        if all(each["status"].get("settled") for each in shop.listed(shop.workflows)):
            return
    pytest.fail("the workflows did not settle in ten runs")


def _contents(shop: Shop, record: str) -> list[Body]:
    """The entries of a record, newest first."""
    contents: list[Body] = shop.records.read(record)["status"]["contents"]
    return contents


def _names(shop: Shop) -> set[str]:
    return {each["metadata"]["name"] for each in shop.listed(shop.workflows)}


def test_a_commit_becomes_a_finished_workflow(shop: Shop, repository: Repository) -> None:
    """The whole way: the record says what ran, when and with which result."""
    commit = repository.commit({"shop.yaml": document("restart", *diamond())})
    _until_settled(shop, "--source-url", repository.url)
    (workflow,) = shop.listed(shop.workflows)
    assert workflow["metadata"]["labels"] == {"kubernaut.ai/source": "default"}
    assert workflow["metadata"]["annotations"]["kubernaut.ai/commit"] == commit
    assert workflow["metadata"]["annotations"]["kubernaut.ai/path"] == "shop.yaml"
    assert workflow["status"]["phase"] == "Completed"
    assert workflow["status"]["executionPlan"] == ["a", "b", "c", "d"]
    (entry,) = _contents(shop, "restart")
    assert (entry["state"], entry["phase"], entry["progress"]) == ("created", "Completed", "4/4")
    assert (entry["run"], entry["uid"]) == (
        workflow["metadata"]["name"],
        workflow["metadata"]["uid"],
    )
    assert entry["commit"] == commit
    assert (entry["startTime"], entry["endTime"]) == (
        workflow["status"]["executionStartTime"],
        workflow["status"]["executionEndTime"],
    )


def test_an_execution_in_git_runs_under_its_own_name(shop: Shop, repository: Repository) -> None:
    """Contract 5: the other kind of document, one run of one name."""
    text = document("restart-once", *steps("a"), kind="WorkflowExecution")
    repository.commit({"shop.yaml": text})
    _until_settled(shop, "--source-url", repository.url)
    assert _names(shop) == {"restart-once"}
    (entry,) = _contents(shop, "restart-once")
    assert (entry["run"], entry["phase"]) == ("restart-once", "Completed")


def test_children_say_which_commit_they_come_from(shop: Shop, repository: Repository) -> None:
    """Contract 3: the provenance is copied, and it is all that is."""
    commit = repository.commit({"shop.yaml": document("restart", *steps("a"))})
    shop.done("--source-url", repository.url)
    (child,) = shop.listed(shop.children)
    assert child["metadata"]["annotations"].pop("kubernaut.ai/not-after")
    assert child["metadata"]["annotations"].pop("kubernaut.ai/committed-at")
    assert child["metadata"]["annotations"].pop("kubernaut.ai/blob")
    assert child["metadata"]["annotations"] == {
        "kubernaut.ai/source": "default",
        "kubernaut.ai/commit": commit,
        "kubernaut.ai/path": "shop.yaml",
        "kubernaut.ai/definition": "restart",
    }


def test_another_content_starts_another_run_and_the_old_one_never_again(
    shop: Shop, repository: Repository
) -> None:
    """I12: a commit that is reverted runs nothing, whatever became of the run that it had."""
    flags = ("--source-url", repository.url)
    first = document("restart", *steps("a"))
    repository.commit({"shop.yaml": first})
    _until_settled(shop, *flags)
    before = _names(shop)
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    _until_settled(shop, *flags)
    assert len(_names(shop) - before) == 1
    for name in before:
        shop.api.delete(f"{shop.workflows.path}/{name}")
    repository.commit({"shop.yaml": first}, "Revert")
    told = shop.done(*flags)
    shop.done(*flags)
    assert any("shop.yaml:1" in line and "restart" in line for line in told.of("WARNING")), told.log
    assert len(_names(shop)) == 1
    assert [entry["phase"] for entry in _contents(shop, "restart")] == ["Completed", "Completed"]


def test_a_new_content_waits_until_the_run_before_it_is_settled(
    shop: Shop, repository: Repository
) -> None:
    """Contract 5, Queue: of one definition one runs at a time."""
    flags = ("--source-url", repository.url)
    repository.commit({"shop.yaml": document("restart", *steps("a"))})
    shop.done(*flags)
    repository.commit({"shop.yaml": document("restart", *steps("b"))})
    shop.done(*flags)
    shop.done(*flags)
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["a"]
    shop.executor.completes()
    for _ in range(2):
        shop.done(*flags)
    assert sorted(each["spec"]["stepName"] for each in shop.listed(shop.children)) == ["a", "b"]


def test_an_unchanged_source_and_cluster_are_written_nothing_but_the_lease(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 1, 5: while the ref is at the whole commit nothing is read but the head."""
    flags = ("--source-url", repository.url)
    repository.commit(
        {f"{name}.yaml": document(name, *diamond()) for name in ("one", "two", "three")}
    )
    shop.done(*flags)
    shop.executor.begins()
    shop.done(*flags)
    mark = audit.mark()
    shop.done(*flags)
    assert [call.text for call in shop.calls(audit, mark)] == [
        "get leases",
        "update leases",
        "get configmaps",
        "get configmaps",
        "list workflowexecutions",
        "list kubernetesexecutions",
        "update leases",
    ]


def test_a_new_document_costs_two_writes_and_one_for_the_uid_of_its_run(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5: intended, fence, applies, whole; then admitted, planned, created, told."""
    repository.commit({f"{name}.yaml": document(name, *diamond()) for name in ("one", "two")})
    mark = audit.mark()
    shop.done("--source-url", repository.url)
    assert shop.writes(audit, mark) == Counter(
        {
            "create leases": 1,
            "update leases": 1,
            "create workflowrecords": 2,
            "update workflowrecords/status": 2,
            "create configmaps": 1,
            "update configmaps": 1,
            "patch workflowexecutions": 2,
            "update workflowexecutions/status": 2,
            "create kubernetesexecutions": 2,
            "create events": 4,
        }
    )
