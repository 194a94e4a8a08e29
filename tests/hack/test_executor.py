"""hack/cluster executor: KWOK plays the program that carries out KubernetesExecutions."""

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from tests.controlplane import ROOT, Api, ControlPlane, eventually

pytestmark = pytest.mark.apiserver

_API = "kubernetesexecution.kubernaut.ai/v1alpha1"


@pytest.fixture(scope="module")
def executor(control_plane: ControlPlane, crds: Sequence[str]) -> None:
    """The stages of the demo, played from now on."""
    assert crds
    subprocess.run(
        [sys.executable, ROOT / "hack" / "cluster", "executor"],
        env=os.environ | {"KUBECONFIG": str(control_plane.kubeconfig)},
        check=True,
    )


def _create(api: Api, namespace: str, metadata: dict[str, Any], **spec: object) -> str:
    """A child's path; the defaults are the dull ones."""
    whole: dict[str, object] = {
        "workflowExecutionRef": {"name": "w", "uid": str(uuid.uuid4())},
        "stepName": "a",
        "attempt": 0,
        "action": "DoSomething",
        "actionParameters": {"custom": {"some": "value"}},
        "targetResource": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "timeout": "10m",
    }
    path = f"/apis/{_API}/namespaces/{namespace}/kubernetesexecutions"
    status, answer = api.post(
        path,
        {
            "apiVersion": _API,
            "kind": "KubernetesExecution",
            "metadata": {"generateName": "w-a-", **metadata},
            "spec": whole | spec,
        },
    )
    assert status == 201, answer
    return f"{path}/{answer['metadata']['name']}"


def _ended(api: Api, path: str) -> dict[str, Any]:
    """Its status, once the phase is final."""
    eventually(
        lambda: api.get(path)[1]["status"].get("phase") in {"Completed", "Failed"},
        "the executor did not end it",
    )
    status: dict[str, Any] = api.get(path)[1]["status"]
    return status


def _runs(api: Api, path: str) -> bool:
    return bool(api.get(path)[1]["status"].get("phase") == "Running")


@pytest.mark.usefixtures("executor")
def test_an_action_runs_then_completes(api: Api, namespace: str) -> None:
    """With both times, and the generation that was carried out."""
    path = _create(api, namespace, {})
    eventually(lambda: _runs(api, path), "it did not begin")
    status = _ended(api, path)
    assert status["phase"] == "Completed"
    assert status["observedGeneration"] == 1
    assert status["executionStartTime"] <= status["executionEndTime"]


@pytest.mark.usefixtures("executor")
@pytest.mark.parametrize(
    ("outcome", "attempt", "phase"),
    [
        pytest.param("fail", 0, "Failed", id="fails"),
        pytest.param("fail", 1, "Failed", id="fails-again"),
        pytest.param("fail-once", 0, "Failed", id="fails-at-first"),
        pytest.param("fail-once", 1, "Completed", id="then-completes"),
    ],
)
def test_a_step_says_how_its_action_ends(
    api: Api, namespace: str, outcome: str, attempt: int, phase: str
) -> None:
    """By the parameter `outcome`; who fails says why."""
    parameters = {"custom": {"outcome": outcome}}
    path = _create(api, namespace, {}, attempt=attempt, actionParameters=parameters)
    status = _ended(api, path)
    assert status["phase"] == phase
    if phase == "Failed":
        assert status["reason"] == "ActionFailed"
        assert status["lastError"] == "the executor says: DoSomething did not work"


@pytest.mark.usefixtures("executor")
def test_a_running_action_ends_when_it_is_asked_to_stop(api: Api, namespace: str) -> None:
    """Contract 4: cancelRequested is all that may change."""
    path = _create(api, namespace, {}, actionParameters={"custom": {"outcome": "hang"}})
    eventually(lambda: _runs(api, path), "it did not begin")
    assert api.patch(path, {"spec": {"cancelRequested": True}})[0] == 200
    status = _ended(api, path)
    assert (status["phase"], status["reason"]) == ("Failed", "Cancelled")


@pytest.mark.usefixtures("executor")
def test_what_was_cancelled_before_it_began_never_runs(api: Api, namespace: str) -> None:
    """Contract 2: ended untouched."""
    status = _ended(api, _create(api, namespace, {}, cancelRequested=True))
    assert (status["phase"], status["reason"]) == ("Failed", "Cancelled")
    assert "executionStartTime" not in status


@pytest.mark.usefixtures("executor")
def test_what_was_made_after_its_own_not_after_never_runs(api: Api, namespace: str) -> None:
    """Contract 2: a sleeping run woke up too late."""
    annotations = {"kubernaut.ai/not-after": "2020-01-01T00:00:00Z"}
    status = _ended(api, _create(api, namespace, {"annotations": annotations}))
    assert (status["phase"], status["reason"]) == ("Failed", "Late")
    assert "executionStartTime" not in status


@pytest.mark.usefixtures("executor")
def test_how_long_an_action_takes_can_be_said(api: Api, namespace: str) -> None:
    """By the parameter `takes`."""
    path = _create(api, namespace, {}, actionParameters={"custom": {"takes": "1ms"}})
    assert _ended(api, path)["phase"] == "Completed"
