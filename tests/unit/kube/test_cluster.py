"""The Cluster where a server misbehaves; what it does with a good one stands in conformance."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.api import WorkflowExecution
from reconciler.core.shards import Shard
from reconciler.errors import (
    AlreadyExists,
    Conflict,
    DeadlinePassed,
    Refused,
    Unreachable,
)
from reconciler.kube import codec
from reconciler.kube.answers import Response
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import RECORDS, WORKFLOWS
from reconciler.retry import Transient
from reconciler.seams import Event, Lease, NewChild, Regarding, Scope
from tests.conformance.bodies import child, lease, record, workflow
from tests.unit.kube.scripted import Line, Wire, ok, refusal

SCOPE = Scope("shop", "default")
REGARDING = Regarding("v1", "ConfigMap", "shop", "head", "u")
CHILD = NewChild("shop", "c", "o", "a", 0, child("c"))
NO_PAGE = Response(404, b"404 page not found\n")


def over(*lines: Line) -> tuple[KubeCluster, Wire]:
    wire = Wire(*lines)
    return KubeCluster(wire.calls, state_namespace="state"), wire


def list_of(kind: str, *items: dict[str, Any]) -> Response:
    api_version = WORKFLOWS.api_version
    return ok({"apiVersion": api_version, "kind": f"{kind}List", "metadata": {}, "items": items})


def test_one_workflow_that_cannot_be_read_stops_no_other() -> None:
    """I11: it is told, skipped, never touched."""
    cluster, _ = over(
        list_of(
            "WorkflowExecution",
            workflow("a", {"namespace": "shop"}),
            workflow("b", {"namespace": "shop"}, timeout="soon"),
        )
    )
    listed = cluster.workflows(SCOPE)
    assert [each.metadata.name for each in listed.items] == ["a"]
    assert [(each.namespace, each.name) for each in listed.unreadable] == [("shop", "b")]


def test_a_workflow_of_another_source_is_not_even_judged() -> None:
    """Contract 1, observe: it is not this run's to tell of."""
    foreign = workflow("b", {"labels": {"kubernaut.ai/source": "other"}}, timeout="soon")
    cluster, _ = over(list_of("WorkflowExecution", foreign))
    listed = cluster.workflows(SCOPE)
    assert (listed.items, listed.unreadable, listed.at) == ((), (), None)


def test_of_another_shards_workflow_no_more_is_made_than_its_active_steps() -> None:
    """Contract 1, shards: each pays for its own, and one that cannot be read is told once."""
    shards = [Shard(index, 3) for index in range(3)]
    items = [
        workflow(
            f"w{n}", {"namespace": "shop", "uid": f"uid-{n}"}, timeout="soon" if n < 4 else "5m"
        )
        | {"status": {"activeSteps": n}}
        for n in range(12)
    ]
    cluster, _ = over(list_of("WorkflowExecution", *items))
    told = [cluster.workflows(replace(SCOPE, shard=shard)) for shard in shards]
    for shard, listed in zip(shards, told, strict=True):
        owned = [n for n in range(12) if shard.owns(f"uid-{n}")]
        assert [each.metadata.name for each in listed.items] == [f"w{n}" for n in owned if n >= 4]
        assert [each.name for each in listed.unreadable] == [f"w{n}" for n in owned if n < 4]
        assert listed.elsewhere == sum(range(12)) - sum(owned)
    assert all(listed.items for listed in told)


@pytest.mark.parametrize("said", ["many", True, None, -3, 2.5])
def test_a_count_of_active_steps_that_makes_no_sense_is_none(said: object) -> None:
    """I11: what another shard owns stops nobody."""
    other = workflow("w", {"uid": "uid-0"}) | {"status": {"activeSteps": said}}
    (elses,) = [Shard(index, 2) for index in range(2) if not Shard(index, 2).owns("uid-0")]
    cluster, _ = over(list_of("WorkflowExecution", other))
    assert cluster.workflows(replace(SCOPE, shard=elses)).elsewhere == 0


def test_a_record_that_cannot_be_read_never_looks_like_none() -> None:
    """I12: its content would run twice, or a run that executes would be ended."""
    broken = record("r") | {"status": {"contents": [{"content": "v1:0", "state": "odd"}]}}
    broken["metadata"]["namespace"] = "shop"
    cluster, _ = over(list_of("WorkflowRecord", broken))
    with pytest.raises(Refused, match="shop/r"):
        cluster.records(SCOPE)
    cluster, _ = over(ok(broken))
    with pytest.raises(Refused, match="shop/r"):
        cluster.record("shop", "r")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(NO_PAGE, id="the-crd-is-not-installed"),
        pytest.param(refusal(404, "NotFound", name="shop", kind="namespaces"), id="no-namespace"),
        pytest.param(refusal(404, "NotFound", name="d", kind="kubernetesexecutions"), id="another"),
        pytest.param(refusal(403, "Forbidden"), id="forbidden"),
    ],
)
def test_a_child_is_gone_only_when_the_server_says_so_of_it(answer: Response) -> None:
    """Contract 4: else a step would fail as ExecutionDeleted."""
    cluster, _ = over(answer)
    with pytest.raises(Refused):
        cluster.child("shop", "c")


def test_a_child_that_cannot_be_read_now_is_not_gone() -> None:
    """Contract 4: an error leaves the workflow to the next run."""
    cluster, wire = over(refusal(500))
    with pytest.raises(Unreachable):
        cluster.child("shop", "c")
    assert wire.sent == 3


def test_a_create_whose_answer_was_lost_is_told_as_existing() -> None:
    """Contract 3: the caller reads it; ours means done."""
    cluster, wire = over(Transient("reset"), refusal(409, "AlreadyExists", name="c"))
    with pytest.raises(AlreadyExists):
        cluster.create_child(CHILD)
    assert wire.sent == 2


def test_a_create_that_meets_a_moving_quota_is_sent_again() -> None:
    """Contract 3: any other 409 is transient."""
    cluster, wire = over(refusal(409, "Conflict"), ok(child("c")))
    assert cluster.create_child(CHILD).name == "c"
    assert wire.sent == 2


def test_no_child_is_created_after_the_deadline() -> None:
    """Contract 1, create: only while the deadline has not passed."""
    cluster, wire = over(refusal(503, "ServiceUnavailable"), ok(child("c")))
    wire.clock.advance(49.9)
    wire.deadline.stop()
    with pytest.raises(DeadlinePassed):
        cluster.create_child(CHILD)
    assert wire.sent == 0


def test_an_event_is_sent_once() -> None:
    """Contract 10: a failed Event changes nothing else."""
    cluster, wire = over(refusal(503))
    with pytest.raises(Unreachable):
        cluster.announce(Event(REGARDING, "AlreadyRan", "a"))
    assert wire.sent == 1


def test_a_lease_is_released_after_the_deadline_in_one_attempt() -> None:
    """Contract 7: at most 5 s for the Lease's release."""
    cluster, wire = over(ok(lease("l")))
    wire.deadline.stop()
    mine = Lease("l", "", timedelta(seconds=60), version="7")
    assert cluster.write_lease(mine, timeout=5).name == "l"
    assert wire.transport.timeouts == [5]
    with pytest.raises(DeadlinePassed):
        cluster.write_lease(mine)
    assert wire.sent == 1


def test_a_status_that_was_written_but_came_back_odd_is_left_to_the_next_run() -> None:
    """Contract 7: a write may have happened; nothing is built on it."""
    read = codec.parse_workflow(workflow("a", {"namespace": "shop", "resourceVersion": "7"}))
    assert isinstance(read, WorkflowExecution)
    cluster, _ = over(ok(workflow("a", {"namespace": "shop"}, timeout="soon")))
    with pytest.raises(Unreachable, match="written"):
        cluster.write_status(read, read.status)


def test_a_status_whose_answer_was_lost_is_a_conflict() -> None:
    """Contract 7: that workflow is left to the next run, which sees what was written."""
    read = codec.parse_workflow(workflow("a", {"namespace": "shop", "resourceVersion": "7"}))
    assert isinstance(read, WorkflowExecution)
    cluster, wire = over(Transient("reset"), refusal(409, "Conflict"))
    with pytest.raises(Conflict):
        cluster.write_status(read, read.status)
    assert wire.sent == 2


def test_asking_a_child_that_is_gone_to_stop_is_fine() -> None:
    """Contract 3; a kind that is gone is not."""
    asked = replace(codec.child(child("c")), namespace="shop")
    cluster, _ = over(refusal(404, "NotFound", name="c", kind="kubernetesexecutions"))
    cluster.ask_to_stop(asked)
    cluster, _ = over(NO_PAGE)
    with pytest.raises(Refused):
        cluster.ask_to_stop(asked)


def test_without_a_source_nothing_is_asked_of_one() -> None:
    """Contract 9: no URL, no records."""
    cluster, wire = over(NO_PAGE)
    assert list(cluster.records(Scope("shop"))) == []
    assert list(cluster.source_workflows(Scope("shop"))) == []
    assert wire.sent == 0


def test_metadata_without_a_name_is_no_answer() -> None:
    """F12. Nor would it be one if it were asked for again: the body was whole."""
    body = {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadataList",
        "metadata": {},
        "items": [{"metadata": {}}],
    }
    cluster, wire = over(ok(body))
    with pytest.raises(Unreachable):
        cluster.source_workflows(SCOPE)
    assert wire.sent == 1


def test_children_of_other_workflows_are_dropped_as_they_are_read() -> None:
    """Contract 1, observe: also of the one list above 1,000 names."""
    bodies = [child("mine"), child("elses")]
    bodies[1]["metadata"]["labels"]["kubernaut.ai/workflow"] = "two"
    page = {
        "apiVersion": bodies[0]["apiVersion"],
        "kind": "KubernetesExecutionList",
        "metadata": {},
        "items": bodies,
    }
    cluster, wire = over(ok(page))
    found = cluster.children("shop", ["one", *(f"w{at}" for at in range(1000))])
    assert [each.name for each in found] == ["mine"]
    assert wire.sent == 1


def test_no_workflows_have_no_children() -> None:
    """Nothing is asked, nothing is there."""
    cluster, wire = over(NO_PAGE)
    assert list(cluster.children("shop", [])) == []
    assert wire.sent == 0


def test_records_are_those_of_the_source() -> None:
    """Contract 5: by label."""
    cluster, wire = over(list_of("WorkflowRecord", record("r")))
    assert [each.metadata.name for each in cluster.records(SCOPE)] == ["r"]
    assert wire.transport.requests[0].target.resource is RECORDS
