"""What may be told of a stream without telling its content: names, counts, times, its end.

``Facts`` is folded from a stream's events, like a transcript, but keeps no text, no header and
no body; of an error, everything but the message, in which providers quote what they were sent.
Logs and telemetry are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from sans_io_stream import (
    Event,
    Finish,
    FinishReason,
    MediaDelta,
    ReasoningDelta,
    Reconnecting,
    RefusalDelta,
    Resumed,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.url import parse_url
from sans_io_stream.usage import add_usage

if TYPE_CHECKING:
    from sans_io_stream.errors import ErrorInfo, Outcome

__all__ = ["Facts"]

CANCELLED = StreamEnd("cancelled")
PIECES = frozenset({TextDelta, ReasoningDelta, RefusalDelta, ToolCallDelta, ToolCall, MediaDelta})


class Facts:
    """One stream, from ``begun`` on, a time of its own clock in seconds."""

    def __init__(self, request: StreamRequest, begun: float) -> None:
        url = parse_url(request.url)
        self.host = url.host
        self.port = url.port
        self.dialect = request.dialect
        self.provider = request.provider
        self.model = request.model
        """The model that was asked for."""
        self.begun = begun
        self.response_id: str | None = None
        self.response_model: str | None = None
        """The model that answers."""
        self.connections = 1
        """Attempts, the first one included."""
        self.first_piece: float | None = None
        """When the first piece of the answer came."""
        self.last_piece: float | None = None
        self.end: StreamEnd | None = None
        self.ended: float | None = None
        self._finishes: dict[int, FinishReason] = {}
        self._usages: dict[int, Usage] = {}

    def saw(self, events: Iterable[Event], now: float) -> bool:
        """Fold in what came; whether there was a piece of the answer among it."""
        piece = False
        handlers = self._handlers
        for event in events:
            kind = type(event)
            if kind in PIECES:
                piece = True
            elif kind in handlers:
                handlers[kind](self, event)
        if piece:
            self.last_piece = now
            if self.first_piece is None:
                self.first_piece = now
        if self.end is not None and self.ended is None:
            self.ended = now
        return piece

    def close(self, now: float) -> None:
        """Nothing more comes. Without an end the consumer has left: the stream is cancelled."""
        if self.ended is None:
            self.end = self.end or CANCELLED
            self.ended = now

    @property
    def outcome(self) -> Outcome:
        """How it ended; "cancelled" while it has not."""
        return (self.end or CANCELLED).outcome

    @property
    def error(self) -> ErrorInfo | None:
        """What went wrong in the end; never tell its ``message``."""
        return None if self.end is None else self.end.error

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not ended."""
        return None if self.ended is None else self.ended - self.begun

    @property
    def seconds_to_first_piece(self) -> float | None:
        """How long the answer's first piece took, over all attempts; None if there was none."""
        return None if self.first_piece is None else self.first_piece - self.begun

    @property
    def finish_reasons(self) -> list[FinishReason]:
        """Why each choice ended, in the order of the choices."""
        return [reason for _, reason in sorted(self._finishes.items())]

    @property
    def usage(self) -> Usage | None:
        """The tokens of all generations, void ones included: what is billed."""
        return add_usage([usage for _, usage in sorted(self._usages.items())])

    # ---- by type of event

    def _start(self, event: StreamStart) -> None:
        self.response_id = event.response_id or self.response_id
        self.response_model = event.model or self.response_model

    def _usage(self, event: Usage) -> None:
        self._usages[event.generation] = event

    def _finish(self, event: Finish) -> None:
        self._finishes[event.choice] = event.reason

    def _reconnecting(self, event: Reconnecting) -> None:
        self.connections += 1

    def _resumed(self, event: Resumed) -> None:
        if event.mode == "restart":
            self._finishes.clear()
            self.response_id = self.response_model = None

    def _end(self, event: StreamEnd) -> None:
        self.end = event

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        StreamStart: _start,
        Usage: _usage,
        Finish: _finish,
        Reconnecting: _reconnecting,
        Resumed: _resumed,
        StreamEnd: _end,
    }
