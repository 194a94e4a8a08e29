"""A gate between a run and the real API server: it sees each request, and may stop it.

TLS hides from everybody else what a run asks, so the gate ends it with an authority of its own and
asks the server in the run's name. What stands between two requests of a run can thus be
tested where it happens: a crash, a signal, an answer that is lost.
"""

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import trustme
from typing_extensions import override

from tests.controlplane import Api

READS = ("GET",)


class Lost(Exception):  # noqa: N818  # what happened to a request, or to its answer
    """The connection ends here, and the run never learns more."""


@dataclass(frozen=True)
class Request:
    """What a run sent, and when it arrived (monotonic)."""

    method: str
    path: str
    at: float

    @property
    def write(self) -> bool:
        return self.method not in READS

    def of(self, method: str, resource: str) -> bool:
        """By method and by how the path ends, names aside: `PUT workflowexecutions/status`."""
        kind, _, sub = resource.partition("/")
        parts = urlsplit(self.path).path.split("/")
        return self.method == method and kind in parts and (not sub or parts[-1] == sub)


def _nothing(_: Request) -> None:
    """A gate that lets everybody pass."""


@dataclass
class Gate:
    """`before` is asked while a request waits, `after` while its answer does; both may raise Lost.

    They are called in the threads of the requests, many at once.
    """

    server: str = ""
    authority: str = ""
    before: Callable[[Request], None] = _nothing
    after: Callable[[Request], None] = _nothing
    dateless: bool = False
    seen: list[Request] = field(default_factory=list)


@contextlib.contextmanager
def gate(api: Api) -> Iterator[Gate]:
    """Open until the end of the block."""
    authority = trustme.CA()
    opened = Gate(authority=authority.cert_pem.bytes().decode())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with _Server(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"gate": opened, "api": api})
    ) as it:
        # A handshake belongs to the thread of its connection, never to the one that accepts.
        it.socket = context.wrap_socket(it.socket, server_side=True, do_handshake_on_connect=False)
        opened.server = f"https://127.0.0.1:{it.server_address[1]}"
        thread = threading.Thread(target=it.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield opened
        finally:
            it.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A run that was killed ends its connections as it ends."""


class _Handler(BaseHTTPRequestHandler):
    """One connection of a run, and one to the server for it."""

    gate: Gate
    api: Api
    protocol_version = "HTTP/1.1"

    @override
    def setup(self) -> None:
        super().setup()
        address = urlsplit(self.api.server)
        self.beyond = http.client.HTTPSConnection(
            str(address.hostname), address.port, context=self.api.context, timeout=30
        )

    @override
    def finish(self) -> None:
        self.beyond.close()
        super().finish()

    def _pass(self) -> None:
        request = Request(self.command, self.path, time.monotonic())
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.gate.seen.append(request)
        try:
            self.gate.before(request)
            answer, content = self._forward(body)
            self.gate.after(request)
        except Lost:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in self._left_out:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @property
    def _left_out(self) -> set[str]:
        date = {"date"} if self.gate.dateless else set()
        return {"transfer-encoding", "content-length", "connection"} | date

    def _forward(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
        self.beyond.request(self.command, self.path, body or None, headers)
        answer = self.beyond.getresponse()
        return answer, answer.read()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815  # http.server's names

    @override
    def log_message(self, format: str, *args: object) -> None:
        """What was asked stands in `seen`."""
