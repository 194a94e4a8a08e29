"""Contract 5, --adopt: an object of that name that is not of this source is taken over, or not."""

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.core.api import Phase, RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.kube.requests import WORKFLOWS, Target, patch
from reconciler.stages.records import Answer, settle_records
from tests.builders import NAMESPACE
from tests.unit.stages.scene import CrashAt, Scene, execution, results

INTENDED, CREATED, DROPPED, RECORDED = RecordState
APPLIED, NAME_TAKEN, UNCHANGED = (
    DocumentResult.APPLIED,
    DocumentResult.NAME_TAKEN,
    DocumentResult.UNCHANGED,
)


def by_hand(scene: Scene, phase: Phase = Phase.NEW, *, replicas: int = 1) -> dict[str, Any]:
    """Somebody's kubectl made the workflow `once`, and it has come this far."""
    elsewhere = Scene()
    elsewhere.source.commit(execution(replicas=replicas))
    elsewhere.run().source()
    scene.put({**elsewhere.workflow("once"), "metadata": {"name": "once", "namespace": NAMESPACE}})
    if phase is not Phase.NEW:
        run = scene.run()
        found = run.world.cluster.workflow(NAMESPACE, "once")
        assert found is not None
        run.write(found, phase, settled=phase.terminal)
    stored: dict[str, Any] = dict(scene.workflow("once"))
    return stored


def replicas(stored: Mapping[str, Any]) -> int:
    parameters = stored["spec"]["workflowDefinition"]["steps"][0]["parameters"]
    found: int = parameters["scaleDeployment"]["replicas"]
    return found


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.source.commit(execution())
    return scene


def adopting(scene: Scene) -> dict[DocumentResult, int]:
    return results(scene.run(adopt=True).source())


def test_without_adopt_it_is_left_alone(scene: Scene) -> None:
    """Contract 5: NameTaken, never touched."""
    before = by_hand(scene)
    assert results(scene.run().source()) == {NAME_TAKEN: 1}
    assert scene.workflow("once") == before


def test_one_that_has_not_started_becomes_the_documents(scene: Scene) -> None:
    """Contract 5: taken over: the same object, with the document's spec."""
    before = by_hand(scene, replicas=7)
    assert adopting(scene) == {APPLIED: 1}
    after = scene.workflow("once")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["labels"] == {"kubernaut.ai/source": "default"}
    assert replicas(after) == 1
    assert scene.run().workflows() == {"once": Answer.MAY_PLAN}
    assert scene.states("once") == [CREATED]
    assert scene.whole


def test_one_that_executes_what_the_document_says_goes_on_as_its_run(scene: Scene) -> None:
    """I12: its content has begun to run, and begins no second time."""
    before = by_hand(scene, Phase.EXECUTING)
    assert adopting(scene) == {APPLIED: 1}
    (entry,) = scene.entries("once")
    assert (entry.state, entry.uid) == (CREATED, before["metadata"]["uid"])
    assert scene.workflow("once")["spec"] == before["spec"]
    scene.run().settle("once")
    assert [each.phase for each in scene.entries("once")] == ["Completed"]
    scene.delete("once")
    scene.clock.advance(3600)
    assert results(scene.run().source()) == {DocumentResult.ALREADY_RAN: 1}


def test_one_that_has_settled_counts_as_the_run_of_its_content(scene: Scene) -> None:
    """I12: settled, its spec is immutable whole; label and provenance are not."""
    scene.source.commit(execution(more="  suspend: true\n"))
    before = by_hand(scene, Phase.COMPLETED)
    assert adopting(scene) == {APPLIED: 1}
    assert scene.workflow("once")["spec"] == before["spec"]
    scene.clock.advance(3600)
    run = scene.run()
    settle_records(run.world.cluster, run.view())
    assert [each.phase for each in scene.entries("once")] == ["Completed"]
    assert results(scene.run().source()) == {UNCHANGED: 1}


@pytest.mark.parametrize("phase", [Phase.EXECUTING, Phase.COMPLETED], ids=lambda phase: phase.value)
def test_one_that_has_started_with_another_spec_is_left_alone(scene: Scene, phase: Phase) -> None:
    """Contract 2 and 5: what has started keeps its spec, so it is not what the document says."""
    before = by_hand(scene, phase, replicas=7)
    applied = scene.run(adopt=True).source()
    assert results(applied) == {NAME_TAKEN: 1}
    assert "another spec" in applied.problems[0].message
    assert scene.workflow("once") == before


def test_one_that_lost_its_label_is_ours_again(scene: Scene) -> None:
    """Contract 5: an object without this source's label is not of this source."""
    scene.run().source()
    scene.run().workflows()
    about = {"metadata": {"labels": {"kubernaut.ai/source": None}}}
    assert scene.server.handle(patch(Target(WORKFLOWS, NAMESPACE, "once"), about)).ok
    scene.clock.advance(3600)
    assert adopting(scene) == {APPLIED: 1}
    assert scene.workflow("once")["metadata"]["labels"] == {"kubernaut.ai/source": "default"}
    assert len(scene.entries("once")) == 1


def test_one_of_another_source_stays_its_own_while_its_record_is(scene: Scene) -> None:
    """Contract 5: one record a document; two sources never share one."""
    scene.run(name="other", url="https://git.example/other.git").source()
    before = scene.workflow("once")
    assert adopting(scene) == {NAME_TAKEN: 1}
    assert scene.workflow("once") == before


def test_adopted_it_costs_nothing_more(scene: Scene) -> None:
    """Contract 1: nothing to do means nothing written."""
    by_hand(scene, Phase.EXECUTING)
    adopting(scene)
    scene.writes()
    adopting(scene)
    scene.run().source()
    assert scene.writes() == []


@pytest.mark.parametrize("phase", [Phase.NEW, Phase.EXECUTING], ids=["new", "executing"])
def test_a_crash_while_it_is_taken_over_is_healed(scene: Scene, phase: Phase) -> None:
    """I6: entry first, then the fence, then the object."""
    point, died = 0, True
    while died:
        each = Scene()
        each.source.commit(execution())
        by_hand(each, phase)
        died = each.crashing(lambda: adopting(each), CrashAt(point, landed=True))  # noqa: B023  # called at once
        adopting(each)
        each.run().workflows()
        adopting(each)
        assert each.states("once") == [CREATED]
        assert each.whole
        point += 1
    assert point > 3


def test_a_dry_run_shows_what_would_be_taken_over(scene: Scene) -> None:
    """Contract 9: server-side dry run of the applies."""
    before = by_hand(scene, Phase.EXECUTING)
    applied = scene.run(adopt=True).source(dry_run=True)
    assert results(applied) == {APPLIED: 1}
    assert scene.workflow("once") == before
