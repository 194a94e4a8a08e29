"""What is asked of the API server, as values: one pure builder for each thing a run asks.

Reads are quorum reads: `resourceVersion` is never sent with one, least of all 0 (contract 1,
observe). Every write that depends on what was read carries the uid or the resourceVersion of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

from pydantic_core import to_json

from reconciler.core.api import CHILD_GROUP, VERSION, WORKFLOW_GROUP, Metadata
from reconciler.core.facts import Child
from reconciler.core.names import (
    MANAGER,
    REPLACER,
    SOURCE_LABEL,
    WORKFLOW_LABEL,
    workflow_label,
)
from reconciler.seams import Precondition, Scope

# Objects on the first page of a list; how heavy they are tells how many the next ones hold.
FIRST_PAGE = 1000
FIRST_HEAVY_PAGE = 250  # of whole workflows: with a thousand steps one weighs a megabyte
NAMES_A_LIST = 100  # label values in one selector: the address stays under 8 KiB
NAMES_FOR_ONE_LIST = 1000  # above, one list of all children costs less than ten of a hundred

JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MERGE_PATCH = "application/merge-patch+json"
_APPLY_PATCH = "application/apply-patch+yaml"  # JSON is YAML


class Verb(StrEnum):
    """As in RBAC, but for `apply`, which RBAC calls patch."""

    GET = "get"
    LIST = "list"
    CREATE = "create"
    UPDATE = "update"
    PATCH = "patch"
    APPLY = "apply"
    DELETE = "delete"

    @property
    def rbac(self) -> str:
        return "patch" if self is Verb.APPLY else self.value


_METHODS: Mapping[Verb, str] = {
    Verb.GET: "GET",
    Verb.LIST: "GET",
    Verb.CREATE: "POST",
    Verb.UPDATE: "PUT",
    Verb.PATCH: "PATCH",
    Verb.APPLY: "PATCH",
    Verb.DELETE: "DELETE",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind and where the server keeps it; the core group is empty."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def text(self) -> str:
        """For people: `workflowexecutions.workflowexecution.kubernaut.ai`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


WORKFLOWS = Resource(WORKFLOW_GROUP, VERSION, "workflowexecutions", "WorkflowExecution")
RECORDS = Resource(WORKFLOW_GROUP, VERSION, "workflowrecords", "WorkflowRecord")
CHILDREN = Resource(CHILD_GROUP, VERSION, "kubernetesexecutions", "KubernetesExecution")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")

# The field manager is told on every write: without it the server takes the user agent.
_STRICT = (("fieldManager", MANAGER), ("fieldValidation", "Strict"))
_AS_REPLACER = (("fieldManager", REPLACER), ("fieldValidation", "Strict"))

OURS = (WORKFLOWS, RECORDS, CHILDREN)


@dataclass(frozen=True, slots=True)
class Target:
    """An object, or without a name a collection; namespace None is every namespace."""

    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""

    @property
    def path(self) -> str:
        """Each part quoted: a name that somebody wrote into a status leads nowhere else."""
        parts = [*self._collection, *(part for part in (self.name, self.subresource) if part)]
        return "/" + "/".join(quote(part, safe="") for part in parts)

    @property
    def collection(self) -> str:
        """Where objects of this kind are listed and created."""
        return "/" + "/".join(quote(part, safe="") for part in self._collection)

    @property
    def _collection(self) -> list[str]:
        resource = self.resource
        parts = ["apis", resource.group] if resource.group else ["api"]
        parts.append(resource.version)
        if self.namespace is not None:
            parts += ["namespaces", self.namespace]
        return [*parts, resource.plural]

    @property
    def text(self) -> str:
        """For people: `workflowexecutions.workflowexecution.kubernaut.ai shop/restart`."""
        where = "/".join(part for part in (self.namespace, self.name) if part)
        what = self.resource.text
        if self.subresource:
            what = f"{self.resource.plural}/{self.subresource}"
        return f"{what} {where}" if self.name else f"{what} in {where or 'all namespaces'}"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `verb` is what it is counted by."""

    verb: Verb
    target: Target
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = ""
    accept: str = JSON

    @property
    def method(self) -> str:
        return _METHODS[self.verb]

    @property
    def path(self) -> str:
        """Path and query, as they go into the request line."""
        path = self.target.collection if self.verb is Verb.CREATE else self.target.path
        return f"{path}?{urlencode(self.query, quote_via=quote)}" if self.query else path

    @property
    def text(self) -> str:
        """For people: `list workflowexecutions.… in shop`."""
        return f"{self.verb} {self.target.text}"

    def after(self, token: str, limit: int | None = None) -> "Request":
        """The same list from its next page on; of as many objects a page, unless told."""
        kept = tuple(
            (key, str(limit) if key == "limit" and limit else value) for key, value in self.query
        )
        return replace(self, query=(*kept, ("continue", token)))


def possible(name: str) -> bool:
    """Whether an object of that name can exist, and its path mean that object and nothing else."""
    return name not in ("", ".", "..") and "/" not in name and "%" not in name


# --- reads ----------------------------------------------------------------------------------


def get(resource: Resource, namespace: str, name: str) -> Request:
    return Request(Verb.GET, Target(resource, namespace, name))


def page(
    resource: Resource,
    namespace: str | None,
    *,
    labels: str = "",
    fields: str = "",
    limit: int = FIRST_PAGE,
) -> Request:
    """The first page of a list; empty selectors choose everything."""
    selectors = (("labelSelector", labels), ("fieldSelector", fields))
    return Request(
        Verb.LIST,
        Target(resource, namespace),
        (("limit", str(limit)), *((key, value) for key, value in selectors if value)),
    )


def unsettled(scope: Scope) -> Request:
    """Workflows no run has finished with.

    No selector says "the label is absent or this run's", so with a source the foreign ones are
    dropped as they are read: one list costs less than two.
    """
    nobodys = "" if scope.source is not None else f"!{SOURCE_LABEL}"
    return page(
        WORKFLOWS,
        scope.namespace,
        labels=",".join(part for part in (nobodys, scope.selector) if part),
        fields="status.settled!=true",
        limit=FIRST_HEAVY_PAGE,
    )


def children(namespace: str | None, workflows: Sequence[str]) -> tuple[Request, ...]:
    """The lists that hold every child labelled with one of these workflows; more above 1,000.

    One workflow's children are never in two lists: they would be of two moments.
    """
    labels = sorted({workflow_label(name) for name in workflows})
    if len(labels) > NAMES_FOR_ONE_LIST:
        # Existence of the label, not managed-by: both strategies find the same children.
        return (page(CHILDREN, namespace, labels=WORKFLOW_LABEL),)
    return tuple(
        page(
            CHILDREN,
            namespace,
            labels=f"{WORKFLOW_LABEL} in ({','.join(labels[start : start + NAMES_A_LIST])})",
        )
        for start in range(0, len(labels), NAMES_A_LIST)
    )


def of_source(resource: Resource, scope: Scope) -> Request:
    """Everything with the label of the scope's source, settled or not.

    Not narrowed by the scope's selector: that divides the workflows that belong to no source.
    """
    return page(resource, scope.namespace, labels=f"{SOURCE_LABEL}={scope.source}")


def metadata_of_source(scope: Scope) -> Request:
    """The source's workflows, metadata alone: a status may weigh 768 KiB."""
    return replace(of_source(WORKFLOWS, scope), accept=METADATA_ONLY)


# --- writes ---------------------------------------------------------------------------------


def create(resource: Resource, namespace: str, body: Mapping[str, Any]) -> Request:
    name = body.get("metadata", {}).get("name", "")
    return Request(Verb.CREATE, Target(resource, namespace, name), _STRICT, to_json(body), JSON)


def update(target: Target, body: Mapping[str, Any]) -> Request:
    """The whole object, or its whole status, in place of what `body` says was read."""
    return Request(Verb.UPDATE, target, _STRICT, to_json(body), JSON)


def patch(
    target: Target, body: Mapping[str, Any], query: tuple[tuple[str, str], ...] = _STRICT
) -> Request:
    """A merge patch; uid and resourceVersion in its metadata are preconditions."""
    return Request(Verb.PATCH, target, query, to_json(body), _MERGE_PATCH)


def apply(
    target: Target, body: Mapping[str, Any], *, manager: str = MANAGER, dry_run: bool = False
) -> Request:
    """Server-side apply, forced: what git states wins."""
    query = (
        ("fieldManager", manager),
        ("force", "true"),
        ("fieldValidation", "Strict"),
        *((("dryRun", "All"),) if dry_run else ()),
    )
    return Request(Verb.APPLY, target, query, to_json(body), _APPLY_PATCH)


def delete(target: Target, *, uid: str = "", version: str = "") -> Request:
    """Exactly this object, in the background; what it owns goes after it."""
    known = {"uid": uid, "resourceVersion": version}
    preconditions = {key: value for key, value in known.items() if value}
    body = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Background",
        **({"preconditions": preconditions} if preconditions else {}),
    }
    return Request(Verb.DELETE, target, (), to_json(body), JSON)


def status(resource: Resource, metadata: Metadata, wire: Mapping[str, Any]) -> Request:
    """The whole status, by the uid and resourceVersion that were read; the server keeps the rest.

    Without the spec, which the server takes from what it holds: half of the bytes.
    """
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "status": wire,
    }
    return update(Target(resource, metadata.namespace, metadata.name, "status"), body)


def cancellation(child: Child) -> Request:
    """Sets `cancelRequested` on exactly this child."""
    body = {"metadata": {"uid": child.uid}, "spec": {"cancelRequested": True}}
    return patch(Target(CHILDREN, child.namespace, child.name), body)


def workflow_cancellation(namespace: str, name: str, known: Precondition) -> Request:
    """Sets `cancel` on exactly this workflow, as it was read.

    By a manager of its own: an apply that does not state `cancel` leaves it as it is then.
    """
    body = {
        "metadata": {"uid": known.uid, "resourceVersion": known.version},
        "spec": {"cancel": True},
    }
    return patch(Target(WORKFLOWS, namespace, name), body, _AS_REPLACER)


def workflow_deletion(namespace: str, name: str, known: Precondition) -> Request:
    """Deletes exactly this workflow, as it was read."""
    return delete(Target(WORKFLOWS, namespace, name), uid=known.uid, version=known.version)


def apply_workflow(
    body: Mapping[str, Any], precondition: Precondition, *, dry_run: bool = False
) -> Request:
    """Creates only (a resourceVersion of 1 is answered 409 when it exists), or meets this one."""
    known = (
        {"resourceVersion": "1"}
        if precondition.new
        else {"uid": precondition.uid, "resourceVersion": precondition.version}
    )
    metadata = {**body["metadata"], **known}
    target = Target(WORKFLOWS, metadata["namespace"], metadata["name"])
    return apply(target, {**body, "metadata": metadata}, dry_run=dry_run)
