"""Contract 5 and I12: a content of a source runs at most once, of one document one at a time."""

from reconciler.core.api import RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import HeadState
from reconciler.kube.requests import (
    CONFIG_MAPS,
    RECORDS,
    WORKFLOWS,
    Request,
    Target,
    Verb,
    create,
)
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, Scene, document, execution, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
APPLIED, UNCHANGED, QUEUED = (
    DocumentResult.APPLIED,
    DocumentResult.UNCHANGED,
    DocumentResult.QUEUED,
)


# --- Queue ------------------------------------------------------------------------------------


def test_a_new_content_is_made_and_waits_for_the_older_run(running: Scene) -> None:
    """Contract 5, Queue: waits until every older run of the definition is settled."""
    applied = running.run().source()
    assert results(applied) == {QUEUED: 1}
    assert running.states() == [INTENDED, CREATED]
    assert len(running.runs) == 2
    assert running.run().workflows() == {
        running.older: Answer.MAY_PLAN,
        running.newer: Answer.WAITS,
    }
    assert not running.whole
    assert running.head.state is HeadState.REACHED


def test_while_one_is_queued_nothing_is_written(running: Scene) -> None:
    """Contract 1: nothing to do means nothing written, though the commit is not whole."""
    running.run().source()
    running.run().workflows()
    running.writes()
    assert results(running.run().source()) == {QUEUED: 1}
    running.run().workflows()
    assert running.writes() == []


def test_once_the_older_run_has_settled_the_commit_becomes_whole(running: Scene) -> None:
    """Contract 5: not while one is queued; then it is."""
    running.run().source()
    running.run().settle(running.older)
    assert running.run().workflows() == {running.newer: Answer.MAY_PLAN}
    running.writes()
    assert results(running.run().source()) == {UNCHANGED: 1}
    assert running.writes() == [f"update ConfigMap {HEAD}"]
    assert running.whole


def test_a_content_that_is_replaced_before_it_started_never_runs(running: Scene) -> None:
    """Contract 5: dropped: the object waits untouched, no successor waits for it."""
    running.run().source()
    replaced = running.newer
    before = running.stored(replaced)
    running.source.commit(document(replicas=3))
    running.run().source()
    assert running.states() == [INTENDED, DROPPED, CREATED]
    running.run().settle(running.older)
    assert running.run().workflows() == {running.newer: Answer.MAY_PLAN, replaced: Answer.WAITS}
    assert running.stored(replaced) == before
    running.run().source()
    assert running.whole


def test_a_dropped_content_that_is_current_again_runs_in_its_turn(running: Scene) -> None:
    """Contract 5: current again, it is intended again."""
    second = running.source.ref
    running.run().source()
    waiting = running.newer
    running.source.commit(document(replicas=3))
    running.run().source()
    running.source.ref = second
    assert results(running.run().source()) == {QUEUED: 1}
    assert running.entries()[0].run == waiting
    assert running.states() == [INTENDED, DROPPED, CREATED]
    running.run().settle(running.older)
    assert running.run().workflows()[waiting] is Answer.MAY_PLAN


def test_going_back_to_the_content_that_runs_drops_the_one_that_waits(running: Scene) -> None:
    """Contract 5: what git has taken back never starts."""
    running.run().source()
    waiting = running.newer
    running.source.commit(document(replicas=1))
    assert results(running.run().source()) == {UNCHANGED: 1}
    assert running.states() == [DROPPED, CREATED]
    running.run().settle(running.older)
    assert running.run().workflows() == {waiting: Answer.WAITS}


# --- a content runs at most once --------------------------------------------------------------


def test_a_run_that_was_deleted_never_runs_again(over: Scene) -> None:
    """I12: a content with a uid and no object has had its run."""
    over.delete(over.runs[0])
    over.clock.advance(3600)
    applied = over.run().source()
    assert results(applied) == {DocumentResult.ALREADY_RAN: 1}
    assert over.runs == []
    assert over.whole
    assert "kubernaut.ai/rerun" in applied.problems[0].message


def test_a_commit_that_is_reverted_never_runs_again(over: Scene) -> None:
    """I12: whatever is reverted beside it."""
    first = over.source.ref
    over.source.commit(document(replicas=2))
    run = over.run()
    run.source()
    run.workflows()
    run.settle(over.newer)
    over.source.ref = first
    assert results(over.run().source()) == {UNCHANGED: 1}
    assert over.run().workflows() == {}
    for name in over.runs:
        over.delete(name)
    over.clock.advance(3600)
    assert results(over.run().source()) == {DocumentResult.ALREADY_RAN: 1}
    assert over.runs == []


def test_the_same_content_runs_again_by_its_annotation(over: Scene) -> None:
    """Contract 5: to run the same content again, change kubernaut.ai/rerun in git."""
    over.source.commit(document(annotations='kubernaut.ai/rerun: "2"'))
    assert results(over.run().source()) == {APPLIED: 1}
    assert over.run().workflows() == {over.newer: Answer.MAY_PLAN}
    assert over.whole


def restored(scene: Scene, name: str) -> None:
    """From a backup: the same name, another uid, no status."""
    found = scene.workflow(name)
    scene.delete(name)
    about = {key: found["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    body = {**{key: found[key] for key in ("apiVersion", "kind", "spec")}, "metadata": about}
    assert scene.server.handle(create(WORKFLOWS, NAMESPACE, body)).ok


def test_a_run_that_was_restored_ends_without_running(over: Scene) -> None:
    """Contract 5: another uid: Failed, reason AlreadyRan, and nothing of it runs."""
    (name,) = over.runs
    restored(over, name)
    over.clock.advance(3600)
    assert results(over.run().source()) == {DocumentResult.ALREADY_RAN: 1}
    assert over.run().workflows() == {name: Answer.ALREADY_RAN}
    assert [entry.phase for entry in over.entries()] == ["Completed"]


def test_a_run_whose_record_is_lost_ends_without_running(scene: Scene) -> None:
    """Contract 5: no entry: a cluster restored without its records starts nothing."""
    scene.source.commit(document())
    scene.run().source()
    (name,) = scene.runs
    scene.server.handle(Request(Verb.DELETE, Target(RECORDS, NAMESPACE, "restart")))
    scene.server.handle(Request(Verb.DELETE, Target(CONFIG_MAPS, NAMESPACE, HEAD)))
    assert results(scene.run().source()) == {DocumentResult.ALREADY_RAN: 1}
    assert scene.entries() == []
    assert scene.run().workflows() == {name: Answer.ALREADY_RAN}


def test_an_object_that_was_deleted_before_it_was_planned_is_made_again(scene: Scene) -> None:
    """Contract 5: intended and no object: it is made (again), for none was ever planned."""
    scene.source.commit(document())
    scene.run().source()
    (name,) = scene.runs
    scene.delete(name)
    scene.clock.advance(3600)
    assert results(scene.run().source()) == {APPLIED: 1}
    assert scene.run().workflows() == {name: Answer.MAY_PLAN}


# --- documents that leave git -----------------------------------------------------------------


def test_a_run_whose_document_leaves_git_before_it_started_never_starts(running: Scene) -> None:
    """Contract 5: what an older run left intended the next one drops."""
    running.run().source()
    waiting = running.newer
    running.source.commit(execution("other"))
    running.run().source()
    assert running.states() == [DROPPED, CREATED]
    running.run().settle(running.older)
    assert running.run().workflows()[waiting] is Answer.WAITS


def test_a_run_that_executes_outlives_its_document(running: Scene) -> None:
    """I8: nothing is deleted but by prune; one that still executes settles first."""
    at_work = running.runs
    running.source.commit(execution("other"))
    running.run().source()
    assert set(at_work) < set(running.runs)
    running.run().settle(running.older)
    assert [each.phase for each in running.entries()] == ["Completed"]


def test_a_bad_document_drops_nothing(running: Scene) -> None:
    """Contract 5: which document it is nobody can say; one that is bad harms itself alone."""
    running.run().source()
    running.source.commit("kind: [")
    assert results(running.run().source()) == {DocumentResult.INVALID: 1}
    assert running.states() == [INTENDED, CREATED]
