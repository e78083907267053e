"""Clocks that jump: each runtime's own sockets, and nobody waits for anything but bytes.

Time passes only when nothing is to be read or written: then it jumps to what comes next, a
deadline of the client or a word of the server. trio has such a clock; asyncio gets a loop, and
blocking sockets a selector.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import anyio
import trio.testing

from sans_io_stream_adapters import sync

from .colours import Told, aopen, aread, collect, run

if TYPE_CHECKING:
    import pytest

__all__ = ["Slow", "timed"]

BEGIN = 1000.0

Found = list[tuple[selectors.SelectorKey, int]]


@dataclass
class Slow:
    """A server that says these words after so many seconds each, on every connection anew."""

    words: tuple[Iterator[tuple[float, bytes]], ...]

    def __enter__(self) -> Self:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self._left = list(self.words)
        self._open: list[socket.socket] = []
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self.listening, *self._open]:
            one.close()

    def accept(self) -> tuple[socket.socket, Iterator[tuple[float, bytes]]]:
        connection, _ = self.listening.accept()
        # Else a second word waits for a real moment until the first one is acknowledged.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.append(connection)
        return connection, self._left.pop(0)

    @property
    def waiting(self) -> bool:
        """A client is there that nobody has attended to."""
        return bool(self._left and select.select([self.listening], [], [], 0)[0])

    async def serve(self) -> None:
        """Speak in the client's own loop."""
        while self._left:
            await anyio.wait_readable(self.listening)
            connection, words = self.accept()
            for seconds, data in words:
                await anyio.sleep(seconds)
                if not said(connection, data):
                    break


def said(connection: socket.socket, data: bytes) -> bool:
    """Send it; False if the client has left."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps."""

    def __init__(self) -> None:
        self.now = BEGIN
        super().__init__(Jumping(self))

    def time(self) -> float:
        return self.now


class Jumping(selectors.SelectSelector):
    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Found:
        found = super().select(0)
        if not found:
            assert timeout is not None, "nothing will ever happen"
            self._loop.now += timeout
        return found


@dataclass
class Moment:
    """The clock of blocking sockets, and the server's next word on it."""

    server: Slow
    now: float = BEGIN
    speaks: tuple[socket.socket, Iterator[tuple[float, bytes]]] | None = None
    due: float = BEGIN
    word: bytes = b""

    def tell(self, *_: object) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Go on to the server's next word, if that comes first."""
        until = self.now + seconds
        if self.speaks is None and self.server.waiting:
            self.speaks = self.server.accept()
            self._next()
        if self.speaks is None or self.due > until:
            self.now = until
            return
        self.now = self.due
        if said(self.speaks[0], self.word):
            self._next()
        else:
            self.speaks = None

    def _next(self) -> None:
        assert self.speaks is not None
        found = next(self.speaks[1], None)
        if found is None:
            self.speaks = None
        else:
            self.due, self.word = self.now + found[0], found[1]


def timed(
    colour: str, server: Slow, request: Any, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[Told, float]:
    """What is told, and how many seconds it took."""
    if colour == "sync":
        moment = Moment(server)

        class Waiting(selectors.SelectSelector):
            def select(self, timeout: float | None = None) -> Found:
                found = super().select(0)
                if not found:
                    moment.pass_by(10.0 if timeout is None else timeout)
                return found

        monkeypatch.setattr(sync, "Selector", Waiting)
        monkeypatch.setattr(sync.SyncNetwork, "now", moment.tell)
        told = collect(colour, request, **options)
        return told, moment.now - BEGIN
    told = Told()

    async def main() -> float:
        begin = anyio.current_time()
        async with anyio.create_task_group() as others:
            others.start_soon(server.serve)
            told.stream = stream = aopen(colour, request, **options)
            await aread(stream, told, None)
            others.cancel_scope.cancel()
        return anyio.current_time() - begin

    clock = trio.testing.MockClock(autojump_threshold=0)
    return told, run(colour, main, clock=clock, loop=Loop)
