"""Streams whose process died: they are taken over, by this one or another.

Where the provider goes on exactly behind a token of its own, it is asked from the last one that was
written, and what was written behind that and comes again is left out; there is no other rule,
whether the process that died was this one or another worker. Any other stream is sealed. Where
several workers look for such streams each takes a few at once, in an order of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from sans_io_stream_adapters.logs import LOG

from .background import Background
from .running import CANCELLED, LOST, interrupted
from .stores.protocol import Meta, StoreError

if TYPE_CHECKING:
    from .hub import Hub, Open
    from .running import Running

__all__ = ["Again", "Recovery"]

AT_ONCE = 4
"""Streams that a worker takes over at the same time."""
LOOKS = 3
"""How often within a lease it looks for them."""
LEFT = interrupted("the relay was stopped while the provider answered")

Again = Callable[[Meta, str], "Open | None"]
"""What opens a stream behind the provider's token; None where the provider cannot go on exactly."""


class Recovery:
    """Takes over for one hub. ``shuffle`` brings a list into an order of this worker's own."""

    def __init__(self, hub: Hub, shuffle: Callable[[list[Meta]], None] = random.shuffle) -> None:
        self._hub = hub
        self._shuffle = shuffle
        self._mine: dict[str, Meta] = {}
        """Streams that were taken, and could not be read yet."""
        self._owed: dict[str, Meta] = {}
        """Streams that this process writes, and could not keep: they have no end yet."""
        self._ending: set[str] = set()
        """Those of them that are just given one."""
        self._taking: set[str] = set()
        """Streams that are being taken over."""
        self._ended: set[str] = set()
        """Those of them that a client has ended meanwhile, and of what was taken before."""
        self._again: Again | None = None
        self._background = Background()
        self._scope: anyio.CancelScope | None = None

    async def once(self, again: Again) -> None:
        """Take over what there is now. Raises ``StoreError`` where the store cannot say what that
        is; a stream that cannot be read stays as it is, and the others are no worse for it."""
        hub = self._hub
        found = [*await hub.store.orphans(), *self._mine.values(), *self._owed.values()]
        left = list({meta.id: meta for meta in found}.values())
        self._shuffle(left)

        async def work() -> None:
            while left and not hub.closing:
                # What was taken is begun, or sealed.
                with anyio.CancelScope(shield=True), suppress(StoreError):
                    await self._take(left.pop(), again)

        async with anyio.create_task_group() as group:
            for _ in range(min(AT_ONCE, len(left))):
                group.start_soon(work)

    def owe(self, meta: Meta) -> None:
        """It was not kept what became of a stream of this process: it is to get an end, also where
        nobody asks for it any more. Until then it counts among those that its owner may have."""
        self._owed[meta.id] = meta

    async def settle(self) -> None:
        """Give such streams their ends, as far as the store takes them. One that cannot be read is
        no harm to the others."""
        for meta in list(self._owed.values()):
            with suppress(StoreError):
                await self._end(meta)
                if meta.id in self._owed:
                    # It takes nothing yet.
                    return

    def settled(self, id: str) -> None:
        """That stream has its end."""
        self._owed.pop(id, None)

    def owes(self, id: str) -> bool:
        """Whether that stream is still to get an end."""
        return id in self._owed

    def ending(self, id: str) -> bool:
        """Whether it is just given its end."""
        return id in self._ending

    def end(self, id: str) -> None:
        """A client ends a stream that may just be taken over."""
        if id in self._taking or id in self._mine:
            self._ended.add(id)

    def goes_on(self, running: Running) -> bool:
        """Whether this process writes the stream, and a worker that takes it over now can go on
        with it exactly."""
        writing, token = running.writing, running.log.token
        if writing is None or writing.stopped is not None or running.end is not None:
            return False
        if self._again is None or token is None:
            return False
        return self._again(running.meta, token) is not None

    def start(self, again: Again, lease: float) -> None:
        """Do so several times in each ``lease``, in seconds, until ``stop``."""
        self._again = again
        self._scope = anyio.CancelScope()
        self._background.start(self._repeat, again, lease, self._scope)

    async def stop(self) -> None:
        """Take over nothing more. What was taken is begun or sealed."""
        if self._scope is not None:
            self._scope.cancel()
        await self._background.wait()

    async def _repeat(self, again: Again, lease: float, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                await anyio.sleep(lease / LOOKS)
                try:
                    if self._hub.sharing is not None:
                        await self._hub.sharing.see_who_writes(self._hub.overtaken)
                    await self.once(again)
                except StoreError:
                    # It is away. Who lives, and who has died, is seen when it is there again.
                    self._hub.metrics.store_errors["recover"] += 1
                except Exception as error:  # noqa: BLE001
                    # A task of the loop's must not raise.
                    LOG.error("streams are not taken over: %s", type(error).__name__)

    async def _take(self, meta: Meta, again: Again) -> None:
        """Take one over, and go on with it or seal it. Raises ``StoreError``."""
        hub, id = self._hub, meta.id
        if id in self._owed:
            await self._end(meta)
            return
        running = hub.running(id)
        if running is not None and running.writing is not None:
            # Nobody who lives has it, says the store: this process was taken for dead.
            await hub.overtaken(running, running.writing)
            return
        self._taking.add(id)
        try:
            if id not in self._mine and not await hub.store.take(id):
                return
            if id not in self._mine:
                self._mine[id] = meta
                hub.metrics.taken_over()
            running = await hub.adopt(meta)
            del self._mine[id]
            if id in self._ended:
                running.stop(CANCELLED)
        finally:
            self._taking.discard(id)
            if id not in self._mine:
                self._ended.discard(id)
        token = running.log.token
        opening = again(meta, token) if token is not None else None
        if opening is not None:
            hub.generate(running, opening)
            return
        if hub.sharing is not None:
            await hub.sharing.settle(running)
        await hub.seal(running, LEFT)

    async def _end(self, meta: Meta) -> None:
        """Seal a stream of this process that could not be kept, now that it can."""
        hub, id = self._hub, meta.id
        running = hub.running(id)
        if running is not None and running.lost is None and running.writing is not None:
            # Whoever has asked for it meanwhile gives it its end.
            return
        self._ending.add(id)
        try:
            if await hub.store.find(id) is None:
                self.settled(id)
                return
            running = await hub.adopt(meta)
            await hub.seal(running, LOST)
        finally:
            self._ending.discard(id)
        if running.lost is None:
            # It has one, or another worker gives it one.
            self.settled(id)
