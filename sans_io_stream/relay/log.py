"""StreamLog: the log of one stream, as a pure state machine.

What the provider said is appended entry by entry, *written* by whoever keeps it, and only then
seen by readers: a reader never has what a crash could take back. Each reader stands at a place
of its own. A place that lies before what is kept, or after what was ever there, is refused, and
nobody waits for it. Times are handed in, in seconds, all by one clock that does not stop with
the process: entries outlive it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import msgspec

from ..errors import ErrorInfo, StreamClosedError
from ..events import Event, StreamEnd
from .cursors import START, CursorGone, Place, cursor_of, place_of
from .entries import Entry, entry, passed_on

__all__ = ["Retention", "StreamLog"]

MIB = 1024 * 1024


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a stream is kept, and for how long. The oldest entries go first.

    Raises ``ValueError`` for a value that is not above 0.
    """

    seconds: float = 3600.0
    """How long a stream can be read after its last entry, in seconds."""
    bytes: int = 64 * MIB
    """The most bytes of one stream, as ``Entry.size`` counts them."""
    entries: int = 1_000_000
    """The most entries of one stream."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) > 0:
                raise ValueError(f"Retention.{name} must be above 0, not {getattr(self, name)!r}")


class StreamLog:
    """One stream. ``id`` is one of ``stream_id``.

    ``append`` and ``seal`` return the entry that has to be written; ``written`` says that it is.
    ``read`` gives what is behind a place, ``heartbeat_due`` when a silent reader is to get a sign
    of life. Raises ``ValueError`` for an interval that is not above 0.
    """

    def __init__(
        self, id: str, now: float, retention: Retention | None = None, heartbeat: float = 15.0
    ) -> None:
        if not heartbeat > 0:
            raise ValueError(f"heartbeat must be above 0 seconds, not {heartbeat!r}")
        self.id = id
        self.retention = Retention() if retention is None else retention
        self.heartbeat = heartbeat
        self._entries: list[Entry] = []
        self._gone = 0
        """How many at the front of the list are dropped already: they leave it together."""
        self._kept = 0
        """Bytes of the entries that are kept."""
        self._before = START
        """The place before the first entry that is kept."""
        self._last = 0
        """The number of the last entry, written or not."""
        self._written = 0
        self._token: str | None = None
        self._since = 0
        """Events that were written behind the token."""
        self._again = 0
        """How many of those are still to come again, from the provider that goes on behind it."""
        self._end: StreamEnd | None = None
        self._touched = now

    @classmethod
    def of(
        cls,
        id: str,
        entries: Iterable[Entry],
        now: float,
        retention: Retention | None = None,
        heartbeat: float = 15.0,
    ) -> StreamLog:
        """The log that was written down as these entries, all of them or the last ones, for whoever
        goes on with it: see ``follow`` and ``go_on``. Raises ``ValueError`` where the numbers do
        not follow one another.
        """
        log = cls(id, now, retention, heartbeat)
        log.follow(entries)
        log.go_on()
        return log

    # ---- when another one writes

    def follow(self, entries: Iterable[Entry]) -> None:
        """These are what another writer has written: readers may have them.

        What was appended here and is not written is dropped, and what is here already is left
        out. Where the first one does not follow, what is missing is no longer kept, and nothing
        before it is. Raises ``ValueError`` where the numbers do not follow one another, or stand
        behind the end; those before are there then.
        """
        self._take_back()
        before: int | None = None
        try:
            for one in entries:
                if before is not None and one.number != before + 1:
                    raise ValueError(f"entry {one.number} does not follow entry {before}")
                before = one.number
                if before <= self._last:
                    continue
                if self._end is not None:
                    raise ValueError(f"entry {before} stands behind the end")
                if before > self._last + 1:
                    self._jump(before)
                self._keep(one)
        finally:
            self.written(self._last)

    def go_on(self) -> None:
        """Write it from here on: the provider is asked from ``token``. Events that were written
        behind that come again, and are left out."""
        self._again = self._since

    # ---- writing

    def append(self, events: Iterable[Event], now: float, token: str | None = None) -> Entry | None:
        """What one record of the provider said; None if none of it is the clients' business.

        ``token`` is the provider's own resume token behind it. Raises ``StreamClosedError``
        once the stream is sealed, and ``ValueError`` for a ``StreamEnd``: that is ``seal``'s.
        """
        if self._end is not None:
            raise StreamClosedError("append() after seal(): the stream is over")
        events = self._new(events)
        if any(isinstance(event, StreamEnd) for event in events):
            raise ValueError("a StreamEnd is not appended: seal() the stream with it")
        if not events:
            return None
        return self._keep(entry(self._last + 1, events, now, token))

    def seal(self, end: StreamEnd, now: float, events: Iterable[Event] = ()) -> Entry | None:
        """The last entry: ``events``, and the end. None if the stream is sealed already."""
        if self._end is not None:
            return None
        return self._keep(entry(self._last + 1, (*self._new(events), end), now, None))

    def interrupt(self, why: str, now: float) -> Entry | None:
        """Seal a stream that nobody goes on with."""
        return self.seal(StreamEnd("interrupted", ErrorInfo("truncated", why)), now)

    def written(self, number: int) -> None:
        """Entries up to this number are safe: readers may have them.

        Raises ``ValueError`` for a number that was never given out.
        """
        if number > self._last:
            raise ValueError(f"entry {number} was never appended; the last one is {self._last}")
        for one in islice(self._entries, self._index(self._written + 1), self._index(number) + 1):
            self._since = 0 if one.token else self._since + len(one.events)
            self._token = one.token or self._token
        self._written = max(self._written, number)

    def trim(self, now: float) -> int:
        """Drop what is not to be kept. Returns the number of the first entry that is."""
        most, expired = self.retention, self.expired(now)
        while (first := self._first) is not None and first.number <= self._written:
            over = (
                self._last - first.number >= most.entries
                or self._kept > most.bytes
                # Once a stream is over it goes as a whole.
                or (not self.sealed and now >= first.at + most.seconds)
            )
            # The last one is kept until all of the stream goes.
            if not expired and (not over or first.number == self._last):
                break
            self._gone += 1
            self._kept -= first.size
            self._before = Place(first.number, len(first.events))
        if self._gone > len(self._entries) // 2:
            del self._entries[: self._gone]
            self._gone = 0
        return self.first

    # ---- reading

    def place(self, cursor: str | None) -> Place:
        """The place of a cursor; without one the start. Raises ``CursorGone`` for one of another
        stream, before what is kept, or after what was there."""
        if cursor is None:
            return self._valid(START)
        id, place = place_of(cursor)
        if id != self.id:
            raise CursorGone
        return self._valid(place)

    def asked(self, cursor: str | None, *, quiet: bool = False) -> Place | None:
        """Where a client goes on that asks with that cursor; without one at the start.

        At the sealed end nothing follows. A ``quiet`` client is told nothing there, which is
        None (status 204 to ``Last-Event-ID``); any other one gets the last event once more.
        Raises ``CursorGone``.
        """
        place = self.place(cursor)
        if self.end is None or place != self.last:
            return place
        return None if quiet else self.before_end

    def cursor(self, place: Place) -> str:
        """The cursor of a place."""
        return cursor_of(self.id, place)

    def read(self, place: Place, most: int = 1024) -> list[tuple[Place, Event]]:
        """The events behind ``place``, each with the place behind it; at most about ``most``
        (an entry is not taken apart).

        Empty where there is nothing yet, and behind the end. Raises ``CursorGone`` for a place
        that has been dropped meanwhile: its reader has fallen behind.
        """
        place = self._valid(place)
        found: list[tuple[Place, Event]] = []
        for one in islice(self._entries, self._index(place.entry), None):
            if one.number > self._written or len(found) >= most:
                break
            begin = place.events if one.number == place.entry else 0
            for seen, event in enumerate(one.events[begin:], begin + 1):
                found.append((Place(one.number, seen), event))
        return found

    def heartbeat_due(self, heard: float) -> float:
        """When a reader that got something last at ``heard`` is to get a sign of life."""
        return heard + self.heartbeat

    # ---- what it is

    @property
    def first(self) -> int:
        """The number of the first entry that is kept, or of the next one."""
        return self._before.entry + 1

    @property
    def end(self) -> StreamEnd | None:
        """The end, once readers may have it."""
        return self._end if self._written == self._last else None

    @property
    def unwritten(self) -> bool:
        """Something was appended that is not written yet."""
        return self._written < self._last

    @property
    def sealed(self) -> bool:
        """Nothing more is appended."""
        return self._end is not None

    @property
    def last(self) -> Place:
        """The place behind all that readers may have."""
        if self._written <= self._before.entry:
            return self._before
        return Place(self._written, len(self._entries[self._index(self._written)].events))

    @property
    def before_end(self) -> Place:
        """The place before the last event that readers may have: from there the end is told."""
        entry, events = self.last
        if events > 1:
            return Place(entry, events - 1)
        if entry - 1 <= self._before.entry:
            return self._before
        return Place(entry - 1, len(self._entries[self._index(entry - 1)].events))

    @property
    def token(self) -> str | None:
        """The provider's last resume token that was written down."""
        return self._token

    @property
    def size(self) -> int:
        """Bytes of the entries that are kept."""
        return self._kept

    def expired(self, now: float) -> bool:
        """Whether nothing of a stream that is over has to be kept any longer."""
        return self.sealed and now >= self._touched + self.retention.seconds

    # ---- within

    def _take_back(self) -> None:
        """Drop what is not written."""
        count = self._last - self._written
        if count:
            self._kept -= sum(one.size for one in self._entries[-count:])
            del self._entries[-count:]
            self._last = self._written
            self._end = None

    def _jump(self, number: int) -> None:
        """Nothing before that entry is kept."""
        self._entries.clear()
        self._gone = self._kept = 0
        self._last = self._written = number - 1
        # Of which token it is behind is not known either.
        self._token, self._since = None, 0
        # How long the one before it was is not known: no cursor there is a good one.
        self._before = Place(self._last, -1)

    def _new(self, events: Iterable[Event]) -> tuple[Event, ...]:
        """Those that are the clients' business, and were not written before a crash."""
        told = tuple(event for event in events if passed_on(event))
        known, self._again = self._again, max(0, self._again - len(told))
        return told[known:]

    def _keep(self, one: Entry) -> Entry:
        self._entries.append(one)
        self._kept += one.size
        self._last, self._touched = one.number, one.at
        last = one.events[-1]
        self._end = last if isinstance(last, StreamEnd) else None
        return one

    @property
    def _first(self) -> Entry | None:
        """The first entry that is kept."""
        return self._entries[self._gone] if self._gone < len(self._entries) else None

    def _index(self, number: int) -> int:
        """Where in the list an entry is, or would be; not before what is kept."""
        return max(self._gone, len(self._entries) - 1 - (self._last - number))

    def _valid(self, place: Place) -> Place:
        """The same place. Raises ``CursorGone`` where it is none of what is kept."""
        if place == self._before:
            return place
        if self._before.entry < place.entry <= self._written:
            one = self._entries[self._index(place.entry)]
            if 0 < place.events <= len(one.events):
                return place
        raise CursorGone
