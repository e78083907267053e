"""The library that runs the task at hand, asyncio or trio: its clock, and calls with a deadline.

A deadline is a cancellation of that one call. No scope or timeout is held while a consumer has
an event.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from .network import GLANCE, OutOfTime

__all__ = ["OnAsyncio", "OnTrio", "running"]

T = TypeVar("T")


class OnAsyncio:
    """Calls with a deadline, on asyncio."""

    def __init__(self) -> None:
        self._timeout: asyncio.Timeout | None = None

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def interrupt(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(self.now())

    async def bounded(self, deadline: float | None, call: Callable[[], Awaitable[T]]) -> T:
        limit = None if deadline is None else max(deadline, self.now() + GLANCE)
        timeout = asyncio.timeout_at(limit)
        try:
            async with timeout:
                self._timeout = timeout
                return await call()
        except TimeoutError:
            if timeout.expired():
                raise OutOfTime from None
            raise
        finally:
            self._timeout = None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class OnTrio:
    """Calls with a deadline, on trio."""

    def __init__(self) -> None:
        self._trio = sys.modules["trio"]
        self._scope: Any = None

    def now(self) -> float:
        time: float = self._trio.current_time()
        return time

    def interrupt(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def bounded(self, deadline: float | None, call: Callable[[], Awaitable[T]]) -> T:
        limit = math.inf if deadline is None else max(deadline, self.now() + GLANCE)
        with self._trio.CancelScope(deadline=limit) as scope:
            self._scope = scope
            try:
                return await call()
            finally:
                self._scope = None
        raise OutOfTime

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)


def running() -> OnAsyncio | OnTrio:
    """The library that runs the task at hand."""
    trio = sys.modules.get("trio")
    return OnTrio() if trio is not None and trio.lowlevel.in_trio_task() else OnAsyncio()
