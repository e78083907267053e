"""What trio and anyio have in common: deadlines and interruptions are cancel scopes.

A scope is there for one primitive and no longer: none is held while a consumer has an event.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

from .network import GLANCE, OutOfTime, told_by

__all__ = ["Library", "ScopedNetwork"]

S = TypeVar("S")


class Library(Protocol):
    """The names that trio and anyio share."""

    @property
    def CancelScope(self) -> Callable[..., Any]: ...
    @property
    def BrokenResourceError(self) -> type[Exception]: ...
    @property
    def ClosedResourceError(self) -> type[Exception]: ...
    @property
    def current_time(self) -> Callable[[], float]: ...
    @property
    def sleep_until(self) -> Callable[[float], Awaitable[None]]: ...
    @property
    def aclose_forcefully(self) -> Callable[[Any], Awaitable[None]]: ...


class ScopedNetwork(Generic[S]):
    """The primitives that need only these names. ``S`` is the library's own kind of stream."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._stream: S | None = None
        self._scope: Any = None

    def now(self) -> float:
        return self._library.current_time()

    def begin(self) -> None:
        self._scope = None

    def interrupt(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def wait_until(self, time: float) -> None:
        with self._library.CancelScope() as self._scope:
            await self._library.sleep_until(time)
        if self._scope.cancelled_caught:
            raise OutOfTime

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await self._library.aclose_forcefully(stream)

    def _open(self) -> S:
        if self._stream is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._stream

    @contextmanager
    def _until(self, deadline: float | None) -> Generator[None]:
        """Bound what the library does, and raise what it raises as ``OSError``."""
        limit = math.inf if deadline is None else max(deadline, self.now() + GLANCE)
        try:
            with self._library.CancelScope(deadline=limit) as self._scope:
                yield
        except self._library.BrokenResourceError as error:
            raise told_by(error) from error
        except self._library.ClosedResourceError as error:
            raise ConnectionAbortedError("the connection was closed") from error
        except OSError as error:
            # Of several addresses: what was said of the last one.
            raise told_by(error) from None
        if self._scope.cancelled_caught:
            raise OutOfTime
