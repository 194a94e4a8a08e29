"""The wire: one request out, one response back, or no answer (contract 7).

The official client's configuration, authentication, TLS and connection pool carry it; none of its
typed API modules is loaded. One call of `send` is at most one request: the hidden retries and
redirects underneath are off, because a write that is sent twice answers for its twin.
"""

import contextlib
import math
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from urllib3.exceptions import HTTPError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as NotInTime

from reconciler.errors import Unreachable
from reconciler.kube.answers import Response
from reconciler.kube.requests import Request
from reconciler.retry import Transient

CONNECTIONS = 16  # as many as the threads of a run; more would only queue at the server
_CHUNK = 1 << 18  # bytes; the time is looked at between two chunks
_SHORTEST = 0.05  # seconds: a timeout of 0 would mean none
_FRESH = 1.0  # seconds; the client sets itself up anew whenever credentials are asked for: 0.3 ms


class TimedOut(Transient):
    """No whole answer within the time of the call; a write may have happened."""


class Transport(Protocol):
    """Carries one request. Safe for threads."""

    def send(self, request: Request, timeout: float) -> Response:
        """Any answer, refusals too, within `timeout` seconds in all.

        Raises:
            Transient: no answer, or a part of one.
            Unreachable: none, and none to be had by trying again.
        """


class ApiTransport:
    """A real API server. The configuration becomes this transport's own.

    `fresh` is for how many seconds credentials are used before they are asked for again.
    """

    def __init__(self, configuration: Configuration, *, fresh: float = _FRESH) -> None:
        configuration.retries = False
        configuration.connection_pool_maxsize = CONNECTIONS
        self._client = ApiClient(configuration)
        self._client.user_agent = "reconciler"
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        self._fresh = fresh
        self._credentials: tuple[float, Mapping[str, str]] = (-math.inf, {})  # when, and which
        self._host = str(configuration.host)
        self._address = urlsplit(self._host).netloc.rpartition("@")[2]  # without a password

    def send(self, request: Request, timeout: float) -> Response:
        ends = time.monotonic() + timeout
        if not self._free.acquire(timeout=timeout):
            raise TimedOut(f"{request.text}: no connection was free for {timeout:.3g} s")
        try:
            return self._exchange(request, ends)
        except (HTTPError, OSError) as error:
            raise self._no_answer(request, error, timeout) from error
        finally:
            self._free.release()

    def close(self) -> None:
        self._client.close()

    def _exchange(self, request: Request, ends: float) -> Response:
        answer = self._pool.urlopen(
            request.method,
            self._host + request.path,
            body=request.body or None,
            headers=self._headers(request),
            timeout=urllib3.Timeout(total=max(ends - time.monotonic(), _SHORTEST)),
            retries=False,
            redirect=False,
            preload_content=False,
        )
        body = _read(answer, ends)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, body, headers)

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {
            **self._client.default_headers,
            **self._authorization(),
            "Accept": request.accept,
            "Accept-Encoding": "gzip",  # a long list is a twentieth, and comes in few pieces
        }
        if request.content_type:
            headers["Content-Type"] = request.content_type
        return headers

    def _authorization(self) -> Mapping[str, str]:
        """Of this moment: a token in a file is read again each minute."""
        asked, headers = self._credentials
        now = time.monotonic()
        if now - asked < self._fresh:
            return headers
        found: dict[str, str] = {}
        self._client.update_params_for_auth(found, [], ["BearerToken"], "", "", None)
        self._credentials = (now, found)
        return found

    def _no_answer(self, request: Request, error: Exception, timeout: float) -> Unreachable:
        """In words of our own: those of the libraries repeat addresses, and with them passwords."""
        if isinstance(error, NewConnectionError):
            why = getattr(error.__cause__, "strerror", None) or "the name or address leads nowhere"
            return Transient(
                f"{request.text}: no connection to the API server at {self._address}: {why}; "
                "is it up, and is this its address?"
            )
        if isinstance(error, NotInTime):
            return TimedOut(f"{request.text}: no answer within {timeout:.3g} s")
        cause = error.args[0] if isinstance(error, SSLError) and error.args else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(
                f"{request.text}: the certificate of the API server is not trusted "
                f"({cause.verify_message}): look at the cluster's certificate-authority "
                "in the kubeconfig"
            )
        if isinstance(cause, ssl.SSLError):
            return Transient(
                f"{request.text}: no TLS connection to {self._address}: {cause.reason}"
            )
        return Transient(f"{request.text}: the connection broke off ({type(error).__name__})")


def _read(answer: urllib3.BaseHTTPResponse, ends: float) -> bytes:
    """The whole body. A server that sends it byte by byte has no more time than any other."""
    chunks: list[bytes] = []
    with contextlib.closing(answer):
        while chunk := answer.read1(_CHUNK):
            chunks.append(chunk)
            _bound(answer, ends - time.monotonic())
        answer.release_conn()
    return b"".join(chunks)


def _bound(answer: urllib3.BaseHTTPResponse, left: float) -> None:
    """The next chunk must come within `left` seconds."""
    if left <= 0:
        raise NotInTime
    socket = getattr(answer.connection, "sock", None)
    if socket is not None:
        socket.settimeout(max(left, _SHORTEST))
