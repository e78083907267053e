"""What trio and anyio have in common as runtimes of a pool: a nursery, scopes, events."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ..scoped import Library

if TYPE_CHECKING:
    from .scope import Endable

__all__ = ["EventLibrary", "Group", "ScopedTasks"]


class EventLibrary(Library, Protocol):
    """The names that trio and anyio share, and ``Event``."""

    @property
    def Event(self) -> Callable[[], Any]: ...


class Group(Protocol):
    """A nursery, or a task group."""

    def start_soon(self, work: Callable[[], Coroutine[Any, Any, None]], /) -> object: ...


class ScopedTasks:
    """The tasks of one pool; ``group`` opens the library's nursery."""

    def __init__(
        self, library: EventLibrary, group: Callable[[], AbstractAsyncContextManager[Group]]
    ) -> None:
        self._library = library
        self._new_group = group

    def now(self) -> float:
        return self._library.current_time()

    def signal(self) -> ScopedSignal:
        return ScopedSignal(self._library)

    async def open(self) -> None:
        self._manager = self._new_group()
        self._group = await self._manager.__aenter__()

    async def close(self, interrupted: Callable[[], None]) -> None:
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseException:
            interrupted()
            raise

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._group.start_soon(work)

    @contextmanager
    def scope(self, stream: Endable) -> Generator[TaskScope]:
        with self._library.CancelScope() as scope:
            yield TaskScope(scope)


class TaskScope:
    """A cancel scope."""

    def __init__(self, scope: Any) -> None:
        self._scope = scope

    def cancel(self, reason: str | None) -> None:
        self._scope.cancel()


class ScopedSignal:
    """An event, and a scope around the wait for it."""

    def __init__(self, library: EventLibrary) -> None:
        self._library = library
        self._event = library.Event()

    def set(self) -> None:
        self._event.set()

    async def wait_until(self, time: float | None) -> None:
        with self._library.CancelScope(deadline=math.inf if time is None else time):
            await self._event.wait()
