"""What a run asks of the API server, as RBAC has it: the one table (contract 1, 9).

`reconciler check` asks the server for each right, and the roles of the chart grant exactly these.
A run that would need one more is a bug here. Nothing deletes children, so no row says so (I1).
Apart from them stands what whoever installs the chart needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from reconciler.core.api import CHILD_GROUP, WORKFLOW_GROUP
from reconciler.core.names import PAUSE
from reconciler.core.source import head_name

_WORKFLOWS = (WORKFLOW_GROUP, "workflowexecutions")
_RECORDS = (WORKFLOW_GROUP, "workflowrecords")
_CHILDREN = (CHILD_GROUP, "kubernetesexecutions")
_CONFIG_MAPS = ("", "configmaps")
_LEASES = ("coordination.k8s.io", "leases")
_EVENTS = ("events.k8s.io", "events")
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"

_CLUSTER_WIDE = (
    "customresourcedefinitions",
    "clusterroles",
    "clusterrolebindings",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
)


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource. No `namespace`: in all; no `name`: whatever its name."""

    group: str
    resource: str
    verb: str
    namespace: str | None
    name: str = ""
    subresource: str = ""

    @property
    def what(self) -> str:
        """As a rule of a role names it: `workflowexecutions/status`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def cluster_wide(self) -> bool:
        """Whether its objects are in no namespace."""
        return self.resource in _CLUSTER_WIDE


class Run(Protocol):
    """What of the settings of a run decides which rights it needs."""

    @property
    def namespace(self) -> str | None: ...

    @property
    def state_namespace(self) -> str: ...

    @property
    def source_url(self) -> str | None: ...

    @property
    def source_name(self) -> str: ...

    @property
    def lease_name(self) -> str | None: ...

    @property
    def dry_run(self) -> bool: ...


def rights(run: Run) -> tuple[Right, ...]:
    """Every right that this run can need, each once, in the order of its stages."""
    needed = (*_state(run), *_source(run), *_workflows(run))
    return tuple(dict.fromkeys(needed))


def installing(run: Run) -> tuple[Right, ...]:
    """What who installs the chart with its defaults needs, and no run does.

    Helm keeps what it installed in Secrets. The roles stand where the run works, and where its
    state is.
    """
    home, where = run.state_namespace, {run.state_namespace, run.namespace or run.state_namespace}
    bindings = ("clusterrolebindings",) if run.namespace is None else ()
    crds, policies = "customresourcedefinitions", "validatingadmissionpolicies"
    return (
        *_made(("apiextensions.k8s.io", crds), None),
        *(each for one in ("clusterroles", *bindings) for each in _made((_RBAC, one), None)),
        *_made((_ADMISSION, policies), None),
        *_made((_ADMISSION, "validatingadmissionpolicybindings"), None),
        *(each for place in sorted(where) for each in _made((_RBAC, "roles"), place)),
        *(each for place in sorted(where) for each in _made((_RBAC, "rolebindings"), place)),
        *_made(("", "serviceaccounts"), home),
        *_made(("batch", "cronjobs"), home),
        *_each(("", "secrets"), "get list create update", home),
    )


def granting(run: Run) -> tuple[Right, ...]:
    """What lets somebody grant rights that he does not have himself."""
    roles = "roles" if run.namespace else "clusterroles"
    return tuple(_each((_RBAC, roles), "escalate bind", run.namespace))


def _made(what: tuple[str, str], namespace: str | None) -> Iterator[Right]:
    """Read, made, and changed by the next release."""
    return _each(what, "get create patch", namespace)


def _state(run: Run) -> Iterator[Right]:
    """Lease, pause and head: by name, but for a create, whose name no role can restrict."""
    home = run.state_namespace
    if run.lease_name:
        yield from _each(_LEASES, "get update", home, run.lease_name)
        yield from _each(_LEASES, "create", home)
    yield from _each(_CONFIG_MAPS, "get", home, PAUSE)
    if run.source_url:
        head = head_name(run.source_name)
        yield from _each(_CONFIG_MAPS, "get" if run.dry_run else "get update", home, head)
        if not run.dry_run:
            yield from _each(_CONFIG_MAPS, "create", home)
            yield from _each(_EVENTS, "create", home)  # those that regard the head


def _source(run: Run) -> Iterator[Right]:
    """Records and workflows of a source; without one a run makes and deletes none.

    A server-side apply is a patch; where it makes the object the server asks for create as well,
    though its audit log says patch. History and TTL delete too, prune or not.
    """
    if not run.source_url:
        return
    yield from _each(_WORKFLOWS, "get create patch", run.namespace)
    yield from _each(_RECORDS, "list", run.namespace)
    if not run.dry_run:
        yield from _each(_WORKFLOWS, "delete", run.namespace)
        yield from _each(_RECORDS, "get create", run.namespace)
        yield from _each(_RECORDS, "update", run.namespace, subresource="status")


def _workflows(run: Run) -> Iterator[Right]:
    yield from _each(_WORKFLOWS, "list", run.namespace)
    yield from _each(_CHILDREN, "get list", run.namespace)
    if not run.dry_run:
        yield from _each(_WORKFLOWS, "update", run.namespace, subresource="status")
        yield from _each(_CHILDREN, "create patch", run.namespace)
        yield from _each(_EVENTS, "create", run.namespace)


def _each(
    what: tuple[str, str],
    verbs: str,
    namespace: str | None,
    name: str = "",
    subresource: str = "",
) -> Iterator[Right]:
    group, resource = what
    for verb in verbs.split():
        yield Right(group, resource, verb, namespace, name, subresource)
