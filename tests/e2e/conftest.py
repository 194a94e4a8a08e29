"""kind, the built image, and what stands beside a release in the cluster.

Where no Docker daemon answers these tests are not run, and say so; where one does, whatever else
is missing is a failure.
"""

import contextlib
import importlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.chart_runs.helm import Helm, tool
from tests.controlplane import ROOT

IMAGE = "reconciler:e2e"
NAMESPACE = "e2e"


@pytest.fixture(scope="session")
def docker() -> str:
    """The program, with a daemon behind it."""
    found = shutil.which("docker")
    answers = found and subprocess.run([found, "version"], capture_output=True, check=False)
    if not found or not answers or answers.returncode:
        pytest.skip("not run: no Docker daemon answers here, and kind needs one")
    return found


@pytest.fixture(scope="session")
def kind_cluster(docker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cluster of pytest-kind's, with the kind on PATH: the one it would fetch is too old."""
    try:
        plugin = importlib.import_module("pytest_kind")
    except ModuleNotFoundError:
        pytest.fail("pytest-kind is missing: .venv/bin/pip install -e '.[kind]'")
    kind = shutil.which("kind")
    if kind is None:
        pytest.fail(
            "no kind on PATH: go install sigs.k8s.io/kind@latest (Kubernetes 1.31 or newer)"
        )
    home = tmp_path_factory.mktemp("kind")
    with contextlib.chdir(home):  # it makes a folder where it is
        cluster = plugin.KindCluster(
            "reconciler-e2e",
            kubeconfig=home / "kubeconfig",
            kind_path=Path(kind),
            kubectl_path=tool("kubectl"),
        )
    cluster.create()
    yield cluster
    cluster.delete()


@pytest.fixture(scope="session")
def loaded(docker: str, kind_cluster: Any) -> str:  # noqa: ANN401  # pytest-kind has no types
    """The image, built from this checkout, on the nodes."""
    subprocess.run([docker, "build", "--tag", IMAGE, ROOT], check=True)
    kind_cluster.load_docker_image(IMAGE)
    return IMAGE


@pytest.fixture
def helm(kind_cluster: Any, tmp_path: Path) -> Helm:  # noqa: ANN401  # pytest-kind has no types
    """For the one release."""
    return Helm(tool("helm"), kind_cluster.kubeconfig_path, tmp_path, NAMESPACE)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Whom the certificate of the git server in the cluster is of."""
    return trustme.CA()
