"""hack/cluster restart-apiserver: a server that dies and comes back, with all that it held."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.controlplane import ROOT, Api, ControlPlane

pytestmark = pytest.mark.apiserver

_RESTART = (sys.executable, str(ROOT / "hack" / "cluster"), "restart-apiserver")


def _state(plane: ControlPlane) -> dict[str, Any]:
    if plane.audit_log is None:
        pytest.fail("needs a control plane of hack/cluster: run without RECONCILER_TEST_KUBECONFIG")
    state: dict[str, Any] = json.loads((plane.kubeconfig.parent / "state.json").read_text())
    return state


def test_a_restarted_server_is_another_process_with_the_same_objects(
    control_plane: ControlPlane, api: Api, namespace: str
) -> None:
    """Same address and certificate, ready when the command returns; nobody else is touched."""
    before = _state(control_plane)
    environment = os.environ | {"KUBECONFIG": str(control_plane.kubeconfig)}
    subprocess.run(_RESTART, check=True, env=environment)
    code, found = api.get(f"/api/v1/namespaces/{namespace}")
    assert (code, found["metadata"]["name"]) == (200, namespace)
    after = _state(control_plane)
    assert after["restarts"] == before["restarts"] + 1
    assert after["pids"].keys() == before["pids"].keys()
    changed = [name for name, pid in after["pids"].items() if pid != before["pids"][name]]
    assert changed == ["kube-apiserver"]
    assert {name: after[name] for name in ("server", "etcd", "keeper")} == {
        name: before[name] for name in ("server", "etcd", "keeper")
    }


def test_a_kubeconfig_of_somewhere_else_restarts_nothing(tmp_path: Path) -> None:
    """One line, and what to do; a cluster that is not ours is never asked."""
    answer = subprocess.run(
        _RESTART,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig")},
    )
    assert answer.returncode == 1
    assert "KUBECONFIG is of no control plane that runs here" in answer.stderr
