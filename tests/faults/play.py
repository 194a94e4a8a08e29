"""One play: a server, git, the time, and who acts on them, all of it to be put back as it was.

Everything that happens to the server happens here, told apart by who does it. What no run may do,
whatever its calls are answered, is looked at after each answer.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from reconciler.core.shards import Shard
from reconciler.kube.answers import Response
from reconciler.kube.requests import EVENTS, LEASES, Request, Verb
from reconciler.settings import Settings
from tests.fakes.apiserver import MemoryApiServer
from tests.fakes.memory.storage import Change, Snapshot
from tests.faults.invariants import Monitor, Past, Violation
from tests.faults.process import REF, Answer, Process, Repository

NAMESPACE = "default"
SETTINGS = Settings(lease_name=None, namespace=NAMESPACE, state_namespace=NAMESPACE)

_START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
_GRACE = 5.0  # seconds that a run may take after its deadline
_REMEMBERED = 6  # states of the server that a list may lag behind


def _nobody(_: str) -> None:
    """Listens to what happens in a play."""


class Time:
    """Implements `seams.Clock`: one time for the server and every run; a sleep moves it."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything, at one moment without a run in it."""

    stored: Snapshot
    before: tuple[Snapshot, ...]
    passed: float
    past: Past
    repository: Repository | None


@dataclass(frozen=True, slots=True)
class Sticky:
    """A fault that meets further calls of a run, as many as `left`."""

    fits: Callable[[Request], bool]
    carry_out: Callable[["Play", Process], None]
    left: int


class Play:
    """`page`: objects a page of every list, 0 for as many as the run asks for.

    `shards`: by the name of a run which shard it is; one without is alone.
    """

    def __init__(
        self,
        settings: Settings = SETTINGS,
        page: int = 0,
        repository: Repository | None = None,
        shards: Mapping[str, Shard] = MappingProxyType({}),
    ) -> None:
        self.time = Time()
        self.server = MemoryApiServer(self.time, namespaces=(NAMESPACE,))
        self.monitor = Monitor(self.server)
        self.settings = settings
        self.repository = repository
        self.sticky: dict[Process, Sticky] = {}
        self.tell: Callable[[str], None] = _nobody
        self.before: deque[Snapshot] = deque([self.server.snapshot()], maxlen=_REMEMBERED)
        self.server.observers.append(self._remember)
        self.crew = tuple(shards) or ("A",)  # the runs that together look at everything
        self._page = page
        self._shards = shards
        self._stale = MemoryApiServer(self.time, namespaces=(NAMESPACE,))

    # --- time and again ---------------------------------------------------------------------

    @property
    def leased(self) -> bool:
        """Whether somebody holds the Lease of the runs."""
        lease = self.server.object(LEASES, NAMESPACE, self.settings.lease_name or "")
        return bool(lease and lease.get("spec", {}).get("holderIdentity"))

    def moment(self) -> Moment:
        return Moment(
            self.server.snapshot(),
            tuple(self.before),
            self.time.passed,
            self.monitor.past,
            self.repository,
        )

    def back_to(self, moment: Moment) -> None:
        """Runs that are not over must have been killed, or be forgotten."""
        self.server.restore(moment.stored)
        self.before = deque(moment.before, maxlen=_REMEMBERED)
        self.time.passed = moment.passed
        self.monitor.back_to(moment.past)
        self.repository = moment.repository
        self.sticky.clear()

    def _remember(self, change: Change) -> None:
        if change.resource is not EVENTS:
            self.before.append(self.server.snapshot())

    # --- who acts ---------------------------------------------------------------------------

    def start(self, name: str = "A") -> Process:
        """A new run, at its first call."""
        repository = self._at_hand if self.repository else None
        settings = replace(self.settings, shard=self._shards.get(name, Shard()))
        process = Process(name, self.time, settings, repository)
        self._look(process)
        return process

    def _at_hand(self) -> Repository:
        assert self.repository is not None
        return self.repository

    def hand(self, request: Request) -> Response:
        """Anybody but a run: an executor, a person with kubectl."""
        return self.server.handle(request)

    def perform(self, process: Process) -> Response:
        """What the server makes of the call that a run waits for."""
        request = process.pending
        assert request is not None
        if request is REF:
            return Response(200)
        return self.act_as(process, request)

    def act_as(self, process: Process, request: Request) -> Response:
        """The server's answer to a run, whatever the run waits for."""
        self.monitor.actor = process
        self.monitor.asked(process, request)
        try:
            response = self.server.handle(self.paged(request))
        finally:
            self.monitor.actor = None
        self.tell(f"{process.name}  {request.text}: {response.status}")
        return response

    def perform_late(self, process: Process, writes: int) -> Response:
        """The answer that the server would have given that many writes ago."""
        assert process.pending is not None
        self._stale.restore(self.before[max(0, len(self.before) - 1 - writes)])
        return self._stale.handle(process.pending)

    def stuck(self, process: Process) -> None:
        """Once less from now on."""
        sticky = self.sticky[process]
        self.sticky[process] = replace(sticky, left=sticky.left - 1)

    def paged(self, request: Request) -> Request:
        if not self._page or request.verb is not Verb.LIST:
            return request
        query = tuple(
            (key, str(self._page) if key == "limit" else each) for key, each in request.query
        )
        return replace(request, query=query)

    def proceed(self, process: Process, answer: Answer) -> None:
        """The run takes the answer and goes on to its next call."""
        process.answer(answer)
        self._look(process)

    # --- what holds of every run, whatever it is answered -----------------------------------

    def _look(self, process: Process) -> None:
        request = process.pending
        if request is None:
            self._look_at_the_end(process)
            return
        if process.deadline.passed and request.target.resource is not LEASES:
            raise Violation(f"I7: {request.text} is sent after the deadline")
        if "resourceVersion" in dict(request.query):
            raise Violation(f"contract 1: {request.text} is no quorum read")

    def _look_at_the_end(self, process: Process) -> None:
        outcome = process.outcome
        if outcome is not None and outcome.bug:
            raise Violation("I11: the run met a bug of ours, see its traceback in the log")
        if outcome is None and not process.killed:
            raise Violation("I11: the run ended without an outcome")
        late = process.deadline.elapsed - process.settings.deadline - _GRACE
        if late > 0 and not process.slept:
            raise Violation(f"I7: the run ends {late:.0f} s too late")
