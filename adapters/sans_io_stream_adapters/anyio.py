"""Streams on anyio, on either of its backends: ``open_stream``, ``StreamPool``, primitives."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Unpack

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

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

__all__ = ["AnyioStream", "StreamPool", "ask", "chat", "open_stream"]


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> AnyioStream:
    """The answer to ``request``, as events: ``async with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. Raises ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return AnyioStream(request, **options)


def chat(provider: str | StreamRequest, **fields: Any) -> AnyioStream:
    """What a model answers, as a stream::

        async with chat("anthropic", model=..., messages=[...]) as stream:

    ``provider`` is a name of ``sans_io_stream.providers.PROVIDERS``. ``fields`` are arguments of
    its ``chat``, fields of its API, and options of ``open_stream``; a key that is not among them
    is read from the provider's usual variable. Raises ``ValueError`` where it cannot be asked.
    """
    request, options = asked(provider, fields)
    return AnyioStream(request, **options)


async def ask(provider: str | StreamRequest, **fields: Any) -> Transcript:
    """The whole answer to what ``chat`` asks. Raises ``StreamInterrupted`` or ``StreamFailed``,
    with what there is of it, for any that is not complete."""
    # Not through chat: fields that are handed on are copied, and only the copy is hidden.
    request, options = asked(provider, fields)
    return await answered(AnyioStream(request, **options))


class AnyioStream(AsyncStream):
    """An open stream on anyio."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = AnyioNetwork()


class AnyioTasks(ScopedTasks):
    """The tasks of a pool on anyio."""

    def __init__(self) -> None:
        super().__init__(anyio, anyio.create_task_group)


class StreamPool(AsyncPool):
    """Many streams on anyio; see ``AsyncPool``."""

    def __init__(self, max_concurrent: int = 10, **options: Unpack[PoolOptions]) -> None:
        super().__init__(AnyioTasks(), open_stream, max_concurrent, **options)


class AnyioNetwork(ScopedNetwork[ByteStream]):
    """The primitives on anyio."""

    def __init__(self) -> None:
        super().__init__(anyio)

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await self.close()
        with self._until(deadline):
            self._stream = await anyio.connect_tcp(host, port)

    async def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        with self._until(deadline):
            self._stream = await TLSStream.wrap(
                self._open(), hostname=server_hostname, ssl_context=context
            )

    async def send(self, data: bytes, deadline: float | None) -> None:
        with self._until(deadline):
            await self._open().send(data)

    async def receive(self, deadline: float | None) -> bytes:
        with self._until(deadline):
            try:
                return await self._open().receive(MOST)
            except anyio.EndOfStream:
                return b""
