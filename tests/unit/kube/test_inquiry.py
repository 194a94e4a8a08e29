"""What the server says of itself and of us: questions, and answers that make sense or none."""

import json
from typing import Any

import pytest

from reconciler.core.rights import Right
from reconciler.errors import Refused, Unreachable
from reconciler.kube.answers import Response
from reconciler.kube.inquiry import KubeInquiry
from tests.unit.kube.scripted import Line, Wire, ok, refusal

API = "workflowexecution.kubernaut.ai/v1alpha1"
NOT_FOUND = Response(404, b"404 page not found\n")  # as kube-apiserver says it of a path


def asked(*lines: Line) -> tuple[KubeInquiry, Wire]:
    wire = Wire(*lines)
    return KubeInquiry(wire.calls, "https://me:secret@10.0.0.1:6443"), wire


def test_the_address_is_told_without_a_password() -> None:
    """I9."""
    assert asked(NOT_FOUND)[0].address == "https://10.0.0.1:6443"


def test_the_version_is_the_servers_own_word() -> None:
    """One GET, which every account may send."""
    inquiry, wire = asked(ok({"gitVersion": "v1.37.2"}))
    assert inquiry.version() == "v1.37.2"
    (request,) = wire.transport.requests
    assert (request.method, request.path) == ("GET", "/version")


def test_what_is_served_is_named_with_its_subresources() -> None:
    """Discovery."""
    names = [{"name": "workflowexecutions"}, {"name": "workflowexecutions/status"}]
    inquiry, wire = asked(ok({"kind": "APIResourceList", "resources": names}))
    assert inquiry.resources(API) == {"workflowexecutions", "workflowexecutions/status"}
    assert wire.transport.requests[0].path == f"/apis/{API}"


def test_an_api_that_is_not_there_serves_nothing() -> None:
    """No CRD installed: no failure of the question."""
    inquiry, _ = asked(NOT_FOUND)
    assert (inquiry.resources(API), inquiry.schema(API, "WorkflowExecution")) == (frozenset(), None)


def test_the_schema_of_a_kind_is_found_by_its_name_and_version() -> None:
    """OpenAPI v3; other kinds and versions are in the same document."""

    def of(kind: str, version: str = "v1alpha1") -> dict[str, Any]:
        group = "workflowexecution.kubernaut.ai"
        named = {"group": group, "version": version, "kind": kind}
        return {"x-kubernetes-group-version-kind": [named], "type": "object"}

    wanted = of("WorkflowExecution")
    document = {
        "components": {
            "schemas": {
                "a": of("WorkflowRecord"),
                "b": of("WorkflowExecution", "v1"),
                "c": wanted,
                "d": {"type": "object"},
            }
        }
    }
    inquiry, wire = asked(ok(document))
    assert inquiry.schema(API, "WorkflowExecution") == wanted
    assert inquiry.schema(API, "Another") is None
    assert wire.transport.requests[0].path == f"/openapi/v3/apis/{API}"


def test_a_namespace_tells_its_phase_or_is_not_there() -> None:
    """One GET of it by name."""
    inquiry, wire = asked(ok({"kind": "Namespace", "status": {"phase": "Terminating"}}), NOT_FOUND)
    assert (inquiry.namespace("shop"), inquiry.namespace("shopp")) == ("Terminating", "")
    assert wire.transport.requests[0].path == "/api/v1/namespaces/shop"


def test_a_right_is_asked_by_a_review_that_leaves_nothing() -> None:
    """`kubectl auth can-i` asks the same way."""
    inquiry, wire = asked(
        ok(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "status": {"allowed": True},
            }
        )
    )
    right = Right("", "configmaps", "get", "shop", "reconciler-paused")
    assert inquiry.refusal(right) is None
    (request,) = wire.transport.requests
    assert (request.method, request.path) == (
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    )
    assert json.loads(request.body)["spec"] == {
        "resourceAttributes": {
            "resource": "configmaps",
            "verb": "get",
            "namespace": "shop",
            "name": "reconciler-paused",
        }
    }


@pytest.mark.parametrize(
    ("status", "why"),
    [
        pytest.param({"allowed": False, "reason": "no role"}, "no role", id="with-a-reason"),
        pytest.param({"allowed": False}, "", id="without-one"),
        pytest.param({"evaluationError": "webhook down"}, "webhook down", id="could-not-be-told"),
        pytest.param({"allowed": "yes"}, "", id="no-boolean-is-no-right"),
        pytest.param({}, "", id="no-answer-is-no-right"),
    ],
)
def test_only_a_clear_yes_is_a_right(status: dict[str, Any], why: str) -> None:
    """Whatever else comes back, we may not."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    assert asked(ok({**body, "status": status}))[0].refusal(Right("", "x", "get", None)) == why


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(Response(200, b"<html>a portal</html>"), id="a-proxys-page"),
        pytest.param(Response(200, b"[1]"), id="no-object"),
        pytest.param(refusal(503), id="a-server-that-starts"),
    ],
)
def test_an_answer_that_makes_no_sense_is_tried_again_and_then_told(line: Line) -> None:
    """Contract 7: transient."""
    inquiry, wire = asked(line)
    with pytest.raises(Unreachable, match="get /version: "):
        inquiry.version()
    assert wire.sent == 3


def test_a_refusal_is_told_with_its_status() -> None:
    """Contract 7: permanent."""
    with pytest.raises(Refused, match="403"):
        asked(refusal(403, "Forbidden"))[0].resources(API)
