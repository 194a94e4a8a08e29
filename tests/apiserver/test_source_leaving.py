"""Contract 5 on a real server: Replace, history, TTL, prune, a new cluster, objects taken over."""

import json
import time
from pathlib import Path

import pytest

from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Ended, Shop, steps
from tests.controlplane import Audit

pytestmark = [pytest.mark.apiserver]

HEAD = "reconciler-source-default"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


def contents(shop: Shop, record: str) -> list[tuple[str, str]]:
    """State and result of each content, newest first."""
    told = shop.records.read(record)["status"].get("contents", [])
    return [(each["state"], each.get("phase", "")) for each in told]


def names(shop: Shop) -> set[str]:
    """Of the documents whose runs are there."""
    return {
        each["metadata"]["annotations"]["kubernaut.ai/definition"]
        for each in shop.listed(shop.workflows)
    }


def looked_at(shop: Shop, *flags: str) -> Ended:
    """A run to which the hourly look is due, in another second than what was before it."""
    time.sleep(1.1)  # what settled in the second in which a run began counts as its own
    path = f"/api/v1/namespaces/{shop.namespace}/configmaps/{HEAD}"
    code, answer = shop.api.patch(path, {"data": {"checked": "2020-01-01T00:00:00Z"}})
    assert code == 200, answer
    return shop.done(*flags)


def ran(shop: Shop, repository: Repository, *flags: str, **files: Body | None) -> None:
    """These files are committed, and every workflow settles."""
    texts = {f"{name}.yaml": json.dumps(body) if body else None for name, body in files.items()}
    repository.commit(texts)
    shop.done("--source-url", repository.url, *flags)
    shop.executor.completes()
    for _ in range(2):
        shop.done("--source-url", repository.url, *flags)


def stated(name: str, step: str, **spec: object) -> Body:
    body: Body = json.loads(document(name, *steps(step)))
    return {**body, "spec": {**body["spec"], **spec}}


def test_replace_cancels_the_older_run_and_starts_when_it_has_settled(
    shop: Shop, repository: Repository
) -> None:
    """Contract 5: merge patch, field manager reconciler-replace, then as Queue."""
    flags = ("--source-url", repository.url)
    policy = {"concurrency": "Replace"}
    repository.commit({"d.yaml": document("d", *steps("a"), runPolicy=policy)})
    shop.done(*flags)
    (older,) = [each["metadata"]["name"] for each in shop.listed(shop.workflows)]
    repository.commit({"d.yaml": document("d", *steps("b"), runPolicy=policy)})
    shop.done(*flags)
    stored = shop.workflows.read(older)
    assert stored["spec"]["cancel"] is True
    assert "reconciler-replace" in {each["manager"] for each in stored["metadata"]["managedFields"]}
    shop.executor.fails("a", why="cancelled")
    for _ in range(2):
        shop.done(*flags)
    assert shop.status(older)["phase"] == "Cancelled"
    assert contents(shop, "d") == [("created", ""), ("created", "Cancelled")]


def test_history_and_time_to_live_delete_what_their_records_keep(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5; I8: one DELETE each, and the contents do not run again."""
    flags = ("--source-url", repository.url)
    ran(
        shop,
        repository,
        d=stated("d", "a", runPolicy={"history": 0}),
        e=stated("e", "a", ttlSecondsAfterSettled=1),
    )
    mark = audit.mark()
    time.sleep(1.1)  # as above
    ran(shop, repository, d=stated("d", "b", runPolicy={"history": 0}))
    told = looked_at(shop, *flags)
    assert shop.writes(audit, mark)["delete workflowexecutions"] == 2
    assert any("deleted: 1 ttl" in line for line in told.of("INFO")), told.log
    assert names(shop) == {"d"}
    assert contents(shop, "d") == [("created", "Completed"), ("created", "Completed")]
    mark = audit.mark()
    looked_at(shop, *flags)
    assert shop.writes(audit, mark) == {"update leases": 2, "update configmaps": 1}
    assert names(shop) == {"d"}


def test_prune_deletes_what_left_git_and_shows_it_first(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5, prune: off by default, --dry-run shows first."""
    flags = ("--source-url", repository.url)
    ran(shop, repository, a=stated("a", "a"), b=stated("b", "a"))
    theirs = shop.workflow("theirs", *steps("a"), suspend=True)
    repository.commit({"a.yaml": None})
    time.sleep(1.1)  # as above
    shop.done(*flags)
    assert "a" in {each["metadata"]["name"].split("-")[0] for each in shop.listed(shop.workflows)}
    mark = audit.mark()
    shown = shop.done(*flags, "--prune", "--dry-run")
    assert [line for line in shown.of("INFO") if "would be deleted (prune)" in line], shown.log
    assert not shop.writes(audit, mark)["delete workflowexecutions"]
    shop.done(*flags, "--prune")
    left = {each["metadata"]["name"].split("-")[0] for each in shop.listed(shop.workflows)}
    assert left == {"b", "theirs"}
    assert shop.workflows.read("theirs")["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert contents(shop, "a") == [("created", "Completed")]
    mark = audit.mark()
    shop.done(*flags, "--prune")
    assert shop.writes(audit, mark) == {"update leases": 2}


def test_a_new_cluster_records_what_is_there_and_runs_what_comes(
    shop: Shop, repository: Repository
) -> None:
    """Contract 5: --first-run record."""
    flags = ("--source-url", repository.url, "--first-run", "record")
    repository.commit({"d.yaml": document("d", *steps("a"))})
    shop.done(*flags)
    assert shop.listed(shop.workflows) == []
    assert contents(shop, "d") == [("recorded", "")]
    repository.commit({"d.yaml": document("d", *steps("b"))})
    shop.done(*flags)
    assert contents(shop, "d") == [("created", ""), ("recorded", "")]
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["b"]


@pytest.mark.parametrize("suspend", [True, False], ids=["pending", "executing"])
def test_an_object_made_by_hand_becomes_the_documents_run(
    shop: Shop, repository: Repository, suspend: bool
) -> None:
    """Contract 5: taken over with --adopt alone; its content has had its run then."""
    flags = ("--source-url", repository.url)
    made = shop.workflow("once", *steps("a"), suspend=suspend)
    shop.done()
    repository.commit({"once.yaml": document("once", *steps("a"), kind="WorkflowExecution")})
    shop.done(*flags)
    assert "kubernaut.ai/source" not in shop.workflows.read("once")["metadata"].get("labels", {})
    shop.done(*flags, "--adopt")
    after = shop.workflows.read("once")
    assert after["metadata"]["uid"] == made["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"kubernaut.ai/source": "default"}
    for _ in range(2):
        shop.done(*flags)
        shop.executor.completes()
    shop.done(*flags)
    if not suspend:
        assert contents(shop, "once") == [("created", "Completed")]
    assert len(shop.listed(shop.children)) == (0 if suspend else 1)
