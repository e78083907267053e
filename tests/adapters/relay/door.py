"""A front door for tests: TCP that leads to whichever worker lives, as a balancer does.

A connection whose worker is gone is broken off. Where no worker lives, whoever comes waits at the
door until one does.
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream, TaskGroup

__all__ = ["Door"]

GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Door:
    """Takes connections at ``url``, and leads each to the next worker in turn."""

    def __init__(self) -> None:
        self.url = ""
        self._ports: list[int] = []
        self._opened = anyio.Event()

    async def start(self, group: TaskGroup) -> None:
        """Listen from now on."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=1024)
        self.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"

        async def serve() -> None:
            async with listener:
                await listener.serve(self._carry)

        group.start_soon(serve)

    def lead(self, url: str) -> None:
        """There is a worker."""
        port = urlsplit(url).port
        assert port is not None
        self._ports.append(port)
        self._opened.set()
        self._opened = anyio.Event()

    async def _worker(self) -> SocketStream:
        """A connection to one that lives: a dead one refuses, and is not asked again."""
        while True:
            for port in list(self._ports):
                with suppress(OSError):
                    found = await anyio.connect_tcp("127.0.0.1", port)
                    if port in self._ports:
                        # The next one goes to another.
                        self._ports.remove(port)
                        self._ports.append(port)
                    return found
                if port in self._ports:
                    self._ports.remove(port)
            if not self._ports:
                await self._opened.wait()

    async def _carry(self, client: SocketStream) -> None:
        async with client, await self._worker() as server, anyio.create_task_group() as both:

            async def pump(source: ByteStream, sink: ByteStream) -> None:
                with suppress(*GONE):
                    async for data in source:
                        await sink.send(data)
                both.cancel_scope.cancel()

            both.start_soon(pump, client, server)
            both.start_soon(pump, server, client)
