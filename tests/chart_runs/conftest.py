"""Helm, and a kubelet that runs what it installs; KWOK's nodes stay, but end no pod of a Job."""

from collections.abc import Iterator

import pytest

from tests.apiserver.pushgateways import program, serving
from tests.chart_runs.dockerfile import Image, image
from tests.chart_runs.kubelet import Kubelet
from tests.controlplane import Api

_STAGES = "/apis/kwok.x-k8s.io/v1alpha1/stages"
_COMPLETES = f"{_STAGES}/pod-complete"  # of Jobs alone, as soon as they run


@pytest.fixture(scope="session")
def built() -> Image:
    """The image of this very checkout."""
    return image()


@pytest.fixture(scope="module")
def kubelet(api: Api, built: Image) -> Iterator[Kubelet]:
    """Who ends the pods of Jobs from now on: KWOK would say of each that it went well."""
    code, stage = api.get(_COMPLETES)
    if code != 200:
        pytest.fail(
            "these tests run pods on nodes that KWOK plays: run them without "
            "RECONCILER_TEST_KUBECONFIG, on the control plane of hack/cluster"
        )
    code, answer = api.delete(_COMPLETES)
    assert code == 200, answer
    yield Kubelet(api, built)
    again = {key: stage[key] for key in ("apiVersion", "kind", "spec")}
    code, answer = api.post(_STAGES, {**again, "metadata": {"name": stage["metadata"]["name"]}})
    assert code == 201, answer


@pytest.fixture
def pushgateway() -> Iterator[str]:
    """The URL of a fresh Pushgateway."""
    with serving(program()) as url:
        yield url
