"""Encoder: events in, the bytes of one response body out.

Here format and framing meet. Nothing that an event holds can break out of its frame, and no
body looks whole unless a ``StreamEnd("complete")`` was encoded: up to then it decodes as
``interrupted`` wherever it is cut. What each format carries stands in docs/encoding.md.

Without I/O, clock and randomness, the same events and options give the same bytes: an encoder
that is fed the first events again goes on as the one that wrote them.
"""

from __future__ import annotations

import copy
from typing import get_args

from ..errors import StreamClosedError
from ..events import Event, StreamEnd, TextDelta
from .base import StreamOptions
from .frames import CONTENT_TYPES, Frames, Item, Out, check_id
from .plain import Plain, learnt
from .registry import find

__all__ = ["Encoder"]

EVENTS: frozenset[type] = frozenset(get_args(Event))

END_OF_TIME = 253_402_300_800
"""The first second of the year 10000."""


class Encoder:
    """One response body in the format of that name (or an alias, as for ``StreamDecoder``).

    ``framing`` is "sse", "jsonl", "json-array" or "text", None for the format's usual one.
    ``created`` is the time that a response is said to have begun, in seconds since 1970.
    For ``openai-responses``, ``background`` is what ``response.created`` says of it, and
    ``sequence`` the first sequence number.

    Raises ``UnknownDialectError`` for a format that does not exist or does not have that
    framing, ``ValueError`` for a negative ``created`` or ``sequence``, or a ``created`` after
    the year 9999.
    """

    __slots__ = ("_aborts", "_choice", "_ended", "_format", "_frames", "_plain")

    def __init__(
        self,
        format: str,
        framing: str | None = None,
        *,
        created: int = 0,
        background: bool = False,
        sequence: int = 0,
    ) -> None:
        if not 0 <= created < END_OF_TIME or sequence < 0:
            raise ValueError(
                f"created is from 0 to the year 9999, sequence at least 0: {created}, {sequence}"
            )
        cls, chosen = find(format, framing)
        self._format = cls(framing=chosen, options=StreamOptions(created, background, sequence))
        self._frames = Frames(chosen)
        self._ended = False
        self._aborts = False
        self._choice: int | None = None
        """Of which choice the last event was text, if it was any."""
        self._plain: Plain | None = None

    def encode(self, event: Event, *, id: str | None = None) -> bytes:
        """The bytes of one event: zero or more records, or a sign of life.

        ``id`` is the cursor of what is written, and goes to the last record of this call, so
        that whoever has seen it has seen all: the ``id`` field under the framing "sse", in the
        format ``holysheep`` the chunk's own ``id`` too, under any framing, if that record is
        one. Elsewhere, and where the event writes no record, it is not written.

        Raises ``StreamClosedError`` after ``StreamEnd``; ``ValueError`` for an id with a control
        character or anything else that some reader takes for a line end (U+2028), does not see
        (U+FEFF) or cannot read (a lone surrogate), and for ``Resumed("restart")`` after content
        in a format that cannot say so; ``TypeError`` for what is no event, and for an
        ``Annotation`` whose data is no JSON. Nothing has changed then.
        """
        plain = self._plain
        if plain is None or type(event) is not TextDelta:
            return b"".join(self.records(event, id=id))
        if event.choice != plain.choice or not event.text:
            return b"".join(self.records(event, id=id))
        if id is not None:
            check_id(id)
        return self._frames.frame(plain.record(event.text), id)

    def records(self, event: Event, *, id: str | None = None) -> list[bytes]:
        """What ``encode`` returns, record by record. Raises and changes the same."""
        if self._ended:
            raise StreamClosedError(
                "encode() after StreamEnd: this body has ended; make a new Encoder for the next one"
            )
        if type(event) not in EVENTS:
            raise TypeError(f"encode() takes an event, not {type(event).__name__}")
        if id is not None:
            check_id(id)
        self._format.check(event)
        items: list[Item] = []
        self._format.write(event, items)
        self._learn(event, items)
        last = max((n for n, item in enumerate(items) if isinstance(item, Out)), default=-1)
        if id is not None:
            self._stamp(items, last, id)
        framed = [
            self._frames.frame(item, id if number == last else None)
            for number, item in enumerate(items)
        ]
        if isinstance(event, StreamEnd):
            self._end(event, framed)
        return [data for data in framed if data]

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return CONTENT_TYPES[self._frames.framing]

    @property
    def format(self) -> str:
        """The name of the format, which is that of the dialect that reads it."""
        return self._format.name

    @property
    def framing(self) -> str:
        """The name of the framing."""
        return self._frames.framing

    @property
    def ended(self) -> bool:
        """``StreamEnd`` was encoded: nothing may follow."""
        return self._ended

    @property
    def must_abort(self) -> bool:
        """A ``StreamEnd`` was encoded that these bytes cannot tell: an orderly end of the
        transport would say that the answer is complete, so the sender has to break it off."""
        return self._aborts

    @property
    def sequence(self) -> int | None:
        """The sequence number of the next record; None in formats without any."""
        return self._format.next_sequence()

    def copy(self) -> Encoder:
        """Another encoder in the same state, independent of this one."""
        return copy.deepcopy(self)

    def _learn(self, event: Event, items: list[Item]) -> None:
        """See whether the next piece of text can be written like this one."""
        before, self._choice, self._plain = self._choice, None, None
        if type(event) is TextDelta and self._format.steady:
            self._choice = event.choice
            if before == event.choice:
                self._plain = learnt(event.text, event.choice, items)

    def _stamp(self, items: list[Item], last: int, id: str) -> None:
        """Give the last record its cursor, where the protocol has one and it is an object."""
        item = items[last] if last >= 0 else None
        if isinstance(item, Out) and isinstance(item.value, dict):
            items[last] = self._format.stamp(item, id)

    def _end(self, event: StreamEnd, framed: list[bytes]) -> None:
        self._ended = True
        if event.outcome in ("complete", "failed"):
            closing = self._frames.close()
            if closing and framed:
                framed[-1] += closing
            elif closing:
                framed.append(closing)
        self._aborts = event.outcome != "complete" and not self._format.tells_end
