"""Streams on trio: ``open_stream``, and the primitives under it, which are trio's own."""

from __future__ import annotations

import math
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

import trio

from .loop import AsyncStream
from .network import GLANCE, MOST, OutOfTime, told_by

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .stream import StreamOptions

__all__ = ["TrioStream", "open_stream"]


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> TrioStream:
    """The answer to ``request``, as events: ``async with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. Raises ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return TrioStream(request, **options)


class TrioStream(AsyncStream):
    """An open stream on trio."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = TrioNetwork()


class TrioNetwork:
    """The primitives on trio."""

    def __init__(self) -> None:
        self._stream: trio.abc.Stream | None = None
        self._scope: trio.CancelScope | None = None

    def now(self) -> float:
        return trio.current_time()

    def begin(self) -> None:
        self._scope = None

    def interrupt(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await self.close()
        with self._until(deadline):
            try:
                self._stream = await trio.open_tcp_stream(host, port)
            except OSError as error:
                raise told_by(error) from error

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

    async def wait_until(self, time: float) -> None:
        with trio.CancelScope() as self._scope:
            await trio.sleep_until(time)
        if self._scope.cancelled_caught:
            raise OutOfTime

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await trio.aclose_forcefully(stream)

    def _open(self) -> trio.abc.Stream:
        if self._stream is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._stream

    @contextmanager
    def _until(self, deadline: float | None) -> Generator[None]:
        """Bound what trio does, and raise what it raises as ``OSError``."""
        limit = math.inf if deadline is None else max(deadline, trio.current_time() + GLANCE)
        try:
            with trio.CancelScope(deadline=limit) as self._scope:
                yield
        except trio.BrokenResourceError as error:
            raise told_by(error) from error
        except trio.ClosedResourceError as error:
            raise ConnectionAbortedError("the connection was closed") from error
        if self._scope.cancelled_caught:
            raise OutOfTime
