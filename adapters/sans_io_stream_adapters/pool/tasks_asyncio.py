"""The tasks of a pool on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from .scope import Endable

__all__ = ["AsyncioTasks"]


class AsyncioTasks:
    """The tasks of a pool on asyncio."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def signal(self) -> AsyncioSignal:
        return AsyncioSignal()

    async def open(self) -> None:
        self._group = await asyncio.TaskGroup().__aenter__()

    async def close(self, interrupted: Callable[[], None]) -> None:
        try:
            await self._group.__aexit__(None, None, None)
        except BaseException:
            interrupted()
            raise

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        coroutine = work()
        try:
            self._group.create_task(coroutine)
        except RuntimeError:
            # The group was cancelled, and a handler that took no notice has made room: whatever
            # the pool still has is ended as it is closed.
            coroutine.close()

    def scope(self, stream: Endable) -> AsyncioScope:
        return AsyncioScope()


class AsyncioScope:
    """What can be cancelled in a task without cancelling the task."""

    _asked = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        # As asyncio.timeout does it: only who was not cancelled from outside too goes on.
        outside = self._asked and self._task is not None and self._task.uncancel() > 0
        return self._asked and not outside and isinstance(error, asyncio.CancelledError)

    def cancel(self, reason: str | None) -> None:
        if self._task is not None and not self._asked:
            self._asked = True
            self._task.cancel()


class AsyncioSignal:
    """An event, and a deadline for the wait."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait_until(self, time: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(time):
                await self._event.wait()
