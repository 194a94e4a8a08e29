"""A ground in memory: everything is good on it until a test says otherwise."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reconciler.checks.ground import Ground
from reconciler.checks.perform import perform
from reconciler.checks.result import Report, Result, Status
from reconciler.checks.table import checks
from reconciler.core.rights import Right
from reconciler.crds import crds
from reconciler.errors import ReconcilerError
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import CONFIG_MAPS, LEASES, Resource, create
from reconciler.seams import Deadline, GatewayError
from reconciler.settings import Settings
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.clock import FrozenClock
from tests.fakes.source import MemorySource

URL = "https://git.example.com/shop/workflows.git"
PLAIN = Settings(namespace="shop", state_namespace="shop")
SOURCED = replace(PLAIN, source_url=URL)
WORKFLOWS = "workflowexecution.kubernaut.ai/v1alpha1"

Json = dict[str, Any]

SHIPPED: tuple[Json, ...] = tuple(crds())  # made once: it is the slow part of a scene


class FakeServer:
    """Implements `checks.ground.Server`: serves our kinds as shipped, and allows everything."""

    def __init__(self) -> None:
        self.address = "https://127.0.0.1:6443"
        self.namespaces = {"shop": "Active"}
        self.says = "v1.37.2"
        self.trouble: ReconcilerError | None = None  # of every question
        self.hidden: ReconcilerError | None = None  # of the schemas alone
        self.mute: ReconcilerError | None = None  # of what we may do
        self.denied: dict[tuple[str, str], str] = {}  # what and verb, to the reason
        self.asked: list[Right] = []
        self.served: dict[str, set[str]] = {}
        self.schemas: dict[tuple[str, str], Json] = {}
        for crd in SHIPPED:
            self.install(crd)

    def install(self, crd: Json) -> None:
        api_version = f"{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}"
        plural, kind = crd["spec"]["names"]["plural"], crd["spec"]["names"]["kind"]
        self.served.setdefault(api_version, set()).update((plural, f"{plural}/status"))
        self.schemas[api_version, kind] = published(crd)

    def version(self) -> str:
        self._check()
        return self.says

    def resources(self, api_version: str) -> frozenset[str]:
        self._check()
        return frozenset(self.served.get(api_version, ()))

    def schema(self, api_version: str, kind: str) -> Mapping[str, Any] | None:
        self._check()
        if self.hidden:
            raise self.hidden
        return self.schemas.get((api_version, kind))

    def namespace(self, name: str) -> str:
        self._check()
        return self.namespaces.get(name, "")

    def refusal(self, right: Right) -> str | None:
        self._check()
        if self.mute:
            raise self.mute
        self.asked.append(right)
        return self.denied.get((right.what, right.verb))

    def _check(self) -> None:
        if self.trouble:
            raise self.trouble


def published(crd: Json) -> Json:
    """As kube-apiserver publishes the schema of a CRD."""
    version = deepcopy(crd["spec"]["versions"][0])
    schema: Json = version["schema"]["openAPIV3Schema"]
    meta = "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    schema["properties"]["metadata"] = {"allOf": [{"$ref": meta}]}
    schema["x-kubernetes-group-version-kind"] = [
        {
            "group": crd["spec"]["group"],
            "version": version["name"],
            "kind": crd["spec"]["names"]["kind"],
        }
    ]
    if "selectableFields" in version:
        schema["x-kubernetes-selectable-fields"] = [
            {"fieldPath": each["jsonPath"].removeprefix(".")}
            for each in version["selectableFields"]
        ]
    return schema


@dataclass
class FakeGateway:
    """Implements `checks.ground.Readiness`."""

    trouble: str = ""

    def ready(self) -> None:
        if self.trouble:
            raise GatewayError(self.trouble)


@dataclass
class Scene:
    """One cluster, one repository, one Pushgateway, and the programs of the machine."""

    server: FakeServer = field(default_factory=FakeServer)
    source: MemorySource = field(default_factory=MemorySource)
    gateway: FakeGateway = field(default_factory=FakeGateway)
    clock: FrozenClock = field(default_factory=FrozenClock)
    programs: dict[str, str] = field(
        default_factory=lambda: {
            "python": "Python 3.11.7",
            "git": "git version 2.39.5",
            "ssh": "OpenSSH_9.2p1",
            "ssh-keygen": "ssh-keygen",
            "gpg": "gpg (GnuPG) 2.2.40",
        }
    )

    def __post_init__(self) -> None:
        self.cluster = MemoryApiServer(self.clock, namespaces=("shop",))

    def ground(self, told: Settings) -> Ground:
        deadline = Deadline(self.clock, told.deadline)
        calls = Calls(self.cluster, self.clock, deadline, jitter=min)
        return Ground(
            settings=told,
            cluster=KubeCluster(calls, state_namespace=told.state_namespace),
            server=self.server,
            clock=self.clock,
            deadline=deadline,
            program=self.programs.get,
            source=self.source if told.source_url else None,
            gateway=self.gateway if told.pushgateway_url else None,
        )

    def report(self, told: Settings = SOURCED, *, pre: bool = False) -> Report:
        return Report(perform(self.ground(told), checks(told, pre=pre)), "0.1.0")

    def line(self, name: str, told: Settings = SOURCED, *, pre: bool = False) -> Result:
        (found,) = [each for each in self.report(told, pre=pre).checks if each.name == name]
        return found

    def bad(self, told: Settings = SOURCED, *, pre: bool = False) -> dict[str, Status]:
        """The lines that are neither ok nor left out for want of a flag."""
        return {
            each.name: each.status
            for each in self.report(told, pre=pre).checks
            if each.status is not Status.OK and not each.found.startswith(("no ", "--verify"))
        }

    # --- the state of the runs --------------------------------------------------------------

    def config_map(self, name: str, **data: str) -> None:
        self._made(CONFIG_MAPS, "v1", name, {"data": data})

    def lease(self, holder: str, renewed: str) -> None:
        spec = {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 60}
        self._made(LEASES, LEASES.api_version, "reconciler-default", {"spec": spec})

    def _made(self, resource: Resource, api_version: str, name: str, more: Json) -> None:
        meta = {"name": name, "namespace": "shop"}
        body = {"apiVersion": api_version, "kind": resource.kind, "metadata": meta, **more}
        assert self.cluster.handle(create(resource, "shop", body)).ok


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path
