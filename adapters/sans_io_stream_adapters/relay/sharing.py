"""Streams that other workers write, as a hub has them where its store is shared.

One task hears the store's news for all of them; readers wait for a change, as they do for a stream
of this worker's own. While the store is away they wait, and it is asked again, more and more
rarely. A stream that nobody reads here is left after a while.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from sans_io_stream import ErrorInfo, StreamEnd
from sans_io_stream_adapters.logs import LOG

from .stores.protocol import Shared, Store, StoreError, read_all

if TYPE_CHECKING:
    from .running import Running, Writing
    from .stores.protocol import News

__all__ = ["Sharing", "shared"]

AT_ONCE = 256
"""Words that wait for the store at the same time."""
FIRST, MOST = 0.1, 10.0
"""Seconds between two questions to a store that fails, at first and at last."""
SILENCE = 60.0
"""Seconds without news after which a followed stream is looked for."""
DROPPED = StreamEnd("interrupted", ErrorInfo("cursor", "the stream is no longer kept"))
UNREADABLE = StreamEnd("failed", ErrorInfo("server", "the stream cannot be read any more"))

Overtaking = Callable[["Running", "Writing"], Awaitable[None]]
"""What is done about a stream that another worker writes."""


def shared(store: Store) -> Shared | None:
    """The store, if several workers can have it."""
    return store if isinstance(store, Shared) else None


class Sharing:
    """What a worker follows. ``streams`` are the hub's, ``clock`` gives seconds since 1970, and
    ``ended`` is called with the id of a stream of this worker's that a client ended elsewhere."""

    def __init__(
        self,
        store: Shared,
        streams: Mapping[str, Running],
        clock: Callable[[], float],
        ended: Callable[[str], None],
    ) -> None:
        self.store = store
        self._streams = streams
        self._clock = clock
        self._ended = ended
        self._followed: dict[str, float] = {}
        """When something of each was heard last."""
        self._unasked: set[str] = set()
        """Those of them that the store has not been asked for, since it failed."""

    async def listen(self) -> None:
        """Hear the news, until it is cancelled. What was followed before is not any more."""
        self._followed.clear()
        self._unasked.clear()
        wait = FIRST
        while True:
            try:
                for one in await self.store.news():
                    self._hear(one)
                    if one.entries and one.id not in self._followed:
                        await self._left(one.id)
                wait = FIRST
                continue
            except StoreError as error:
                LOG.warning("the store tells nothing of other workers' streams: %s", error)
            except Exception as error:  # noqa: BLE001
                # A task of the loop's must not raise.
                LOG.error("the store's news fail: %s", type(error).__name__)
            await anyio.sleep(wait)
            wait = min(2 * wait, MOST)

    async def follow(self, running: Running) -> None:
        """Have its log grow as its writer writes it. Where the store fails, that begins later."""
        id = running.meta.id
        self._followed[id] = running.left = self._clock()
        # A request that is given up here has asked nothing.
        self._unasked.add(id)
        with suppress(StoreError):
            await self.store.follow(id, running.log.last.entry)
            self._unasked.discard(id)
        if running.log.sealed:
            await self.leave(id)

    async def leave(self, id: str) -> None:
        """Follow it no longer."""
        if self._followed.pop(id, None) is not None:
            self._unasked.discard(id)
            await self._left(id)

    async def _left(self, id: str) -> None:
        with suppress(StoreError):
            await self.store.leave(id)
        # It may have been followed again meanwhile, and which of the two came first nobody knows.
        if id in self._followed and (running := self._streams.get(id)) is not None:
            await self.follow(running)

    async def visit(self, running: Running) -> None:
        """Somebody asks for it here."""
        running.left = self._clock()
        if running.meta.id in self._unasked:
            await self.follow(running)
        if not running.readers:
            await self.reading(running)

    async def reading(self, running: Running) -> None:
        """Have its writer know that it is read here."""
        with suppress(StoreError):
            await self.store.tell(running.meta.id, "read")

    async def settle(self, running: Running) -> None:
        """Hear what was said to a stream that this worker has just taken over. A word of our own
        comes behind all of it; nobody waits for that longer than for a worker that is dead."""
        before = running.heard
        await self.reading(running)
        with anyio.move_on_after(self.store.lease):
            while running.heard == before:
                await running.changed()

    async def look_after(self) -> None:
        """What is done every few seconds: tell who is read, ask again for what the store failed
        to follow, look whether what is silent is there still. Raises ``StoreError``."""
        await self._tell_who_is_read()
        for id, heard in list(self._followed.items()):
            running, now = self._streams.get(id), self._clock()
            if running is None or running.end is not None:
                await self.leave(id)
                continue
            if id in self._unasked:
                await self.follow(running)
            if now - heard > SILENCE and id in self._followed:
                self._followed[id] = now
                await self._look_for(running)

    # ---- who writes a stream

    async def overtaken(self, running: Running, writing: Writing) -> None:
        """Another worker writes it: what that one writes is followed; readers go on."""
        running.hand_over()
        await self.follow(running)

    async def catch_up(self, running: Running, entry: int, overtaken: Overtaking) -> None:
        """Have what is written up to an entry, before it is told. Raises ``StoreError``."""
        log = running.log
        while running.end is None and log.last.entry < entry:
            last = log.last
            found = await read_all(self.store, log.id, last.entry)
            if not found:
                return
            if log.last != last:
                continue
            if running.writing is None:
                running.follow(found)
            elif log.unwritten:
                # That is what is on its way.
                await running.changed()
            else:
                await overtaken(running, running.writing)

    async def see_who_writes(self, overtaken: Overtaking) -> None:
        """Look whether another worker has gone on with what was silent here for a lease: this
        process may have been stopped, and taken for dead. Raises ``StoreError``."""
        for running in list(self._streams.values()):
            writing, log = running.writing, running.log
            if writing is None or running.end is not None:
                continue
            if self._clock() - writing.wrote < self.store.lease:
                continue
            last = log.last
            found = await self.store.read(log.id, last.entry, 1)
            # What is on its way is this one's own.
            if found and not log.unwritten and log.last == last:
                await overtaken(running, writing)

    async def _tell_who_is_read(self) -> None:
        """Many at once: all have to be told before the words of before count no longer."""
        found = (self._streams.get(id) for id in list(self._followed))
        read = [one for one in found if one is not None and one.readers and one.end is None]
        while read:
            async with anyio.create_task_group() as group:
                for one in read[-AT_ONCE:]:
                    group.start_soon(self.reading, one)
            del read[-AT_ONCE:]

    async def _look_for(self, running: Running) -> None:
        """See that what is here of a silent stream is in the store still: one that has lost its
        newest entries has no news of those that take their place. Raises ``StoreError``."""
        id, last = running.meta.id, running.log.last.entry
        there = await (self.store.read(id, last - 1, 1) if last else self.store.find(id))
        if not there:
            await self._lose(running, DROPPED)

    async def _lose(self, running: Running, end: StreamEnd) -> None:
        await self.leave(running.meta.id)
        running.lost = end
        running.wake()

    def _hear(self, news: News) -> None:
        running, now = self._streams.get(news.id), self._clock()
        if news.word == "end":
            self._ended(news.id)
        if running is None:
            return
        if news.word is not None:
            running.hear(now)
        if news.damaged and news.id in self._followed:
            self._spoilt(running, "what the store has of it is damaged")
        if news.entries and news.id in self._followed:
            self._followed[news.id] = now
            try:
                running.follow(news.entries)
                running.log.trim(now)
            except ValueError as error:
                # The store does not do what it promises.
                self._spoilt(running, str(error))

    def _spoilt(self, running: Running, why: str) -> None:
        LOG.error("stream %s cannot be read any more: %s", running.meta.id, why)
        running.lost = UNREADABLE
        running.wake()
