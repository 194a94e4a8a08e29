"""Contract 5, --first-run record: a cluster that is new, or was rebuilt, repeats nothing."""

import pytest

from reconciler.core.api import RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.core.source import HeadState
from reconciler.kube.requests import CONFIG_MAPS, Target, delete
from reconciler.stages.records import Answer
from tests.builders import NAMESPACE
from tests.unit.stages.scene import HEAD, CrashAt, Refusing, Scene, document, execution, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
DOCUMENTS = (document("a"), execution("b"))


def source(scene: Scene) -> dict[DocumentResult, int]:
    """One run that records what is new to the cluster."""
    return results(scene.run(record=True).source())


@pytest.fixture
def entered(scene: Scene) -> Scene:
    """A source was new to this cluster, and its documents were recorded."""
    scene.source.commit(*DOCUMENTS)
    source(scene)
    scene.writes()
    return scene


def test_the_documents_of_a_new_source_are_recorded_and_none_starts(scene: Scene) -> None:
    """Contract 5: enters their contents as recorded and starts none."""
    scene.source.commit(*DOCUMENTS)
    assert source(scene) == {DocumentResult.RECORDED: 2}
    assert scene.runs == []
    assert (scene.states("a"), scene.states("b")) == ([RECORDED], [RECORDED])
    assert scene.whole


def test_the_head_comes_last_so_that_a_crash_repeats_nothing(scene: Scene) -> None:
    """Contract 5: no head: the source is new to this cluster, and stays so until all is entered."""
    scene.source.commit(*DOCUMENTS)
    point, died = 0, True
    while died:
        scene = Scene()
        scene.source.commit(*DOCUMENTS)
        crash = CrashAt(point, landed=True)
        died = scene.crashing(lambda: source(scene), crash)  # noqa: B023  # called at once
        source(scene)
        assert (scene.runs, scene.whole) == ([], True)
        assert scene.states("a") == scene.states("b") == [RECORDED]
        point += 1
    assert point > 3


def test_once_entered_what_is_recorded_costs_nothing(entered: Scene) -> None:
    """Contract 1: nothing to do means nothing written."""
    source(entered)
    entered.run().source()
    assert entered.writes() == []


def test_what_changes_from_then_on_runs(entered: Scene) -> None:
    """Contract 5: a new content of a source that is known."""
    entered.source.commit(document("a", replicas=2), execution("b"), document("c"))
    assert source(entered) == {DocumentResult.APPLIED: 2, DocumentResult.RECORDED: 1}
    answers = entered.run().workflows()
    assert sorted(answers.values()) == [Answer.MAY_PLAN, Answer.MAY_PLAN]
    assert entered.states("a") == [CREATED, RECORDED]


def test_what_is_recorded_runs_by_its_annotation(entered: Scene) -> None:
    """Contract 5: to run the same content again, change kubernaut.ai/rerun."""
    again = document("a", annotations='kubernaut.ai/rerun: "1"')
    entered.source.commit(again, execution("b"))
    assert source(entered) == {DocumentResult.APPLIED: 1, DocumentResult.RECORDED: 1}


def test_the_default_is_to_run(scene: Scene) -> None:
    """Contract 5: --first-run run, of the command line."""
    scene.source.commit(*DOCUMENTS)
    assert results(scene.run().source()) == {DocumentResult.APPLIED: 2}


def test_until_every_document_is_entered_none_of_them_starts(scene: Scene) -> None:
    """Contract 5: starts none, also not the one whose namespace comes an hour later."""
    far = execution("far").replace("name: far", "name: far\n  namespace: later")
    near = execution("near").replace("name: near", f"name: near\n  namespace: {NAMESPACE}")
    scene.source.commit(near, far)
    run = scene.run(record=True, namespace=None)
    assert results(run.source()) == {DocumentResult.RECORDED: 1, DocumentResult.REFUSED: 1}
    assert scene.head.state is HeadState.RECORDING
    scene.server.namespaces.add("later")
    run = scene.run(record=True, namespace=None)
    assert results(run.source()) == {DocumentResult.RECORDED: 2}
    assert (scene.runs, scene.whole) == ([], True)


def test_a_document_that_is_refused_by_its_record_keeps_the_source_new(scene: Scene) -> None:
    """Contract 5, I11: the others are entered, and nothing starts meanwhile."""
    scene.source.commit(*DOCUMENTS)
    scene.run(name="other", url="https://git.example/other.git").source()
    scene.writes()
    assert source(scene) == {DocumentResult.NAME_TAKEN: 2}
    assert scene.head.state is HeadState.RECORDING


def test_records_that_outlived_their_head_keep_their_results(scene: Scene) -> None:
    """Contract 5: without a head the source is new; what has run is not recorded over."""
    scene.ran(*DOCUMENTS)
    scene.source.commit(*DOCUMENTS, document("c"))
    assert scene.server.handle(delete(Target(CONFIG_MAPS, NAMESPACE, HEAD))).ok
    assert source(scene) == {DocumentResult.UNCHANGED: 2, DocumentResult.RECORDED: 1}
    assert [each.phase for each in scene.entries("a")] == ["Completed"]
    assert scene.whole


def test_a_run_that_outlived_its_head_goes_on_and_is_steered_by_the_next(scene: Scene) -> None:
    """Contract 5: what is new is entered first; a run that exists is not a start."""
    scene.source.commit(document("a"))
    scene.run().source()
    scene.run().workflows()
    scene.source.commit(document("a", more="  suspend: true\n"))
    assert scene.server.handle(delete(Target(CONFIG_MAPS, NAMESPACE, HEAD))).ok
    assert source(scene) == {DocumentResult.NOT_REACHED: 1}
    assert scene.head.state is HeadState.REACHED
    assert source(scene) == {DocumentResult.APPLIED: 1}
    assert scene.workflow(scene.runs[0])["spec"]["suspend"] is True


def test_an_object_that_was_restored_without_its_record_ends_without_running(
    scene: Scene,
) -> None:
    """Contract 5: a rebuilt cluster, restored from a backup of objects alone."""
    scene.source.commit(execution("b"))
    scene.run().source()
    objects = scene.workflow("b")
    rebuilt = Scene()
    rebuilt.source.commit(execution("b"))
    rebuilt.put(objects)
    assert source(rebuilt) == {DocumentResult.RECORDED: 1}
    assert rebuilt.run().workflows() == {"b": Answer.ALREADY_RAN}


def test_while_the_head_cannot_be_written_the_source_stays_new(scene: Scene) -> None:
    """Contract 5: the head is what says that the source is known."""
    scene.source.commit(*DOCUMENTS)
    scene.server.interceptor = Refusing(403, HEAD)
    with pytest.raises(Exception, match=HEAD):
        source(scene)
    scene.server.interceptor = None
    assert source(scene) == {DocumentResult.RECORDED: 2}
    assert scene.runs == []
