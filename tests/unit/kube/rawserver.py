"""A server on loopback that does to a connection what no HTTP library would."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

Manner = Callable[["RawServer", socket.socket], bool]
"""What is done with a request; True: the connection may carry another."""


class RawServer:
    """Each request is dealt with in the next manner; the last one stays."""

    def __init__(
        self, *manners: Manner, tls: ssl.SSLContext | None = None, greeting: bytes = b""
    ) -> None:
        self._manners = list(manners)
        self._tls = tls
        self._greeting = greeting
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self.arrived = threading.Semaphore(0)

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            self._start(lambda connection=connection: self._serve(connection))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10)
            connection.sendall(self._greeting)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                while request := _request(connection):
                    with self._lock:
                        self.requests.append(request)
                        more = len(self._manners) > 1
                        manner = self._manners.pop(0) if more else self._manners[0]
                    self.arrived.release()
                    if not manner(self, connection):
                        return


def _request(connection: socket.socket) -> bytes:
    """One whole request, empty when the client has gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


# --- manners --------------------------------------------------------------------------------


def answers(body: bytes = b"{}", status: int = 200, **headers: str) -> Manner:
    """As a server should; `Retry_After` stands for the header `Retry-After`."""
    lines = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    whole = "\r\n".join([*lines, "", ""]).encode() + body

    def manner(_: RawServer, connection: socket.socket) -> bool:
        connection.sendall(whole)
        return True

    return manner


def drops(_: RawServer, connection: socket.socket) -> bool:
    """The request is read, and the connection is gone."""
    return False


def hangs(server: RawServer, _: socket.socket) -> bool:
    """Until the server closes."""
    server.closing.wait(30)
    return False


def drips(server: RawServer, connection: socket.socket) -> bool:
    """A byte now and then, so that no single read ever times out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not server.closing.wait(0.05):
        connection.sendall(b" ")
    return False


def breaks_off(_: RawServer, connection: socket.socket) -> bool:
    """Half of what was promised."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":')
    return False


def breaks_off_in_chunks(_: RawServer, connection: socket.socket) -> bool:
    """The last chunk never comes."""
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n')
    return False


def in_chunks(_: RawServer, connection: socket.socket) -> bool:
    """As kube-apiserver sends what is large."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + b"4\r\n[1,2\r\n3\r\n,3]\r\n0\r\n\r\n")
    return True


def speaks_no_http(_: RawServer, connection: socket.socket) -> bool:
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
    return False
