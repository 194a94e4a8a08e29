"""The Cluster seam over a real API server (contract 1, 3, 7): builders, one call, codec.

Decides nothing. What a 404 or a 409 means for a workflow is the caller's business.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pydantic import ValidationError

from reconciler.core.api import (
    Kind,
    Metadata,
    WorkflowExecution,
    WorkflowRecord,
    WorkflowStatus,
)
from reconciler.core.facts import Child
from reconciler.core.names import SOURCE_LABEL, WORKFLOW_LABEL, workflow_label
from reconciler.errors import Refused, Unreachable
from reconciler.kube import codec, requests
from reconciler.kube.answers import Missing, Response
from reconciler.kube.calls import Calls
from reconciler.kube.codec import Json
from reconciler.kube.paging import Listed, Pool, read_list
from reconciler.kube.requests import (
    CHILDREN,
    CONFIG_MAPS,
    EVENTS,
    LEASES,
    RECORDS,
    WORKFLOWS,
    Request,
    Resource,
    Target,
)
from reconciler.seams import (
    Cluster,
    ConfigMap,
    Event,
    Lease,
    LeaseRead,
    NewChild,
    Precondition,
    Scope,
    Unreadable,
    Workflows,
)

K = TypeVar("K", bound=Kind)
T = TypeVar("T")

_LISTS_AT_ONCE = 4  # two pages of each are in memory; more would only queue at the server


class KubeCluster:
    """Implements `seams.Cluster`. `identity` stands in the Events, as who reported them.

    `pool` is for what is read side by side; a test that replays a run gives one without threads.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        state_namespace: str,
        identity: str = "reconciler",
        pool: Pool = ThreadPoolExecutor,
    ) -> None:
        self._calls = calls
        self._state = state_namespace
        self._identity = identity
        self._pool = pool

    # --- reads ------------------------------------------------------------------------------

    def workflows(self, scope: Scope) -> Workflows:
        """Of another shard's no more is made than the count of its active steps."""

        def wanted(item: Json) -> WorkflowExecution | Unreadable | int | None:
            if codec.label(item, SOURCE_LABEL) not in ("", scope.source):
                return None
            if scope.shard.owns(codec.uid(item)):
                return codec.parse_workflow(item)
            return codec.active_steps(item)

        listed = self._list(requests.unsettled(scope), wanted)
        return Workflows(
            items=tuple(each for each in listed.items if isinstance(each, WorkflowExecution)),
            unreadable=tuple(each for each in listed.items if isinstance(each, Unreadable)),
            at=listed.at,
            elsewhere=sum(each for each in listed.items if isinstance(each, int)),
        )

    def children(self, namespace: str | None, workflows: Sequence[str]) -> Sequence[Child]:
        labels = frozenset(workflow_label(name) for name in workflows)

        def wanted(item: Json) -> Child | None:
            return codec.child(item) if codec.label(item, WORKFLOW_LABEL) in labels else None

        def read(first: Request) -> Sequence[Child]:
            return self._list(first, wanted).items

        lists = requests.children(namespace, workflows)
        if len(lists) == 1:
            return read(lists[0])
        # Side by side: each is of other workflows, so they need not be of one moment.
        with self._pool(_LISTS_AT_ONCE) as pool:
            return [child for children in pool.map(read, lists) for child in children]

    def child(self, namespace: str, name: str) -> Child | None:
        item = self._get(CHILDREN, namespace, name)
        return None if item is None else codec.child(item)

    def workflow(self, namespace: str, name: str) -> WorkflowExecution | None:
        item = self._get(WORKFLOWS, namespace, name)
        return None if item is None else _stored(WorkflowExecution, item)

    def raw_workflow(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        return self._get(WORKFLOWS, namespace, name)

    def source_workflows(self, scope: Scope) -> Sequence[Metadata]:
        if scope.source is None:
            return ()
        request = requests.metadata_of_source(scope)
        return self._list(request, codec.parse_metadata).items

    def records(self, scope: Scope) -> Sequence[WorkflowRecord]:
        """One record that cannot be read fails the list: it must not look like none.

        Without its record a content would run twice, or a run that executes would be ended.
        """
        if scope.source is None:
            return ()
        request = requests.of_source(RECORDS, scope)
        return self._list(request, lambda item: _stored(WorkflowRecord, item)).items

    def record(self, namespace: str, name: str) -> WorkflowRecord | None:
        item = self._get(RECORDS, namespace, name)
        return None if item is None else _stored(WorkflowRecord, item)

    def config_map(self, name: str) -> ConfigMap | None:
        item = self._get(CONFIG_MAPS, self._state, name)
        return None if item is None else codec.config_map(item)

    def lease(self, name: str) -> LeaseRead:
        def read(request: Request, response: Response) -> LeaseRead:
            found = codec.lease(codec.read(request, response))
            return LeaseRead(found, response.at)

        try:
            return self._calls.make(requests.get(LEASES, self._state, name), read)
        except Missing as missing:
            return LeaseRead(None, missing.at)

    # --- writes -----------------------------------------------------------------------------

    def write_status(
        self, workflow: WorkflowExecution, status: WorkflowStatus
    ) -> WorkflowExecution:
        request = requests.status(WORKFLOWS, workflow.metadata, status.wire())
        return self._write(WorkflowExecution, request)

    def create_child(self, child: NewChild) -> Child:
        request = requests.create(CHILDREN, child.namespace, child.body)
        return codec.child(self._calls.make(request, codec.read))

    def ask_to_stop(self, child: Child) -> None:
        try:
            self._calls.make(requests.cancellation(child), codec.read)
        except Missing:
            return

    def announce(self, event: Event) -> None:
        body = codec.event_body(event, self._calls.now(), self._identity)
        request = requests.create(EVENTS, body["metadata"]["namespace"], body)
        self._calls.make(request, codec.read, attempts=1)

    def apply_workflow(
        self, body: Mapping[str, Any], precondition: Precondition, *, dry_run: bool = False
    ) -> WorkflowExecution:
        request = requests.apply_workflow(body, precondition, dry_run=dry_run)
        return self._write(WorkflowExecution, request)

    def cancel_workflow(self, namespace: str, name: str, known: Precondition) -> None:
        try:
            self._calls.make(requests.workflow_cancellation(namespace, name, known), codec.read)
        except Missing:
            return

    def delete_workflow(self, namespace: str, name: str, known: Precondition) -> None:
        """What comes back says nothing: a Status, or with finalizers the object."""
        try:
            self._calls.make(requests.workflow_deletion(namespace, name, known), codec.nothing)
        except Missing:
            return

    def create_record(self, record: WorkflowRecord) -> WorkflowRecord:
        body = {key: value for key, value in record.wire().items() if key != "status"}
        namespace = record.metadata.namespace
        return self._write(WorkflowRecord, requests.create(RECORDS, namespace, body))

    def write_record(self, record: WorkflowRecord) -> WorkflowRecord:
        request = requests.status(RECORDS, record.metadata, record.status.wire())
        return self._write(WorkflowRecord, request)

    def write_config_map(self, config_map: ConfigMap) -> ConfigMap:
        body = codec.config_map_body(self._state, config_map)
        request = self._create_or_update(CONFIG_MAPS, body, new=not config_map.version)
        return codec.config_map(self._calls.make(request, codec.read))

    def write_lease(self, lease: Lease, *, timeout: float | None = None) -> Lease:
        body = codec.lease_body(self._state, lease)
        request = self._create_or_update(LEASES, body, new=not lease.version)
        if timeout is None:
            return codec.lease(self._calls.make(request, codec.read))
        return codec.lease(self._calls.make_once(request, codec.read, timeout))

    # --- after the run ----------------------------------------------------------------------

    def requests(self) -> Mapping[tuple[str, str], int]:
        return self._calls.sent()

    # --- parts ------------------------------------------------------------------------------

    def _list(self, first: Request, project: Callable[[Json], T | None]) -> Listed[T]:
        return read_list(self._calls, first, project, self._pool)

    def _get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """None only where the server names the object as the one that is not there."""
        if not requests.possible(name):
            return None
        try:
            return self._calls.make(requests.get(resource, namespace, name), codec.read)
        except Missing:
            return None

    def _write(self, model: type[K], request: Request) -> K:
        item = self._calls.make(request, codec.read)
        try:
            return codec.parse(model, item)
        except ValidationError as error:
            raise Unreachable(
                f"{request.text}: written, but what came back does not fit: {codec.why(error)}"
            ) from error

    def _create_or_update(self, resource: Resource, body: Json, *, new: bool) -> Request:
        if new:
            return requests.create(resource, self._state, body)
        return requests.update(Target(resource, self._state, body["metadata"]["name"]), body)


def _stored(model: type[K], item: Json) -> K:
    """Raises Refused for a stored object that does not fit our models."""
    try:
        return codec.parse(model, item)
    except ValidationError as error:
        name = "{namespace}/{name}".format_map(item.get("metadata", {}))
        raise Refused(
            f"the stored {model.__name__} {name} does not fit: {codec.why(error)}; "
            "repair it, or run the release that wrote it",
            status=422,
            reason="Unreadable",
        ) from error


def _conforms(cluster: KubeCluster) -> Cluster:
    """Checked by mypy, never called: KubeCluster is a Cluster."""
    return cluster
