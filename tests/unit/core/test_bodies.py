"""Contract 5: the body of an apply, and nothing that we do not own."""

from dataclasses import replace

import pytest

from reconciler.core.bodies import Origin, owned, steering, touching, whole
from reconciler.core.definitions import Definition
from tests.builders import NAMESPACE, NOW
from tests.unit.core.test_verdicts import stated

C1, K1 = "v1:" + "1" * 64, "v1:" + "8" * 64
NEW_COMMIT, OLD_COMMIT = "2" * 40, "1" * 40
ORIGIN = Origin("default", NEW_COMMIT, NOW)
STEPS = [{"name": "a", "action": "Notify", "parameters": {"custom": {}}}]


def document(**controls: object) -> Definition:
    spec = {"workflowDefinition": {"steps": STEPS}, **controls}
    return replace(
        stated(), spec=spec, labels={"team": "shop"}, annotations={"kubernaut.ai/rerun": "2"}
    )


def test_the_whole_document_says_where_it_came_from() -> None:
    """Contract 5: the label, and the annotations of provenance."""
    assert whole(document(suspend=True), ORIGIN) == {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {
            "name": "restart",
            "namespace": NAMESPACE,
            "labels": {"team": "shop", "kubernaut.ai/source": "default"},
            "annotations": {
                "kubernaut.ai/rerun": "2",
                "kubernaut.ai/source": "default",
                "kubernaut.ai/commit": NEW_COMMIT,
                "kubernaut.ai/committed-at": "2026-03-01T12:00:00Z",
                "kubernaut.ai/path": "restart.yaml",
                "kubernaut.ai/blob": "b" * 40,
                "kubernaut.ai/definition": "restart",
                "kubernaut.ai/spec-hash": C1,
                "kubernaut.ai/controls-hash": K1,
            },
        },
        "spec": {"workflowDefinition": {"steps": STEPS}, "suspend": True},
    }


OURS: dict[str, object] = {
    "f:metadata": {
        "f:annotations": {"f:kubernaut.ai/commit": {}, "f:kubernaut.ai/spec-hash": {}},
        "f:labels": {"f:kubernaut.ai/source": {}},
    },
    "f:spec": {
        "f:workflowDefinition": {"f:steps": {}},
        "f:maxConcurrentSteps": {},
        "f:suspend": {},
        "f:approvals": {'k:{"step":"a"}': {".": {}, "f:step": {}}},
    },
}


def started(ours: dict[str, object] = OURS, commit: str = OLD_COMMIT) -> dict[str, object]:
    """An object at work: part of it is ours, part of it others have set."""
    return {
        "apiVersion": "workflowexecution.kubernaut.ai/v1alpha1",
        "kind": "WorkflowExecution",
        "metadata": {
            "name": "restart",
            "namespace": NAMESPACE,
            "uid": "uid-1",
            "resourceVersion": "7",
            "labels": {"kubernaut.ai/source": "default", "added": "by-hand"},
            "annotations": {
                "kubernaut.ai/commit": commit,
                "kubernaut.ai/spec-hash": C1,
                "note": "by-hand",
            },
            "managedFields": [
                {
                    "manager": "kubectl-edit",
                    "operation": "Update",
                    "fieldsV1": {"f:spec": {"f:cancel": {}}},
                },
                {
                    "manager": "reconciler",
                    "operation": "Update",
                    "subresource": "status",
                    "fieldsV1": {"f:status": {"f:phase": {}}},
                },
                {"manager": "reconciler", "operation": "Apply", "fieldsV1": ours},
            ],
        },
        "spec": {
            "workflowDefinition": {"steps": STEPS},
            "maxConcurrentSteps": 2,
            "suspend": True,
            "cancel": False,
            "approvals": [{"step": "b", "by": "eve"}, {"step": "a"}],
        },
        "status": {"phase": "Executing"},
    }


def test_what_we_own_is_what_we_applied() -> None:
    """Contract 5: the live object's labels, annotations and spec as we own them."""
    assert owned(started()) == {
        "metadata": {
            "annotations": {"kubernaut.ai/commit": OLD_COMMIT, "kubernaut.ai/spec-hash": C1},
            "labels": {"kubernaut.ai/source": "default"},
        },
        "spec": {
            "workflowDefinition": {"steps": STEPS},
            "maxConcurrentSteps": 2,
            "suspend": True,
            "approvals": [{"step": "a"}],
        },
    }


def test_of_an_object_that_we_never_applied_we_own_nothing() -> None:
    """I5: objects that are not ours stay as they are."""
    stranger = started()
    stranger["metadata"] = {"name": "restart", "managedFields": None}
    assert owned(stranger) == {}
    assert touching(stranger, ORIGIN, "9") is None


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        pytest.param({}, {}, id="absent-in-git-is-left-out-so-that-what-others-set-stays"),
        pytest.param({"suspend": False}, {"suspend": False}, id="stated-false-is-stated"),
        pytest.param(
            {"cancel": True, "approvals": [{"step": "b"}]},
            {"cancel": True, "approvals": [{"step": "b"}]},
            id="as-the-document-states-them",
        ),
    ],
)
def test_a_started_object_is_steered_by_its_controls_alone(
    controls: dict[str, object], expected: dict[str, object]
) -> None:
    """Contract 5: the document's suspend, cancel and approvals in place of its own."""
    body = steering(started(), document(**controls), ORIGIN)
    assert body["spec"] == {
        "workflowDefinition": {"steps": STEPS},
        "maxConcurrentSteps": 2,
        **expected,
    }


def test_steering_tells_the_commit_that_steers_and_keeps_strangers_labels_out() -> None:
    """Contract 5: a body that stated what others set would take it over."""
    metadata = steering(started(), document(), ORIGIN)["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["labels"] == {"kubernaut.ai/source": "default"}
    assert metadata["annotations"]["kubernaut.ai/commit"] == NEW_COMMIT
    assert metadata["annotations"]["kubernaut.ai/controls-hash"] == K1
    assert "note" not in metadata["annotations"]


def test_sending_again_changes_the_commit_and_nothing_else() -> None:
    """Contract 5: sends every unsettled object again with the new commit."""
    body = touching(started(), ORIGIN, "9")
    assert body is not None
    assert body["spec"] == owned(started())["spec"]
    assert body["metadata"] == {
        "name": "restart",
        "namespace": NAMESPACE,
        "labels": {"kubernaut.ai/source": "default"},
        "annotations": {
            "kubernaut.ai/commit": NEW_COMMIT,
            "kubernaut.ai/spec-hash": C1,
            "kubernaut.ai/source": "default",
            "kubernaut.ai/committed-at": "2026-03-01T12:00:00Z",
        },
    }


def test_sending_again_moves_an_object_that_has_this_commit_already() -> None:
    """Contract 5: after a commit was taken back, an apply that changes nothing outruns nobody."""
    body = touching(started(commit=NEW_COMMIT), ORIGIN, "9")
    assert body is not None
    metadata = body["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["annotations"]["kubernaut.ai/fence"] == "9"
