"""Contract 7: a body that is not ours is no answer; one object that does not fit harms itself."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic_core import to_json

from reconciler.core.api import WorkflowExecution
from reconciler.kube import codec, requests
from reconciler.kube.answers import Response
from reconciler.kube.requests import CHILDREN, WORKFLOWS
from reconciler.retry import Transient
from reconciler.seams import Event, Lease, Regarding, Scope, Unreadable
from tests.conformance.bodies import child, workflow
from tests.fakes.clock import START
from tests.unit.kube.scripted import ok

GET = requests.get(CHILDREN, "shop", "c")
LIST = requests.page(WORKFLOWS, "shop")
PAGE = {
    "apiVersion": WORKFLOWS.api_version,
    "kind": "WorkflowExecutionList",
    "metadata": {"resourceVersion": "7"},
    "items": [],
}


def stored(**changed: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON
    """A child as the server holds it; `changed` are whole parts."""
    body = child("c", "owner")
    body["metadata"] |= {
        "namespace": "shop",
        "uid": "u",
        "creationTimestamp": "2026-01-02T03:04:05Z",
    }
    return body | changed


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"{}", id="no-kind"),
        pytest.param(b"<html>200 OK</html>", id="a-proxys-page"),
        pytest.param(to_json(stored())[:-1], id="cut"),
        pytest.param(to_json(stored() | {"kind": "Pod"}), id="another-kind"),
        pytest.param(to_json(stored() | {"apiVersion": "v1"}), id="another-version"),
        pytest.param(to_json(PAGE), id="a-list-for-an-object"),
        pytest.param(b"\xff\xfe", id="no-utf-8"),
    ],
)
def test_a_body_that_is_not_the_object_is_no_answer(body: bytes) -> None:
    """F12: it must never read as `not there`."""
    with pytest.raises(Transient):
        codec.read(GET, Response(200, body))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"items": None}, id="items-null"),
        pytest.param({"items": {}}, id="items-an-object"),
        pytest.param({"items": ["a"]}, id="items-no-objects"),
        pytest.param({"metadata": None}, id="no-metadata"),
        pytest.param({"kind": "KubernetesExecutionList"}, id="another-kind"),
        pytest.param({"kind": "Status"}, id="a-status"),
    ],
)
def test_a_body_that_is_not_the_list_is_no_empty_list(changed: dict[str, Any]) -> None:
    """F12: nothing is ever taken as `nothing exists`."""
    with pytest.raises(Transient):
        codec.read_page(LIST, ok(PAGE | changed))


def test_an_empty_list_of_metadata_may_be_null() -> None:
    """The server writes it so; the next page of a list of objects it never does."""
    request = requests.metadata_of_source(Scope("shop", "default"))
    body = {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadataList",
        "metadata": {},
    }
    assert codec.read_page(request, ok(body | {"items": None})) == ([], "")
    with pytest.raises(Transient):
        codec.read_page(request, ok(body))


def test_a_page_tells_its_items_and_the_next_token() -> None:
    """An empty token, and none, are the end."""
    page = PAGE | {"items": [{"a": 1}], "metadata": {"continue": "t"}}
    assert codec.read_page(LIST, ok(page)) == ([{"a": 1}], "t")
    assert codec.read_page(LIST, ok(PAGE)) == ([], "")
    assert codec.read_page(LIST, ok(PAGE | {"metadata": {"continue": ""}})) == ([], "")


# --- workflows ------------------------------------------------------------------------------


def test_a_field_that_we_do_not_know_is_ignored() -> None:
    """A later release wrote it; at every depth."""
    body = workflow("one", unheard=1) | {"unheard": 1}
    body["spec"]["workflowDefinition"]["unheard"] = 1
    parsed = codec.parse_workflow(body)
    assert isinstance(parsed, WorkflowExecution)
    assert parsed.metadata.name == "one"


def test_a_workflow_that_does_not_fit_is_told_by_name() -> None:
    """I11: it stops no other. The value is not told: it may be a secret."""
    body = workflow("one", {"namespace": "shop"}, timeout="s3cr3t")
    parsed = codec.parse_workflow(body)
    assert isinstance(parsed, Unreadable)
    assert (parsed.namespace, parsed.name) == ("shop", "one")
    assert "spec.timeout" in parsed.why
    assert "s3cr3t" not in parsed.why


@pytest.mark.parametrize("body", [{}, {"metadata": None}, {"metadata": {"name": 7}, "spec": []}])
def test_a_workflow_without_anything_is_unreadable_too(body: dict[str, Any]) -> None:
    """I11: never an exception for the others."""
    assert isinstance(codec.parse_workflow(body), Unreadable)


# --- children -------------------------------------------------------------------------------


def test_a_child_is_read_whole() -> None:
    """What a decision needs, and no more."""
    status = {
        "phase": "Failed",
        "reason": "Late",
        "lastError": "no",
        "executionStartTime": "2026-01-02T04:04:05.9+01:00",
        "executionEndTime": "2026-01-02T03:04:05Z",
    }
    found = codec.child(stored(status=status))
    assert (found.namespace, found.name, found.uid, found.owner) == ("shop", "c", "u", "owner")
    assert (found.step, found.attempt) == ("a", 0)
    assert (found.created, found.started, found.ended) == (START, START, START)
    assert found.late
    assert not found.cancel_requested
    assert not found.deleting


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(None, id="null"),
        pytest.param("done", id="a-text"),
        pytest.param([], id="a-list"),
        pytest.param({"phase": 7, "reason": [], "lastError": {}}, id="no-texts"),
        pytest.param({"executionStartTime": 7}, id="a-time-that-is-a-number"),
        pytest.param({"executionStartTime": "yesterday"}, id="a-time-that-is-none"),
        pytest.param({"executionStartTime": "2026-01-02T03:04:05"}, id="a-time-without-a-zone"),
        pytest.param({"executionStartTime": "0001-01-01T00:00:00+14:00"}, id="a-time-before-time"),
    ],
)
def test_whatever_a_status_holds_the_child_is_active(status: Any) -> None:  # noqa: ANN401
    """Contract 2: any phase that is not Completed or Failed means active."""
    found = codec.child(stored(status=status))
    assert found.active
    assert (found.phase, found.started, found.last_error) == ("", None, "")


@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        pytest.param([{"uid": "u", "controller": True}], "u", id="the-controller"),
        pytest.param([{"uid": "v"}, {"uid": "u", "controller": True}], "u", id="among-others"),
        pytest.param([{"uid": "u", "controller": False}], "", id="an-owner-that-does-not-control"),
        pytest.param([{"uid": "u"}], "", id="an-owner-that-says-nothing"),
        pytest.param([{"uid": "u", "controller": "true"}], "", id="a-text-is-no-boolean"),
        pytest.param([{"controller": True}], "", id="a-controller-without-uid"),
        pytest.param("u", "", id="no-list"),
        pytest.param([None, 7], "", id="no-references"),
    ],
)
def test_a_child_belongs_to_its_controller(changed: Any, owner: str) -> None:  # noqa: ANN401
    """Contract 3: by the controller reference's uid alone."""
    body = stored()
    body["metadata"]["ownerReferences"] = changed
    assert codec.child(body).owner == owner


@pytest.mark.parametrize("attempt", [None, "0", 0.5, True, [], -1])
def test_an_attempt_that_is_no_number_is_nobodys(attempt: Any) -> None:  # noqa: ANN401
    """Contract 3: no name is computed from it, so the child is foreign."""
    body = stored()
    body["spec"]["attempt"] = attempt
    assert codec.child(body).attempt == -1


def test_what_an_executor_writes_is_cut() -> None:
    """Contract 2: 1,024 characters of an error, a word of a phase."""
    found = codec.child(stored(status=dict.fromkeys(("phase", "reason", "lastError"), "x" * 5000)))
    assert [len(text) for text in (found.phase, found.reason, found.last_error)] == [64, 64, 1024]


def test_a_child_that_is_being_deleted_is_active() -> None:
    """Contract 4: being deleted and not gone holds a slot."""
    body = stored(status={"phase": "Completed"})
    body["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    assert codec.child(body).active


# In a process of its own: memory is what a process once had.
FIFTY_PAGES = """
import resource, sys
from reconciler.kube import codec, requests
from reconciler.kube.answers import Response

page = sys.stdin.buffer.read()
request = requests.page(requests.CHILDREN, "shop")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
held = []
for number in range(50):
    response = Response(200, page.replace(b"PAGE", b"%d" % number))
    held += map(codec.child, codec.read_page(request, response)[0])
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len({each.name for each in held}), (after - before) * 1024)
"""


def test_fifty_thousand_children_stay_under_150_mib() -> None:
    """Contract 1, observe: each page is read into small values at once and dropped."""
    body = stored(status={"phase": "Running", "lastError": "x" * 200})
    body["metadata"] |= {"name": "restart-checkout-PAGE-ITEM", "uid": "PAGE-ITEM" * 4}
    body["metadata"]["managedFields"] = [{"fieldsV1": {"f:spec": {"f:stepName": {}}}}] * 3
    item = to_json(body)
    items = b",".join(item.replace(b"ITEM", b"%d" % at) for at in range(1000))
    head = to_json(PAGE | {"apiVersion": CHILDREN.api_version, "kind": "KubernetesExecutionList"})
    done = subprocess.run(
        [sys.executable, "-c", FIFTY_PAGES],
        input=head.replace(b"[]", b"[%b]" % items),
        stdout=subprocess.PIPE,
        check=True,
    )
    count, grown = map(int, done.stdout.split())
    assert count == 50_000
    assert grown < 150 << 20


# --- leases and events ----------------------------------------------------------------------


def test_a_lease_is_read_leniently() -> None:
    """Somebody else's may lack everything."""
    assert codec.lease({"metadata": {"name": "l"}}) == Lease("l", "", timedelta(0))
    odd = {"metadata": {"name": "l"}, "spec": {"renewTime": "soon", "acquireTime": 7}}
    assert codec.lease(odd).renewed is None


def test_a_lease_is_written_as_the_server_takes_it() -> None:
    """Six digits of a second, at least one second, no holder when it is released."""
    at = datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
    body = codec.lease_body("shop", Lease("l", "", timedelta(0), renewed=at, version="7"))
    assert body["spec"] == {
        "leaseDurationSeconds": 1,
        "leaseTransitions": 0,
        "renewTime": "2026-01-02T03:04:05.000060Z",
    }
    assert body["metadata"] == {"name": "l", "namespace": "shop", "resourceVersion": "7"}


@pytest.mark.parametrize(
    ("note", "sent"),
    [
        pytest.param("a", "a", id="short"),
        pytest.param("x" * 2000, "x" * 1024, id="long"),
        pytest.param("x" + "é" * 600, "x" + "é" * 511, id="never-half-a-character"),
    ],
)
def test_a_note_is_cut_to_1024_bytes(note: str, sent: str) -> None:
    """Contract 10."""
    regarding = Regarding("v1", "ConfigMap", "shop", "head", "u")
    assert codec.event_body(Event(regarding, "AlreadyRan", note), START, "pod")["note"] == sent
