"""What a worker hears from the others: one blocking read for all that it follows.

It has a connection of its own, and waits for all followed streams and for the worker's inbox. A
stream that is to be followed from now on is not yet in the read that waits: a word without
meaning in the inbox ends that. Places move on only with what ``news`` returns, so that what a
lost connection or a cancelled call has kept back comes with the next.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

from ..protocol import News, StoreError
from .values import Place, Rows, entries_in, read_as

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

    from .link import Link, Wire, Word

__all__ = ["Following"]

AT_ONCE = 256
"""The most places that are read of one stream at once."""
NOTHING = "-"
"""The word that only ends a read. No stream is called that."""


class Followed:
    """A stream that is followed: behind which place it is read, and behind which entry."""

    def __init__(self, place: str, after: int) -> None:
        self.place = place
        self.after = after


class Asked(NamedTuple):
    """A read that waits, and for what."""

    wire: Wire
    answer: Awaitable[object]
    of: dict[str, Followed]


class Following:
    """The streams that a worker follows, and its inbox. Keys are ``prefix`` and a name; a read
    waits for ``seconds`` at the most."""

    def __init__(self, link: Link, prefix: str, worker: str, seconds: float) -> None:
        self._link = link
        self._stream = f"{prefix}stream:"
        self.inbox = f"{prefix}inbox:{worker}"
        self._seconds = seconds
        self._heard = "0"
        """The place in the inbox."""
        self._followed: dict[str, Followed] = {}
        self._asked: Asked | None = None

    def add(self, id: str, place: str, after: int) -> bool:
        """Follow a stream. Whether the read that waits has to be ended for it (``nudge``)."""
        self._followed[id] = Followed(place, after)
        return self._asked is not None

    def drop(self, id: str) -> None:
        """Follow a stream no longer."""
        self._followed.pop(id, None)

    async def nudge(self, wire: Wire) -> None:
        """End the read that waits."""
        await wire.ask("XADD", self.inbox, "MAXLEN", "~", 10000, "*", NOTHING, NOTHING)

    async def news(self) -> list[News]:
        """Wait for any. Raises ``StoreError``."""
        while True:
            news = self._told(*await self._link.do(self._read))
            if news:
                return news

    async def _read(self, wire: Wire) -> tuple[dict[bytes, Rows], dict[str, Followed]]:
        """What has come, and what was followed when it was asked for."""
        if self._asked is None or self._asked.wire is not wire:
            self._asked = self._ask(wire)
        asked = self._asked
        try:
            answer = await wire.answer(asked.answer)
        except Exception:
            # What was refused once may be taken the next time; who is cancelled still waits.
            self._asked = None
            raise
        self._asked = None
        return read_as(dict[bytes, Rows], answer or {}), asked.of

    def _ask(self, wire: Wire) -> Asked:
        of = dict(self._followed)
        keys: list[Word] = [self.inbox, *(self._stream + id for id in of)]
        places: list[Word] = [self._heard, *(one.place for one in of.values())]
        wait = int(self._seconds * 1000)
        options: tuple[Word, ...] = ("COUNT", AT_ONCE, "BLOCK", wait, "STREAMS")
        asked = wire.send("XREAD", *options, *keys, *places, timeout=2 * self._seconds)
        return Asked(wire, asked, of)

    def _told(self, answer: dict[bytes, Rows], of: dict[str, Followed]) -> list[News]:
        """What that answer says of streams that are followed still, and of one's own."""
        news: list[News] = []
        for place, fields in answer.pop(self.inbox.encode(), ()):
            self._heard = place.decode()
            id, word = (one.decode() for one in fields[:2])
            if id != NOTHING:
                news.append(News(id, word=cast('Literal["end", "read"]', word)))
        for key, rows in answer.items():
            id = key.decode().removeprefix(self._stream)
            one = of[id]
            if self._followed.get(id) is not one:
                continue
            try:
                entries: list[Entry] = entries_in(rows, one.after)
            except StoreError:
                # The others are no worse for it, and it is not read again and again.
                self.drop(id)
                news.append(News(id, damaged=True))
                continue
            one.place = str(Place.of(rows[-1][0]))
            if entries:
                one.after = entries[-1].number
                news.append(News(id, entries))
        return news
