"""How entries get into Redis: once, behind each other, and from their stream's writer alone.

One ``XADD`` with an id of its own writes all entries of an ``append``; Redis refuses an id that
is not above all before. So an answer that got lost does no harm: the same is sent again, and
where it is refused, a look at the end of the stream tells whether it is there already, or
another worker's epoch has begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import anyio
from coredis.exceptions import RedisError

from ..protocol import Overtaken, StoreError, follow
from .scripts import LOOK, SEAL
from .values import Place, Rows, read_as, value_of

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

    from .link import Wire
    from .worker import RedisWorker

__all__ = ["Head", "Writing"]

NOT_ABOVE = "equal or smaller"
"""What Redis says of an id that is not above all before."""


class Head:
    """Where a stream stands that this worker writes. ``wire`` is the one on which that was seen:
    on another one it may not be so any more."""

    def __init__(self, epoch: int, last: int, wire: Wire) -> None:
        self.epoch = epoch
        self.last = last
        self.sealed = False
        self.wire = wire
        self.unsure: bytes | None = None
        """What was sent, and perhaps written."""
        self.lock = anyio.Lock()

    def takes(self, entries: Sequence[Entry], wire: Wire) -> bool:
        """Whether they can be sent without a look at the stream. What would not be sent is no
        reason to say so before it is known that the stream is this worker's still."""
        fits = bool(entries) and entries[0].number == self.last + 1 and not self.sealed
        return fits and self.wire is wire and self.unsure is None


class End(NamedTuple):
    """The end of a stream, as Redis has it: its ``newest`` place (None: there is no stream), the
    ``worker`` that it belongs to, its last number if it is ``sealed``, and what ``stands`` at that
    place, if it is still there."""

    newest: Place | None
    worker: str
    sealed: int | None
    stands: bytes | None


class Writing:
    """The streams that a worker writes. ``expire`` are the seconds that a sealed one is kept at
    the most, None for ever."""

    def __init__(self, worker: RedisWorker, expire: float | None) -> None:
        self._worker = worker
        self._stream = f"{worker.prefix}stream:"
        self._expire = "" if expire is None else int(expire * 1000)
        self._heads: dict[str, Head] = {}

    def begin(self, id: str, epoch: int, last: int, wire: Wire) -> None:
        """This worker writes that stream from now on."""
        self._heads[id] = Head(epoch, last, wire)

    def forget(self, id: str) -> None:
        """It is no longer there."""
        self._heads.pop(id, None)

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        """As ``Store.append``."""
        head = self._heads.get(id)
        if head is None:
            await self._refuse(id, entries)
            return
        value = value_of(entries)
        async with head.lock:
            await self._worker.link.do(lambda wire: self._write(wire, id, head, entries, value))
        if head.sealed:
            self.forget(id)

    async def _refuse(self, id: str, entries: Sequence[Entry]) -> None:
        """Say why nothing is written."""
        end = await self._worker.link.do(lambda wire: self._end_of(wire, id))
        if end.newest is None:
            raise absent()
        if end.sealed is None:
            raise Overtaken
        follow(entries, end.sealed, True)

    async def _write(
        self, wire: Wire, id: str, head: Head, entries: Sequence[Entry], value: bytes
    ) -> None:
        """Write them, unless they are there already. ``head`` says what is known then."""
        if not head.takes(entries, wire) and await self._there(wire, id, head, value):
            return
        follow(entries, head.last, head.sealed)
        if not entries:
            return
        head.unsure = value
        try:
            added = await self._add(wire, id, Place(head.epoch, entries[-1].number), entries, value)
        except RedisError as error:
            if NOT_ABOVE not in str(error):
                head.unsure = None
                raise
            if await self._there(wire, id, head, value):
                return
            follow(entries, head.last, head.sealed)
            raise
        head.unsure = None
        if added is None:
            self.forget(id)
            raise absent()
        head.last, head.sealed = entries[-1].number, entries[-1].seals

    async def _add(
        self, wire: Wire, id: str, place: Place, entries: Sequence[Entry], value: bytes
    ) -> object:
        """The id that Redis has taken them under; None where the stream is not there."""
        last = entries[-1]
        if last.seals:
            told = (str(place), value, last.number, repr(last.at), self._expire)
            return await self._worker.on(wire, SEAL, id, *told)
        return await wire.ask("XADD", self._stream + id, "NOMKSTREAM", str(place), "e", value)

    async def _there(self, wire: Wire, id: str, head: Head, value: bytes) -> bool:
        """Look at the end of the stream: whether ``value``, which was sent, has arrived. ``head``
        is what is there then. Raises ``Overtaken``, and ``StoreError`` where entries are gone."""
        end = await self._end_of(wire, id)
        newest = end.newest
        # What Redis has lost may be a whole epoch, which another worker then begins once more.
        if newest is None or newest.epoch != head.epoch or end.worker != self._worker.id:
            self.forget(id)
            raise Overtaken if newest else absent()
        before, unsure = head.last, head.unsure
        head.last, head.sealed = newest.number, end.sealed is not None
        head.wire, head.unsure = wire, None
        if newest.number < before:
            raise StoreError(
                f"Redis has lost entries {newest.number + 1} to {before}, which it had "
                "acknowledged: see its appendonly, and what failed over"
            )
        # Where all is trimmed the id alone has to do: no one else writes in this epoch.
        return unsure == value and newest.number > before and end.stands in (value, None)

    async def _end_of(self, wire: Wire, id: str) -> End:
        answer = await self._worker.on(wire, LOOK, id)
        newest, worker, sealed, rows = read_as(tuple[bytes, bytes, bytes, Rows], answer)
        return End(
            Place.of(newest) if newest else None,
            worker.decode(),
            int(sealed) if sealed else None,
            rows[0][1][1] if rows and rows[0][0] == newest else None,
        )


def absent() -> StoreError:
    """There is nothing to append to."""
    return StoreError("there is no such stream: create() it before anything is appended")
