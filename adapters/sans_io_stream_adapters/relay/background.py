"""Tasks that outlive the request which began them, on whatever loop runs.

An ASGI server has no place for them but the application's lifespan, and a mounted application
has none: so they are the loop's own. What is started here must not raise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple, Unpack

import anyio
import sniffio

__all__ = ["Background"]

Ts = TypeVarTuple("Ts")


class Background:
    """Tasks that are running, and how to wait for them."""

    def __init__(self) -> None:
        self._running: set[object] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: anyio.Event | None = None

    def start(self, main: Callable[[Unpack[Ts]], Awaitable[None]], *arguments: *Ts) -> None:
        """Run ``main`` from now on."""
        token = object()
        self._running.add(token)

        async def run() -> None:
            try:
                await main(*arguments)
            finally:
                self._running.discard(token)
                if not self._running and self._idle is not None:
                    self._idle.set()

        if sniffio.current_async_library() == "trio":
            import trio

            trio.lowlevel.spawn_system_task(run)
        else:
            # The loop itself holds a task weakly.
            task = asyncio.get_running_loop().create_task(run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Until none is running."""
        while self._running:
            self._idle = anyio.Event()
            await self._idle.wait()
