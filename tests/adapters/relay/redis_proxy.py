"""A proxy before a Redis that breaks connections off, or leads elsewhere, as it is told: for tests.

It counts bytes, not time: a connection ends once so many have gone to the server, or would have
come back from it. What went to the server arrives there whole, and is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream, TaskGroup

__all__ = ["NEVER", "Cut", "Proxy"]

GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Cut(NamedTuple):
    """After how many bytes a connection ends, on the way there and on the way back."""

    there: float = math.inf
    back: float = math.inf


NEVER = Cut()


class Proxy:
    """Takes connections for the Redis at ``port``, which may become another one; ``plan`` says of
    each one how it ends."""

    def __init__(self, port: int, plan: Callable[[], Cut]) -> None:
        self.port = port
        self.plan = plan
        self.lose: float = 0
        """How many answers are to be lost, with their connections."""
        self.instead: bytes | None = None
        """What comes back in place of each piece of an answer."""
        self.made = 0
        """How many connections there were."""
        self.silent = 0
        """How many of those have no answers any more."""
        self.cuts = 0
        self.url = ""

    async def start(self, group: TaskGroup) -> None:
        """Listen from now on."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        self.url = f"redis://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/0"

        async def serve() -> None:
            async with listener:
                await listener.serve(self._carry)

        group.start_soon(serve)

    async def _carry(self, client: SocketStream) -> None:
        cut = self.plan()
        number = self.made = self.made + 1
        async with (
            client,
            await anyio.connect_tcp("127.0.0.1", self.port) as server,
            anyio.create_task_group() as both,
        ):

            async def pump(source: ByteStream, sink: ByteStream, left: float) -> None:
                with suppress(*GONE):
                    while True:
                        data = await source.receive()
                        if source is server and number <= self.silent:
                            continue
                        if source is server and self.instead is not None:
                            data = self.instead
                        if source is server and self.lose > 0:
                            self.lose -= 1
                            break
                        await sink.send(data[: int(min(left, len(data)))])
                        left -= len(data)
                        if left < 0:
                            self.cuts += 1
                            break
                both.cancel_scope.cancel()

            both.start_soon(pump, client, server, cut.there)
            both.start_soon(pump, server, client, cut.back)
