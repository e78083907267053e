"""Streams on anyio, on either of its backends: ``open_stream``, and the primitives under it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Unpack

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from .loop import AsyncStream
from .network import MOST
from .scoped import ScopedNetwork

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .stream import StreamOptions

__all__ = ["AnyioStream", "open_stream"]


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> AnyioStream:
    """The answer to ``request``, as events: ``async with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. Raises ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return AnyioStream(request, **options)


class AnyioStream(AsyncStream):
    """An open stream on anyio."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = AnyioNetwork()


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
