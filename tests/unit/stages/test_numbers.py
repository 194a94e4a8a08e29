"""Contract 1 and 5: what a thousand documents cost, counted at the server."""

from collections import Counter

import pytest
from pydantic_core import from_json

from reconciler.core.api import Metadata, RecordEntry, RecordState
from reconciler.core.outcome import DocumentResult
from reconciler.core.records import MAX_CONTENTS
from reconciler.kube.requests import RECORDS, create, status
from tests.builders import NAMESPACE
from tests.unit.stages.scene import Scene, document, results

MANY = 1000


def commit(scene: Scene) -> None:
    """A file a document."""
    names = [f"d-{number:04}" for number in range(MANY)]
    scene.source.commit(**{f"{name}.yaml": document(name) for name in names})


def told(scene: Scene) -> Counter[str]:
    """Writes since the last call, by verb and kind."""
    return Counter(each.rpartition(" ")[0] for each in scene.writes())


@pytest.fixture
def full(scene: Scene) -> Scene:
    """A thousand documents, whose records hold as many contents as they can; all have run."""
    entries = [
        RecordEntry(
            content=f"v1:{number:064}",
            state=RecordState.CREATED,
            run=f"run-{number}",
            uid=f"uid-{number}",
            phase="Completed",
        ).wire()
        for number in range(MAX_CONTENTS)
    ]
    for number in range(MANY):
        body = {
            "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
            "kind": "WorkflowRecord",
            "metadata": {"name": f"d-{number:04}", "labels": {"kubernaut.ai/source": "default"}},
            "spec": {"kind": "WorkflowDefinition"},
        }
        made = scene.server.handle(create(RECORDS, NAMESPACE, body))
        about = Metadata.model_validate(from_json(made.body)["metadata"])
        whole = {"observedGeneration": 1, "contents": entries}
        assert scene.server.handle(status(RECORDS, about, whole)).ok
    return scene


def test_a_thousand_new_documents_cost_two_writes_each_and_two_of_the_head(scene: Scene) -> None:
    """Contract 5: record and run; then one a run for its uid, and one for its result."""
    commit(scene)
    scene.run().source()
    assert told(scene) == {
        "create WorkflowRecord": MANY,
        "apply WorkflowExecution": MANY,
        "create ConfigMap": 1,
        "update ConfigMap": 1,
    }
    scene.run().workflows()
    assert told(scene)["update WorkflowRecord/status"] == MANY
    scene.settle_all()
    assert told(scene)["update WorkflowRecord/status"] == MANY
    scene.server.log.clear()
    scene.run().source()
    assert [each.request.verb for each in scene.server.log] == ["get"]


def test_twenty_contents_each_are_read_in_pages_and_written_once_a_change(full: Scene) -> None:
    """Contract 5: one list of objects and one of records, whatever they hold."""
    commit(full)
    full.run().source()
    reads = Counter(each.request.verb.value for each in full.server.log)
    assert reads["list"] == 3  # objects, the unsettled, records: a page of 1,000 each
    assert reads["get"] == 1  # the head
    assert told(full) == {
        "update WorkflowRecord/status": MANY,
        "apply WorkflowExecution": MANY,
        "create ConfigMap": 1,
        "update ConfigMap": 1,
    }
    assert len(full.entries("d-0000")) == MAX_CONTENTS
    assert full.entries("d-0000")[0].state is RecordState.INTENDED


def test_an_hour_over_a_thousand_settled_runs_costs_one_write(full: Scene) -> None:
    """Contract 1: nothing to do means nothing written, but one write of the head an hour."""
    commit(full)
    full.run().source()
    full.run().workflows()
    full.settle_all()
    full.clock.advance(3600)
    full.writes()
    assert results(full.run().source()) == {DocumentResult.UNCHANGED: MANY}
    requests = Counter(each.request.verb.value for each in full.server.log)
    assert requests == {"get": 1, "list": 3, "update": 1}
