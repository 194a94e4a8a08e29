"""What both servers make of a DELETE: preconditions, finalizers, and what goes with an owner."""

import pytest

from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    WORKFLOWS,
    Target,
    create,
    delete,
    page,
    patch,
)
from tests.conformance.bodies import child, config_map, workflow
from tests.conformance.conftest import Answer, Server

HELD = {"finalizers": ["example.org/hold"]}


def one(server: Server) -> Target:
    return Target(WORKFLOWS, server.namespace, "one")


def made(server: Server, meta: dict[str, list[str]] | None = None) -> Answer:
    return server.done(create(WORKFLOWS, server.namespace, workflow("one", meta)))


def test_a_delete_is_answered_with_success_and_the_object_is_gone(server: Server) -> None:
    """Contract 5: one DELETE, background propagation."""
    made(server)
    answer = server.done(delete(one(server)))
    assert answer.body["kind"] == "Status"
    assert answer.body["status"] == "Success"
    assert server.get(WORKFLOWS, "one").outcome == (404, "NotFound")


def test_a_delete_of_exactly_what_was_read(server: Server) -> None:
    """Contract 5: with uid and resourceVersion."""
    meta = made(server).meta
    server.done(delete(one(server), uid=meta["uid"], version=meta["resourceVersion"]))
    assert server.get(WORKFLOWS, "one").status == 404


@pytest.mark.parametrize("known", [{"uid": "another"}, {"version": "1"}], ids=["uid", "version"])
def test_a_delete_that_meets_another_object_is_a_conflict(
    server: Server, known: dict[str, str]
) -> None:
    """I8: nothing is deleted that was not looked at."""
    made(server)
    assert server.send(delete(one(server), **known)).outcome == (409, "Conflict")
    assert server.get(WORKFLOWS, "one").status == 200


def test_a_delete_of_what_is_not_there_is_not_found(server: Server) -> None:
    """Gone is gone."""
    assert server.send(delete(one(server))).outcome == (404, "NotFound")


def test_an_object_with_a_finalizer_waits(server: Server) -> None:
    """Contract 4: in a workflow that is being deleted nothing is created and nothing settles."""
    made(server, HELD)
    answer = server.done(delete(one(server)))
    assert answer.body["kind"] == "WorkflowExecution"
    assert "deletionTimestamp" in answer.meta
    assert answer.meta["generation"] == 2
    assert server.names(page(WORKFLOWS, server.namespace)) == ["one"]


def test_a_second_delete_of_what_waits_changes_nothing(server: Server) -> None:
    """The version stays."""
    made(server, HELD)
    first, second = (server.done(delete(one(server))).meta for _ in range(2))
    assert first["resourceVersion"] == second["resourceVersion"]


def test_the_name_of_what_waits_is_taken(server: Server) -> None:
    """A namesake can be made only when it is gone."""
    made(server, HELD)
    server.done(delete(one(server)))
    answer = server.send(create(WORKFLOWS, server.namespace, workflow("one")))
    assert answer.outcome == (409, "AlreadyExists")
    assert answer.body["message"].startswith("object is being deleted")


def test_what_waits_may_still_be_written_but_gets_no_new_finalizer(server: Server) -> None:
    """An executor may still report its end."""
    made(server, HELD)
    server.done(delete(one(server)))
    server.done(patch(one(server), {"spec": {"suspend": True}}))
    more = {"metadata": {"finalizers": ["example.org/hold", "example.org/more"]}}
    answer = server.send(patch(one(server), more))
    assert answer.outcome == (422, "Invalid")
    assert "metadata.finalizers" in answer.faults


def test_what_waits_goes_with_its_last_finalizer(server: Server) -> None:
    """The write that takes it away is answered with the object as it was."""
    made(server, HELD)
    server.done(delete(one(server)))
    answer = server.done(patch(one(server), {"metadata": {"finalizers": None}}))
    assert answer.body["kind"] == "WorkflowExecution"
    assert server.get(WORKFLOWS, "one").status == 404


def test_a_namesake_is_another_object(server: Server) -> None:
    """Contract 3: it has another uid and starts from nothing."""
    first = made(server).meta
    server.done(delete(one(server)))
    second = made(server).meta
    assert first["uid"] != second["uid"]
    assert int(second["resourceVersion"]) > int(first["resourceVersion"])


def test_children_go_with_their_workflow_and_others_stay(server: Server) -> None:
    """Contract 3: one owner reference, with its uid."""
    uid = made(server).meta["uid"]
    for body in (child("mine", uid), child("nobodys")):
        server.done(create(CHILDREN, server.namespace, body))
    listed = page(CHILDREN, server.namespace)
    server.done(delete(one(server)))
    server.collect_garbage(lambda: server.names(listed) == ["nobodys"])
    assert server.names(listed) == ["nobodys"]


def test_a_child_of_an_owner_that_never_was_is_collected(server: Server) -> None:
    """As after a restore from backup: by uid, not by name."""
    made(server)
    server.done(create(CHILDREN, server.namespace, child("lost", "no-such-uid")))
    server.collect_garbage(lambda: server.get(CHILDREN, "lost").status == 404)
    assert server.get(CHILDREN, "lost").status == 404
    assert server.get(WORKFLOWS, "one").status == 200


def test_a_config_map_is_deleted_the_same_way(server: Server) -> None:
    """The verbs do not depend on the kind."""
    server.done(create(CONFIG_MAPS, server.namespace, config_map("c", {})))
    target = Target(CONFIG_MAPS, server.namespace, "c")
    assert server.send(delete(target, uid="another")).outcome == (409, "Conflict")
    assert server.done(delete(target)).body["status"] == "Success"
