"""Streams on anyio, on either of its backends: ``open_stream``, and the primitives under it."""

from __future__ import annotations

import math
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

import anyio
from anyio.streams.tls import TLSStream

from .loop import AsyncStream
from .network import GLANCE, MOST, OutOfTime, told_by

if TYPE_CHECKING:
    from anyio.abc import ByteStream

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


class AnyioNetwork:
    """The primitives on anyio."""

    def __init__(self) -> None:
        self._stream: ByteStream | None = None
        self._scope: anyio.CancelScope | None = None

    def now(self) -> float:
        return anyio.current_time()

    def begin(self) -> None:
        self._scope = None

    def interrupt(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await self.close()
        with self._until(deadline):
            try:
                self._stream = await anyio.connect_tcp(host, port)
            except OSError as error:
                raise told_by(error) from error

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

    async def wait_until(self, time: float) -> None:
        with anyio.CancelScope() as self._scope:
            await anyio.sleep_until(time)
        if self._scope.cancelled_caught:
            raise OutOfTime

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await anyio.aclose_forcefully(stream)

    def _open(self) -> ByteStream:
        if self._stream is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._stream

    @contextmanager
    def _until(self, deadline: float | None) -> Generator[None]:
        """Bound what anyio does, and raise what it raises as ``OSError``."""
        limit = math.inf if deadline is None else max(deadline, anyio.current_time() + GLANCE)
        try:
            with anyio.CancelScope(deadline=limit) as self._scope:
                yield
        except anyio.BrokenResourceError as error:
            raise told_by(error) from error
        except anyio.ClosedResourceError as error:
            raise ConnectionAbortedError("the connection was closed") from error
        if self._scope.cancelled_caught:
            raise OutOfTime
