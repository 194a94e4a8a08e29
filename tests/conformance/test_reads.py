"""What both servers make of a GET and of a list: selectors, pages, one moment, the time."""

from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest

from reconciler.core.api import WORKFLOW_GROUP
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    WORKFLOWS,
    Request,
    Resource,
    Target,
    create,
    get,
    metadata_of_source,
    page,
    patch,
    unsettled,
)
from reconciler.kube.requests import children as lists_of_children
from reconciler.seams import Scope
from tests.conformance.bodies import child, workflow
from tests.conformance.conftest import Server

SOURCE = "kubernaut.ai/source"


def limited(request: Request, limit: int) -> Request:
    query = tuple((key, value) for key, value in request.query if key != "limit")
    return replace(request, query=(("limit", str(limit)), *query))


def made(server: Server, *names: str, labels: dict[str, str] | None = None) -> None:
    meta = {"labels": labels} if labels else None
    for name in names:
        server.done(create(WORKFLOWS, server.namespace, workflow(name, meta)))


@pytest.fixture
def three(server: Server) -> Server:
    """`a` with x=1, `b` with x=2 and settled, `c` without labels."""
    made(server, "a", labels={"x": "1"})
    made(server, "b", labels={"x": "2"})
    made(server, "c")
    told = {"status": {"phase": "Completed", "settled": True}}
    server.done(patch(Target(WORKFLOWS, server.namespace, "b", "status"), told))
    return server


# --- one object -----------------------------------------------------------------------------


def test_a_read_finds_what_was_written(server: Server) -> None:
    """Quorum reads: at once, and whole."""
    written = server.done(create(WORKFLOWS, server.namespace, workflow("one")))
    assert server.get(WORKFLOWS, "one").body == written.body


@pytest.mark.parametrize("resource", [WORKFLOWS, CONFIG_MAPS], ids=["ours", "kubernetes"])
def test_a_read_of_what_is_not_there_names_it(server: Server, resource: Resource) -> None:
    """Contract 4: only then is a child gone."""
    answer = server.get(resource, "one")
    assert answer.outcome == (404, "NotFound")
    details = answer.body["details"]
    assert (details["kind"], details["name"]) == (resource.plural, "one")


@pytest.mark.parametrize("group", [WORKFLOW_GROUP, "unheard.example.org"])
def test_a_read_of_a_kind_that_is_not_served_names_nothing(server: Server, group: str) -> None:
    """A CRD that is not installed must never read as objects that are gone."""
    answer = server.send(get(Resource(group, "v1alpha1", "unheards", "Unheard"), "default", "one"))
    assert answer.status == 404
    assert answer.body == {}


@pytest.mark.parametrize("name", ["one", "two"], ids=["found", "missing"])
def test_every_answer_tells_the_servers_time(server: Server, name: str) -> None:
    """Contract 1, decide: a node's wrong clock times nothing out."""
    made(server, "one")
    told = parsedate_to_datetime(server.get(WORKFLOWS, name).headers["date"])
    assert told.tzinfo is not None


# --- selectors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("x", "ab"),
        ("!x", "c"),
        ("x=1", "a"),
        ("x==1", "a"),
        ("x!=1", "bc"),
        ("x in (1,2)", "ab"),
        ("x in (1, 3)", "a"),
        ("x notin (1)", "bc"),
        ("x in (1,2),x!=2", "a"),
        ("x,!y", "ab"),
        ("y", ""),
        ("", "abc"),
    ],
)
def test_label_selectors(three: Server, selector: str, names: str) -> None:
    """`!=` and `notin` choose what has no such label, too."""
    assert three.names(page(WORKFLOWS, three.namespace, labels=selector)) == list(names)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name!=a", "bc"),
        ("status.settled=true", "b"),
        ("status.settled!=true", "ac"),
        ("status.settled=false", ""),
        ("status.settled=", "ac"),
        ("status.phase=Completed", "b"),
        ("status.phase!=Completed,metadata.name!=c", "a"),
        ("spec.workflowDefinition.name=", "abc"),
    ],
)
def test_field_selectors(three: Server, selector: str, names: str) -> None:
    """Contract 1, observe: what has no such field is not equal to any value but the empty."""
    assert three.names(page(WORKFLOWS, three.namespace, fields=selector)) == list(names)


@pytest.mark.parametrize(
    ("labels", "fields"),
    [
        pytest.param("!!", "", id="labels-that-do-not-parse"),
        pytest.param("x in 1", "", id="a-set-without-brackets"),
        pytest.param("", "status.message=a", id="a-field-that-is-not-selectable"),
        pytest.param("", "status.settled", id="a-field-without-a-value"),
    ],
)
def test_a_selector_that_says_nothing_is_a_bad_request(
    server: Server, labels: str, fields: str
) -> None:
    """Contract 7: permanent."""
    answer = server.send(page(WORKFLOWS, server.namespace, labels=labels, fields=fields))
    assert answer.outcome == (400, "BadRequest")


def test_children_are_found_by_their_workflows_name(server: Server) -> None:
    """Contract 1, observe: by label, whosever they are."""
    body = child("elses")
    body["metadata"]["labels"] = {"kubernaut.ai/workflow": "two"}
    for each in (child("mine"), body):
        server.done(create(CHILDREN, server.namespace, each))
    (mine,) = lists_of_children(server.namespace, ["one"])
    (both,) = lists_of_children(server.namespace, ["one", "two", "three"])
    (many,) = lists_of_children(server.namespace, [f"w{at}" for at in range(1001)])
    assert server.names(mine) == ["mine"]
    assert server.names(both) == ["elses", "mine"]
    assert server.names(many) == ["elses", "mine"]


def test_a_hundred_long_names_fit_one_list(server: Server) -> None:
    """Contract 1, observe: at most 100 names a list, each up to 63 characters."""
    names = [f"{at:03}{'x' * 60}" for at in range(100)]
    (request,) = lists_of_children(server.namespace, names)
    assert server.names(request) == []


def test_a_list_over_all_namespaces_finds_those_of_this_one(three: Server) -> None:
    """Contract 9: -A."""
    request = page(WORKFLOWS, None, labels="x", fields=f"metadata.namespace={three.namespace}")
    assert three.names(request) == ["a", "b"]


def test_a_list_in_a_namespace_that_is_not_there_is_empty(server: Server) -> None:
    """A list says nothing of the namespace."""
    assert server.names(page(WORKFLOWS, "nowhere")) == []


# --- what a list is -------------------------------------------------------------------------


def test_a_list_names_its_kind_and_each_item_its_own(three: Server) -> None:
    """So that a body of another kind is told from an empty list."""
    body = three.done(unsettled(Scope(three.namespace, None))).body
    assert (body["apiVersion"], body["kind"]) == (WORKFLOWS.api_version, "WorkflowExecutionList")
    assert {item["kind"] for item in body["items"]} == {"WorkflowExecution"}


def test_an_empty_list_holds_a_list(server: Server) -> None:
    """Never null: a null is half an answer."""
    body = server.done(page(WORKFLOWS, server.namespace)).body
    assert body["items"] == []
    assert not body["metadata"].get("continue")


def test_metadata_can_be_listed_alone(server: Server) -> None:
    """A status may weigh 768 KiB."""
    made(server, "one", labels={SOURCE: "s"})
    made(server, "two", labels={SOURCE: "t"})
    body = server.done(metadata_of_source(Scope(server.namespace, "s"))).body
    assert body["kind"] == "PartialObjectMetadataList"
    (item,) = body["items"]
    assert item["metadata"]["name"] == "one"
    assert not {"spec", "status"} & item.keys()


def test_an_empty_list_of_metadata_holds_null(server: Server) -> None:
    """The one list that does."""
    body = server.done(metadata_of_source(Scope(server.namespace, "s"))).body
    assert body["items"] is None


# --- pages ----------------------------------------------------------------------------------


def test_pages_follow_each_other_by_name(three: Server) -> None:
    """Each page but the last has the token of the next, and tells how many are left."""
    first = three.done(limited(page(WORKFLOWS, three.namespace), 2)).body
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    rest = limited(page(WORKFLOWS, three.namespace), 2).after(first["metadata"]["continue"])
    last = three.done(rest).body
    assert [item["metadata"]["name"] for item in last["items"]] == ["c"]
    assert not last["metadata"].get("continue")


def test_pages_are_of_one_moment(three: Server) -> None:
    """Contract 1, observe: what was made since the first page stands on none of the others."""
    request = limited(page(WORKFLOWS, three.namespace), 1)
    first = three.done(request).body["metadata"]
    made(three, "aa", "d")
    second = three.done(request.after(first["continue"])).body
    assert [item["metadata"]["name"] for item in second["items"]] == ["b"]
    third = three.done(request.after(second["metadata"]["continue"])).body
    assert [item["metadata"]["name"] for item in third["items"]] == ["c"]
    assert third["metadata"]["resourceVersion"] == first["resourceVersion"]


def test_a_page_of_what_is_selected_tells_no_count(three: Server) -> None:
    """So a missing count says nothing about the end of a list."""
    request = limited(page(WORKFLOWS, three.namespace, labels="x"), 1)
    first = three.done(request).body["metadata"]
    assert first["continue"]
    assert "remainingItemCount" not in first
    assert three.names(request.after(first["continue"])) == ["b"]


def test_a_token_that_is_none_is_a_bad_request(three: Server) -> None:
    """Contract 7: permanent; one that has expired is 410."""
    answer = three.send(page(WORKFLOWS, three.namespace).after("zzz"))
    assert answer.outcome == (400, "BadRequest")
