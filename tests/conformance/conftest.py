"""Two API servers behind one face: the one in memory, and a real kube-apiserver.

Whatever a test here says of one it says of the other: that is what keeps the fake honest.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_core import from_json

from reconciler.kube.config import access
from reconciler.kube.requests import Request, Resource
from reconciler.kube.requests import get as get_request
from reconciler.kube.transport import ApiTransport, Transport
from tests.controlplane import ControlPlane, eventually
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import FrozenClock

_TIMEOUT = 30.0


@dataclass(frozen=True)
class Answer:
    """What a server said. `body` is empty where it was no JSON object."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def outcome(self) -> tuple[int, str]:
        """Status code, and the reason of a refusal."""
        told = self.body.get("kind") == "Status"
        return self.status, str(self.body.get("reason") or "") if told else ""

    @property
    def meta(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.body["metadata"]
        return metadata

    @property
    def faults(self) -> set[str]:
        """The fields that a refusal names."""
        causes = self.body.get("details", {}).get("causes", [])
        return {cause.get("field") for cause in causes} - {"<nil>"}


@dataclass(frozen=True)
class Server:
    """A server, and the namespace of this test on it."""

    transport: Transport
    namespace: str
    collect_garbage: Callable[[Callable[[], bool]], None]

    def send(self, request: Request) -> Answer:
        response = self.transport.send(request, _TIMEOUT)
        try:
            body = from_json(response.body)
        except ValueError:
            body = {}
        return Answer(response.status, body, dict(response.headers))

    def done(self, request: Request) -> Answer:
        """The answer, which must be no refusal."""
        answer = self.send(request)
        assert answer.status in {200, 201}, answer.body
        return answer

    def get(self, resource: Resource, name: str) -> Answer:
        return self.send(get_request(resource, self.namespace, name))

    def names(self, request: Request) -> list[str]:
        """Of what a list holds, in its order."""
        return [item["metadata"]["name"] for item in self.done(request).body["items"]]


@pytest.fixture(
    params=["memory", pytest.param("real", marks=pytest.mark.apiserver)],
)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each test runs on both."""
    if request.param == "memory":
        memory = MemoryApiServer(FrozenClock(), namespaces=("shop", "other"))

        def collect(_: Callable[[], bool]) -> None:
            memory.collect_garbage()

        yield Server(memory, "shop", collect)
        return
    plane: ControlPlane = request.getfixturevalue("control_plane")
    request.getfixturevalue("crds")
    namespace: str = request.getfixturevalue("namespace")
    with closing(ApiTransport(access(str(plane.kubeconfig)).configuration)) as transport:
        yield Server(transport, namespace, eventually)
