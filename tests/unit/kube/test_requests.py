"""Contract 1 and 5: what is asked of the server, to the letter."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic_core import from_json

from reconciler.core.api import Metadata
from reconciler.core.facts import Child
from reconciler.kube import requests
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    LEASES,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
)
from reconciler.seams import Precondition, Scope
from tests.fakes.clock import START

SCOPE = Scope("shop", "default")
EVERYWHERE = Scope(None, None)
OURS = "/apis/workflowexecution.kubernaut.ai/v1alpha1"
CHILD = Child("shop", "c", "u", "o", "a", 0, "Running", START)
META = Metadata(name="one", namespace="shop", uid="u", resource_version="7", generation=3)


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        pytest.param(
            requests.get(WORKFLOWS, "shop", "one"),
            f"GET {OURS}/namespaces/shop/workflowexecutions/one",
            id="get",
        ),
        pytest.param(
            requests.get(CONFIG_MAPS, "shop", "c"),
            "GET /api/v1/namespaces/shop/configmaps/c",
            id="get-of-the-core-group",
        ),
        pytest.param(
            requests.unsettled(EVERYWHERE),
            f"GET {OURS}/workflowexecutions?limit=250&labelSelector=%21kubernaut.ai%2Fsource"
            "&fieldSelector=status.settled%21%3Dtrue",
            id="unsettled-of-nobody-everywhere",
        ),
        pytest.param(
            requests.unsettled(SCOPE),
            f"GET {OURS}/namespaces/shop/workflowexecutions?limit=250"
            "&fieldSelector=status.settled%21%3Dtrue",
            id="unsettled-of-a-source-and-nobody",
        ),
        pytest.param(
            requests.of_source(RECORDS, SCOPE),
            f"GET {OURS}/namespaces/shop/workflowrecords?limit=1000"
            "&labelSelector=kubernaut.ai%2Fsource%3Ddefault",
            id="records-of-a-source",
        ),
        pytest.param(
            requests.create(LEASES, "shop", {"metadata": {"name": "l"}}),
            "POST /apis/coordination.k8s.io/v1/namespaces/shop/leases"
            "?fieldManager=reconciler&fieldValidation=Strict",
            id="create",
        ),
        pytest.param(
            requests.status(WORKFLOWS, META, {}),
            f"PUT {OURS}/namespaces/shop/workflowexecutions/one/status"
            "?fieldManager=reconciler&fieldValidation=Strict",
            id="status",
        ),
        pytest.param(
            requests.apply_workflow(
                {"metadata": {"name": "one", "namespace": "shop"}}, Precondition(), dry_run=True
            ),
            f"PATCH {OURS}/namespaces/shop/workflowexecutions/one"
            "?fieldManager=reconciler&force=true&fieldValidation=Strict&dryRun=All",
            id="apply-as-a-dry-run",
        ),
        pytest.param(
            requests.delete(Target(WORKFLOWS, "shop", "one")),
            f"DELETE {OURS}/namespaces/shop/workflowexecutions/one",
            id="delete",
        ),
    ],
)
def test_the_request_line_of_each_thing_that_is_asked(request_: Request, line: str) -> None:
    """One verb, one path, explicit validation and field manager on every write."""
    assert f"{request_.method} {request_.path}" == line


READS: list[Callable[[], Any]] = [
    lambda: [requests.get(CHILDREN, "shop", "c")],
    lambda: [requests.unsettled(SCOPE)],
    lambda: [requests.metadata_of_source(SCOPE)],
    lambda: requests.children("shop", ["one"]),
    lambda: requests.children(None, [f"w{at}" for at in range(2000)]),
    lambda: [requests.unsettled(SCOPE).after("token")],
]


@pytest.mark.parametrize("reads", READS, ids=["get", "unsettled", "all", "few", "many", "next"])
def test_no_read_is_from_a_cache(reads: Callable[[], list[Request]]) -> None:
    """Contract 1, observe: quorum reads, never a resourceVersion."""
    for request in reads():
        assert "resourceVersion" not in request.path


def test_a_name_that_leads_elsewhere_is_quoted() -> None:
    """A status that somebody wrote may hold any reference."""
    path = requests.get(CHILDREN, "shop", "../../x?y#z").path
    assert path.endswith("/kubernetesexecutions/..%2F..%2Fx%3Fy%23z")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2Fb"])
def test_a_name_that_no_object_has_is_known(name: str) -> None:
    """Of those the path would be another's."""
    assert not requests.possible(name)
    assert requests.possible(f"x{name.replace('/', '').replace('%', '')}")


def test_a_selector_of_the_user_stands_beside_ours() -> None:
    """Contract 5: --selector."""
    query = dict(requests.unsettled(Scope("shop", None, "team=x,tier in (a,b)")).query)
    assert query["labelSelector"] == "!kubernaut.ai/source,team=x,tier in (a,b)"


def test_of_a_source_everything_is_read_whatever_the_selector() -> None:
    """Contract 5: prune looks at nothing but the label of the source."""
    query = dict(requests.metadata_of_source(Scope("shop", "default", "team=x")).query)
    assert query["labelSelector"] == "kubernaut.ai/source=default"


@pytest.mark.parametrize(
    ("count", "lists"), [(0, 0), (1, 1), (100, 1), (101, 2), (1000, 10), (1001, 1), (50_000, 1)]
)
def test_children_are_read_by_a_hundred_names_or_all_at_once(count: int, lists: int) -> None:
    """Contract 1, observe."""
    assert len(requests.children("shop", [f"w{at}" for at in range(count)])) == lists


def test_no_workflows_children_stand_in_two_lists() -> None:
    """Contract 1, observe: they would be of two moments. The same name is asked for once."""
    names = [f"w{at}" for at in range(250)]
    asked = [
        name
        for request in requests.children("shop", names + names)
        for name in dict(request.query)["labelSelector"].split("(")[1].rstrip(")").split(",")
    ]
    assert sorted(asked) == sorted(names)


def test_a_long_name_is_asked_for_by_its_label() -> None:
    """Contract 3: over 63 characters the label is cut and hashed."""
    (request,) = requests.children("shop", ["x" * 200])
    value = dict(request.query)["labelSelector"].split("(")[1].rstrip(")")
    assert len(value) == 63


def test_a_hundred_of_the_longest_names_fit_a_request_line() -> None:
    """Proxies take 8 KiB."""
    (request,) = requests.children(None, [f"{at:03}{'x' * 200}" for at in range(100)])
    assert len(request.path) < 8192


def test_a_status_carries_what_was_read_and_no_spec() -> None:
    """Contract 1, reserve."""
    body = from_json(requests.status(WORKFLOWS, META, {"phase": "Pending"}).body)
    assert body == {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {"name": "one", "namespace": "shop", "uid": "u", "resourceVersion": "7"},
        "status": {"phase": "Pending"},
    }


def test_a_cancellation_says_nothing_but_which_child() -> None:
    """Contract 3: nothing else of it is changed."""
    request = requests.cancellation(CHILD)
    assert from_json(request.body) == {
        "metadata": {"uid": "u"},
        "spec": {"cancelRequested": True},
    }
    assert request.content_type == "application/merge-patch+json"


def test_a_cancellation_by_replace_is_of_exactly_one_version_and_not_gits() -> None:
    """Contract 5: merge patch with uid and resourceVersion, field manager reconciler-replace."""
    request = requests.workflow_cancellation("shop", "one", Precondition("u", "7"))
    assert from_json(request.body) == {
        "metadata": {"uid": "u", "resourceVersion": "7"},
        "spec": {"cancel": True},
    }
    assert (request.method, dict(request.query)["fieldManager"]) == ("PATCH", "reconciler-replace")
    assert request.content_type == "application/merge-patch+json"


def test_a_deletion_is_of_exactly_one_version_and_in_the_background() -> None:
    """Contract 5: one DELETE each with uid and resourceVersion."""
    request = requests.workflow_deletion("shop", "one", Precondition("u", "7"))
    assert request.path.endswith("/namespaces/shop/workflowexecutions/one")
    options = from_json(request.body)
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert options["propagationPolicy"] == "Background"


@pytest.mark.parametrize(
    ("precondition", "known"),
    [
        pytest.param(Precondition(), {"resourceVersion": "1"}, id="new-creates-only"),
        pytest.param(Precondition("u", "7"), {"uid": "u", "resourceVersion": "7"}, id="this-one"),
    ],
)
def test_an_apply_carries_its_precondition(
    precondition: Precondition, known: dict[str, str]
) -> None:
    """Contract 5: and the body that was given is left as it was."""
    body = {"metadata": {"name": "one", "namespace": "shop"}, "spec": {}}
    request = requests.apply_workflow(body, precondition)
    assert from_json(request.body)["metadata"] == body["metadata"] | known
    assert request.content_type == "application/apply-patch+yaml"
    assert body["metadata"] == {"name": "one", "namespace": "shop"}


def test_a_delete_carries_what_was_read() -> None:
    """Contract 5: one DELETE with uid and resourceVersion, background propagation."""
    request = requests.delete(Target(WORKFLOWS, "shop", "one"), uid="u", version="7")
    assert from_json(request.body) == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }


def test_an_apply_is_a_patch_to_rbac() -> None:
    """The verb of a role."""
    assert [verb.rbac for verb in Verb] == [
        "get", "list", "create", "update", "patch", "patch", "delete",
    ]  # fmt: skip


def test_a_request_reads_well_in_a_message() -> None:
    """Errors speak to people."""
    texts = [
        requests.status(WORKFLOWS, META, {}).text,
        requests.unsettled(EVERYWHERE).text,
        requests.unsettled(SCOPE).text,
        requests.create(CONFIG_MAPS, "shop", {"metadata": {"name": "c"}}).text,
    ]
    assert texts == [
        "update workflowexecutions/status shop/one",
        "list workflowexecutions.workflowexecution.kubernaut.ai in all namespaces",
        "list workflowexecutions.workflowexecution.kubernaut.ai in shop",
        "create configmaps shop/c",
    ]
