"""What both servers make of a PUT and of a merge patch: locks, subresources, generations, rules."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.api import Metadata
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    LEASES,
    RECORDS,
    WORKFLOWS,
    Target,
    create,
    patch,
    status,
    update,
)
from tests.conformance.bodies import child, config_map, lease, record, step, steps, workflow
from tests.conformance.conftest import Answer, Server

STATUS = {"phase": "Pending", "observedGeneration": 1}
STARTED = {"phase": "Executing", "observedGeneration": 1}


def one(server: Server, subresource: str = "") -> Target:
    return Target(WORKFLOWS, server.namespace, "one", subresource)


def made(server: Server, **spec: Any) -> Answer:  # noqa: ANN401  # any JSON
    return server.done(create(WORKFLOWS, server.namespace, workflow("one", **spec)))


def version(answer: Answer) -> dict[str, str]:
    return {"resourceVersion": answer.meta["resourceVersion"]}


def in_phase(server: Server, phase: str, *, settled: bool = False) -> None:
    made(server)
    body = {"status": {"phase": phase, "settled": settled, "observedGeneration": 1}}
    server.done(patch(one(server, "status"), body))


# --- the lock -------------------------------------------------------------------------------


def test_an_update_takes_the_version_that_was_read(server: Server) -> None:
    """Contract 1, reserve: compare and swap."""
    first = made(server)
    second = server.done(update(one(server), workflow("one", version(first), suspend=True)))
    assert second.meta["resourceVersion"] != first.meta["resourceVersion"]
    stale = server.send(update(one(server), workflow("one", version(first), suspend=False)))
    assert stale.outcome == (409, "Conflict")
    assert server.get(WORKFLOWS, "one").body["spec"]["suspend"] is True


def test_an_update_without_a_version_is_invalid(server: Server) -> None:
    """No update of ours can be blind by mistake."""
    made(server)
    answer = server.send(update(one(server), workflow("one")))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"metadata.resourceVersion"}


def test_an_update_of_another_uid_is_a_conflict(server: Server) -> None:
    """Contract 3: a namesake made later is another object."""
    meta = version(made(server)) | {"uid": "another"}
    answer = server.send(update(one(server), workflow("one", meta, suspend=True)))
    assert answer.outcome == (409, "Conflict")


def test_an_update_of_what_is_not_there_is_not_found(server: Server) -> None:
    """The refusal names the object, so it is known to be gone."""
    answer = server.send(update(one(server), workflow("one", {"resourceVersion": "1"})))
    assert answer.outcome == (404, "NotFound")
    assert (answer.body["details"]["name"], answer.body["details"]["kind"]) == (
        "one",
        "workflowexecutions",
    )


@pytest.mark.parametrize(
    "meta",
    [
        pytest.param({"name": "two"}, id="another-name"),
        pytest.param({"namespace": "elsewhere"}, id="another-namespace"),
    ],
)
def test_an_update_speaks_of_the_object_of_its_path(server: Server, meta: dict[str, str]) -> None:
    """400 is permanent."""
    body = workflow("one", version(made(server)) | meta)
    assert server.send(update(one(server), body)).outcome == (400, "BadRequest")


def test_the_first_update_that_changes_nothing_still_writes_the_defaults(server: Server) -> None:
    """A created object is stored without its defaults; from then on an equal update is no write."""
    first = made(server)
    second = server.done(update(one(server), workflow("one", version(first))))
    third = server.done(update(one(server), workflow("one", version(second))))
    assert second.meta["resourceVersion"] != first.meta["resourceVersion"]
    assert third.meta["resourceVersion"] == second.meta["resourceVersion"]


def test_an_update_removes_what_it_leaves_out(server: Server) -> None:
    """A PUT is whole: labels and fields of others go, too."""
    meta = {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    first = server.done(
        create(WORKFLOWS, server.namespace, workflow("one", meta, suspend=True, timeout="5m"))
    )
    second = server.done(update(one(server), workflow("one", version(first), timeout="6m")))
    assert not {"labels", "annotations"} & second.meta.keys()
    assert second.body["spec"].keys() == {"workflowDefinition", "timeout"}


def test_the_generation_moves_with_the_spec_alone(server: Server) -> None:
    """Contract 2: observedGeneration is compared with it."""
    first = made(server)
    labelled = server.done(patch(one(server), {"metadata": {"labels": {"a": "b"}}}))
    told = server.done(patch(one(server, "status"), {"status": STATUS}))
    suspended = server.done(patch(one(server), {"spec": {"suspend": True}}))
    generations = [each.meta["generation"] for each in (first, labelled, told, suspended)]
    assert generations == [1, 1, 1, 2]


# --- the status subresource -----------------------------------------------------------------


def test_a_status_is_written_without_the_spec(server: Server) -> None:
    """The server keeps spec, labels and owners: half of the bytes of a reservation."""
    first = server.done(
        create(WORKFLOWS, server.namespace, workflow("one", {"labels": {"a": "b"}}, suspend=True))
    )
    metadata = Metadata.model_validate(first.meta)
    second = server.done(status(WORKFLOWS, metadata, STATUS))
    assert second.body["status"] == STATUS
    assert second.body["spec"] == first.body["spec"]
    assert second.meta["labels"] == {"a": "b"}


def test_a_status_write_takes_the_version_that_was_read(server: Server) -> None:
    """Contract 1, reserve: of two passes that read the same status one must lose."""
    metadata = Metadata.model_validate(made(server).meta)
    server.done(status(WORKFLOWS, metadata, STATUS))
    again = server.send(status(WORKFLOWS, metadata, STARTED))
    assert again.outcome == (409, "Conflict")
    assert server.get(WORKFLOWS, "one").body["status"] == STATUS


def test_an_unchanged_status_moves_no_version(server: Server) -> None:
    """Contract 1, create: which is why a heal must change something."""
    first = Metadata.model_validate(made(server).meta)
    second = server.done(status(WORKFLOWS, first, STATUS)).meta
    third = server.done(status(WORKFLOWS, Metadata.model_validate(second), STATUS)).meta
    assert third["resourceVersion"] == second["resourceVersion"]


def test_a_status_is_replaced_whole(server: Server) -> None:
    """A PUT of a status leaves nothing of the one before."""
    first = Metadata.model_validate(made(server).meta)
    second = server.done(status(WORKFLOWS, first, STATUS | {"message": "a"}))
    third = server.done(status(WORKFLOWS, Metadata.model_validate(second.meta), STATUS))
    assert third.body["status"] == STATUS


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        pytest.param({"name": "two"}, (404, "NotFound"), id="of-what-is-not-there"),
        pytest.param({"uid": "another"}, (409, "Conflict"), id="of-another-uid"),
        pytest.param({"resource_version": "1"}, (409, "Conflict"), id="of-another-version"),
        pytest.param({"resource_version": ""}, (422, "Invalid"), id="of-no-version"),
    ],
)
def test_a_status_write_that_meets_another_object_fails(
    server: Server, changed: dict[str, str], outcome: tuple[int, str]
) -> None:
    """Contract 7, conflict: that workflow is left to the next run."""
    metadata = Metadata.model_validate(made(server).meta).model_copy(update=changed)
    request = status(WORKFLOWS, metadata, STATUS)
    if not metadata.resource_version:
        request = replace(
            request, body=request.body.replace(b'"resourceVersion":""', b'"labels":{}')
        )
    assert server.send(request).outcome == outcome


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        pytest.param({"phase": "Odd"}, (422, "Invalid"), id="a-phase-nobody-knows"),
        pytest.param({"totalSteps": -1}, (422, "Invalid"), id="a-negative-count"),
        pytest.param({"message": "x" * 1025}, (422, "Invalid"), id="a-message-too-long"),
        pytest.param({"executionStartTime": "now"}, (422, "Invalid"), id="a-time-that-is-none"),
        pytest.param(
            {"conditions": [{"type": "Ready", "status": "Maybe"}]},
            (422, "Invalid"),
            id="a-condition-that-is-none",
        ),
        pytest.param({"unheard": 1}, (400, "BadRequest"), id="an-unknown-field"),
    ],
)
def test_a_status_that_does_not_fit_is_refused(
    server: Server, told: dict[str, Any], outcome: tuple[int, str]
) -> None:
    """The schema holds for the status as for the spec."""
    metadata = Metadata.model_validate(made(server).meta)
    assert server.send(status(WORKFLOWS, metadata, STATUS | told)).outcome == outcome


def test_the_object_and_its_status_are_written_apart(server: Server) -> None:
    """Contract 2: spec from git, status from the reconciler."""
    made(server)
    server.done(patch(one(server, "status"), {"status": STATUS, "spec": {"suspend": True}}))
    answer = server.done(patch(one(server), {"status": STARTED, "spec": {"cancel": True}}))
    assert answer.body["status"] == STATUS
    assert answer.body["spec"].get("suspend") is None
    assert answer.body["spec"]["cancel"] is True


def test_a_records_status_is_written_the_same_way(server: Server) -> None:
    """Contract 5: each write carries the version that was read."""
    first = server.done(create(RECORDS, server.namespace, record("r")))
    metadata = Metadata.model_validate(first.meta)
    entry = {"content": "v1:0", "state": "intended"}
    told = {"observedGeneration": 1, "contents": [entry]}
    assert server.done(status(RECORDS, metadata, told)).body["status"] == told
    assert server.send(status(RECORDS, metadata, told)).outcome == (409, "Conflict")


# --- merge patches --------------------------------------------------------------------------


def test_a_merge_patch_sets_removes_and_leaves(server: Server) -> None:
    """Null removes; objects merge; lists are replaced."""
    made(server, suspend=True, timeout="5m", approvals=[{"step": "a"}])
    body = {"spec": {"suspend": None, "cancel": True, "approvals": [{"step": "b"}]}}
    spec = server.done(patch(one(server), body)).body["spec"]
    assert spec["timeout"] == "5m"
    assert spec["cancel"] is True
    assert spec["approvals"] == [{"step": "b"}]
    assert "suspend" not in spec


def test_a_merge_patch_that_changes_nothing_is_no_write(server: Server) -> None:
    """The version stays."""
    made(server)
    first = server.done(patch(one(server), {"spec": {"cancel": True}}))
    second = server.done(patch(one(server), {"spec": {"cancel": True}}))
    assert second.meta["resourceVersion"] == first.meta["resourceVersion"]


def test_a_merge_patch_of_another_uid_is_invalid_and_changes_nothing(server: Server) -> None:
    """The uid in a patch is a precondition; a miss is told as 422, not as 409."""
    made(server)
    body = {"metadata": {"uid": "another"}, "spec": {"cancel": True}}
    answer = server.send(patch(one(server), body))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"metadata.uid"}
    assert "cancel" not in server.get(WORKFLOWS, "one").body["spec"]


@pytest.mark.parametrize(
    ("name", "body", "outcome"),
    [
        pytest.param(
            "one", {"metadata": {"resourceVersion": "1"}}, (409, "Conflict"), id="another-version"
        ),
        pytest.param(
            "one",
            {"metadata": {"resourceVersion": "1", "uid": "another"}},
            (409, "Conflict"),
            id="another-version-before-another-uid",
        ),
        pytest.param("two", {"spec": {"cancel": True}}, (404, "NotFound"), id="not-there"),
        pytest.param("one", {"spec": {"unheard": 1}}, (422, "Invalid"), id="unknown-field"),
        pytest.param("one", {"spec": {"cancel": "yes"}}, (422, "Invalid"), id="wrong-type"),
        pytest.param(
            "one", {"spec": {"workflowDefinition": None}}, (422, "Invalid"), id="required-removed"
        ),
    ],
)
def test_a_merge_patch_that_cannot_be_is_refused(
    server: Server, name: str, body: dict[str, Any], outcome: tuple[int, str]
) -> None:
    """What stands in its metadata is a precondition, what stands in its spec is judged."""
    made(server)
    request = patch(Target(WORKFLOWS, server.namespace, name), body)
    assert server.send(request).outcome == outcome


def test_a_patch_says_of_which_kind_it_is(server: Server) -> None:
    """415 is permanent."""
    made(server)
    request = replace(patch(one(server), {}), content_type="application/json")
    assert server.send(request).outcome == (415, "UnsupportedMediaType")


# --- rules over old and new -----------------------------------------------------------------


@pytest.mark.parametrize("phase", ["", "Pending"])
def test_a_spec_may_change_until_the_workflow_has_started(server: Server, phase: str) -> None:
    """Contract 2: immutable past Pending, not before."""
    in_phase(server, phase)
    server.done(patch(one(server), {"spec": {"timeout": "5m"}}))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"timeout": "5m"}, id="a-field-comes"),
        pytest.param({"workflowDefinition": steps(step("b"))}, id="a-field-changes"),
        pytest.param({"serviceAccountName": "a"}, id="an-identity-comes"),
    ],
)
def test_a_spec_of_a_started_workflow_is_immutable(server: Server, spec: dict[str, Any]) -> None:
    """Contract 2."""
    in_phase(server, "Executing")
    answer = server.send(patch(one(server), {"spec": spec}))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {f"spec.{next(iter(spec))}"}


def test_the_controls_of_a_started_workflow_may_change(server: Server) -> None:
    """Contract 2: suspend, cancel and approvals."""
    in_phase(server, "Executing")
    body = {"spec": {"suspend": True, "cancel": True, "approvals": [{"step": "a"}]}}
    server.done(patch(one(server), body))


def test_a_settled_spec_is_immutable_whole(server: Server) -> None:
    """Contract 2: its generation would outrun observedGeneration for ever."""
    in_phase(server, "Completed", settled=True)
    answer = server.send(patch(one(server), {"spec": {"suspend": True}}))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"spec"}


def test_labels_of_a_settled_workflow_may_change(server: Server) -> None:
    """The rules are of the spec alone."""
    in_phase(server, "Completed", settled=True)
    server.done(patch(one(server), {"metadata": {"labels": {"a": "b"}}}))


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        pytest.param({"cancelRequested": True}, 200, id="cancel-requested-may"),
        pytest.param({"attempt": 1}, 422, id="the-attempt-may-not"),
        pytest.param({"serviceAccountName": "a"}, 422, id="nor-an-identity-come"),
        pytest.param({"actionParameters": {"custom": {}}}, 422, id="nor-parameters"),
    ],
)
def test_a_childs_spec_is_immutable_but_for_cancel_requested(
    server: Server, spec: dict[str, Any], status: int
) -> None:
    """Contract 2."""
    server.done(create(CHILDREN, server.namespace, child("c")))
    answer = server.send(patch(Target(CHILDREN, server.namespace, "c"), {"spec": spec}))
    assert answer.status == status


# --- kinds of Kubernetes itself -------------------------------------------------------------


def test_a_lease_is_taken_by_the_version_that_was_read(server: Server) -> None:
    """Contract 1, lease."""
    target = Target(LEASES, server.namespace, "l")
    first = server.done(create(LEASES, server.namespace, lease("l")))
    server.done(update(target, lease("l", version(first), holderIdentity="you")))
    late = server.send(update(target, lease("l", version(first), holderIdentity="me")))
    assert late.outcome == (409, "Conflict")
    assert server.send(update(target, lease("l"))).outcome == (422, "Invalid")


def test_a_config_map_without_a_version_is_replaced_whatever_it_holds(server: Server) -> None:
    """So the head is never written without the version that was read (contract 5)."""
    target = Target(CONFIG_MAPS, server.namespace, "c")
    first = server.done(create(CONFIG_MAPS, server.namespace, config_map("c", {"a": "b"})))
    blind = server.done(update(target, config_map("c", {"c": "d"})))
    assert blind.body["data"] == {"c": "d"}
    stale = server.send(update(target, config_map("c", {}, version(first))))
    assert stale.outcome == (409, "Conflict")
    other = server.send(update(target, config_map("c", {}, {"uid": "another"})))
    assert other.outcome == (409, "Conflict")


def test_an_equal_config_map_is_no_write(server: Server) -> None:
    """Kinds of Kubernetes itself are stored with their defaults from the start."""
    body = config_map("c", {"a": "b"})
    first = server.done(create(CONFIG_MAPS, server.namespace, body))
    second = server.done(update(Target(CONFIG_MAPS, server.namespace, "c"), body))
    assert second.meta["resourceVersion"] == first.meta["resourceVersion"]
