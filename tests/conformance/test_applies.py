"""What both servers make of server-side apply: who owns which field, and what goes with it."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.api import Metadata
from reconciler.kube.requests import (
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    apply,
    create,
    patch,
    status,
)
from reconciler.kube.requests import apply_workflow as applied
from reconciler.seams import Precondition
from tests.conformance.bodies import step, steps, workflow
from tests.conformance.conftest import Answer, Server


def one(server: Server) -> Target:
    return Target(WORKFLOWS, server.namespace, "one")


def by(server: Server, manager: str, meta: dict[str, Any] | None = None, **spec: Any) -> Answer:  # noqa: ANN401
    """An apply that must succeed."""
    return server.done(apply(one(server), workflow("one", meta, **spec), manager=manager))


def unforced(request: Request) -> Request:
    query = tuple((key, value) for key, value in request.query if key != "force")
    return replace(request, query=query)


def in_namespace(server: Server, meta: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return workflow("one", {"namespace": server.namespace} | (meta or {}), **spec)


def owned(answer: Answer) -> dict[tuple[str, str, str], Any]:
    """ManagedFields by manager, operation and subresource, without times."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in answer.meta["managedFields"]
    }


STEPS: dict[str, Any] = {"f:workflowDefinition": {"f:steps": {}}}

# --- preconditions --------------------------------------------------------------------------


def test_an_apply_creates_what_is_not_there(server: Server) -> None:
    """201, and the object is owned by who applied it."""
    answer = server.send(applied(in_namespace(server), Precondition()))
    assert answer.status == 201
    assert answer.meta["generation"] == 1
    assert owned(answer) == {("reconciler", "Apply", ""): {"f:spec": STEPS}}


def test_an_apply_of_version_1_meets_no_object_that_exists(server: Server) -> None:
    """Contract 5: a new object is create-only."""
    server.done(applied(in_namespace(server), Precondition()))
    again = server.send(applied(in_namespace(server, suspend=True), Precondition()))
    assert again.outcome == (409, "Conflict")
    assert "suspend" not in server.get(WORKFLOWS, "one").body["spec"]


def test_an_apply_with_a_uid_makes_nothing_new(server: Server) -> None:
    """Contract 5: a late apply of a sleeping run makes no second object."""
    answer = server.send(applied(in_namespace(server), Precondition("gone", "7")))
    assert answer.outcome == (409, "Conflict")
    assert server.get(WORKFLOWS, "one").status == 404


def test_an_apply_takes_the_version_that_was_read(server: Server) -> None:
    """Contract 5: an existing object, with the uid and resourceVersion that were read."""
    meta = server.done(applied(in_namespace(server), Precondition())).meta
    known = Precondition(meta["uid"], meta["resourceVersion"])
    server.done(applied(in_namespace(server, suspend=True), known))
    stale = server.send(applied(in_namespace(server, suspend=False), known))
    assert stale.outcome == (409, "Conflict")


def test_an_apply_of_another_uid_is_invalid_and_changes_nothing(server: Server) -> None:
    """A miss of the uid alone is told as 422, as of a patch."""
    meta = server.done(applied(in_namespace(server), Precondition())).meta
    wrong = Precondition("another", meta["resourceVersion"])
    answer = server.send(applied(in_namespace(server, suspend=True), wrong))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"metadata.uid"}


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
def test_a_dry_run_stores_nothing(server: Server, exists: bool) -> None:
    """Contract 9: --dry-run asks the server and changes nothing."""
    known = Precondition()
    if exists:
        meta = server.done(applied(in_namespace(server), Precondition())).meta
        known = Precondition(meta["uid"], meta["resourceVersion"])
    answer = server.done(applied(in_namespace(server, suspend=True), known, dry_run=True))
    assert answer.body["spec"]["suspend"] is True
    stored = server.get(WORKFLOWS, "one")
    assert stored.status == (200 if exists else 404)
    assert "suspend" not in stored.body.get("spec", {})


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("exists", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"unheard": 1}, id="unknown-field"),
        pytest.param({"maxConcurrentSteps": "3"}, id="wrong-type"),
    ],
)
def test_an_apply_that_does_not_fit_the_schema_is_a_500_that_stays(
    server: Server, exists: bool, spec: dict[str, Any]
) -> None:
    """Contract 7: permanent, though a 500; known by how its message begins."""
    if exists:
        by(server, "reconciler")
    answer = server.send(apply(one(server), workflow("one", **spec)))
    assert answer.outcome == (500, "")
    assert answer.body["message"].startswith("failed to create typed patch object")


def test_an_apply_out_of_bounds_is_invalid(server: Server) -> None:
    """Contract 7: permanent."""
    answer = server.send(apply(one(server), workflow("one", maxConcurrentSteps=101)))
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"spec.maxConcurrentSteps"}


def test_an_apply_changes_no_spec_of_a_started_workflow(server: Server) -> None:
    """Contract 2: immutable past Pending."""
    meta = by(server, "reconciler").meta
    server.done(
        status(
            WORKFLOWS,
            Metadata.model_validate(meta),
            {"phase": "Executing", "observedGeneration": 1},
        )
    )
    answer = server.send(apply(one(server), workflow("one", timeout="5m")))
    assert answer.outcome == (422, "Invalid")
    by(server, "reconciler", suspend=True)


def test_an_apply_into_a_namespace_that_is_not_there_is_not_found(server: Server) -> None:
    """The namespace is named, not the object."""
    target = replace(one(server), namespace="nowhere")
    answer = server.send(apply(target, workflow("one")))
    assert answer.outcome == (404, "NotFound")
    assert answer.body["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_an_apply_says_who_applies(server: Server) -> None:
    """Of no other write the server asks that."""
    request = apply(one(server), workflow("one"))
    nameless = replace(request, query=(("force", "true"),))
    answer = server.send(nameless)
    assert answer.outcome == (422, "Invalid")
    assert answer.faults == {"fieldManager"}


def test_an_apply_of_an_object_as_it_was_read_is_a_bad_request(server: Server) -> None:
    """Contract 5: the body past Pending is the live object's, without its managedFields."""
    read = by(server, "reconciler").body
    assert server.send(apply(one(server), read)).outcome == (400, "BadRequest")


# --- who owns what --------------------------------------------------------------------------


def test_a_field_that_is_stated_no_more_is_removed(server: Server) -> None:
    """Which is why a body that omits the rest of a started spec would delete the rest."""
    by(server, "reconciler", {"labels": {"a": "b", "c": "d"}}, suspend=True, timeout="5m")
    answer = by(server, "reconciler", {"labels": {"c": "d"}}, timeout="5m")
    assert answer.body["spec"].keys() == {"workflowDefinition", "timeout"}
    assert answer.meta["labels"] == {"c": "d"}


def test_a_field_that_somebody_else_set_stays(server: Server) -> None:
    """Contract 2: what kubectl patch set is not taken back by the next run."""
    by(server, "reconciler", {"labels": {"a": "b"}})
    server.done(patch(one(server), {"metadata": {"labels": {"c": "d"}}, "spec": {"cancel": True}}))
    answer = by(server, "reconciler", {"labels": {"a": "b"}})
    assert answer.body["spec"]["cancel"] is True
    assert answer.meta["labels"] == {"a": "b", "c": "d"}


def test_a_field_that_two_state_stays_while_one_states_it(server: Server) -> None:
    """Shared ownership: the last one takes it away."""
    by(server, "reconciler", suspend=True)
    by(server, "somebody", suspend=True)
    assert by(server, "reconciler").body["spec"]["suspend"] is True
    assert "suspend" not in by(server, "somebody").body["spec"]


def test_a_forced_apply_takes_a_field_and_its_ownership(server: Server) -> None:
    """Contract 5: git wins when it changes."""
    by(server, "somebody", suspend=True)
    answer = by(server, "reconciler", suspend=False)
    assert answer.body["spec"]["suspend"] is False
    suspend = {"f:spec": {"f:suspend": {}, **STEPS}}
    assert owned(answer) == {
        ("somebody", "Apply", ""): {"f:spec": STEPS},
        ("reconciler", "Apply", ""): suspend,
    }


def test_an_apply_that_is_not_forced_names_who_owns_the_field(server: Server) -> None:
    """A conflict that no newer version heals; ours are always forced."""
    by(server, "somebody", suspend=True)
    request = unforced(apply(one(server), workflow("one", suspend=False)))
    answer = server.send(request)
    assert answer.outcome == (409, "Conflict")
    assert [each["reason"] for each in answer.body["details"]["causes"]] == ["FieldManagerConflict"]
    assert answer.faults == {".spec.suspend"}


def test_an_update_takes_the_field_from_who_applied_it(server: Server) -> None:
    """So a patch by a person outlives the next apply that does not state the field."""
    by(server, "reconciler", suspend=True)
    server.done(patch(one(server), {"spec": {"suspend": False}}))
    answer = by(server, "reconciler")
    assert answer.body["spec"]["suspend"] is False


def test_steps_are_one_field(server: Server) -> None:
    """Contract 2: a forced apply over a map list would leave a union that is in no commit."""
    by(server, "somebody", workflowDefinition=steps(step("a"), step("b")))
    answer = by(server, "reconciler", workflowDefinition=steps(step("c")))
    assert [each["name"] for each in answer.body["spec"]["workflowDefinition"]["steps"]] == ["c"]


def test_approvals_merge_by_step(server: Server) -> None:
    """Contract 2: git and the command line approve different gates of one workflow."""
    by(server, "reconciler", approvals=[{"step": "a", "by": "git"}])
    answer = by(server, "command-line", approvals=[{"step": "b"}])
    assert sorted(each["step"] for each in answer.body["spec"]["approvals"]) == ["a", "b"]
    fields = owned(answer)["command-line", "Apply", ""]["f:spec"]["f:approvals"]
    assert fields == {'k:{"step":"b"}': {".": {}, "f:step": {}}}
    answer = by(server, "reconciler")
    assert answer.body["spec"]["approvals"] == [{"step": "b"}]


def test_one_item_of_a_map_list_may_have_two_owners(server: Server) -> None:
    """Each owns what it states of it."""
    by(server, "reconciler", approvals=[{"step": "a", "by": "git"}])
    answer = by(server, "command-line", approvals=[{"step": "a", "reason": "why not"}])
    assert answer.body["spec"]["approvals"] == [{"step": "a", "by": "git", "reason": "why not"}]
    answer = by(server, "reconciler")
    assert answer.body["spec"]["approvals"] == [{"step": "a", "reason": "why not"}]


def test_every_way_of_writing_has_an_owner_of_its_own(server: Server) -> None:
    """Of one manager, Apply and Update are two, and the status is a third."""
    server.done(create(WORKFLOWS, server.namespace, workflow("one", {"labels": {"a": "b"}})))
    by(server, "reconciler", suspend=True)
    meta = server.done(patch(one(server), {"spec": {"cancel": True}})).meta
    told = {"phase": "Pending", "observedGeneration": 1}
    answer = server.done(status(WORKFLOWS, Metadata.model_validate(meta), told))
    assert owned(answer) == {
        ("reconciler", "Update", ""): {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {".": {}, "f:cancel": {}, "f:workflowDefinition": {".": {}, "f:steps": {}}},
        },
        ("reconciler", "Apply", ""): {"f:spec": {"f:suspend": {}, **STEPS}},
        ("reconciler", "Update", "status"): {
            "f:status": {"f:phase": {}, "f:observedGeneration": {}}
        },
    }


def test_the_second_apply_that_changes_nothing_is_no_write(server: Server) -> None:
    """The first after a creation writes the defaults; then the version stays."""
    versions = [by(server, "reconciler").meta["resourceVersion"] for _ in range(4)]
    assert len(set(versions)) == 2
    assert versions[1] == versions[3]


def test_an_equal_apply_by_another_owner_is_a_write(server: Server) -> None:
    """Ownership is part of the object."""
    by(server, "reconciler")
    first = by(server, "reconciler").meta
    second = by(server, "somebody").meta
    assert second["resourceVersion"] != first["resourceVersion"]
    assert second["generation"] == first["generation"]


def test_an_apply_states_no_status(server: Server) -> None:
    """Contract 2: the status has its own door."""
    body = workflow("one") | {"status": {"phase": "Completed"}}
    answer = server.done(apply(one(server), body))
    assert answer.body["status"] == {"observedGeneration": -1}
    assert owned(answer) == {("reconciler", "Apply", ""): {"f:spec": STEPS}}


def test_records_can_be_applied_too(server: Server) -> None:
    """The verbs do not depend on the kind."""
    body = {"apiVersion": RECORDS.api_version, "kind": RECORDS.kind, "metadata": {"name": "r"}}
    target = Target(RECORDS, server.namespace, "r")
    answer = server.send(apply(target, body | {"spec": {"kind": "WorkflowDefinition"}}))
    assert answer.status == 201
