"""What the relay takes from the loop that runs it: providers' streams, and waiting.

anyio has all of it for every loop, at the price of its own layers over asyncio. Here are the few
things that happen for each event, or are there for each reader.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, Unpack

import anyio
import sniffio

from sans_io_stream_adapters.asyncio import AsyncioStream

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest
    from sans_io_stream_adapters.loop import AsyncStream
    from sans_io_stream_adapters.stream import StreamOptions

    from .http import Receive

__all__ = ["Changes", "changes", "open_stream", "unless_left"]


def on_trio() -> bool:
    """Whether trio runs, and not asyncio."""
    return sniffio.current_async_library() == "trio"


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> AsyncStream:
    """The answer to ``request``, as the adapter of this loop reads it."""
    if on_trio():
        from sans_io_stream_adapters.trio import TrioStream

        return TrioStream(request, **options)
    return AsyncioStream(request, **options)


async def unless_left(receive: Receive, answer: Callable[[], Awaitable[None]]) -> None:
    """``answer``, broken off when its client leaves. Raises what either of the two raises."""
    if on_trio():
        async with anyio.create_task_group() as group:
            group.start_soon(leave, receive, group.cancel_scope)
            await answer()
            group.cancel_scope.cancel()
        return
    # A group takes two kilobytes for each reader, and has one task to look after.
    with anyio.CancelScope() as scope:
        watch = asyncio.get_running_loop().create_task(leave(receive, scope))
        try:
            await answer()
        finally:
            watch.cancel()
    if watch.done() and not watch.cancelled():
        watch.result()


async def leave(receive: Receive, scope: anyio.CancelScope) -> None:
    """Break off what is in ``scope`` when the client has gone."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        scope.cancel()


class Changes(Protocol):
    """The changes of one stream, for those who wait for the next."""

    async def wait(self, due: float = math.inf) -> bool:
        """Until there is one: True. False where ``due`` came first, on the loop's clock."""
        ...

    def wake(self) -> None:
        """There is one, for all who wait."""
        ...


def changes() -> Changes:
    """Those of a stream in this loop."""
    return TrioChanges() if on_trio() else AsyncioChanges()


class AsyncioChanges:
    """A future for each who waits: one that is shared would be cancelled with any of them."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[bool]] = []

    async def wait(self, due: float = math.inf) -> bool:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        timer = None if due == math.inf else loop.call_at(due, settle, future, False)
        self._waiting.append(future)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()
            if future in self._waiting:
                self._waiting.remove(future)

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            settle(future, True)


def settle(future: asyncio.Future[bool], value: bool) -> None:
    """Give a future its value, unless it has one."""
    if not future.done():
        future.set_result(value)


class TrioChanges:
    """A parking lot."""

    def __init__(self) -> None:
        import trio

        self._scope = trio.CancelScope
        self._lot = trio.lowlevel.ParkingLot()

    async def wait(self, due: float = math.inf) -> bool:
        with self._scope(deadline=due) as scope:
            await self._lot.park()
        return not scope.cancelled_caught

    def wake(self) -> None:
        self._lot.unpark_all()
