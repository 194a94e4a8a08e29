"""A Transport that plays a script, and keeps what it was asked."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import to_json

from reconciler.kube.answers import Response
from reconciler.kube.calls import Calls
from reconciler.kube.requests import Request
from reconciler.seams import Deadline
from tests.fakes.clock import FrozenClock
from tests.fakes.memory.refusals import status_response

Line = Response | Exception


class Scripted:
    """Implements `kube.transport.Transport`: each call plays the next line, the last one stays."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = list(lines)
        self.requests: list[Request] = []
        self.timeouts: list[float] = []
        self._tell: Callable[[], object] = lambda: None

    def tell(self, told: Callable[[], object]) -> None:
        """Calls it as often as something is asked."""
        self._tell = told

    def send(self, request: Request, timeout: float) -> Response:
        self.requests.append(request)
        self.timeouts.append(timeout)
        self._tell()
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        if isinstance(line, Exception):
            raise line
        return line


class Wire:
    """Calls over a script, with 50 seconds and no jitter."""

    def __init__(self, *lines: Line, seconds: float = 50.0, timeout: float = 30.0) -> None:
        self.clock = FrozenClock()
        self.deadline = Deadline(self.clock, seconds)
        self.transport = Scripted(lines)
        self.calls = Calls(
            self.transport, self.clock, self.deadline, timeout=timeout, jitter=lambda low, _: low
        )

    @property
    def sent(self) -> int:
        return len(self.transport.requests)


def ok(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    return Response(200, to_json(body), headers or {})


def refusal(status: int, reason: str = "", message: str = "no", **details: Any) -> Response:  # noqa: ANN401
    return status_response(status, reason, message, details)
