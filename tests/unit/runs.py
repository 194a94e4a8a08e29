"""Whole runs on a server in memory: the real client, the real stages, a clock that stands still.

Each run is a process of its own: nothing is shared between two of them but what the server, git and
the Pushgateway hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import from_json, to_json

from reconciler.core.api import Step
from reconciler.core.outcome import Outcome
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    WORKFLOWS,
    Request,
    Resource,
    Target,
    Verb,
    create,
    patch,
)
from reconciler.run import run
from reconciler.seams import Deadline, World
from reconciler.settings import Settings
from tests.builders import NAMESPACE, workflow
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import FrozenClock
from tests.fakes.gateway import MemoryGateway
from tests.unit.stages.scene import MemorySource

URL = "https://git.example/shop.git"
SETTINGS = Settings(namespace=NAMESPACE, state_namespace=NAMESPACE)
GROUP = {"job": "reconciler", "namespace": NAMESPACE, "source": "none", "shard": "0-1"}

Json = Mapping[str, Any]


@dataclass
class Shop:
    """One namespace, and everything a run touches. `node` is the run's clock where it is wrong."""

    clock: FrozenClock = field(default_factory=FrozenClock)
    gateway: MemoryGateway = field(default_factory=MemoryGateway)
    node: FrozenClock | None = None

    def __post_init__(self) -> None:
        self.server = MemoryApiServer(self.clock, namespaces=(NAMESPACE,))
        self.source = MemorySource(self.clock)
        self.deadline = Deadline(self.clock, 0)

    def run(self, *, workers: int = 1, **flags: Any) -> Outcome:  # noqa: ANN401  # of Settings
        """One run with these settings, from its Lease to its push."""
        settings, clock = replace(SETTINGS, **flags), self.node or self.clock
        self.deadline = Deadline(clock, settings.deadline)
        calls = Calls(self.server, clock, self.deadline, jitter=min)
        world = World(
            cluster=KubeCluster(calls, state_namespace=NAMESPACE),
            clock=clock,
            deadline=self.deadline,
            source=self.source if settings.source_url else None,
            gateway=self.gateway,
        )
        return run(world, settings, workers)

    # --- what the server holds --------------------------------------------------------------

    def status(self, name: str) -> Json:
        found = self.server.object(WORKFLOWS, NAMESPACE, name)
        assert found is not None, name
        status: Json = found["status"]
        return status

    def result(self, name: str, step: str = "a") -> Json:
        (found,) = [each for each in self.status(name)["stepResults"] if each["stepName"] == step]
        result: Json = found
        return result

    def steps(self, name: str) -> list[str]:
        """The steps of a workflow that have a child."""
        return sorted(
            child["spec"]["stepName"]
            for child in self.server.objects(CHILDREN)
            if child["spec"]["workflowExecutionRef"]["name"] == name
        )

    def events(self) -> list[str]:
        return [event["reason"] for event in self.server.objects(EVENTS)]

    def lease(self) -> Json:
        found = self.server.object(LEASES, NAMESPACE, "reconciler-default")
        return found["spec"] if found else {}

    def asked(self) -> list[str]:
        """Verb and kind of everything that was asked since the last call."""
        told = [_told(each.request) for each in self.server.log]
        self.server.log.clear()
        return told

    def wrote(self) -> list[str]:
        """The same of what is no read, the Lease aside."""
        told = [_told(each) for each in self.server.writes() if each.target.resource != LEASES]
        self.server.log.clear()
        return told

    def gauge(self, name: str, group: Mapping[str, str] = GROUP, **labels: str) -> float | None:
        return self.gateway.samples(group).get((f"reconciler_{name}", frozenset(labels.items())))

    # --- other actors -----------------------------------------------------------------------

    def workflow(self, name: str, *steps: Step, **spec: Any) -> None:  # noqa: ANN401  # fields
        """Made by somebody's kubectl: it belongs to no source."""
        made = workflow(*steps, name=name, **spec)
        body = {
            "apiVersion": made.api_version,
            "kind": made.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": made.spec.wire(),
        }
        self.created(WORKFLOWS, body)

    def config_map(self, name: str, **data: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "data": data,
        }
        self.created(CONFIG_MAPS, body)

    def created(self, resource: Resource, body: Json) -> None:
        assert self.server.handle(create(resource, NAMESPACE, body)).ok

    def patched(self, resource: Resource, name: str, sub: str = "", **body: object) -> None:
        assert self.server.handle(patch(Target(resource, NAMESPACE, name, sub), body)).ok

    def completes(self, *steps: str) -> None:
        """The executor ends these, or without a name all that are at work, well."""
        for child in self.server.objects(CHILDREN):
            done = child["status"].get("phase") in ("Completed", "Failed")
            if not done and (not steps or child["spec"]["stepName"] in steps):
                status = {"phase": "Completed"}
                self.patched(CHILDREN, child["metadata"]["name"], "status", status=status)


# --- what may happen to a call ----------------------------------------------------------------


@dataclass
class Meets:
    """An interceptor: `act` stands before each request that is wanted, and may answer it."""

    wanted: Callable[[Request], bool]
    act: Callable[[], Response | None]

    def before(self, request: Request) -> Response | None:
        return self.act() if self.wanted(request) else None

    def after(self, request: Request, response: Response) -> Response:
        del request
        return response


@dataclass
class Rewrites:
    """An interceptor: what a list holds reaches the client otherwise."""

    resource: Resource
    edit: Callable[[dict[str, Any]], object]

    def before(self, request: Request) -> Response | None:
        del request
        return None

    def after(self, request: Request, response: Response) -> Response:
        if request.verb is not Verb.LIST or request.target.resource != self.resource:
            return response
        body = from_json(response.body)
        for item in body["items"]:
            self.edit(item)
        return replace(response, body=to_json(body))


def refusal(status: int, message: str = "no", reason: str = "") -> Response:
    """As the API server says no."""
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "reason": reason}
    return Response(status, to_json(body))


def of(verb: Verb, resource: Resource, name: str = "", sub: str = "") -> Callable[[Request], bool]:
    """Requests of a verb and a kind, and of one object where it is named."""

    def wanted(request: Request) -> bool:
        target = request.target
        return (request.verb, target.resource, target.subresource) == (
            verb,
            resource,
            sub,
        ) and name in ("", target.name)

    return wanted


def _told(request: Request) -> str:
    target = request.target
    what = "/".join(part for part in (target.resource.kind, target.subresource) if part)
    return f"{request.verb} {what}"
