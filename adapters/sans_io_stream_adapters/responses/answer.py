"""The answer in a response that somebody else made, without its colour: bytes in, events kept.

``reading`` and ``reading_sync`` read the body; what needs neither ``async`` nor ``await`` stands
here.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from sans_io_stream import ErrorInfo, Event, Limits, StreamDecoder, StreamEnd
from sans_io_stream.session.backoff import with_head
from sans_io_stream.session.lost import as_error, without_keys

from ..delivery import Delivery

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest
    from sans_io_stream.http import Head
    from sans_io_stream.observing import Observer
    from sans_io_stream.request import HTTPRequest

__all__ = ["Answer", "AnswerOptions"]


class AnswerOptions(TypedDict, total=False):
    """The keyword options of ``events_from`` and ``aevents_from``.

    ``dialect`` names the protocol (None: found from the first records). With ``raw=True`` each
    record comes as a ``Record`` before its own events. ``on_error="event"`` ends the iteration at
    ``StreamEnd`` instead of raising. ``observers`` see the events as they come, and may end the
    stream; they are told of the ``request`` that is answered, which has to be given for them.
    """

    dialect: str | None
    limits: Limits | None
    raw: bool
    on_error: Literal["raise", "event"]
    observers: Sequence[Observer]
    request: StreamRequest | None


class Answer(Delivery):
    """One response, as events. Raises ``UnknownDialectError`` and ``ValueError``."""

    def __init__(
        self,
        head: Head,
        *,
        dialect: str | None = None,
        limits: Limits | None = None,
        raw: bool = False,
        on_error: Literal["raise", "event"] = "raise",
        observers: Sequence[Observer] = (),
        request: StreamRequest | None = None,
    ) -> None:
        # What ``repr`` shows comes first: a traceback may ask for it half way.
        self._head = head
        super().__init__(limits=limits, on_error=on_error, observers=observers)
        if observers and request is None:
            raise ValueError("observers are told whose answer they see: give request=, too")
        if dialect is None and request is not None:
            dialect = request.dialect
        self._request = request
        self._decoder = StreamDecoder(
            dialect,
            content_type=head.get("content-type"),
            status=head.status,
            limits=limits,
            raw=raw,
        )
        self._reason: str | None = None
        """Why an observer wants it to end."""
        self._begun = self._broken_off = self._busy = self._closed = False

    def __repr__(self) -> str:
        state = "open" if self._end is None else self._end.outcome
        return f"<{type(self).__name__} {self._head.status}, {state}>"

    # ---- for the loops

    def _unread(self) -> bool:
        """Whether there is something to be read. What ends without reading is told here."""
        if self._request is not None and not self._begun:
            self._begin(self._request, time.monotonic())
            self._begun = True
        if self._reason is not None:
            self._tell([StreamEnd("cancelled", ErrorInfo("cancelled", self._reason))])
        elif self._broken_off:
            self._tell(self._decoder.receive_eof(truncated=True))
        return not self._over

    def _take(self, data: bytes) -> None:
        """What the body gave; empty at its end."""
        self._tell(self._decoder.receive_data(data) if data else self._decoder.receive_eof())

    def _fail(self, error: Exception) -> None:
        """What the client raised."""
        self._tell(self._decoder.receive_eof(error=as_error(error, self._asked(), None)))

    def _asked(self) -> tuple[HTTPRequest, ...]:
        return () if self._request is None else (self._request.http(),)

    def _tell(self, events: list[Event]) -> None:
        last = events[-1] if events else None
        if type(last) is StreamEnd:
            self._over = True
            status, told = self._head.status, last.error
            if told is not None and last.outcome == "failed":
                if not 200 <= status < 300:
                    told = with_head(told, status, self._head.headers)
                told = without_keys(told, self._asked(), None)
                events = [*events[:-1], msgspec.structs.replace(last, error=told)]
        self._note(events, time.monotonic())

    def _cancel(self, reason: str | None) -> None:
        if reason is None:
            self._over = True
        elif self._reason is None and not self._over:
            self._reason = reason
