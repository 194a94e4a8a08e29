"""How long each stage took, summed over its calls and threads."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reconciler.core.outcome import Stage
from reconciler.seams import Clock


class Stopwatch:
    """One a pass. A stage that runs in many threads at once takes the sum of their times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: dict[Stage, float] = {}

    @contextmanager
    def time(self, stage: Stage) -> Iterator[None]:
        began = self._clock.monotonic()
        try:
            yield
        finally:
            took = self._clock.monotonic() - began
            with self._lock:
                self._seconds[stage] = self._seconds.get(stage, 0.0) + took

    @property
    def seconds(self) -> Mapping[Stage, float]:
        with self._lock:
            return dict(self._seconds)
