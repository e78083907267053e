"""Streams on asyncio: ``open_stream``, ``StreamPool``, and the primitives under them.

The protocol keeps what the transport reads, up to ``HIGH`` bytes, and then stops the reading:
who reads slowly slows the server. TLS is ``tls.Layers``: asyncio's own does not tell a cut
from an end. One timer serves all deadlines of a connection: most of them never come.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from typing import TYPE_CHECKING, Any, Unpack

from .calling import asked
from .dialling import dial
from .loop import AsyncStream, answered
from .network import MOST, OutOfTime
from .pool.driver import AsyncPool
from .pool.tasks_asyncio import AsyncioTasks
from .tls import Layers

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest, Transcript

    from .pool.pooling import PoolOptions
    from .stream import StreamOptions

__all__ = ["AsyncioStream", "StreamPool", "ask", "chat", "open_stream"]

HIGH = 2 * MOST
"""Bytes that are kept unread before the reading stops."""


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> AsyncioStream:
    """The answer to ``request``, as events: ``async with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. Raises ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return AsyncioStream(request, **options)


def chat(provider: str | StreamRequest, **fields: Any) -> AsyncioStream:
    """What a model answers, as a stream::

        async with chat("anthropic", model=..., messages=[...]) as stream:

    ``provider`` is a name of ``sans_io_stream.providers.PROVIDERS``. ``fields`` are arguments of
    its ``chat``, fields of its API, and options of ``open_stream``; a key that is not among them
    is read from the provider's usual variable. Raises ``ValueError`` where it cannot be asked.
    """
    request, options = asked(provider, fields)
    return AsyncioStream(request, **options)


async def ask(provider: str | StreamRequest, **fields: Any) -> Transcript:
    """The whole answer to what ``chat`` asks. Raises ``StreamInterrupted`` or ``StreamFailed``,
    with what there is of it, for any that is not complete."""
    # Not through chat: fields that are handed on are copied, and only the copy is hidden.
    request, options = asked(provider, fields)
    return await answered(AsyncioStream(request, **options))


class AsyncioStream(AsyncStream):
    """An open stream on asyncio."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = AsyncioNetwork()


class StreamPool(AsyncPool):
    """Many streams on asyncio; see ``AsyncPool``."""

    def __init__(self, max_concurrent: int = 10, **options: Unpack[PoolOptions]) -> None:
        super().__init__(AsyncioTasks(), open_stream, max_concurrent, **options)


class AsyncioNetwork:
    """The primitives on asyncio."""

    def __init__(self) -> None:
        self._socket: Socket | None = None
        self._layers = Layers()
        self._waiter: asyncio.Future[None] | None = None
        self._interrupted = False
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        """Set for a deadline that was; moved on only when it rings."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def begin(self) -> None:
        self._interrupted = False

    def interrupt(self) -> None:
        self._interrupted = True
        if self._waiter is not None:
            run_out(self._waiter)

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await self.close()
        task = asyncio.ensure_future(connected(host, port))
        waiter = asyncio.get_running_loop().create_future()
        task.add_done_callback(lambda _: wake(waiter))
        try:
            await self._wait(waiter, deadline)
            self._socket = await task
        finally:
            task.cancel()
            while not task.done():
                # What it has opened it closes before it ends; who is cancelled once may be
                # cancelled again and again (anyio's scopes do so).
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([task])
            if self._socket is None and not task.cancelled() and task.exception() is None:
                task.result().close()

    async def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        self._layers.add(context, server_hostname)
        done = False
        while not done:
            done = self._layers.shake()
            if data := self._layers.pending():
                await self._write(data, deadline)
            if not done:
                self._layers.feed(await self._read(deadline))

    async def send(self, data: bytes, deadline: float | None) -> None:
        if self._layers:
            self._layers.put(data)
            data = self._layers.pending()
        await self._write(data, deadline)

    async def receive(self, deadline: float | None) -> bytes:
        layers = self._layers
        if not layers:
            return await self._read(deadline)
        while (data := layers.taken()) is None:
            layers.feed(await self._read(deadline))
            if answer := layers.pending():
                await self._write(answer, deadline)
        return data

    async def wait_until(self, time: float) -> None:
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_at(time, wake, waiter)
        try:
            await waiter
        finally:
            timer.cancel()

    async def close(self) -> None:
        socket, self._socket = self._socket, None
        self._layers = Layers()
        self._set_timer(None)
        if socket is not None:
            socket.close()
            # The transport closes its socket in the loop's next round.
            await asyncio.sleep(0)

    # ---- the bytes of the network

    def _open(self) -> Socket:
        if self._socket is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._socket

    async def _read(self, deadline: float | None) -> bytes:
        """What came; empty at the network's end, which within TLS is no end."""
        socket = self._open()
        if not socket.readable:
            loop = asyncio.get_running_loop()
            if deadline is not None and deadline <= loop.time():
                # The loop has to look once at what lies there.
                await asyncio.sleep(0)
            if not socket.readable:
                socket.waiter = waiter = loop.create_future()
                await self._wait(waiter, deadline)
        return socket.take()

    async def _write(self, data: bytes, deadline: float | None) -> None:
        socket = self._open()
        socket.write(data)
        while socket.full:
            socket.waiter = waiter = asyncio.get_running_loop().create_future()
            await self._wait(waiter, deadline)
        socket.check()

    async def _wait(self, waiter: asyncio.Future[None], deadline: float | None) -> None:
        """Until ``waiter`` is done. Raises ``OutOfTime`` at the deadline."""
        if self._interrupted:
            raise OutOfTime
        self._waiter, self._deadline = waiter, deadline
        if deadline is not None and (self._timer is None or self._timer.when() > deadline):
            self._set_timer(deadline)
        try:
            await waiter
        finally:
            self._deadline = None

    def _set_timer(self, time: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if time is None else loop.call_at(time, self._ring)

    def _ring(self) -> None:
        """The time of the timer has come; the deadline may have moved on since."""
        self._timer = None
        if self._deadline is not None and self._waiter is not None:
            if self.now() >= self._deadline:
                run_out(self._waiter)
            else:
                self._set_timer(self._deadline)


class Buffers(threading.local):
    """What transports read into before it is copied out: one for each thread."""

    def __init__(self) -> None:
        self.buffer = bytearray(MOST)


BUFFERS = Buffers()


class Socket(asyncio.BufferedProtocol):
    """One TCP connection: what came and was not taken, and whether more can be sent.

    It reads by ``MOST`` bytes: the quarter megabyte that asyncio takes otherwise is made and
    given back for each read, and its events go through no cache.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._paused = self._ended = False
        self._error: Exception | None = None
        self.full = False
        """Something that was written has not been taken by the system yet."""
        self.waiter: asyncio.Future[None] | None = None

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)

    def get_buffer(self, sizehint: int) -> bytearray:
        return BUFFERS.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._pieces.append(bytes(memoryview(BUFFERS.buffer)[:nbytes]))
        self._size += nbytes
        if self._size >= HIGH and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        # The transport stays until it is closed.
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = exc
        self._ended, self.full = True, False
        self._transport = None
        self._wake()

    def pause_writing(self) -> None:
        self.full = True

    def resume_writing(self) -> None:
        self.full = False
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None:
            wake(self.waiter)

    # ---- ours

    @property
    def readable(self) -> bool:
        """Something can be taken: bytes, or the end."""
        return bool(self._pieces) or self._ended

    def take(self) -> bytes:
        """All that came; empty at the end. Raises ``OSError`` if the connection failed."""
        pieces = self._pieces
        if not pieces:
            self.check()
            return b""
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces, self._size = [], 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        """Hand bytes to the system; ``full`` says that it has not taken all of them."""
        self.check()
        if self._transport is None:
            raise BrokenPipeError("the connection is closed")
        self._transport.write(data)

    def check(self) -> None:
        """Raise what broke the connection, as ``OSError``."""
        if self._error is not None:
            if isinstance(self._error, OSError):
                raise self._error
            raise ConnectionError(str(self._error)) from self._error

    def close(self) -> None:
        """Close at once; what was not sent is not sent."""
        if self._transport is not None:
            self._transport.abort()


async def connected(host: str, port: int) -> Socket:
    """A connection to the first address that answers."""
    opened = await dial(host, port)
    _, connection = await asyncio.get_running_loop().create_connection(Socket, sock=opened)
    return connection


def wake(waiter: asyncio.Future[None]) -> None:
    """What it waits for is there."""
    if not waiter.done():
        waiter.set_result(None)


def run_out(waiter: asyncio.Future[None]) -> None:
    """It waits no longer."""
    if not waiter.done():
        waiter.set_exception(OutOfTime())
