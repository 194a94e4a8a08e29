"""Stages 2 and 3 of a source that several clusters read (contract 5)."""

from reconciler.core.outcome import DocumentResult
from tests.unit.stages.scene import Scene, document, results


def of(name: str, clusters: str) -> str:
    return document(name, annotations=f'kubernaut.ai/clusters: "{clusters}"')


def test_a_document_is_applied_where_it_is_for(scene: Scene) -> None:
    """Contract 5: elsewhere it counts as elsewhere, and the commit is whole."""
    scene.source.commit(of("eu", "eu-*"), of("us", "us-*"))
    applied = scene.run(cluster="eu-1").source()
    assert results(applied) == {DocumentResult.APPLIED: 1, DocumentResult.ELSEWHERE: 1}
    assert [each.rpartition("-")[0] for each in scene.runs] == ["eu"]
    assert applied.problems == ()
    assert scene.whole


def test_a_document_that_goes_to_another_cluster_is_not_removed_here(scene: Scene) -> None:
    """Contract 5: never as removed; neither its run nor what was intended."""
    scene.source.commit(of("one", "eu-1"), *(document(f"d{number}") for number in range(3)))
    scene.run(cluster="eu-1", prune=True).source()
    before = scene.runs
    for name in before:
        run = scene.run(cluster="eu-1")
        run.workflows()
        run.settle(name)
    scene.source.commit(of("one", "us-1"), *(document(f"d{number}") for number in range(3)))
    scene.clock.advance(60)
    scene.run(cluster="eu-1", prune=True).source()
    assert scene.runs == before


def test_beside_a_document_for_another_cluster_others_are_removed_as_ever(scene: Scene) -> None:
    """Contract 5: its name is known, so nothing else can be meant."""
    kept = (of("far", "us-1"), document("d1"), document("d2"))
    scene.source.commit(*kept, document("gone"))
    scene.run(cluster="eu-1", prune=True).source()
    scene.run(cluster="eu-1").workflows()
    for name in scene.runs:
        scene.run(cluster="eu-1").settle(name)
    scene.clock.advance(60)
    scene.source.commit(*kept)
    scene.run(cluster="eu-1", prune=True).source()
    assert [each.rpartition("-")[0] for each in scene.runs] == ["d1", "d2"]


def test_a_cluster_that_gets_a_name_reads_its_source_anew(scene: Scene) -> None:
    """Contract 5: with the same flags only is a whole commit left alone."""
    scene.source.commit(of("eu", "eu-*"), document("all"))
    refused = scene.run().source()
    assert results(refused)[DocumentResult.INVALID] == 1
    applied = scene.run(cluster="eu-1").source()
    assert results(applied) == {DocumentResult.APPLIED: 1, DocumentResult.UNCHANGED: 1}
