"""The four seams of a run, and the frozen values that cross them.

A run speaks to a cluster, a source, a gateway and a clock, and to nothing else. Each seam has one
real implementation (`kube`, `git`, `pushgateway`, `app`) and one fake in `tests/fakes`, held to the
same conformance suite. Nothing here does I/O.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from reconciler.core.api import Metadata, WorkflowExecution, WorkflowRecord, WorkflowStatus
from reconciler.core.facts import Child
from reconciler.core.shards import Shard
from reconciler.core.signer import Signer
from reconciler.errors import DeadlinePassed


class Clock(Protocol):
    """The node's clock. Decisions use the API server's time; this one bounds the run."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds from an unknown start, never backwards."""

    def sleep(self, seconds: float) -> None: ...


class Deadline:
    """When stages 2 to 8 stop; SIGTERM (`stop`) is the same as its passing.

    The later of wall and monotonic clock counts: of a process that slept, or a machine that was
    suspended, only one of the two has moved.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._wall = clock.now()
        self._monotonic = clock.monotonic()
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return max(
            (self._clock.now() - self._wall).total_seconds(),
            self._clock.monotonic() - self._monotonic,
        )

    @property
    def remaining(self) -> float:
        """Seconds left, never negative; 0 after `stop`."""
        return 0.0 if self._stopped.is_set() else max(0.0, self._seconds - self.elapsed)

    @property
    def passed(self) -> bool:
        return self.remaining <= 0

    def check(self) -> None:
        """Asked before each call of stages 2 to 8.

        Raises:
            DeadlinePassed: no call may start any more.
        """
        if self.passed:
            raise DeadlinePassed("the deadline has passed, or SIGTERM came")


# --- cluster --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run looks at: one namespace or all (None), one source's and nobody's workflows.

    Of those it handles the ones that its shard owns.
    """

    namespace: str | None
    source: str | None = None
    selector: str = ""
    shard: Shard = field(default_factory=Shard)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored workflow that does not fit our models: told, skipped, never touched."""

    namespace: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Workflows:
    """One complete list, as much of it as the shard owns.

    `at` is the server's `Date` of its first page, None when it told none. `elsewhere` counts the
    active steps of the workflows that other shards own, by what their status says.
    """

    items: tuple[WorkflowExecution, ...]
    unreadable: tuple[Unreadable, ...] = ()
    at: datetime | None = None
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class NewChild:
    """A child to create. `body` is the whole KubernetesExecution as it is sent."""

    namespace: str
    name: str
    owner: str
    step: str
    attempt: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """coordination.k8s.io/v1 Lease; `version` is the resourceVersion read, empty for a new one."""

    name: str
    holder: str
    duration: timedelta
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class LeaseRead:
    """A Lease as read, None when there is none, and the server's time of the answer."""

    lease: Lease | None
    at: datetime | None

    def held_by(self, now: datetime) -> str:
        """Who holds it; empty when nobody does, or when it has expired.

        `now` is the node's time, for a server that told none.
        """
        lease = self.lease
        if lease is None or not lease.holder or lease.renewed is None:
            return ""
        return lease.holder if (self.at or now) < lease.renewed + lease.duration else ""


@dataclass(frozen=True, slots=True)
class Regarding:
    """What an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """events.k8s.io/v1; `note` at most 1,024 bytes."""

    regarding: Regarding
    reason: str
    note: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap of the state namespace; `version` empty for one that is new."""

    name: str
    data: Mapping[str, str]
    uid: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Precondition:
    """Which object a write may meet: none (`new`), or exactly this one."""

    uid: str = ""
    version: str = ""

    @property
    def new(self) -> bool:
        return not self.uid


class Cluster(Protocol):
    """A Kubernetes API server, cut to what a run asks of it.

    Every method raises Unreachable when no usable answer came, Refused for a permanent one, and
    DeadlinePassed when the deadline has passed before it could start. A read returns what the
    server holds at that moment (quorum), a list is complete or an error. Safe for threads.
    """

    # reads
    def workflows(self, scope: Scope) -> Workflows:
        """The unsettled workflows of the scope."""

    def children(self, namespace: str | None, workflows: Sequence[str]) -> Sequence[Child]:
        """Children labelled with one of these workflow names, ours or not."""

    def child(self, namespace: str, name: str) -> Child | None:
        """One child by name; None when there is none."""

    def workflow(self, namespace: str, name: str) -> WorkflowExecution | None:
        """One workflow by name; None when there is none."""

    def raw_workflow(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """The same as the JSON object, managedFields included."""

    def source_workflows(self, scope: Scope) -> Sequence[Metadata]:
        """Metadata of every workflow with the label of `scope.source`, settled or not."""

    def records(self, scope: Scope) -> Sequence[WorkflowRecord]:
        """Every record with the label of `scope.source`."""

    def record(self, namespace: str, name: str) -> WorkflowRecord | None:
        """One record by name, whoever's; None when there is none."""

    def config_map(self, name: str) -> ConfigMap | None:
        """A ConfigMap of the state namespace; None when there is none."""

    def lease(self, name: str) -> LeaseRead:
        """A Lease of the state namespace."""

    # writes
    def write_status(
        self, workflow: WorkflowExecution, status: WorkflowStatus
    ) -> WorkflowExecution:
        """The status, by the resourceVersion that was read. Raises Conflict."""

    def create_child(self, child: NewChild) -> Child:
        """Raises AlreadyExists."""

    def ask_to_stop(self, child: Child) -> None:
        """Sets `cancelRequested` on exactly this child (uid). Gone is fine. Raises Conflict."""

    def announce(self, event: Event) -> None:
        """One Event, one attempt."""

    def apply_workflow(
        self, body: Mapping[str, Any], precondition: Precondition, *, dry_run: bool = False
    ) -> WorkflowExecution:
        """Server-side apply, field manager `reconciler`, forced. Raises Conflict."""

    def cancel_workflow(self, namespace: str, name: str, known: Precondition) -> None:
        """Sets `spec.cancel` on exactly this one, field manager `reconciler-replace`.

        Gone is fine. Raises Conflict.
        """

    def delete_workflow(self, namespace: str, name: str, known: Precondition) -> None:
        """Exactly this one, in the background. Gone is fine. Raises Conflict."""

    def create_record(self, record: WorkflowRecord) -> WorkflowRecord:
        """Without status, which the server drops. Raises AlreadyExists."""

    def write_record(self, record: WorkflowRecord) -> WorkflowRecord:
        """Its status, by the resourceVersion that was read. Raises Conflict."""

    def write_config_map(self, config_map: ConfigMap) -> ConfigMap:
        """Created when `version` is empty, else replaced by it. Raises Conflict, AlreadyExists."""

    def write_lease(self, lease: Lease, *, timeout: float | None = None) -> Lease:
        """Created or replaced as above. `timeout` is for the release, after the deadline."""

    # after the run
    def requests(self) -> Mapping[tuple[str, str], int]:
        """How many requests were sent, by verb and status code (`error` when no answer came)."""


# --- source ---------------------------------------------------------------------------------


class Blob(NamedTuple):  # thousands are made: a frozen dataclass takes three times as long
    """A file of the commit. `path` is for people: it is never joined to a file system."""

    path: str
    blob: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A path that was not read (symlink, submodule, too large, not UTF-8 …), and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit, read without a work tree: the YAML files under the paths."""

    commit: str
    committed_at: datetime
    files: tuple[Blob, ...]
    skipped: tuple[SkippedFile, ...] = ()
    signer: Signer | None = None  # who signed it, where signatures are asked for


class Source(Protocol):
    """A git repository at one ref. Every method raises SourceError."""

    def resolve(self) -> str:
        """The full commit id the ref stands at now; one round trip."""

    def fetch(self, commit: str) -> Snapshot:
        """That commit and its files, once its signature is good where one is asked for."""

    def verify(self, commit: str) -> None:
        """That a commit is still signed by somebody who may, where signatures are asked for."""

    def descends(self, commit: str, earlier: str) -> bool | None:
        """Whether the earlier one is its ancestor; None when nobody knows. No SourceError."""


# --- gateway --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge and its samples: label values, in the order of `labels`, to the value."""

    name: str
    help: str
    samples: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


class GatewayError(Exception):
    """The push failed; a warning, never more."""


class Gateway(Protocol):
    """A Prometheus Pushgateway."""

    def push(self, gauges: Sequence[Gauge], grouping: Mapping[str, str]) -> None:
        """One POST, one attempt, at most 5 seconds. Raises GatewayError."""


# --- what a run stands in -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """Everything a run touches. No source: stages 2 and 3 are skipped."""

    cluster: Cluster
    clock: Clock
    deadline: Deadline
    source: Source | None = None
    gateway: Gateway | None = None
    identity: str = field(default="reconciler")
