"""Contract 5 and I12: what is lost, restored or spoilt beside the source, and what runs then."""

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.core.api import RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.errors import ClusterError, SourceError
from reconciler.kube.requests import (
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Resource,
    Target,
    create,
    delete,
    patch,
)
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, Scene, document, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
ALREADY_RAN = {DocumentResult.ALREADY_RAN: 1}


def lost(scene: Scene, resource: Resource, name: str) -> None:
    assert scene.server.handle(delete(Target(resource, NAMESPACE, name))).ok


def restored(scene: Scene, resource: Resource, stored: Mapping[str, Any]) -> None:
    """As backup tools do: another uid, made now, and no status."""
    kept = ("name", "namespace", "labels", "annotations")
    about = {key: each for key, each in stored["metadata"].items() if key in kept}
    told = {key: stored[key] for key in ("apiVersion", "kind", "spec", "data") if key in stored}
    request = create(resource, NAMESPACE, {**told, "metadata": about})
    assert scene.server.handle(request).ok


def stored(scene: Scene, resource: Resource, name: str) -> Mapping[str, Any]:
    found = scene.server.object(resource, NAMESPACE, name)
    assert found is not None
    return found


# --- the head ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"state": "finished"}, id="a-state-that-nobody-writes"),
        pytest.param({"commit": None}, id="without-its-commit"),
    ],
)
def test_a_corrupt_head_stops_the_source_and_deleting_it_repeats_nothing(
    over: Scene, data: dict[str, str | None]
) -> None:
    """Contract 5: unreadable: nothing new is applied, the way out is in the message."""
    target = Target(CONFIG_MAPS, NAMESPACE, HEAD)
    assert over.server.handle(patch(target, {"data": data})).ok
    over.source.commit(document(replicas=2))
    with pytest.raises(SourceError, match="delete it"):
        over.run().source()
    lost(over, CONFIG_MAPS, HEAD)
    over.source.commit(document())
    assert results(over.run().source()) == {DocumentResult.UNCHANGED: 1}
    assert over.run().workflows() == {}
    assert over.whole


def test_a_head_from_an_old_backup_is_caught_up_with(over: Scene) -> None:
    """Contract 5: what it says of the commit in work is older than the records, which decide."""
    old = stored(over, CONFIG_MAPS, HEAD)
    over.source.commit(document(replicas=2))
    run = over.run()
    run.source()
    run.workflows()
    run.settle(over.newer)
    lost(over, CONFIG_MAPS, HEAD)
    restored(over, CONFIG_MAPS, old)
    assert results(over.run().source()) == {DocumentResult.UNCHANGED: 1}
    assert over.run().workflows() == {}
    assert over.whole


# --- records ----------------------------------------------------------------------------------


def test_without_its_record_an_object_keeps_its_content_from_running_again(over: Scene) -> None:
    """Contract 5: an object that no record speaks of is never planned."""
    lost(over, RECORDS, "restart")
    over.clock.advance(3600)
    assert results(over.run().source()) == ALREADY_RAN
    assert over.run().workflows() == {}


def test_without_record_and_object_a_content_is_new(over: Scene) -> None:
    """I12: while its record holds it; the way to forget on purpose."""
    lost(over, RECORDS, "restart")
    lost(over, WORKFLOWS, over.runs[0])
    over.clock.advance(3600)
    assert results(over.run().source()) == {DocumentResult.APPLIED: 1}


def test_a_record_that_was_restored_without_its_status_starts_nothing(over: Scene) -> None:
    """Contract 5, restore from backup: nobody knows what it held, so somebody is asked."""
    record, run = stored(over, RECORDS, "restart"), over.runs[0]
    over.clock.advance(3600)
    lost(over, RECORDS, "restart")
    restored(over, RECORDS, record)
    lost(over, WORKFLOWS, run)
    applied = over.run().source()
    assert results(applied) == {DocumentResult.REFUSED: 1}
    assert "kubectl delete wr restart" in applied.problems[0].message
    assert over.runs == []
    over.writes()
    over.run().source()
    assert over.writes() == []


def test_a_run_that_was_restored_beside_such_a_record_ends_without_running(over: Scene) -> None:
    """Contract 5: objects and records restored, both without status."""
    record, run = stored(over, RECORDS, "restart"), stored(over, WORKFLOWS, over.runs[0])
    over.clock.advance(3600)
    lost(over, RECORDS, "restart")
    lost(over, WORKFLOWS, over.runs[0])
    restored(over, RECORDS, record)
    restored(over, WORKFLOWS, run)
    assert results(over.run().source()) == {DocumentResult.REFUSED: 1}
    assert over.run().workflows() == {over.runs[0]: Answer.ALREADY_RAN}


def test_such_a_record_goes_on_where_the_source_is_entered_as_new(over: Scene) -> None:
    """Contract 5: --first-run record on a cluster that was rebuilt from a backup."""
    record = stored(over, RECORDS, "restart")
    over.clock.advance(3600)
    rebuilt = Scene()
    rebuilt.clock.advance(3600)
    rebuilt.source.commit(document())
    restored(rebuilt, RECORDS, record)
    assert results(rebuilt.run(record=True).source()) == {DocumentResult.RECORDED: 1}
    assert (rebuilt.states(), rebuilt.runs, rebuilt.whole) == ([RECORDED], [], True)


def test_a_record_that_lost_its_label_holds_its_document_back(over: Scene) -> None:
    """Contract 5: it never looks like none; without it a content would run twice."""
    spoilt = {"metadata": {"labels": {"kubernaut.ai/source": None}}}
    assert over.server.handle(patch(Target(RECORDS, NAMESPACE, "restart"), spoilt)).ok
    over.source.commit(document(replicas=2))
    assert results(over.run().source()) == {DocumentResult.NAME_TAKEN: 1}
    assert len(over.runs) == 1


# --- the cluster ------------------------------------------------------------------------------


def test_a_cluster_restored_to_an_earlier_moment_goes_on_from_there(over: Scene) -> None:
    """Contract 5: an etcd snapshot keeps records and objects of one moment; versions go back."""
    moment = over.server.snapshot()
    over.source.commit(document(replicas=2))
    run = over.run()
    run.source()
    run.workflows()
    over.server.restore(moment)
    assert results(over.run().source()) == {DocumentResult.APPLIED: 1}
    assert over.run().workflows() == {over.newer: Answer.MAY_PLAN}
    assert over.whole


def test_a_repository_that_is_gone_changes_nothing_in_the_cluster(over: Scene) -> None:
    """Contract 7: exit 3; what is there stays there."""
    over.source.trouble = "repository not found"
    before = over.server.objects(WORKFLOWS)
    with pytest.raises(SourceError, match="not found"):
        over.run(prune=True).source()
    assert over.server.objects(WORKFLOWS) == before
    assert over.writes() == []


def test_a_history_that_was_rewritten_runs_what_is_new_in_it_alone(over: Scene) -> None:
    """Contract 5: what the ref says now is applied; a content that ran is known by its content."""
    over.source.commit(document(), document("new"))
    told = results(over.run().source())
    assert told == {DocumentResult.APPLIED: 1, DocumentResult.UNCHANGED: 1}


def test_a_server_without_the_kinds_is_told_so(over: Scene) -> None:
    """Contract 7: the CRDs were removed: nothing is applied, nothing is taken for deleted."""
    over.server.not_installed |= {WORKFLOWS, RECORDS}
    over.clock.advance(3600)
    with pytest.raises(ClusterError, match="reconciler crds"):
        over.run(prune=True).source()
    assert over.writes() == []
