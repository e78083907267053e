"""One worker among those that have a Redis: its id, its lease, its connections.

Redis drops the lease on its own clock unless it is renewed, here by a task that does nothing
else. A worker's id is never used again: whoever opens a store anew is another worker.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from sans_io_stream_adapters.logs import LOG

from ...background import Background
from ..protocol import StoreError
from .following import Following
from .link import Link, Unanswered, Where, Wire, Word
from .scripts import LEAVE, RELEASE, RENEW, Script

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["RedisWorker"]


class RedisWorker:
    """A worker from ``start`` to ``stop``."""

    link: Link
    following: Following

    def __init__(self, where: Where, prefix: str, lease: float) -> None:
        self.id = secrets.token_hex(8)
        self.where = where
        self.prefix = prefix
        self.lease = lease
        self._doubtful: set[str] = set()
        """Streams that may have become this worker's without its knowledge."""
        self._background = Background()
        self._begun = anyio.Event()
        self._renewing = anyio.CancelScope()
        self._group: TaskGroup | None = None

    async def start(self) -> None:
        """Begin to live; the lease is there from the first ``run`` of ``RENEW``."""
        self._background.start(self._live)
        await self._begun.wait()

    async def stop(self) -> None:
        """Give the lease up, if Redis is there, and end the connections."""
        # What is renewed behind LEAVE would come back.
        self._renewing.cancel()
        with anyio.CancelScope(shield=True):
            with suppress(StoreError), anyio.move_on_after(self.lease / 2):
                await self.run(LEAVE)
            if self._group is not None:
                self._group.cancel_scope.cancel()
            await self._background.wait()

    async def _live(self) -> None:
        async with anyio.create_task_group() as group:
            self._group = group
            self.link = Link(self.where, group, self.lease)
            listening = Link(self.where, group, self.lease)
            self.following = Following(listening, self.prefix, self.id, self.lease / 2)
            self._begun.set()
            with self._renewing:
                while True:
                    await anyio.sleep(self.lease / 3)
                    await self.renew()
            await anyio.sleep_forever()

    async def renew(self) -> None:
        """Live for another lease, and give up what this worker does not know that it has."""
        try:
            await self.run(RENEW)
            doubtful = tuple(self._doubtful)
            if doubtful:
                await self.run(RELEASE, *doubtful)
                self._doubtful.difference_update(doubtful)
        except StoreError as error:
            LOG.warning("the lease of this relay was not renewed: %s", error)

    async def run(self, script: Script, *arguments: Word) -> object:
        """Run a script; again where a connection is lost. Raises ``StoreError``."""
        return await self.link.do(lambda wire: self.on(wire, script, *arguments))

    async def on(self, wire: Wire, script: Script, *arguments: Word) -> object:
        """Run a script on that wire. Raises what ``Wire.ask`` raises."""
        return await wire.run(script, self.prefix, self.id, int(self.lease * 1000), *arguments)

    async def begin(self, script: Script, id: str, *arguments: Word) -> tuple[Wire, object]:
        """Run a script that makes a stream this worker's: ``CREATE`` or ``TAKE``. A later try
        takes what an earlier one has made for its own. The wire that it ran on, too."""
        tried = id in self._doubtful

        async def work(wire: Wire) -> tuple[Wire, object]:
            nonlocal tried
            again, tried = tried, True
            return wire, await self.on(wire, script, id, *arguments, int(again))

        try:
            done = await self.link.do(work)
        except Unanswered:
            if tried:
                self._doubtful.add(id)
            raise
        self._doubtful.discard(id)
        return done
