"""One run of the reconciler, held at every call that it makes.

The run is the real one, blocking code from `run()` down to the Transport; a greenlet turns it
inside out, so that who holds a `Process` decides what each call answers, what happens meanwhile,
and where the run dies. A run that was killed sends nothing more, not even from a `finally`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from greenlet import greenlet

from reconciler.core.outcome import Outcome
from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.cluster import KubeCluster
from reconciler.kube.requests import Request, Resource, Target, Verb
from reconciler.run import run
from reconciler.seams import Clock, Deadline, Snapshot, World
from reconciler.settings import Settings
from tests.fakes.turns import InTurn

# What a run asks git, as if it were one more call: time passes and others act before it too.
REF = Request(Verb.GET, Target(Resource("git", "v1", "refs", "Ref"), None, "main"))

Answer = Response | BaseException


class Killed(BaseException):
    """The process is gone; no handler of the run may go on after it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """What git holds: the commit that the ref stands at, and the files of every commit."""

    head: str
    commits: dict[str, Snapshot]


class Process:
    """A run that waits for the answer to `pending`; over when there is none."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        settings: Settings,
        repository: Callable[[], Repository] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.born = clock.now()
        self.deadline = Deadline(clock, settings.deadline)
        self.calls: list[Request] = []  # answered, in their order
        self.outcome: Outcome | None = None
        self.pending: Request | None = None
        self.timeout = 0.0  # of the pending call, in seconds
        self.slept = False  # it was stopped for a time, which is nothing it can help
        self.read: Snapshot | None = None  # the commit that it goes by
        self._clock = clock
        self._repository = repository
        self._dead = False
        self._inside = greenlet(self._live)
        self._goes_on(self._inside.switch())

    def answer(self, answer: Answer) -> None:
        """Lets the run go on to its next call, or to its end."""
        assert self.pending is not None, f"run {self.name} is over"
        self.calls.append(self.pending)
        if isinstance(answer, BaseException):
            self._goes_on(self._inside.throw(answer))
        else:
            self._goes_on(self._inside.switch(answer))

    def kill(self) -> None:
        """SIGKILL: nothing of it happens any more."""
        self._dead = True
        if self.pending is not None:
            self._inside.throw(Killed())
        self.pending = None

    @property
    def now(self) -> datetime:
        return self._clock.now()

    @property
    def killed(self) -> bool:
        return self._dead

    @property
    def over(self) -> bool:
        return self.pending is None

    # --- the run's side ---------------------------------------------------------------------

    def send(self, request: Request, timeout: float) -> Response:
        """The Transport of this run."""
        if self._dead:
            raise Killed
        self.timeout = timeout
        response = self._inside.parent.switch(request)
        assert isinstance(response, Response)
        return response

    def resolve(self) -> str:
        """The Source of this run: where the ref stands at the moment of the answer."""
        self.send(REF, 0.0)
        assert self._repository is not None
        return self._repository().head

    def fetch(self, commit: str) -> Snapshot:
        """A commit never changes, so nothing can come between."""
        assert self._repository is not None
        self.read = self._repository().commits[commit]
        return self.read

    def verify(self, commit: str) -> None:
        """Nobody signs here."""

    def descends(self, commit: str, earlier: str) -> bool | None:
        """It only tells."""
        del commit, earlier
        return None

    def _live(self) -> None:
        calls = Calls(self, self._clock, self.deadline, jitter=_no_jitter)
        world = World(
            cluster=KubeCluster(calls, state_namespace=self.settings.state_namespace, pool=InTurn),
            clock=self._clock,
            deadline=self.deadline,
            source=self if self._repository else None,
            identity=self.name,
        )
        try:
            self.outcome = run(world, self.settings, workers=1)
        except Killed:
            self._dead = True

    def _goes_on(self, request: Request | None) -> None:
        self.pending = request


def _no_jitter(_low: float, _high: float) -> float:
    return 0.0
