"""What the relay takes from the loop that runs it: providers' streams, and waiting.

anyio has all of it for every loop, at the price of its own layers over asyncio. Here are the few
things that happen for each event, or are there for each reader.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Unpack

import anyio
import sniffio

from sans_io_stream_adapters.asyncio import AsyncioStream

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from sans_io_stream import StreamRequest
    from sans_io_stream_adapters.loop import AsyncStream
    from sans_io_stream_adapters.stream import StreamOptions

    from .http import Receive

__all__ = ["Changes", "Watch", "changes", "open_stream"]


def on_trio() -> bool:
    """Whether trio runs, and not asyncio."""
    return sniffio.current_async_library() == "trio"


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> AsyncStream:
    """The answer to ``request``, as the adapter of this loop reads it."""
    if on_trio():
        from sans_io_stream_adapters.trio import TrioStream

        return TrioStream(request, **options)
    return AsyncioStream(request, **options)


class Watch:
    """Breaks off what is within, without an error, when the client leaves. Raises what either of
    the two raises.

    A task group would do the same. It takes two kilobytes for each reader, and this is one task.
    """

    __slots__ = ("_group", "_receive", "_scope", "_task")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._group: TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        if on_trio():
            self._group = anyio.create_task_group()
            await self._group.__aenter__()
            self._group.start_soon(leave, self._receive, self._group.cancel_scope)
            return
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        watching = leave(self._receive, self._scope)
        self._task = asyncio.get_running_loop().create_task(watching)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        if self._group is not None:
            self._group.cancel_scope.cancel()
            return await self._group.__aexit__(kind, error, trace)
        task = self._task
        assert task is not None
        task.cancel()
        broken_off = self._scope.__exit__(kind, error, trace)
        if task.done() and not task.cancelled() and (error is None or broken_off):
            task.result()
        return broken_off


async def leave(receive: Receive, scope: anyio.CancelScope) -> None:
    """Break off what is in ``scope`` when the client has gone."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        scope.cancel()


class Changes(Protocol):
    """The changes of one stream, for those who wait for the next."""

    def now(self) -> float:
        """The time on the loop's clock."""
        ...

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
    """A future for each who waits: one that is shared would be cancelled with any of them. A timer
    for all of them: most of what is due never comes, since something else does."""

    __slots__ = ("_timer", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Future[bool], float]] = []
        self._timer: asyncio.TimerHandle | None = None
        """Rings no later than the first of them is due; moved on only when it rings."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def wait(self, due: float = math.inf) -> bool:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        waiting = future, due
        self._waiting.append(waiting)
        if due < math.inf and (self._timer is None or self._timer.when() > due):
            self._set_timer(due)
        try:
            return await future
        except BaseException:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future, _ in waiting:
            settle(future, True)

    def _set_timer(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(time, self._ring)

    def _ring(self) -> None:
        """It is the time that the timer was set for."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        waiting, self._waiting = self._waiting, []
        for future, due in waiting:
            if due <= now:
                settle(future, False)
            else:
                self._waiting.append((future, due))
        if self._waiting and (first := min(due for _, due in self._waiting)) < math.inf:
            self._set_timer(first)


def settle(future: asyncio.Future[bool], value: bool) -> None:
    """Give a future its value, unless it has one."""
    if not future.done():
        future.set_result(value)


class TrioChanges:
    """A parking lot."""

    def __init__(self) -> None:
        import trio

        self.now = trio.current_time
        self._scope = trio.CancelScope
        self._lot = trio.lowlevel.ParkingLot()

    async def wait(self, due: float = math.inf) -> bool:
        with self._scope(deadline=due):
            await self._lot.park()
            return True
        return False

    def wake(self) -> None:
        self._lot.unpark_all()
