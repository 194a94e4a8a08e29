"""The kinds by name, and a namespace with a reconciler, for the tests that speak of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from reconciler.core.api import KubernetesExecution, WorkflowRecord
from tests.apiserver.gate import Gate, gate
from tests.apiserver.objects import Objects
from tests.apiserver.pushgateways import program, serving
from tests.apiserver.runs import Shop, hired
from tests.controlplane import Api

_HERE = Path(__file__).parent
_STAGES = "/apis/kwok.x-k8s.io/v1alpha1/stages"

_LAST = "test_rights.py"  # it looks back at what the others have asked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves the order as it is, but for the one file that comes last."""
    items.sort(key=lambda item: item.path.name == _LAST and item.path.parent == _HERE)


@pytest.fixture
def workflows(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace)


@pytest.fixture
def children(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace, KubernetesExecution)


@pytest.fixture
def records(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace, WorkflowRecord)


@pytest.fixture(scope="module")
def alone(api: Api, crds: Sequence[str]) -> None:
    """No executor is at work but the test's own: KWOK is told of children no more."""
    code, listed = api.get(_STAGES)
    for stage in listed["items"] if code == 200 else ():
        if stage["spec"]["resourceRef"].get("kind") == KubernetesExecution.__name__:
            api.delete(f"{_STAGES}/{stage['metadata']['name']}")


@pytest.fixture
def shop(api: Api, namespace: str, alone: None, tmp_path: Path) -> Shop:
    """A namespace, and an identity that reconciles it."""
    return hired(api, namespace, tmp_path / "home")


@pytest.fixture
def gated(api: Api) -> Iterator[Gate]:
    """A way to the server on which a test can stand."""
    with gate(api) as opened:
        yield opened


@pytest.fixture(scope="session")
def pushgateway_program() -> str:
    return program()


@pytest.fixture
def pushgateway(pushgateway_program: str) -> Iterator[str]:
    """The URL of a fresh Pushgateway."""
    with serving(pushgateway_program) as url:
        yield url
