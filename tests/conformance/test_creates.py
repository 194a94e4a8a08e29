"""What both servers make of a POST, and why they refuse one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    RECORDS,
    WORKFLOWS,
    Request,
    Resource,
    create,
)
from tests.conformance.bodies import (
    child,
    config_map,
    event,
    lease,
    record,
    step,
    steps,
    workflow,
)
from tests.conformance.conftest import Server

Body = Callable[[str], Mapping[str, Any]]


def lenient(request: Request) -> Request:
    """The same without strict field validation."""
    return replace(request, query=(("fieldManager", "reconciler"),))


def test_the_server_sets_what_is_its_own(server: Server) -> None:
    """Uid, version, generation and creation time are the server's, whatever was sent."""
    body = workflow("one", {"uid": "mine", "generation": 7})
    made = server.done(create(WORKFLOWS, server.namespace, body))
    assert made.status == 201
    assert made.meta["uid"] != "mine"
    assert made.meta["generation"] == 1
    assert made.meta["namespace"] == server.namespace
    assert {"resourceVersion", "creationTimestamp"} <= made.meta.keys()


def test_a_status_that_is_sent_with_a_new_object_is_dropped(server: Server) -> None:
    """Contract 2: an object that no run has seen carries the default, so it reads as not done."""
    body = workflow("one") | {"status": {"phase": "Completed", "settled": True}}
    made = server.done(create(WORKFLOWS, server.namespace, body))
    assert made.body["status"] == {"observedGeneration": -1}
    assert server.get(WORKFLOWS, "one").body["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("body", [child("c"), record("r")], ids=["child", "record"])
def test_every_kind_of_ours_has_the_default_status(server: Server, body: dict[str, Any]) -> None:
    """Contract 2: kstatus compares generations."""
    resource = {each.kind: each for each in (CHILDREN, RECORDS)}[body["kind"]]
    made = server.done(create(resource, server.namespace, body))
    assert made.body["status"] == {"observedGeneration": -1}


def test_a_name_is_a_lock(server: Server) -> None:
    """Contract 3: AlreadyExists is told by its reason, another conflict is none."""
    request = create(CHILDREN, server.namespace, child("c"))
    server.done(request)
    again = server.send(request)
    assert again.outcome == (409, "AlreadyExists")
    assert again.body["details"]["name"] == "c"


def test_a_generated_name_begins_as_asked(server: Server) -> None:
    """Two Events of one prefix are two Events."""
    request = create(EVENTS, server.namespace, event(server.namespace))
    names = {server.done(request).meta["name"] for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("one-") and len(name) == len("one-") + 5 for name in names)


def test_an_unknown_field_is_dropped_unless_validation_is_strict(server: Server) -> None:
    """Which is why every write of ours is strict: a dropped field would be drift for ever."""
    request = create(WORKFLOWS, server.namespace, workflow("one", unheard=True))
    assert server.send(request).outcome == (400, "BadRequest")
    made = server.done(lenient(request))
    assert "unheard" not in made.body["spec"]


def test_a_namespace_that_is_not_there_is_named(server: Server) -> None:
    """A 404 of the namespace says nothing of the object."""
    answer = server.send(create(WORKFLOWS, "nowhere", workflow("one")))
    assert answer.outcome == (404, "NotFound")
    assert answer.body["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_what_is_no_json_is_a_bad_request(server: Server) -> None:
    """400 is permanent."""
    request = replace(create(WORKFLOWS, server.namespace, {}), body=b"{nope")
    assert server.send(request).outcome == (400, "BadRequest")


def test_a_request_over_three_mebibytes_is_not_read(server: Server) -> None:
    """Contract 2 stays far below."""
    body = workflow("one", workflowDefinition={"version": "x" * (3 << 20)})
    outcome = server.send(create(WORKFLOWS, server.namespace, body)).outcome
    assert outcome == (413, "RequestEntityTooLarge")


def test_an_object_over_etcds_limit_is_a_500_without_a_reason(server: Server) -> None:
    """It is permanent all the same: the message tells."""
    values = {f"k{index}": "v" * 4000 for index in range(64)}
    many = [step(f"s{index}", parameters={"custom": values}) for index in range(7)]
    answer = server.send(
        create(WORKFLOWS, server.namespace, workflow("one", workflowDefinition=steps(*many)))
    )
    assert answer.outcome == (500, "")
    assert answer.body["message"] == "etcdserver: request is too large"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param(workflow("Bad_Name"), "metadata.name", id="a-name-is-a-dns-name"),
        pytest.param(
            workflow("one", {"labels": {"a": "b c"}}),
            "metadata.labels",
            id="labels-are-label-values",
        ),
        pytest.param(
            workflow("one", {"annotations": {"a": "x" * (256 << 10)}}),
            "metadata.annotations",
            id="annotations-are-bounded-together",
        ),
        pytest.param(
            workflow(
                "one", {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x"}]}
            ),
            "metadata.ownerReferences[0].uid",
            id="an-owner-has-a-uid",
        ),
        pytest.param(
            workflow(
                "one",
                {
                    "ownerReferences": [
                        {
                            "apiVersion": "v1",
                            "kind": "Pod",
                            "name": "x",
                            "uid": uid,
                            "controller": True,
                        }
                        for uid in ("1", "2")
                    ]
                },
            ),
            "metadata.ownerReferences",
            id="one-owner-controls",
        ),
        pytest.param(
            workflow("one", maxConcurrentSteps=101), "spec.maxConcurrentSteps", id="maximum"
        ),
        pytest.param(
            workflow("one", maxConcurrentSteps=0), "spec.maxConcurrentSteps", id="minimum"
        ),
        pytest.param(
            workflow("one", maxConcurrentSteps="3"),
            "spec.maxConcurrentSteps",
            id="text-is-no-number",
        ),
        pytest.param(workflow("one", suspend="yes"), "spec.suspend", id="text-is-no-boolean"),
        pytest.param(workflow("one", timeout="3 minutes"), "spec.timeout", id="pattern"),
        pytest.param(workflow("one", timeout="5m\n"), "spec.timeout", id="pattern-ends-at-the-end"),
        pytest.param(workflow("one", failurePolicy="Shrug"), "spec.failurePolicy", id="enum"),
        pytest.param(
            workflow("one", notBefore="tomorrow"), "spec.notBefore", id="a-date-is-a-date"
        ),
        pytest.param(
            workflow("one", serviceAccountName="x" * 254),
            "spec.serviceAccountName",
            id="max-length",
        ),
        pytest.param(
            workflow("one", serviceAccountName="../admin"),
            "spec.serviceAccountName",
            id="an-identity-is-no-path",
        ),
        pytest.param(
            workflow("one", approvals=[{"step": "a"}, {"step": "a"}]),
            "spec.approvals[1]",
            id="keys-of-a-map-list-are-unique",
        ),
        pytest.param(
            workflow("one", workflowDefinition=steps({"action": "Custom"})),
            "spec.workflowDefinition.steps[0].name",
            id="required-deep-inside",
        ),
        pytest.param(
            workflow(
                "one",
                workflowDefinition=steps(
                    step(parameters={"custom": {}, "deletePod": {"podName": "x"}})
                ),
            ),
            "spec.workflowDefinition.steps[0].parameters",
            id="max-properties",
        ),
        pytest.param(
            workflow(
                "one", workflowDefinition=steps(step(parameters={"custom": {"k" * 254: "v"}}))
            ),
            "spec.workflowDefinition.steps[0].parameters.custom",
            id="keys-of-a-map-are-bounded",
        ),
        pytest.param(
            workflow("one", workflowDefinition=steps(*(step(f"s{at}") for at in range(1001)))),
            "spec.workflowDefinition.steps",
            id="max-items",
        ),
        pytest.param(
            {key: value for key, value in workflow("one").items() if key != "spec"},
            "spec",
            id="required",
        ),
        pytest.param(
            workflow("one") | {"kind": "Other"}, "kind", id="the-kind-is-that-of-the-path"
        ),
    ],
)
def test_what_does_not_fit_is_invalid_and_the_field_is_named(
    server: Server, body: dict[str, Any], fault: str
) -> None:
    """Contract 7: 422 is permanent; contract 2: every list, map and string has a bound."""
    answer = server.send(create(WORKFLOWS, server.namespace, body))
    assert answer.outcome == (422, "Invalid")
    assert fault in answer.faults


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(workflow("one", {"namespace": "elsewhere"}), id="another-namespace"),
        pytest.param(workflow("one") | {"apiVersion": "v1"}, id="another-version"),
        pytest.param(workflow("one", {"unheard": 1}), id="unknown-in-metadata"),
        pytest.param(workflow("one") | {"unheard": 1}, id="unknown-at-the-top"),
        pytest.param(
            workflow("one") | {"status": {"unheard": 1}}, id="unknown-in-a-dropped-status"
        ),
    ],
)
def test_what_contradicts_the_path_or_the_schema_is_a_bad_request(
    server: Server, body: dict[str, Any]
) -> None:
    """Contract 7: 400 is permanent."""
    answer = server.send(create(WORKFLOWS, server.namespace, body))
    assert answer.outcome == (400, "BadRequest")


def test_a_new_object_has_no_version_yet(server: Server) -> None:
    """Of a POST; an apply with version 1 is how ours create only."""
    answer = server.send(
        create(WORKFLOWS, server.namespace, workflow("one", {"resourceVersion": "1"}))
    )
    assert answer.outcome == (500, "")


@pytest.mark.parametrize(
    ("resource", "body", "outcome"),
    [
        pytest.param(LEASES, lease("l"), (201, ""), id="lease"),
        pytest.param(LEASES, lease("l", holderIdentity=""), (201, ""), id="lease-nobody-holds"),
        pytest.param(
            LEASES, lease("l", leaseDurationSeconds=0), (422, "Invalid"), id="lease-of-no-time"
        ),
        pytest.param(
            LEASES,
            lease("l", renewTime="2026-01-02T03:04:05Z"),
            (400, "BadRequest"),
            id="lease-without-microseconds",
        ),
        pytest.param(LEASES, lease("l", unheard=1), (400, "BadRequest"), id="lease-unknown-field"),
        pytest.param(CONFIG_MAPS, config_map("c", {"a.b-c_D": ""}), (201, ""), id="config-map"),
        pytest.param(
            CONFIG_MAPS, config_map("c", {"a b": ""}), (422, "Invalid"), id="config-map-key"
        ),
        pytest.param(
            CONFIG_MAPS, config_map("c", {"a": 1}), (400, "BadRequest"), id="config-map-of-numbers"
        ),
    ],
)
def test_kinds_of_kubernetes_itself_are_decoded_before_they_are_judged(
    server: Server, resource: Resource, body: dict[str, Any], outcome: tuple[int, str]
) -> None:
    """What does not decode is 400, what decodes and is wrong is 422."""
    assert server.send(create(resource, server.namespace, body)).outcome == outcome


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"note": "x" * 1025}, id="a-note-is-bounded"),
        pytest.param({"eventTime": None}, id="time-is-required"),
        pytest.param({"action": None}, id="action-is-required"),
        pytest.param({"reportingInstance": None}, id="instance-is-required"),
        pytest.param({"type": "Loud"}, id="type-is-normal-or-warning"),
    ],
)
def test_an_event_that_is_not_whole_is_invalid(server: Server, fields: dict[str, Any]) -> None:
    """Contract 10: a failed Event changes nothing else."""
    body = event(server.namespace, **fields)
    assert server.send(create(EVENTS, server.namespace, body)).outcome == (422, "Invalid")
