"""Events on their way to a consumer: what is kept of them, who watches, how it ends.

What every open stream has in common, wherever its events come from: a session over sockets or
over a client's connections, or the response that somebody else made.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal

from sans_io_stream import (
    Event,
    LimitExceeded,
    Limits,
    ResumePoint,
    StreamEnd,
    StreamInterrupted,
    TextDelta,
    Transcript,
)
from sans_io_stream.errors import raise_for_end

from . import logs

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest
    from sans_io_stream.observing import Observer, Watch

__all__ = ["Delivery"]

FOLDED = 256
"""Events that are kept before they are folded into the transcript together."""


class Delivery:
    """What has been handed out, and what is about to be.

    Raises ``ValueError`` for an ``on_error`` that is none.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        on_error: Literal["raise", "event"] = "raise",
        observers: Sequence[Observer] = (),
    ) -> None:
        # What ``repr`` shows comes first: a traceback may ask for it half way.
        self._end: StreamEnd | None = None
        if on_error not in ("raise", "event"):
            raise ValueError(f"on_error is 'raise' or 'event', not {on_error!r}")
        self._observers = observers
        self._watches: list[Watch] = []
        self._raises = on_error == "raise"
        self._transcript = Transcript(limits)
        self._unfolded: list[Event] = []
        self._point: ResumePoint | None = None
        self._pending: list[Event] = []
        """What is still to be handed out, the next one last."""
        self._full: LimitExceeded | None = None
        """Why the transcript could keep no more."""
        self._untold: StreamEnd | None = None
        """An end that is not the peer's, and that no watch has seen."""
        self._over = self._left = self._raised = False

    @property
    def transcript(self) -> Transcript:
        """The events handed out so far, folded into one answer."""
        self._fold()
        return self._transcript

    @property
    def whole(self) -> Transcript:
        """The transcript of an answer that is complete. Raises ``StreamInterrupted`` or
        ``StreamFailed`` for any other, one that was cancelled or not read to its end included."""
        transcript, end = self.transcript, self._end
        if end is not None and end.outcome == "cancelled":
            raise StreamInterrupted(end, transcript, self._point)
        transcript.raise_for_outcome()
        return transcript

    @property
    def resume_point(self) -> ResumePoint | None:
        """The last ``ResumePoint`` handed out: where another stream can go on."""
        return self._point

    # ---- for those who deliver

    def _hand_out(self) -> Event:
        """The next pending event, on its way to the consumer."""
        event = self._pending.pop()
        kind = type(event)
        unfolded = self._unfolded
        unfolded.append(event)
        if kind is TextDelta and len(unfolded) < FOLDED:
            # Most events, and nothing of what follows is for them.
            return event
        if kind is ResumePoint:
            self._point = event  # type: ignore[assignment]
        elif kind is StreamEnd:
            self._end = event  # type: ignore[assignment]
        if len(unfolded) >= FOLDED or kind is StreamEnd:
            self._fold()
        return event if self._full is None else self._overflow(self._full)

    def _fold(self) -> None:
        unfolded, self._unfolded = self._unfolded, []
        try:
            self._transcript.extend(unfolded)
        except LimitExceeded as limit:
            self._full = limit

    def _overflow(self, limit: LimitExceeded) -> StreamEnd:
        """What the transcript cannot keep ends the stream: half an answer would be none."""
        told = self._end is not None or any(type(event) is StreamEnd for event in self._pending)
        self._end = StreamEnd("failed", limit.end.error)
        self._untold = None if told else self._end
        self._pending.clear()
        self._full = None
        self._transcript.add(self._end)
        self._cancel(None)
        return self._end

    def _begin(self, request: StreamRequest, now: float) -> None:
        """The stream is about to connect. Raises what an observer has against it."""
        for observer in self._observers[len(self._watches) :]:
            self._watches.append(observer.begin(request, now))
        if logs.listening():
            self._watches.append(logs.LogWatch(request, now))

    def _note(self, events: list[Event], now: float) -> None:
        """Keep what came, unless the consumer has its end already."""
        if self._end is not None or not events:
            return
        self._pending[:0] = reversed(events)
        raised: Exception | None = None
        for watch in self._watches:
            try:
                reason = watch.saw(events, now)
            except Exception as error:  # noqa: BLE001  # raised when all others have seen it
                raised = raised or error
            else:
                if reason is not None:
                    self._cancel(reason)
        if raised is not None:
            raise raised

    def _put_away(self, now: float) -> None:
        """Nothing more comes: each watch is told so once, whatever another one raises."""
        untold, self._untold = self._untold, None
        watches, self._watches = self._watches, []
        with ExitStack() as told:
            # Last in, first out.
            for watch in reversed(watches):
                told.callback(watch.closed, now)
                if untold is not None:
                    told.callback(watch.saw, [untold], now)

    def _leave(self) -> None:
        """The consumer wants no more: what it has not taken is dropped."""
        self._left = True
        if self._end is None:
            self._end = StreamEnd("cancelled")
            self._unfolded.append(self._end)

    def _raise_at_end(self) -> None:
        """Raise what the outcome calls for, once."""
        if self._raises and self._end is not None and not self._raised and not self._left:
            self._raised = True
            raise_for_end(self._end, self.transcript, self._point)

    def _cancel(self, reason: str | None) -> None:
        """End it as soon as that can be."""
        raise NotImplementedError
