"""Gateway for a real Pushgateway; the home of prometheus_client, loaded when there is to push.

One POST of gauges, one attempt, 3 seconds for all of it, no redirect followed. POST replaces each
family that it sends and keeps the others (contract 10). No error tells the URL's user or password.
"""

import base64
import http.client
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from typing_extensions import override

from reconciler.seams import GatewayError, Gauge

if TYPE_CHECKING:  # 100 ms that a run pays when it pushes, not when it starts
    from prometheus_client import CollectorRegistry

TIMEOUT = 3.0  # seconds; with the Lease's release, the 5 that a run has after its deadline

_TOLD = 200  # characters of the server's answer


@dataclass(frozen=True, slots=True)
class PushGateway:
    """A Pushgateway at `url`, which may hold a user and a password, and lasts `timeout` at most."""

    url: str
    timeout: float = TIMEOUT

    def push(self, gauges: Sequence[Gauge], grouping: Mapping[str, str]) -> None:
        """The gauges as one group. Raises GatewayError."""
        self._in_time(lambda: self._post(gauges, grouping))

    def ready(self) -> None:
        """Whether it says that it is ready to be pushed to. Raises GatewayError."""
        address = f"{self._target.rstrip('/')}/-/ready"
        self._in_time(lambda: self._asked(self._handler(address, "GET", self.timeout, (), None)))

    def _in_time(self, act: Callable[[], None]) -> None:
        failures: list[GatewayError] = []

        def attempt() -> None:
            try:
                act()
            except GatewayError as error:
                failures.append(error)

        # A thread, because no socket timeout bounds the look-up of a name or an answer that drips.
        # Left behind it harms nothing: the process is about to end.
        thread = threading.Thread(target=attempt, daemon=True, name="push")
        thread.start()
        thread.join(self.timeout)
        if thread.is_alive():
            raise GatewayError(f"{self._address} gave no answer within {self.timeout:g} s")
        if failures:
            raise failures[0]

    def _post(self, gauges: Sequence[Gauge], grouping: Mapping[str, str]) -> None:
        from prometheus_client import pushadd_to_gateway  # noqa: PLC0415  # see TYPE_CHECKING

        groups = dict(grouping)
        job = groups.pop("job")
        self._asked(
            lambda: pushadd_to_gateway(
                self._target, job, _registry(gauges), groups, self.timeout, self._handler
            )
        )

    def _asked(self, act: Callable[[], object]) -> None:
        try:
            act()
        except HTTPError as error:
            with error:
                told = error.read(_TOLD).decode(errors="replace").strip()
            raise GatewayError(f"{self._address} answered {error.code} {told}".strip()) from None
        except URLError as error:
            raise GatewayError(f"{self._address} cannot be reached: {_why(error.reason)}") from None
        except (OSError, http.client.HTTPException) as error:
            raise GatewayError(f"{self._address} cannot be reached: {_why(error)}") from None

    def _handler(
        self,
        url: str,
        method: str,
        timeout: float | None,
        headers: Iterable[tuple[str, str]],
        data: bytes | None,
    ) -> Callable[[], None]:
        request = Request(url, data=data, method=method, headers=dict(headers))  # noqa: S310  # checked by the flag
        if self._authorization:
            request.add_header("Authorization", self._authorization)

        def send() -> None:
            with build_opener(_NoRedirect).open(request, timeout=timeout) as answer:
                answer.read()

        return send

    @property
    def _address(self) -> str:
        """For people: without user, password and path."""
        parts = urlsplit(self.url)
        return f"the Pushgateway at {parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def _target(self) -> str:
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    @property
    def _authorization(self) -> str:
        parts = urlsplit(self.url)
        if not parts.username:
            return ""
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {base64.b64encode(credentials.encode()).decode()}"


class _NoRedirect(HTTPRedirectHandler):
    """urllib would follow a POST with a GET, which pushes nothing and says 200."""

    @override
    def redirect_request(
        self, req: Request, fp: object, code: int, msg: str, headers: object, newurl: str
    ) -> None:
        return None


def _registry(gauges: Sequence[Gauge]) -> "CollectorRegistry":
    """One of our own: the library's default one adds figures of this process."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  # see TYPE_CHECKING
    from prometheus_client import Gauge as Family  # noqa: PLC0415

    registry = CollectorRegistry()
    for gauge in gauges:
        family = Family(gauge.name, gauge.help, gauge.labels, registry=registry)
        for values, number in gauge.samples.items():
            (family.labels(*values) if values else family).set(number)
    return registry


def _why(reason: object) -> str:
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
