"""Helm, and a kubelet that runs what it installs, on a control plane that nobody else uses.

Its own, because these tests install CRDs as a release of the chart does, and delete them; and
because KWOK, which plays the nodes, has to leave the end of every Job's pod to the kubelet.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.pushgateways import program, serving
from tests.chart_runs.dockerfile import Image, image
from tests.chart_runs.helm import helm
from tests.chart_runs.kubelet import Kubelet
from tests.chart_runs.releases import Release, Releases
from tests.chart_runs.world import World
from tests.controlplane import Api, ControlPlane, fresh
from tests.gitservers import Authority, HttpServer

_COMPLETES = "/apis/kwok.x-k8s.io/v1alpha1/stages/pod-complete"  # of Jobs, as soon as they run
_SECURED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="package")
def control_plane(request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """For the tests of this folder alone."""
    with fresh(request) as plane:
        yield plane


@pytest.fixture(scope="package")
def api(control_plane: ControlPlane) -> Api:
    """The server, as cluster admin."""
    return Api.of(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def built() -> Image:
    """The image of this very checkout."""
    return image()


@pytest.fixture(scope="package")
def kubelet(api: Api, built: Image) -> Kubelet:
    """Who ends the pods of Jobs: KWOK would say of each that it went well."""
    code, answer = api.delete(_COMPLETES)
    assert code == 200, answer
    return Kubelet(api, built)


@pytest.fixture
def releases(
    control_plane: ControlPlane, api: Api, kubelet: Kubelet, namespace: str, tmp_path: Path
) -> Iterator[Releases]:
    """Releases in the test's namespace, which the restricted standard is enforced in.

    They are gone when the test is over, and their CRDs with them.
    """
    code, answer = api.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": _SECURED}})
    assert code == 200, answer
    made: list[Release] = []

    def of(version: str) -> Release:
        release = Release(api, helm(version, control_plane, tmp_path / version, namespace), kubelet)
        made.append(release)
        return release

    yield of
    for release in made:
        release.gone()


@pytest.fixture
def repository_server(git_https: HttpServer, authority: Authority) -> tuple[HttpServer, Authority]:
    """A git server, and the authority that its certificate is of."""
    return git_https, authority


@pytest.fixture
def world(
    api: Api,
    namespace: str,
    releases: Releases,
    repository_server: tuple[HttpServer, Authority],
    pushgateway: str,
) -> World:
    """All that a release needs to do its work."""
    return World(api, namespace, releases, *repository_server, pushgateway)


@pytest.fixture
def pushgateway() -> Iterator[str]:
    """The URL of a fresh Pushgateway."""
    with serving(program()) as url:
        yield url
