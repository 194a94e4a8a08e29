"""What the checks stand on: the seams of a run, and what only a check asks.

Nothing here writes: of the API server the checks read, and ask what they may.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from reconciler.core.rights import Right
from reconciler.seams import Clock, Cluster, Deadline, Source
from reconciler.settings import Settings


class Server(Protocol):
    """What an API server says of itself. Every method raises what `Cluster` raises."""

    @property
    def address(self) -> str:
        """For people: without user and password."""

    def version(self) -> str:
        """As in `v1.37.2`."""

    def resources(self, api_version: str) -> frozenset[str]:
        """What is served of it, subresources as `plural/status`; nothing where it is unknown."""

    def schema(self, api_version: str, kind: str) -> Mapping[str, Any] | None:
        """The published OpenAPI schema of a kind; None where none is."""

    def namespace(self, name: str) -> str:
        """Its phase, `Active` or `Terminating`; empty where there is none of that name."""

    def refusal(self, right: Right) -> str | None:
        """Why we may not; None when we may. Empty when no reason is given."""


class Readiness(Protocol):
    """A Pushgateway, asked and not pushed to."""

    def ready(self) -> None:
        """Raises GatewayError."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that a check may ask; `source` and `gateway` where the flags name one.

    `program` gives the version line of a program on the path, None when it is not there.
    """

    settings: Settings
    cluster: Cluster
    server: Server
    clock: Clock
    deadline: Deadline
    program: Callable[[str], str | None]
    source: Source | None = None
    gateway: Readiness | None = None
