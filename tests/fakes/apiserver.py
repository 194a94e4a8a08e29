"""An API server in memory, at the Transport: the whole real client code runs on it.

What it promises is what `tests/conformance` holds against a real kube-apiserver, operation by
operation. Deterministic (uids and versions are counted, times are the clock's), safe for threads,
and fast: stored objects are immutable, so `snapshot` and `restore` copy a few dictionaries.

Faults and other actors come in through `interceptor`; `observers` see every committed change.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from email.utils import format_datetime
from typing import Protocol

from reconciler.kube.answers import Response
from reconciler.kube.requests import Request, Resource, Verb
from reconciler.seams import Clock
from tests.fakes.memory.refusals import Refusal
from tests.fakes.memory.schemas import Json
from tests.fakes.memory.served import SERVED
from tests.fakes.memory.storage import Change, Snapshot, Storage
from tests.fakes.memory.verbs import Verbs

_LARGEST_REQUEST = 3 << 20  # bytes, kube-apiserver's limit


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was answered, and how long the client would have waited."""

    request: Request
    status: int
    timeout: float


class Interceptor(Protocol):
    """Stands between a client and the server. What it raises is the client's to see.

    An error without applying: `before` returns it. Applied, then an error or no answer: `after`
    returns another response, or raises. A crash of the client: either raises what it must not
    catch. Another actor: either calls `server.handle` before it returns.
    """

    def before(self, request: Request, /) -> Response | None:
        """An answer in the server's place, or None."""

    def after(self, request: Request, response: Response, /) -> Response:
        """What the client gets to see of the server's answer."""


class MemoryApiServer:
    """Implements `kube.transport.Transport`."""

    def __init__(self, clock: Clock, *, namespaces: Iterable[str] = ("default",)) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._storage = Storage(clock, namespaces)
        self._verbs = Verbs(self._storage)
        self.not_installed: set[Resource] = set()  # kinds without their CRD
        self.interceptor: Interceptor | None = None
        self.log: list[Exchange] = []

    # --- for clients ------------------------------------------------------------------------

    def send(self, request: Request, timeout: float) -> Response:
        """As a client sees it, faults and all."""
        between = self.interceptor
        response = between.before(request) if between else None
        if response is None:
            response = self.handle(request)
            if between:
                response = between.after(request, response)
        with self._lock:
            self.log.append(Exchange(request, response.status, timeout))
        return response

    def handle(self, request: Request) -> Response:
        """The server's own answer: nothing stands between, and nothing is logged."""
        with self._lock:
            try:
                response = Response(*self._answer(request))
            except Refusal as refusal:
                response = refusal.response
        date = format_datetime(self._clock.now().replace(microsecond=0), usegmt=True)
        return replace(response, headers={"date": date})

    def _answer(self, request: Request) -> tuple[int, bytes]:
        if len(request.body) > _LARGEST_REQUEST:
            raise Refusal.too_large(_LARGEST_REQUEST)
        served = SERVED.get(request.target.resource)
        if served is None or served.resource in self.not_installed:
            raise Refusal.no_such_path()
        return self._verbs.answer(served, request)

    # --- for tests --------------------------------------------------------------------------

    @property
    def namespaces(self) -> set[str]:
        return self._storage.namespaces

    @property
    def observers(self) -> list[Callable[[Change], None]]:
        return self._storage.observers

    def objects(self, resource: Resource) -> tuple[Json, ...]:
        """Everything of a kind, by namespace and name. Never to be changed."""
        return tuple(stored.body for stored in self._storage.all(resource))

    def object(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object, never to be changed; None when there is none."""
        stored = self._storage.find(resource, namespace, name)
        return stored.body if stored else None

    def writes(self) -> tuple[Request, ...]:
        """What was answered that is no read, in its order."""
        return tuple(
            each.request for each in self.log if each.request.verb not in (Verb.GET, Verb.LIST)
        )

    def snapshot(self) -> Snapshot:
        with self._lock:
            return self._storage.snapshot()

    def restore(self, snapshot: Snapshot) -> None:
        """As from an etcd backup: versions go back, lists under way are forgotten."""
        with self._lock:
            self._storage.restore(snapshot)
            self._verbs.forget_lists()

    def expire_lists(self) -> None:
        """Compaction: whoever continues a list now is answered 410."""
        with self._lock:
            self._verbs.forget_lists()

    def collect_garbage(self) -> None:
        """Deletes what has owners and none of them left, as the controller manager would."""
        with self._lock:
            while self._storage.collect():
                pass
