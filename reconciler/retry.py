"""Attempts, backoff, jitter and `Retry-After`, within the time that is left (contract 7).

Only a `Transient` failure is tried again. Whether a second attempt is safe is decided where the
request is known; nothing here knows requests, clocks or clusters.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from reconciler.errors import DeadlinePassed, Unreachable

T = TypeVar("T")

ATTEMPTS = 3
_BASE = 0.5  # seconds, upper bound of the first wait; it doubles
_SLICE = 0.5  # seconds: SIGTERM ends a wait no later than this


class Transient(Unreachable):
    """A failure that may be gone at the next attempt; `retry_after` in seconds is the server's."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Budget(Protocol):
    """The time a run has left."""

    @property
    def remaining(self) -> float:
        """Seconds."""

    def check(self) -> None:
        """Raises DeadlinePassed when no call may start any more."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`jitter` draws between two bounds; `sleep` waits."""

    budget: Budget
    sleep: Callable[[float], None]
    jitter: Callable[[float, float], float] = random.uniform

    def call(self, attempt: Callable[[], T], attempts: int = ATTEMPTS) -> T:
        """What `attempt` returns, tried again while its failure is transient and time is left.

        Raises:
            Transient: of the last attempt; also when the deadline passed after a failed one,
                because a server that never answers must not look like a run that was cut.
            DeadlinePassed: no attempt was made.
        """
        failed: list[Transient] = []

        def once() -> T:
            self.budget.check()
            try:
                return attempt()
            except Transient as error:
                failed.append(error)
                raise

        retrying = Retrying(
            retry=retry_if_exception_type(Transient),
            wait=self._wait,
            stop=lambda state: stop_after_attempt(attempts)(state) or self._too_late(state),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(once)
        except DeadlinePassed:
            if failed:
                raise failed[-1] from None
            raise

    def _wait(self, state: RetryCallState) -> float:
        """Full jitter, on top of what the server asked for: it may have asked everybody."""
        backoff = self.jitter(0.0, _BASE * 2 ** (state.attempt_number - 1))
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Transient) else None
        return (asked or 0.0) + backoff

    def _too_late(self, state: RetryCallState) -> bool:
        return state.upcoming_sleep >= self.budget.remaining

    def _sleep(self, seconds: float) -> None:
        while seconds > 0 and self.budget.remaining > 0:
            self.sleep(min(seconds, _SLICE))
            seconds -= _SLICE
