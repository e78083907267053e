"""Streams on trio: ``open_stream``, ``StreamPool``, and trio's own primitives."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Unpack

import trio

from .calling import asked
from .loop import AsyncStream, answered
from .network import MOST
from .pool.driver import AsyncPool
from .pool.tasks_scoped import ScopedTasks
from .scoped import ScopedNetwork

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest, Transcript

    from .pool.pooling import PoolOptions
    from .stream import StreamOptions

__all__ = ["StreamPool", "TrioStream", "ask", "chat", "open_stream"]


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> TrioStream:
    """The answer to ``request``, as events: ``async with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. Raises ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return TrioStream(request, **options)


def chat(provider: str | StreamRequest, **fields: Any) -> TrioStream:
    """What a model answers, as a stream::

        async with chat("anthropic", model=..., messages=[...]) as stream:

    ``provider`` is a name of ``sans_io_stream.providers.PROVIDERS``. ``fields`` are arguments of
    its ``chat``, fields of its API, and options of ``open_stream``; a key that is not among them
    is read from the provider's usual variable. Raises ``ValueError`` where it cannot be asked.
    """
    request, options = asked(provider, fields)
    return TrioStream(request, **options)


async def ask(provider: str | StreamRequest, **fields: Any) -> Transcript:
    """The whole answer to what ``chat`` asks. Raises ``StreamInterrupted`` or ``StreamFailed``,
    with what there is of it, for any that is not complete."""
    # Not through chat: fields that are handed on are copied, and only the copy is hidden.
    request, options = asked(provider, fields)
    return await answered(TrioStream(request, **options))


class TrioStream(AsyncStream):
    """An open stream on trio."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = TrioNetwork()


class TrioTasks(ScopedTasks):
    """The tasks of a pool on trio."""

    def __init__(self) -> None:
        super().__init__(trio, trio.open_nursery)


class StreamPool(AsyncPool):
    """Many streams on trio; see ``AsyncPool``."""

    def __init__(self, max_concurrent: int = 10, **options: Unpack[PoolOptions]) -> None:
        super().__init__(TrioTasks(), open_stream, max_concurrent, **options)


class TrioNetwork(ScopedNetwork[trio.abc.Stream]):
    """The primitives on trio."""

    def __init__(self) -> None:
        super().__init__(trio)

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await self.close()
        with self._until(deadline):
            self._stream = await trio.open_tcp_stream(host, port)

    async def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        stream = trio.SSLStream(
            self._open(), context, server_hostname=server_hostname, https_compatible=False
        )
        with self._until(deadline):
            await stream.do_handshake()
        self._stream = stream

    async def send(self, data: bytes, deadline: float | None) -> None:
        with self._until(deadline):
            await self._open().send_all(data)

    async def receive(self, deadline: float | None) -> bytes:
        with self._until(deadline):
            return bytes(await self._open().receive_some(MOST))
