"""Contract 5 on a real server: what server-side apply does to an object, and what it must not."""

from pathlib import Path

import pytest

from tests.apiserver.objects import Body
from tests.apiserver.repository import Repository, document
from tests.apiserver.runs import Shop, steps
from tests.controlplane import Audit

pytestmark = [pytest.mark.apiserver]

HEAD = "reconciler-source-default"
SUSPENDED = {"suspend": True}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.new(tmp_path / "repository")


@pytest.fixture
def executing(shop: Shop, repository: Repository) -> str:
    """A definition's run is at work; its name."""
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    shop.done("--source-url", repository.url)
    (workflow,) = shop.listed(shop.workflows)
    assert workflow["status"]["phase"] == "Executing"
    name: str = workflow["metadata"]["name"]
    return name


def states(shop: Shop, record: str) -> list[tuple[str, str]]:
    """State and result of each content, newest first."""
    contents = shop.records.read(record)["status"].get("contents", [])
    return [(each["state"], each.get("phase", "")) for each in contents]


def head(shop: Shop) -> Body:
    code, stored = shop.api.get(f"/api/v1/namespaces/{shop.namespace}/configmaps/{HEAD}")
    assert code == 200, stored
    assert isinstance(stored, dict)
    return stored


def spoil_head(shop: Shop, **data: str) -> None:
    """As a crash, or an hour, would have left it."""
    path = f"/api/v1/namespaces/{shop.namespace}/configmaps/{HEAD}"
    code, answer = shop.api.patch(path, {"data": data})
    assert code == 200, answer


def told_of_the_head(shop: Shop) -> list[Body]:
    """Events regarding the head of the source."""
    code, answer = shop.api.get(f"/apis/events.k8s.io/v1/namespaces/{shop.namespace}/events")
    assert code == 200, answer
    return [each for each in answer["items"] if each["regarding"].get("name") == HEAD]


def an_hour_later(shop: Shop) -> None:
    spoil_head(shop, checked="2020-01-01T00:00:00Z")


# --- suspend, cancel, approvals ---------------------------------------------------------------


def test_git_steers_a_run_that_has_started_by_its_controls_alone(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 5: past Pending, what we own with the document's controls in place of its own."""
    before = shop.workflows.read(executing)
    approvals = [{"step": "a", "by": "ann"}]
    repository.commit(
        {"shop.yaml": document("restart", *steps("a", "b"), suspend=True, approvals=approvals)}
    )
    shop.done("--source-url", repository.url)
    after = shop.workflows.read(executing)
    assert after["spec"] == {**before["spec"], "suspend": True, "approvals": approvals}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert head(shop)["data"]["state"] == "whole"
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    shop.done("--source-url", repository.url)
    assert shop.workflows.read(executing)["spec"] == before["spec"]


def test_what_others_have_set_survives_a_change_in_git(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 2: kubectl patch sets a control, and the next run does not take it back."""
    by_hand = shop.workflows.body(executing, spec={"approvals": [{"step": "b", "by": "bob"}]})
    code, answer = shop.api.apply(f"{shop.workflows.path}/{executing}", by_hand, manager="bob")
    assert code == 200, answer
    text = document("restart", *steps("a", "b"), approvals=[{"step": "a"}])
    repository.commit({"shop.yaml": text})
    shop.done("--source-url", repository.url)
    repository.commit({"shop.yaml": document("restart", *steps("a", "b"), suspend=True)})
    shop.done("--source-url", repository.url)
    spec = shop.workflows.read(executing)["spec"]
    assert (spec["approvals"], spec["suspend"]) == ([{"step": "b", "by": "bob"}], True)


def test_a_suspension_in_git_lets_no_new_step_start(shop: Shop, repository: Repository) -> None:
    """Contract 4: no new steps while suspended; taken back, they go on."""
    first = document("restart", *steps("a"), *steps("b", after=["a"]))
    repository.commit({"shop.yaml": first})
    flags = ("--source-url", repository.url)
    shop.done(*flags)
    held = document("restart", *steps("a"), *steps("b", after=["a"]), suspend=True)
    repository.commit({"shop.yaml": held})
    shop.done(*flags)
    shop.executor.completes("a")
    for _ in range(2):
        shop.done(*flags)
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["a"]
    repository.commit({"shop.yaml": first})
    for _ in range(2):
        shop.done(*flags)
    assert sorted(each["spec"]["stepName"] for each in shop.listed(shop.children)) == ["a", "b"]


# --- an execution: one name for all its contents ----------------------------------------------


def test_an_execution_that_has_not_started_gets_its_new_content(
    shop: Shop, repository: Repository
) -> None:
    """Contract 5: Pending: applied, the entry's content replaced, same uid."""
    flags = ("--source-url", repository.url)
    kind = "WorkflowExecution"
    repository.commit({"shop.yaml": document("once", *steps("a"), kind=kind, suspend=True)})
    shop.done(*flags)
    before = shop.workflows.read("once")
    assert before["status"]["phase"] == "Pending"
    repository.commit({"shop.yaml": document("once", *steps("b"), kind=kind)})
    shop.done(*flags)
    after = shop.workflows.read("once")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [each["name"] for each in after["spec"]["workflowDefinition"]["steps"]] == ["b"]
    assert "suspend" not in after["spec"]
    assert states(shop, "once") == [("created", "")]
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["b"]


def test_an_execution_that_has_started_keeps_its_content_until_it_is_gone(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5: SpecImmutable, told without a request; once it is gone the new one is made."""
    flags = ("--source-url", repository.url)
    kind = "WorkflowExecution"
    repository.commit({"shop.yaml": document("once", *steps("a"), kind=kind)})
    shop.done(*flags)
    shop.done(*flags)  # the child's uid is recorded
    before = shop.workflows.read("once")
    repository.commit({"shop.yaml": document("once", *steps("b"), kind=kind)})
    mark = audit.mark()
    told = shop.done(*flags)
    assert any("once" in line for line in told.of("WARNING")), told.log
    assert shop.writes(audit, mark) == {
        "update leases": 2,
        "update configmaps": 1,
        "create events": 1,
    }
    assert shop.workflows.read("once") == before
    shop.executor.completes()
    shop.done(*flags)
    shop.api.delete(f"{shop.workflows.path}/once")
    an_hour_later(shop)
    shop.done(*flags)
    assert states(shop, "once") == [("created", ""), ("created", "Completed")]
    (event,) = told_of_the_head(shop)
    assert (event["reason"], event["type"]) == ("SpecImmutable", "Warning")
    assert event["regarding"]["uid"] == head(shop)["metadata"]["uid"]


# --- names, restores, records -----------------------------------------------------------------


def test_an_object_of_somebody_else_is_left_alone_byte_for_byte(
    shop: Shop, repository: Repository, audit: Audit
) -> None:
    """Contract 5: NameTaken, never touched; I5. While it stays so nothing is written."""
    flags = ("--source-url", repository.url)
    before = shop.workflow("once", *steps("theirs"), suspend=True)
    repository.commit({"shop.yaml": document("once", *steps("a"), kind="WorkflowExecution")})
    told = shop.done(*flags)
    assert any("left alone" in line for line in told.of("WARNING")), told.log
    after = shop.workflows.read("once")
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    assert after["metadata"].get("labels") is None
    mark = audit.mark()
    shop.done(*flags)
    assert shop.writes(audit, mark) == {"update leases": 2}
    shop.api.delete(f"{shop.workflows.path}/once")
    shop.done(*flags)
    assert [each["spec"]["stepName"] for each in shop.listed(shop.children)] == ["a"]


def test_a_run_restored_from_a_backup_ends_without_running(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 5, fault 11: the same name, another uid, no status: nothing runs again."""
    flags = ("--source-url", repository.url)
    shop.executor.completes()
    shop.done(*flags)
    stored = shop.workflows.read(executing)
    shop.api.delete(f"{shop.workflows.path}/{executing}")
    kept = {key: stored["metadata"][key] for key in ("labels", "annotations")}
    code, answer = shop.workflows.create(executing, kept, spec=stored["spec"])
    assert code == 201, answer
    an_hour_later(shop)
    shop.done(*flags)
    status = shop.status(executing)
    assert (status["phase"], status["settled"]) == ("Failed", True)
    reasons = {each["type"]: each["reason"] for each in status["conditions"]}
    assert reasons["Ready"] == "AlreadyRan"
    children = shop.listed(shop.children)  # those of the first object may be there still
    uids = {each["spec"]["workflowExecutionRef"]["uid"] for each in children}
    assert answer["metadata"]["uid"] not in uids
    assert states(shop, "restart") == [("created", "Completed")]


def test_without_head_and_objects_the_records_keep_everything_from_running_again(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 5: whatever is deleted beside it; deleting the head is the way out of a bad one."""
    flags = ("--source-url", repository.url)
    shop.api.delete(f"{shop.workflows.path}/{executing}")
    shop.api.delete(f"/api/v1/namespaces/{shop.namespace}/configmaps/{HEAD}")
    shop.done(*flags)
    assert shop.listed(shop.workflows) == []
    assert states(shop, "restart") == [("created", "Deleted")]
    assert head(shop)["data"]["state"] == "whole"


# --- the fence --------------------------------------------------------------------------------


def test_after_an_unfinished_fence_a_late_apply_meets_another_version(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 5, fault 7: what has not settled is sent again, and moves though nothing changes."""
    before = shop.workflows.read(executing)
    spoil_head(shop, state="applying")
    shop.done("--source-url", repository.url)
    after = shop.workflows.read(executing)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
    assert head(shop)["data"]["state"] == "whole"
    seen = {key: before["metadata"][key] for key in ("uid", "resourceVersion")}
    late = shop.workflows.body(executing, seen, spec={**before["spec"], **SUSPENDED})
    code, answer = shop.api.apply(f"{shop.workflows.path}/{executing}", late, manager="reconciler")
    assert code == 409, answer
    assert "suspend" not in shop.workflows.read(executing)["spec"]


def test_a_head_that_is_not_ours_stops_the_source_and_nothing_else(
    shop: Shop, repository: Repository, executing: str
) -> None:
    """Contract 5: unreadable: nothing new is applied, exit 3, the way out is in the message."""
    spoil_head(shop, state="finished")
    repository.commit({"shop.yaml": document("other", *steps("a"))})
    shop.executor.completes()
    run = shop.run("--source-url", repository.url)
    assert run.code == 3
    assert any(HEAD in line and "delete it" in line for line in run.of("ERROR")), run.log
    assert shop.status(executing)["phase"] == "Completed"
    assert len(shop.listed(shop.workflows)) == 1


def test_another_repository_under_the_name_is_a_usage_error(
    shop: Shop, repository: Repository, executing: str, tmp_path: Path
) -> None:
    """Contract 5: a run with another URL exits 2; --source-moved accepts it."""
    other = Repository.new(tmp_path / "other")
    other.commit({"shop.yaml": document("restart", *steps("a", "b"))})
    refused = shop.run("--source-url", other.url)
    assert (refused.code, "--source-moved" in refused.log) == (2, True)
    shop.done("--source-url", other.url, "--source-moved")
    shop.done("--source-url", other.url)
    assert len(shop.listed(shop.workflows)) == 1
