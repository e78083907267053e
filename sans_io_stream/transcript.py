"""Transcript: events folded into one answer.

It keeps what the events said, choice by choice, and bounds what it keeps: text, arguments,
annotations and media beyond ``Limits.transcript_bytes`` raise ``LimitExceeded``. A restart
voids what was delivered, but not what was billed: ``usage`` counts the answer, ``billed``
every generation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from .errors import ErrorInfo, LimitExceeded, raise_for_end
from .events import (
    Annotation,
    Event,
    Finish,
    FinishReason,
    MediaDelta,
    ReasoningDelta,
    RefusalDelta,
    Resumed,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from .policy import DEFAULT_LIMITS, Limits
from .usage import add_usage

__all__ = ["ChoiceTranscript", "ToolCallTranscript", "Transcript"]


class ToolCallTranscript:
    """One tool call: ``arguments`` is what came of their JSON text, ``complete`` if all of it."""

    __slots__ = ("_pieces", "complete", "id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id: str | None = None
        self.name: str | None = None
        self.complete = False
        self._pieces: list[str] = []

    @property
    def arguments(self) -> str:
        """The JSON text of the arguments, as far as it came."""
        return _joined(self._pieces)

    def __repr__(self) -> str:
        return (
            f"ToolCallTranscript(index={self.index}, id={self.id!r}, name={self.name!r}, "
            f"arguments={self.arguments!r}, complete={self.complete})"
        )


class ChoiceTranscript:
    """One alternative answer."""

    __slots__ = (
        "_calls",
        "_reasoning",
        "_refusal",
        "_text",
        "annotations",
        "finish_reason",
        "media",
        "raw_finish_reason",
    )

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, ToolCallTranscript] = {}
        self.annotations: list[Annotation] = []
        self.media: list[MediaDelta] = []
        self.finish_reason: FinishReason | None = None
        self.raw_finish_reason: str | None = None

    @property
    def text(self) -> str:
        """The visible text."""
        return _joined(self._text)

    @property
    def reasoning(self) -> str:
        """The thinking, or the summary of it."""
        return _joined(self._reasoning)

    @property
    def refusal(self) -> str:
        """The text of a refusal."""
        return _joined(self._refusal)

    @property
    def tool_calls(self) -> list[ToolCallTranscript]:
        """The tool calls in order of appearance, partial ones among them."""
        return [self._calls[index] for index in sorted(self._calls)]


class Transcript:
    """One answer, as far as its events tell it. Text and calls of choice 0 are its own.

    ``end`` is the ``StreamEnd``, None until it came; ``chunks_received`` counts the deltas.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limit = (limits or DEFAULT_LIMITS).transcript_bytes
        self._size = 0
        self._usages: dict[int, Usage] = {}
        self._first_generation = 0
        self._generation = 0
        self.choices: dict[int, ChoiceTranscript] = {}
        self.model: str | None = None
        self.response_id: str | None = None
        self.resume_point: ResumePoint | None = None
        self.chunks_received = 0
        self.end: StreamEnd | None = None

    @classmethod
    def of(cls, events: Iterable[Event], limits: Limits | None = None) -> Transcript:
        """The transcript of these events. Raises ``LimitExceeded``."""
        transcript = cls(limits)
        transcript.extend(events)
        return transcript

    def add(self, event: Event) -> None:
        """Fold one event in. Raises ``LimitExceeded`` if it would not fit; nothing is kept of
        it then."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(self, event)

    def extend(self, events: Iterable[Event]) -> None:
        """``add`` each, pieces of the text together: a quarter of the price."""
        run: list[TextDelta] = []
        for event in events:
            if type(event) is TextDelta and event.choice == 0:
                run.append(event)
            else:
                if run:
                    self._texts(run)
                    run = []
                self.add(event)
        if run:
            self._texts(run)

    def choice(self, index: int) -> ChoiceTranscript:
        """The choice of that index, made if it was not there."""
        choice = self.choices.get(index)
        if choice is None:
            choice = self.choices[index] = ChoiceTranscript()
        return choice

    @property
    def text(self) -> str:
        """The visible text of choice 0."""
        return self.choice(0).text

    @property
    def reasoning(self) -> str:
        """The thinking of choice 0."""
        return self.choice(0).reasoning

    @property
    def refusal(self) -> str:
        """The refusal of choice 0."""
        return self.choice(0).refusal

    @property
    def tool_calls(self) -> list[ToolCallTranscript]:
        """The tool calls of choice 0, partial ones among them."""
        return self.choice(0).tool_calls

    @property
    def annotations(self) -> list[Annotation]:
        """The annotations of choice 0."""
        return self.choice(0).annotations

    @property
    def media(self) -> list[MediaDelta]:
        """The images and audio of choice 0."""
        return self.choice(0).media

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why choice 0 ended; None while it has not."""
        return self.choice(0).finish_reason

    @property
    def raw_finish_reason(self) -> str | None:
        """The provider's own word for it."""
        return self.choice(0).raw_finish_reason

    @property
    def usage(self) -> Usage | None:
        """The token counts of the answer: of all generations that make it up, added."""
        mine = [u for g, u in sorted(self._usages.items()) if g >= self._first_generation]
        return add_usage(mine)

    @property
    def billed(self) -> list[Usage]:
        """The last known counts of each generation, those that became void included."""
        return [usage for _, usage in sorted(self._usages.items())]

    def raise_for_outcome(self) -> None:
        """Raise ``StreamInterrupted`` or ``StreamFailed`` unless the answer is complete.

        A transcript without its ``StreamEnd`` is an interrupted one.
        """
        end = self.end
        if end is None:
            why = "the events ended without a StreamEnd"
            end = StreamEnd("interrupted", ErrorInfo("truncated", why))
        raise_for_end(end, self, self.resume_point)

    # ---- the handlers, by type of event. They alone fill the parts: to everybody else, and so
    # to pyright, the pieces of a part are private.

    def _keep(self, size: int) -> None:
        if self._size + size > self._limit:
            message = f"the transcript exceeds Limits.transcript_bytes ({self._limit} bytes)"
            end = StreamEnd("failed", ErrorInfo("limit", message))
            raise LimitExceeded(end, self, self.resume_point)
        self._size += size

    def _start(self, event: StreamStart) -> None:
        self.response_id = event.response_id or self.response_id
        self.model = event.model or self.model
        self._generation = event.generation

    def _text(self, event: TextDelta) -> None:
        self._keep(_size(event.text))
        self.chunks_received += 1
        self.choice(event.choice)._text.append(event.text)  # pyright: ignore[reportPrivateUsage]

    def _texts(self, events: list[TextDelta]) -> None:
        text = "".join([event.text for event in events])
        if self._size + (size := _size(text)) > self._limit:
            # What fits is kept.
            for event in events:
                self._text(event)
        self._size += size
        self.chunks_received += len(events)
        self.choice(0)._text.append(text)  # pyright: ignore[reportPrivateUsage]

    def _reasoning(self, event: ReasoningDelta) -> None:
        self._keep(_size(event.text))
        self.chunks_received += 1
        self.choice(event.choice)._reasoning.append(event.text)  # pyright: ignore[reportPrivateUsage]

    def _refusal(self, event: RefusalDelta) -> None:
        self._keep(_size(event.text))
        self.chunks_received += 1
        self.choice(event.choice)._refusal.append(event.text)  # pyright: ignore[reportPrivateUsage]

    def _call_of(self, event: ToolCallDelta | ToolCall) -> ToolCallTranscript:
        calls = self.choice(event.choice)._calls  # pyright: ignore[reportPrivateUsage]
        call = calls.get(event.index)
        if call is None:
            call = calls[event.index] = ToolCallTranscript(event.index)
        call.id = event.id or call.id
        call.name = event.name or call.name
        return call

    def _call_delta(self, event: ToolCallDelta) -> None:
        self._keep(_size(event.arguments))
        self.chunks_received += 1
        if event.arguments:
            self._call_of(event)._pieces.append(event.arguments)  # pyright: ignore[reportPrivateUsage]
        else:
            self._call_of(event)

    def _call(self, event: ToolCall) -> None:
        call = self._call_of(event)
        if not call._pieces and event.arguments:  # pyright: ignore[reportPrivateUsage]
            self._keep(_size(event.arguments))
            call._pieces.append(event.arguments)  # pyright: ignore[reportPrivateUsage]
        call.complete = True

    def _media(self, event: MediaDelta) -> None:
        self._keep(len(event.data))
        self.chunks_received += 1
        self.choice(event.choice).media.append(event)

    def _annotation(self, event: Annotation) -> None:
        self._keep(len(msgspec.json.encode(event.data)))
        self.choice(event.choice).annotations.append(event)

    def _usage(self, event: Usage) -> None:
        self._usages[event.generation] = event

    def _finish(self, event: Finish) -> None:
        choice = self.choice(event.choice)
        choice.finish_reason = event.reason
        choice.raw_finish_reason = event.raw_reason

    def _point(self, event: ResumePoint) -> None:
        self.resume_point = event

    def _resumed(self, event: Resumed) -> None:
        if event.mode == "restart":
            self.choices.clear()
            self._size = 0
            self.response_id = self.model = None
            self._first_generation = self._generation + 1

    def _end(self, event: StreamEnd) -> None:
        self.end = event

    _handlers: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        StreamStart: _start,
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        RefusalDelta: _refusal,
        ToolCallDelta: _call_delta,
        ToolCall: _call,
        MediaDelta: _media,
        Annotation: _annotation,
        Usage: _usage,
        Finish: _finish,
        ResumePoint: _point,
        Resumed: _resumed,
        StreamEnd: _end,
    }


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _joined(pieces: list[str]) -> str:
    """The pieces as one text; kept as one, so that asking again costs nothing."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""
