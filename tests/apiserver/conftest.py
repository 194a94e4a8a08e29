"""The kinds by name, for the tests that speak of their objects."""

import pytest

from reconciler.core.api import KubernetesExecution, WorkflowRecord
from tests.apiserver.objects import Objects
from tests.controlplane import Api


@pytest.fixture
def workflows(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace)


@pytest.fixture
def children(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace, KubernetesExecution)


@pytest.fixture
def records(api: Api, namespace: str) -> Objects:
    return Objects(api, namespace, WorkflowRecord)
