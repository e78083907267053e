"""The event vocabulary: one closed union of small immutable structs.

The rules of this file: an event is a value (frozen, without methods that do
anything); its class is its meaning; its tag makes it JSON both ways. Events that
belong to the answer itself are counted by ``ResumePoint.position``; the others
(``ANSWER_EVENTS`` says which) tell about the connection or the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

import msgspec

from .errors import ErrorInfo, Outcome
from .resume import Cursor, ResumeOrigin, encode_token

__all__ = [
    "ANSWER_EVENTS",
    "Annotation",
    "Connected",
    "Delta",
    "Disconnected",
    "Event",
    "Finish",
    "FinishReason",
    "Heartbeat",
    "MediaDelta",
    "ReasoningDelta",
    "Reconnecting",
    "Record",
    "RefusalDelta",
    "ResumeMode",
    "ResumePoint",
    "Resumed",
    "StreamEnd",
    "StreamStart",
    "TextDelta",
    "ToolCall",
    "ToolCallDelta",
    "Unrecognized",
    "Usage",
    "decode_event",
    "encode_event",
    "join_deltas",
]

FinishReason = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"
]
ResumeMode = Literal["continue", "replay", "restart", "continuation"]


class StreamStart(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="stream_start"):
    """The answer has begun. It comes before every other event of the answer.

    It comes again only where a provider names the response or its model later than in its
    first record (Azure does), or goes over to another model in mid-stream (a fallback): the
    last one counts.
    """

    response_id: str | None = None
    model: str | None = None
    generation: int = 0


class Delta(msgspec.Struct, frozen=True, gc=False):
    """A piece of the answer: the base class of all ``…Delta`` events."""


class TextDelta(Delta, frozen=True, gc=False, tag_field="event", tag="text"):
    """A piece of the visible text. ``choice`` is the index of the alternative answer."""

    text: str
    choice: int = 0


class ReasoningDelta(Delta, frozen=True, gc=False, tag_field="event", tag="reasoning"):
    """A piece of the model's thinking, or of a summary of it."""

    text: str
    choice: int = 0


class RefusalDelta(Delta, frozen=True, gc=False, tag_field="event", tag="refusal"):
    """A piece of the text with which the model declines."""

    text: str
    choice: int = 0


class ToolCallDelta(Delta, frozen=True, gc=False, tag_field="event", tag="tool_call_delta"):
    """A piece of a tool call.

    ``index`` counts the calls of a choice in order of appearance, whatever number the
    provider gave. ``arguments`` is a raw fragment of their JSON text, often "".
    ``id`` and ``name`` are those known so far.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


class MediaDelta(Delta, frozen=True, gc=False, tag_field="event", tag="media"):
    """Generated image or audio data: ``data`` holds the decoded bytes."""

    mime_type: str | None
    data: bytes
    choice: int = 0


class ToolCall(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="tool_call"):
    """One whole tool call, once, when its arguments are complete.

    ``arguments`` is the JSON text as the provider sent it; "" where it sent none.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    choice: int = 0


class Annotation(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="annotation"):
    """What else belongs to the answer: citations, grounding, logprobs, signatures, extras.

    ``data`` is plain JSON data. ``kind="extra"`` marks fields that no protocol names.
    """

    kind: str
    data: Any = None
    choice: int = 0


class Usage(
    msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag_field="event", tag="usage"
):
    """Token counts so far, in the normal form: a snapshot, never an increment.

    ``prompt_tokens`` and ``completion_tokens`` are inclusive totals; ``cached_tokens``
    and ``cache_write_tokens`` are parts of the first, ``reasoning_tokens`` of the second.
    A count that the provider did not report is None, never 0. ``final`` says that the
    provider's last word is in. ``cost`` is what the provider itself says it charged,
    in dollars.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_prompt_tokens: int | None = None
    audio_completion_tokens: int | None = None
    tool_prompt_tokens: int | None = None
    cost: float | None = None
    final: bool = False
    generation: int = 0
    source: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"null"), name="raw")
    """The JSON value in which the counts stood, undecoded: the record, or a part of it."""
    path: str = ""
    """Where in ``source`` the usage object stands, keys joined with dots; "" for all of it."""

    @property
    def raw(self) -> Any:
        """The provider's own usage object, verbatim, as plain data; None if there was none."""
        value: Any = msgspec.json.decode(self.source)
        for key in self.path.split(".") if self.path else ():
            try:
                value = value[key]
            except (LookupError, TypeError):
                return None
        return value


class Finish(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="finish"):
    """Why a choice ended; once per choice, when it can no longer change."""

    reason: FinishReason
    raw_reason: str | None = None
    choice: int = 0


class ResumePoint(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="resume_point"):
    """From here the stream can be taken up again.

    It follows the last event of its record. ``cursor`` is the provider's own mark,
    ``position`` the number of the answer's events before it.
    """

    cursor: Cursor
    position: int
    origin: ResumeOrigin
    ended: bool = False

    @property
    def token(self) -> str:
        """A short text without secrets from which a session can resume; made on demand."""
        return encode_token(self.origin, self.cursor, self.position, self.ended)


class Heartbeat(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="heartbeat"):
    """The server is alive: a comment, a ping, a keep-alive in whatever disguise."""

    text: str = ""


class Record(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="record"):
    """A plain record: with ``dialect="records"``, or before its own events with ``raw=True``.

    ``type`` is the event name ("message" where an event stream names none), ``id`` the
    last event id, as an EventSource would report them.
    """

    type: str
    data: str
    id: str = ""


class Unrecognized(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="unrecognized"):
    """A record without a normalized meaning, or one that could not be read."""

    type: str
    data: str
    why: str


class Connected(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="connected"):
    """A response head is in. ``headers`` are without cookies and credentials."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


class Disconnected(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="disconnected"):
    """The connection is gone before the stream was over."""

    error: ErrorInfo | None = None


class Reconnecting(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="reconnecting"):
    """Another attempt follows after ``delay`` seconds."""

    attempt: int
    delay: float


class Resumed(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="resumed"):
    """The stream goes on after a reconnect, in the stated way."""

    mode: ResumeMode


class StreamEnd(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="stream_end"):
    """Exactly one, always last."""

    outcome: Outcome
    error: ErrorInfo | None = None

    def raise_for_outcome(self) -> None:
        """Raise ``StreamInterrupted`` or ``StreamFailed`` unless the stream is complete.

        One's own cancelling does not raise.
        """
        from .errors import raise_for_end

        raise_for_end(self)


Event = (
    StreamStart
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | ToolCallDelta
    | MediaDelta
    | ToolCall
    | Annotation
    | Usage
    | Finish
    | ResumePoint
    | Heartbeat
    | Record
    | Unrecognized
    | Connected
    | Disconnected
    | Reconnecting
    | Resumed
    | StreamEnd
)

ANSWER_EVENTS: frozenset[type] = frozenset(
    {
        StreamStart,
        TextDelta,
        ReasoningDelta,
        RefusalDelta,
        ToolCallDelta,
        MediaDelta,
        ToolCall,
        Annotation,
        Usage,
        Finish,
        Record,
        Unrecognized,
    }
)
"""The events that ``ResumePoint.position`` counts."""

_ENCODER = msgspec.json.Encoder()


@cache
def _decoder() -> msgspec.json.Decoder[Event]:
    """Made when it is first needed: it costs a good part of importing this file."""
    return msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """One event as one line of JSON, without the line end.

    A ``Usage`` is written with the provider's usage object alone as its ``source``.
    """
    if type(event) is Usage and event.path:
        raw = msgspec.Raw(_ENCODER.encode(event.raw))
        return _ENCODER.encode(msgspec.structs.replace(event, source=raw, path=""))
    return _ENCODER.encode(event)


def decode_event(data: bytes | str) -> Event:
    """The event that ``encode_event`` wrote. Raises ``msgspec.DecodeError`` on anything else."""
    try:
        return _decoder().decode(data)
    except (ValueError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def join_deltas(events: Iterable[Event]) -> list[Event]:
    """The same events with adjacent text, reasoning and refusal deltas of a choice joined.

    Plain text has no records, so the borders of its deltas are those of the reads; joined,
    they are the same for every chunking.
    """
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if (
            isinstance(event, TextDelta | ReasoningDelta | RefusalDelta)
            and isinstance(last, type(event))
            and last.choice == event.choice
        ):
            joined[-1] = type(event)(last.text + event.text, event.choice)
        else:
            joined.append(event)
    return joined
