"""The Cluster over both servers: the same calls, the same values, the same errors."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.api import (
    FirstContent,
    Metadata,
    Phase,
    Reading,
    RecordEntry,
    RecordSpec,
    RecordState,
    RecordStatus,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowStatus,
)
from reconciler.core.names import SOURCE_LABEL
from reconciler.core.shards import Shard
from reconciler.errors import AlreadyExists, Conflict, Refused
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import CHILDREN, EVENTS, WORKFLOWS, Target, create, page, patch
from reconciler.seams import (
    ConfigMap,
    Deadline,
    Event,
    Lease,
    NewChild,
    Precondition,
    Regarding,
    Scope,
)
from tests.conformance.bodies import Json, child, workflow
from tests.conformance.conftest import Server
from tests.fakes.clock import START, FrozenClock

PENDING = WorkflowStatus(phase=Phase.PENDING, observed_generation=1)


@pytest.fixture
def cluster(server: Server) -> KubeCluster:
    clock = FrozenClock()
    calls = Calls(server.transport, clock, Deadline(clock, 3600))
    return KubeCluster(calls, state_namespace=server.namespace, identity="a-pod")


@pytest.fixture
def scope(server: Server) -> Scope:
    return Scope(server.namespace, "default")


def applied(cluster: KubeCluster, server: Server, source: str = "") -> WorkflowExecution:
    labels = {"labels": {SOURCE_LABEL: source}} if source else {}
    body = workflow("one", {"namespace": server.namespace, **labels})
    return cluster.apply_workflow(body, Precondition())


def new_child(server: Server, body: Json) -> NewChild:
    return NewChild(server.namespace, body["metadata"]["name"], "", "a", 0, body)


def test_the_unsettled_of_this_source_and_of_nobody_are_listed(
    cluster: KubeCluster, server: Server, scope: Scope
) -> None:
    """Contract 1, observe: whose label is absent or this run's."""
    for name, source in (("mine", "default"), ("nobodys", ""), ("elses", "other")):
        meta = {"labels": {SOURCE_LABEL: source}} if source else None
        server.done(create(WORKFLOWS, server.namespace, workflow(name, meta)))
    settled = {"status": {"phase": "Completed", "settled": True}}
    server.done(create(WORKFLOWS, server.namespace, workflow("settled")))
    server.done(patch(Target(WORKFLOWS, server.namespace, "settled", "status"), settled))
    listed = cluster.workflows(scope)
    assert [each.metadata.name for each in listed.items] == ["mine", "nobodys"]
    assert listed.at is not None
    assert listed.at.tzinfo is not None
    without = cluster.workflows(replace(scope, source=None))
    assert [each.metadata.name for each in without.items] == ["nobodys"]


def test_shards_divide_the_list(cluster: KubeCluster, server: Server, scope: Scope) -> None:
    """Contract 1, shards: each workflow is one shard's."""
    names = [f"w{n}" for n in range(8)]
    for name in names:
        server.done(create(WORKFLOWS, server.namespace, workflow(name)))
    halves = [cluster.workflows(replace(scope, shard=Shard(index, 2))) for index in range(2)]
    found = [each.metadata.name for half in halves for each in half.items]
    assert sorted(found) == names
    assert [half.elsewhere for half in halves] == [0, 0]


def test_a_selector_narrows_the_list(cluster: KubeCluster, server: Server, scope: Scope) -> None:
    """Contract 5: releases that share a namespace divide it by --selector."""
    server.done(create(WORKFLOWS, server.namespace, workflow("a", {"labels": {"team": "x"}})))
    server.done(create(WORKFLOWS, server.namespace, workflow("b")))
    listed = cluster.workflows(replace(scope, selector="team=x"))
    assert [each.metadata.name for each in listed.items] == ["a"]


def test_a_workflow_that_is_applied_can_be_read(cluster: KubeCluster, server: Server) -> None:
    """Also with what the model leaves out."""
    made = applied(cluster, server)
    assert cluster.workflow(server.namespace, "one") == made
    raw = cluster.raw_workflow(server.namespace, "one")
    assert raw is not None
    assert raw["metadata"]["managedFields"]


def test_what_is_not_there_is_none(cluster: KubeCluster, server: Server) -> None:
    """Every read by name, and a name that no object can have."""
    reads = (cluster.child, cluster.workflow, cluster.raw_workflow, cluster.record)
    assert [read(server.namespace, "none") for read in reads] == [None] * 4
    assert [cluster.child(server.namespace, name) for name in ("", "..", "a/b")] == [None] * 3
    assert cluster.config_map("none") is None
    assert cluster.lease("none").lease is None
    assert cluster.lease("none").at is not None


def test_a_new_workflow_meets_none_that_exists(cluster: KubeCluster, server: Server) -> None:
    """Contract 5: create-only."""
    applied(cluster, server)
    with pytest.raises(Conflict):
        applied(cluster, server)


def test_an_apply_meets_exactly_what_was_read(cluster: KubeCluster, server: Server) -> None:
    """Contract 5: a late apply lands on nothing else."""
    meta = applied(cluster, server).metadata
    body = workflow("one", {"namespace": server.namespace}, suspend=True)
    for wrong in (
        Precondition(meta.uid, "1"),
        Precondition("another", meta.resource_version),
    ):
        with pytest.raises(Conflict):
            cluster.apply_workflow(body, wrong)
    made = cluster.apply_workflow(body, Precondition(meta.uid, meta.resource_version))
    assert made.spec.suspend is True
    assert made.metadata.generation == 2


def test_an_unknown_field_is_refused_for_good(cluster: KubeCluster, server: Server) -> None:
    """Contract 7: that 500 is permanent, and no second attempt is made."""
    body = workflow("one", {"namespace": server.namespace}, unheard=1)
    with pytest.raises(Refused, match="unheard") as refused:
        cluster.apply_workflow(body, Precondition())
    assert refused.value.lasting
    assert cluster.requests() == {("apply", "500"): 1}


def test_a_dry_run_is_answered_and_stores_nothing(cluster: KubeCluster, server: Server) -> None:
    """Contract 9."""
    body = workflow("one", {"namespace": server.namespace})
    assert cluster.apply_workflow(body, Precondition(), dry_run=True).metadata.name == "one"
    assert cluster.workflow(server.namespace, "one") is None


def test_exactly_the_workflow_that_was_read_is_cancelled(
    cluster: KubeCluster, server: Server
) -> None:
    """Contract 5, Replace: merge patch with uid and resourceVersion, a field manager of its own."""
    first = applied(cluster, server).metadata
    read = Precondition(first.uid, first.resource_version)
    for other in (replace(read, uid="another"), replace(read, version="1")):
        with pytest.raises(Conflict):
            cluster.cancel_workflow(server.namespace, "one", other)
    cluster.cancel_workflow(server.namespace, "gone", read)
    cluster.cancel_workflow(server.namespace, "one", read)
    stored = server.get(WORKFLOWS, "one")
    assert stored.body["spec"]["cancel"] is True
    assert stored.meta["resourceVersion"] != first.resource_version
    managers = {each["manager"] for each in stored.meta["managedFields"]}
    assert managers == {"reconciler", "reconciler-replace"}
    with pytest.raises(Conflict):
        cluster.cancel_workflow(server.namespace, "one", read)


def test_a_cancel_that_is_not_gits_survives_an_apply_that_does_not_state_it(
    cluster: KubeCluster, server: Server
) -> None:
    """Contract 5: absent in git: left out, so that what others set stays."""
    first = applied(cluster, server).metadata
    read = Precondition(first.uid, first.resource_version)
    cluster.cancel_workflow(server.namespace, "one", read)
    version = server.get(WORKFLOWS, "one").meta["resourceVersion"]
    body = workflow("one", {"namespace": server.namespace}, suspend=True)
    cluster.apply_workflow(body, replace(read, version=version))
    spec = server.get(WORKFLOWS, "one").body["spec"]
    assert (spec["cancel"], spec["suspend"]) == (True, True)


def test_exactly_the_workflow_that_was_read_is_deleted(
    cluster: KubeCluster, server: Server
) -> None:
    """Contract 5: one DELETE each with uid and resourceVersion; gone is fine."""
    first = applied(cluster, server).metadata
    read = Precondition(first.uid, first.resource_version)
    for other in (replace(read, uid="another"), replace(read, version="1")):
        with pytest.raises(Conflict):
            cluster.delete_workflow(server.namespace, "one", other)
    assert server.get(WORKFLOWS, "one").status == 200
    for _ in range(2):
        cluster.delete_workflow(server.namespace, "one", read)
    assert server.get(WORKFLOWS, "one").status == 404


def test_a_status_is_written_once_per_version(cluster: KubeCluster, server: Server) -> None:
    """Contract 1, reserve."""
    read = applied(cluster, server)
    written = cluster.write_status(read, PENDING)
    assert written.status == PENDING
    assert written.spec == read.spec
    with pytest.raises(Conflict):
        cluster.write_status(read, PENDING)


def test_a_status_of_a_workflow_that_is_gone_is_a_conflict(
    cluster: KubeCluster, server: Server
) -> None:
    """Contract 7: not there any more is the next run's, as changed is."""
    read = applied(cluster, server)
    gone = read.model_copy(update={"metadata": read.metadata.model_copy(update={"name": "two"})})
    with pytest.raises(Conflict):
        cluster.write_status(gone, PENDING)


def test_a_child_is_created_once(cluster: KubeCluster, server: Server) -> None:
    """Contract 3: names are locks."""
    owner = applied(cluster, server).metadata.uid
    body = child("c", owner)
    made = cluster.create_child(new_child(server, body))
    assert (made.name, made.step, made.attempt, made.owner) == ("c", "a", 0, owner)
    assert made.phase == ""
    assert made.active
    with pytest.raises(AlreadyExists):
        cluster.create_child(new_child(server, body))
    assert cluster.child(server.namespace, "c") == made
    assert list(cluster.children(server.namespace, ["one", "two"])) == [made]
    assert list(cluster.children(None, [f"of-{server.namespace}"])) == []


def test_a_childs_status_is_read_as_its_executor_wrote_it(
    cluster: KubeCluster, server: Server
) -> None:
    """Contract 2: an executor that may not be ours."""
    cluster.create_child(new_child(server, child("c")))
    told = {
        "phase": "Odd",
        "executionStartTime": "2026-01-02T04:04:05+01:00",
        "lastError": "x" * 2000,
        "reason": "Because",
    }
    server.done(patch(Target(CHILDREN, server.namespace, "c", "status"), {"status": told}))
    found = cluster.child(server.namespace, "c")
    assert found is not None
    assert (found.phase, found.reason, found.started) == ("Odd", "Because", START)
    assert len(found.last_error) == 1024
    assert found.active


def test_exactly_this_child_is_asked_to_stop(cluster: KubeCluster, server: Server) -> None:
    """Contract 3: nothing else is changed; gone is fine."""
    made = cluster.create_child(new_child(server, child("c")))
    with pytest.raises(Conflict):
        cluster.ask_to_stop(replace(made, uid="another"))
    cluster.ask_to_stop(replace(made, name="gone"))
    cluster.ask_to_stop(made)
    cluster.ask_to_stop(made)
    found = cluster.child(server.namespace, "c")
    assert found is not None
    assert found.cancel_requested


def test_a_child_that_is_refused_says_why(cluster: KubeCluster, server: Server) -> None:
    """Contract 4: CreationRefused, with the server's words."""
    with pytest.raises(Refused, match="timeout") as refused:
        cluster.create_child(new_child(server, child("c", timeout="soon")))
    assert (refused.value.status, refused.value.reason) == (422, "Invalid")


def test_an_event_is_announced(cluster: KubeCluster, server: Server) -> None:
    """Contract 10: regarding with uid; a note of any length is cut to 1,024 bytes."""
    regarding = Regarding(WORKFLOWS.api_version, WORKFLOWS.kind, server.namespace, "one", "uid")
    cluster.announce(Event(regarding, "StepStarted", "é" * 1000, warning=True))
    (found,) = server.done(page(EVENTS, server.namespace)).body["items"]
    assert found["note"] == "é" * 512
    assert (found["type"], found["reason"]) == ("Warning", "StepStarted")
    assert found["regarding"]["uid"] == "uid"
    assert found["reportingController"] == "reconciler.kubernaut.ai"
    assert found["reportingInstance"] == "a-pod"


def test_an_event_of_a_very_long_name_is_announced(cluster: KubeCluster, server: Server) -> None:
    """A name of 253 characters, cut where no name may end."""
    name = f"{'x' * 49}.{'y' * 203}"
    regarding = Regarding(WORKFLOWS.api_version, WORKFLOWS.kind, server.namespace, name, "uid")
    cluster.announce(Event(regarding, "StepStarted", "a"))
    (found,) = server.done(page(EVENTS, server.namespace)).body["items"]
    assert found["metadata"]["name"].startswith(f"{'x' * 49}-")


def test_a_lease_is_made_taken_and_released(cluster: KubeCluster) -> None:
    """Contract 1, lease: by resourceVersion."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    mine = Lease("l", "me", timedelta(seconds=60), acquired=at, renewed=at)
    made = cluster.write_lease(mine)
    assert replace(made, version="") == mine
    with pytest.raises(AlreadyExists):
        cluster.write_lease(mine)
    read = cluster.lease("l")
    assert read.lease == made
    assert read.at is not None
    released = cluster.write_lease(replace(made, holder=""), timeout=5)
    assert released.holder == ""
    with pytest.raises(Conflict):
        cluster.write_lease(made)


def test_a_config_map_is_made_and_replaced(cluster: KubeCluster) -> None:
    """Contract 5: the head of a source, by the resourceVersion that was read."""
    made = cluster.write_config_map(ConfigMap("head", {"a": "", "b": "c"}))
    assert made.data == {"a": "", "b": "c"}
    with pytest.raises(AlreadyExists):
        cluster.write_config_map(ConfigMap("head", {}))
    replaced = cluster.write_config_map(replace(made, data={"b": "d"}))
    assert cluster.config_map("head") == replaced
    assert replaced.data == {"b": "d"}
    with pytest.raises(Conflict):
        cluster.write_config_map(made)


def test_a_record_is_made_and_written(cluster: KubeCluster, server: Server, scope: Scope) -> None:
    """Contract 5: without status at first; each write carries the version that was read."""
    metadata = Metadata(name="r", namespace=server.namespace, labels={SOURCE_LABEL: "default"})
    entry = RecordEntry(content="v1:0", state=RecordState.INTENDED)
    said = Reading(
        blob="b" * 40,
        line=1,
        documents=1,
        kind="WorkflowDefinition",
        content="v1:0",
        controls="v1:1",
        concurrency="Queue",
        history=3,
    )
    first = FirstContent(
        content="v1:0", run="r-0", commit="c" * 40, blob="b" * 40, intended_at=START, reading=said
    )
    spec = RecordSpec(kind="WorkflowDefinition", first=first)
    told = RecordStatus(observed_generation=1, contents=(entry,), reading=said)
    made = cluster.create_record(WorkflowRecord(metadata=metadata, spec=spec, status=told))
    assert (made.spec, made.status) == (spec, RecordStatus())
    with pytest.raises(AlreadyExists):
        cluster.create_record(WorkflowRecord(metadata=metadata))
    written = cluster.write_record(made.model_copy(update={"status": told}))
    assert written.status == told
    assert list(cluster.records(scope)) == [written]
    assert list(cluster.records(replace(scope, source="other"))) == []
    assert cluster.record(server.namespace, "r") == written
    with pytest.raises(Conflict):
        cluster.write_record(made)


def test_all_of_a_source_are_known_by_their_metadata(
    cluster: KubeCluster, server: Server, scope: Scope
) -> None:
    """Contract 5: once an hour the source's objects are listed, the settled too."""
    made = cluster.write_status(
        applied(cluster, server, source="default"),
        WorkflowStatus(phase=Phase.COMPLETED, settled=True, observed_generation=1),
    )
    server.done(create(WORKFLOWS, server.namespace, workflow("nobodys")))
    assert list(cluster.source_workflows(scope)) == [made.metadata]
    assert list(cluster.source_workflows(replace(scope, source=None))) == []


def test_a_namespace_that_is_missing_is_told_with_the_remedy(cluster: KubeCluster) -> None:
    """Contract 7: permanent, and what to do."""
    body = workflow("one", {"namespace": "nowhere"})
    with pytest.raises(Refused, match="kubectl create namespace nowhere") as refused:
        cluster.apply_workflow(body, Precondition())
    assert not refused.value.lasting


def test_requests_are_counted_by_verb_and_code(cluster: KubeCluster, server: Server) -> None:
    """Contract 10: reconciler_api_requests."""
    cluster.workflow(server.namespace, "one")
    applied(cluster, server)
    cluster.workflow(server.namespace, "one")
    cluster.children(server.namespace, [f"w{at}" for at in range(101)])
    assert cluster.requests() == {
        ("get", "404"): 1,
        ("apply", "201"): 1,
        ("get", "200"): 1,
        ("list", "200"): 2,
    }
