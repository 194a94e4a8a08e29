"""Counts the bytes between a client and the API server, and looks at none: TLS goes through it."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

_CHUNK = 1 << 16


@dataclass
class Proxy:
    """On loopback, as long as its block lasts."""

    server: str
    address: str = ""
    sent: int = 0  # bytes to the server
    received: int = 0  # bytes from it

    @classmethod
    @contextmanager
    def before(cls, server: str) -> Iterator["Proxy"]:
        proxy, loop = cls(server), asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        listening = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(proxy._serve, "127.0.0.1", 0), loop
        ).result()
        proxy.address = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            asyncio.run_coroutine_threadsafe(_ended(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = urlsplit(self.server)
        back, onward = await asyncio.open_connection(there.hostname, there.port)
        await asyncio.gather(
            self._carry(reader, onward, "sent"), self._carry(back, writer, "received")
        )

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, counter: str
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(_CHUNK):
                setattr(self, counter, getattr(self, counter) + len(chunk))
                target.write(chunk)
                await target.drain()
        target.close()


async def _ended() -> None:
    """Everything that is still open is closed."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
