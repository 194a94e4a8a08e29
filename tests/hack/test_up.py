"""hack/cluster up and down: the control plane that stays."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.controlplane import ROOT, Api

pytestmark = pytest.mark.apiserver


@pytest.fixture
def user(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Somebody with the programs built, and nothing running."""
    env = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    yield env
    _cluster("down", env=env)


def _cluster(command: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "hack" / "cluster", command],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )


def test_it_stays_until_it_is_ended(user: dict[str, str]) -> None:
    """`up` finds it again with all that is in it; `down` leaves nothing."""
    up = _cluster("up", user)
    assert up.returncode == 0, up.stderr
    kubeconfig = Path(up.stdout.splitlines()[-1])
    api = Api.of(kubeconfig)
    assert api.post("/api/v1/namespaces", {"metadata": {"name": "kept"}})[0] == 201
    assert _cluster("up", user).stdout == _cluster("kubeconfig", user).stdout == up.stdout
    assert api.get("/api/v1/namespaces/kept")[0] == 200
    assert _cluster("status", user).returncode == 0
    assert _cluster("down", user).returncode == 0
    assert not kubeconfig.parent.exists()
    with pytest.raises(OSError, match="refused"):
        api.get("/readyz")


def test_two_callers_start_one(user: dict[str, str]) -> None:
    """The second waits, and is told the same path."""
    with ThreadPoolExecutor() as pool:
        one, other = pool.map(lambda _: _cluster("up", user), range(2))
    assert one.stdout == other.stdout
    assert (one.returncode, other.returncode) == (0, 0)
