"""What a runtime is to a pool: tasks that cannot outlive it, scopes, signals, and the time.

The asynchronous shape and the blocking one, as with ``network``: the text over them is the same
but for ``async`` and ``await``. Nothing here knows of streams but as what a scope can end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from .bell import Ringer

if TYPE_CHECKING:
    from .scope import Endable, Scope

__all__ = ["AsyncSignal", "AsyncTasks", "Signal", "Tasks"]


class AsyncSignal(Ringer, Protocol):
    """Happens once."""

    async def wait_until(self, time: float | None) -> None:
        """Until it has happened, or that time has come."""
        ...


class Signal(Ringer, Protocol):
    """The same, blocking."""

    def wait_until(self, time: float | None) -> None: ...


class AsyncTasks(Protocol):
    """The tasks of one pool, on an asynchronous runtime."""

    def now(self) -> float:
        """The runtime's monotonic clock, in seconds; that of its streams too."""
        ...

    def signal(self) -> AsyncSignal: ...

    async def open(self) -> None:
        """Tasks may be spawned from now on."""
        ...

    async def close(self, interrupted: Callable[[], None]) -> None:
        """Wait for all tasks, those that are spawned meanwhile too. If the waiting is
        interrupted, ``interrupted`` is called, and none is left all the same."""
        ...

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have ``work`` done beside all else."""
        ...

    def scope(self, stream: Endable) -> AbstractContextManager[Scope]:
        """A scope for the work of ``stream``. Cancelled, it ends what is done in it, and is
        left without an exception."""
        ...


class Tasks(Protocol):
    """The same, blocking. Cancelling a scope ends the stream; what does not read it goes on."""

    def now(self) -> float: ...
    def signal(self) -> Signal: ...
    def open(self) -> None: ...
    def close(self, interrupted: Callable[[], None]) -> None: ...
    def spawn(self, work: Callable[[], None]) -> None: ...
    def scope(self, stream: Endable) -> AbstractContextManager[Scope]: ...
