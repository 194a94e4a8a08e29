"""One call of a run: attempts, time and counting around the wire (contract 7).

No call starts after the deadline, none lasts longer than the smaller of the request timeout and
the time left. An answer is read inside the attempt: half a list is a failed attempt, like none.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from reconciler.errors import DeadlinePassed
from reconciler.kube import answers
from reconciler.kube.answers import Response
from reconciler.kube.requests import Request
from reconciler.kube.transport import TimedOut, Transport
from reconciler.retry import ATTEMPTS, Policy
from reconciler.seams import Clock, Deadline

T = TypeVar("T")

REQUEST_TIMEOUT = 30.0  # seconds; contract 9


class Calls:
    """Safe for threads."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        deadline: Deadline,
        *,
        timeout: float = REQUEST_TIMEOUT,
        jitter: Callable[[float, float], float] | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._deadline = deadline
        self._timeout = timeout
        self._policy = (
            Policy(deadline, clock.sleep, jitter) if jitter else Policy(deadline, clock.sleep)
        )
        self._lock = threading.Lock()
        self._sent: Counter[tuple[str, str]] = Counter()

    def make(
        self, request: Request, read: Callable[[Request, Response], T], attempts: int = ATTEMPTS
    ) -> T:
        """What `read` makes of the answer."""
        return self._policy.call(lambda: self._within_the_run(request, read), attempts)

    def make_once(
        self, request: Request, read: Callable[[Request, Response], T], timeout: float
    ) -> T:
        """One attempt that does not ask the deadline: for what a run may do after it."""
        return self._attempt(request, read, timeout)

    def now(self) -> datetime:
        """The node's clock."""
        return self._clock.now()

    def sent(self) -> Mapping[tuple[str, str], int]:
        with self._lock:
            return dict(self._sent)

    def _within_the_run(self, request: Request, read: Callable[[Request, Response], T]) -> T:
        left = self._deadline.remaining
        try:
            return self._attempt(request, read, min(self._timeout, left))
        except TimedOut as error:
            if left < self._timeout:
                # Cut by the deadline, which says nothing of the server.
                raise DeadlinePassed(str(error)) from error
            raise

    def _attempt(
        self, request: Request, read: Callable[[Request, Response], T], timeout: float
    ) -> T:
        code = "error"
        try:
            response = self._transport.send(request, timeout)
            code = str(response.status)
        finally:
            with self._lock:
                self._sent[request.verb.value, code] += 1
        if not response.ok:
            raise answers.error(request, response)
        return read(request, response)
