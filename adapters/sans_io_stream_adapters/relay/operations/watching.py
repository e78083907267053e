"""The relay's eye on one provider's stream: how it is reached, how long it lets one wait, how it
fails. What a client is told of that is ``passing``'s business; here are the provider's own words,
of which only kinds and numbers are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sans_io_stream import (
    Connected,
    Disconnected,
    MediaDelta,
    Reconnecting,
    RefusalDelta,
    Resumed,
    StreamEnd,
    TextDelta,
    ToolCallDelta,
)

from .telling import Told, tell

if TYPE_CHECKING:
    from sans_io_stream import Event, StreamRequest
    from sans_io_stream.observing import Watch

    from .metrics import Series

__all__ = ["Eye", "Given"]

VISIBLE = frozenset({TextDelta, RefusalDelta, ToolCallDelta, MediaDelta})


class Eye:
    """An ``Observer`` of one stream, and its ``Watch``. ``named`` is what tells it in logs."""

    __slots__ = (
        "_begun", "_last", "_series", "_visible", "answered", "attempts", "error", "named",
        "status",
    )  # fmt: skip

    def __init__(self, series: Series, named: dict[str, str]) -> None:
        self._series = series
        self._begun = 0.0
        self._last: float | None = None
        self._visible = False
        self.answered = False
        """The provider has begun an answer."""
        self.named = named
        self.attempts = 0
        self.error: str | None = None
        """The kind of the last error."""
        self.status: int | None = None
        """The last status of the provider's."""

    def begin(self, request: StreamRequest, now: float) -> Eye:
        """The stream is about to connect."""
        self._begun = now
        self.attempts = 1
        self._series.attempts += 1
        return self

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        """Count what came."""
        visible = False
        handlers = self._handlers
        for event in events:
            kind = type(event)
            if kind in VISIBLE:
                visible = True
            elif kind in handlers:
                handlers[kind](self, event, now)
        if visible:
            series = self._series
            if self._last is not None:
                series.between.add(now - self._last)
            elif not self._visible:
                self._visible = True
                series.first_visible.add(now - self._begun)
            self._last = now
        return None

    def closed(self, now: float) -> None:
        """Nothing more comes."""

    # ---- by type of event

    def _connected(self, event: Connected, now: float) -> None:
        self.status = event.status
        if 200 <= event.status < 300 and not self.answered:
            self.answered = True
            self._series.first_byte.add(now - self._begun)

    def _disconnected(self, event: Disconnected, now: float) -> None:
        # What comes next comes over another connection.
        self._last = None
        self._failed(None if event.error is None else event.error.kind)

    def _reconnecting(self, event: Reconnecting, now: float) -> None:
        series = self._series
        self.attempts += 1
        series.attempts += 1
        if self.answered:
            series.reconnects += 1
        else:
            series.retries += 1
        tell(Told("reconnecting", {**self.named, "attempt": event.attempt, "error": self.error}))

    def _resumed(self, event: Resumed, now: float) -> None:
        self._series.resumes[event.mode] += 1

    def _end(self, event: StreamEnd, now: float) -> None:
        if event.error is not None and event.outcome in ("failed", "interrupted"):
            self._failed(event.error.kind)

    def _failed(self, kind: str | None) -> None:
        self.error = kind or "connection"
        self._series.errors[self.error] += 1

    _handlers: ClassVar[dict[type, Callable[[Any, Any, float], None]]] = {
        Connected: _connected,
        Disconnected: _disconnected,
        Reconnecting: _reconnecting,
        Resumed: _resumed,
        StreamEnd: _end,
    }


class Given:
    """An ``Observer`` with a watch that was made before."""

    __slots__ = ("_watch",)

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def begin(self, request: StreamRequest, now: float) -> Watch:
        """The watch."""
        return self._watch
