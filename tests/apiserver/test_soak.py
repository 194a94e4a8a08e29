"""A share of the soak (`make soak`): runs that are killed, over a server that dies too."""

from pathlib import Path

import pytest

from tests.apiserver.runs import Shop
from tests.controlplane import ControlPlane
from tests.soak.play import Script, Server, play

pytestmark = pytest.mark.apiserver

_SHARE = Script(workflows=10, kills=20, restarts=1, seed=20, retries=0)


def test_whatever_dies_when_no_step_is_started_twice_and_all_comes_to_its_end(
    shop: Shop, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """I1 to I4, I6, I8, at every commit: no Lease, SIGKILL at any moment, the server restarted."""
    if control_plane.audit_log is None:
        pytest.fail("needs a control plane of hack/cluster: run without RECONCILER_TEST_KUBECONFIG")
    report = play(shop, _SHARE, Server(control_plane.kubeconfig), tmp_path)
    assert report.violations == [], "\n".join(report.lines())
    assert report.numbers["SIGKILLs"] == _SHARE.kills
    assert report.numbers["restarts of kube-apiserver"] == _SHARE.restarts
    assert report.numbers["children created"] > _SHARE.workflows
