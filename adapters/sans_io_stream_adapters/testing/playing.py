"""What a server plays: an answer as records, each with its cursor and its time.

From events (or text, which becomes events) by the encoder of the dialect; from a capture as
it was recorded, its records found by their framing and their cursors by the decoder. An
``Answer`` is plain data: it goes to another process as it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sans_io_stream.capture import Capture
from sans_io_stream.decoder import StreamDecoder
from sans_io_stream.dialects.registry import dialect_class
from sans_io_stream.encoding import Encoder
from sans_io_stream.errors import UnknownDialectError
from sans_io_stream.events import (
    Event,
    Finish,
    Heartbeat,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    Usage,
)

from . import writers

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream.resume import Cursor

__all__ = ["Answer", "Played", "answer_of", "captured", "generated"]

PACE = 0.02
"""Seconds between the records of what was generated, at speed 1."""
WORDS = ("Hello", ", wörld", " 🦜", "! Naïve", " 海", " cafés", ":\n", "“so”", " what", "?")
"""What is said where nobody says what."""

RECORD_ENDS = {
    "text/event-stream": re.compile(rb"(?:\r\n|\r(?!\n)|\n){2,}"),
    "application/x-ndjson": re.compile(rb"\n"),
    "application/jsonl": re.compile(rb"\n"),
}


class Played(NamedTuple):
    """One record: its bytes, its own cursor if it has one, and when it is due, in seconds."""

    data: bytes
    cursor: Cursor | None = None
    time: float = 0.0


@dataclass(frozen=True)
class Answer:
    """One answer to be played."""

    dialect: str | None
    framing: str | None
    content_type: str
    records: tuple[Played, ...]
    last_words: int
    """How many records stand before those that say that the answer is whole."""
    response_id: str = ""
    heartbeat: bytes = b""
    reads: tuple[tuple[int, float], ...] = ()
    """Where the reads of a capture end, as offsets in the body, and when they came."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    end: str = "eof"
    """How the transport ends behind it, in the words of captures."""


# ---- from events


def generated(text: str | None, pieces: int | None) -> list[Event]:
    """An answer that says ``text`` in so many pieces, or some text of so many pieces."""
    if text is None:
        count = 20 if pieces is None else pieces
        words = [WORDS[number % len(WORDS)] for number in range(count)]
    else:
        words = re.findall(r"\s*\S+|\s+$", text) if pieces is None else cut(text, pieces)
    counts = Usage(
        prompt_tokens=9, completion_tokens=len(words), total_tokens=9 + len(words), final=True
    )
    deltas = [TextDelta(word) for word in words if word]
    return [StreamStart("resp_1", "test"), *deltas, Finish("stop"), counts, StreamEnd("complete")]


def cut(text: str, pieces: int) -> list[str]:
    """``text`` in pieces of about the same size, none of them empty."""
    count = max(1, min(pieces, len(text)))
    places = [len(text) * number // count for number in range(count + 1)]
    return [text[a:b] for a, b in itertools.pairwise(places)]


def answer_of(events: Iterable[Event], dialect: str, framing: str | None, mechanism: str) -> Answer:
    """The answer that these events tell. One without ``StreamEnd`` is complete."""
    told = list(events)
    if not told or not isinstance(told[-1], StreamEnd):
        told.append(StreamEnd("complete"))
    response_id = next((e.response_id for e in told if isinstance(e, StreamStart)), None)
    name = dialect_class(dialect).name
    response_id = response_id or "resp_1"
    written: list[tuple[bytes, Cursor | None]]
    if name in ("records", "gemini-interactions"):
        if framing not in (None, "sse"):
            raise UnknownDialectError(f"{name} is written as 'sse' alone, not as {framing!r}")
        if name == "records":
            written = list(writers.plain(told))
        else:
            if not any(isinstance(event, StreamStart) for event in told):
                told.insert(0, StreamStart(response_id, "test"))
            written = list(writers.interaction(told, response_id))
        framing, content_type, aborts = "sse", "text/event-stream", False
        heartbeat = b": keep-alive\n\n"
    else:
        encoder = Encoder(name, framing, background=mechanism == "openai-responses")
        framing, content_type = encoder.framing, encoder.content_type
        heartbeat = heartbeat_of(name, framing)
        written = encoded(encoder, told, mechanism)
        aborts = encoder.must_abort
    records = tuple(
        Played(data, cursor, number * PACE) for number, (data, cursor) in enumerate(written)
    )
    return Answer(
        dialect=name,
        framing=framing,
        content_type=content_type,
        records=records,
        last_words=last_words(records, name, content_type),
        response_id=response_id,
        heartbeat=heartbeat,
        end="error" if aborts else "eof",
    )


def encoded(
    encoder: Encoder, events: list[Event], mechanism: str
) -> list[tuple[bytes, Cursor | None]]:
    """The records of an encoder, with the cursors that the mechanism asks with."""
    written: list[tuple[bytes, Cursor | None]] = []
    for number, event in enumerate(events):
        own: str | None = None
        if mechanism in ("holysheep", "last-event-id", "eventsource"):
            own = f"evt_{number:03}"
        first = encoder.sequence
        records = encoder.records(event, id=own)
        if first is not None and encoder.sequence == first + len(records):
            written += [(data, first + place) for place, data in enumerate(records)]
        else:
            form = b'"id":"%b"' if mechanism == "holysheep" else b"id: %b\n"
            mark = None if own is None else form % own.encode()
            written += [(data, own if mark and mark in data else None) for data in records]
    return written


def heartbeat_of(dialect: str | None, framing: str | None) -> bytes:
    """A sign of life of that protocol; empty where it has none."""
    try:
        encoder = Encoder(dialect or "", framing)
    except UnknownDialectError:
        return b": keep-alive\n\n" if framing == "sse" else b""
    # Some protocols have one only behind a beginning.
    for event in (StreamStart("resp_1", "test"), TextDelta("Hello")):
        encoder.encode(event)
    return encoder.encode(Heartbeat("keep-alive"))


# ---- from captures


def captured(
    source: Capture | StrPath, dialect: str | None, mechanism_of: Callable[[str | None], str]
) -> Answer:
    """A capture, with its own reads. Raises ``CaptureError``, ``OSError``."""
    capture = source if isinstance(source, Capture) else Capture.open(source)
    decoder = StreamDecoder(dialect or capture.dialect, content_type=capture.content_type)
    decoder.receive_data(capture.body)
    decoder.receive_eof()
    name = decoder.dialect
    content_type = capture.content_type or "application/octet-stream"
    ends: list[tuple[int, float]] = []
    for read in capture.reads():
        ends.append(((ends[-1][0] if ends else 0) + len(read.data), read.time))
    records = tuple(cursors(records_of(capture, ends), name, content_type, mechanism_of(name)))
    starts = (e for e in capture.events() if isinstance(e, StreamStart) and e.response_id)
    start = next(starts, None)
    media_type = content_type.partition(";")[0].strip().lower()
    framing = {"text/event-stream": "sse", "application/x-ndjson": "jsonl"}.get(media_type)
    return Answer(
        dialect=name,
        framing=framing,
        content_type=content_type,
        records=records,
        last_words=last_words(records, name, content_type),
        response_id=(start.response_id if start is not None else None) or "",
        heartbeat=heartbeat_of(name, framing),
        reads=tuple(ends),
        status=capture.status,
        headers=tuple(kept_headers(capture)),
        end=capture.end,
    )


def kept_headers(capture: Capture) -> list[tuple[str, str]]:
    """The headers that say nothing of how the body was framed then."""
    framing = ("content-type", "content-length", "transfer-encoding", "connection")
    return [(name, value) for name, value in capture.headers.items() if name not in framing]


def records_of(capture: Capture, ends: list[tuple[int, float]]) -> list[Played]:
    """The records of a capture, each due when its last byte came; reads, where the framing has
    no records that can be seen from outside."""
    body = capture.body
    media_type = (capture.content_type or "").partition(";")[0].strip().lower()
    end = RECORD_ENDS.get(media_type)
    places = [at for at, _ in ends] if end is None else [m.end() for m in end.finditer(body)]
    records: list[Played] = []
    start = number = 0
    for place in (*places, len(body)):
        if place > start:
            while number < len(ends) - 1 and ends[number][0] < place:
                number += 1
            records.append(Played(body[start:place], None, ends[number][1]))
            start = place
    return records


def cursors(
    records: list[Played], dialect: str | None, content_type: str, mechanism: str
) -> Iterable[Played]:
    """The records with their cursors, which the decoder finds."""
    if mechanism in ("none", "llamacpp"):
        yield from records
        return
    decoder = StreamDecoder(dialect, content_type=content_type)
    for record in records:
        points = [e for e in decoder.receive_data(record.data) if isinstance(e, ResumePoint)]
        yield record._replace(cursor=points[-1].cursor if points else None)


def last_words(records: tuple[Played, ...], dialect: str | None, content_type: str) -> int:
    """How many records stand before those that make the answer whole; all, if it never is.

    No part of a body is whole before the provider's last word, and every longer one is: the
    place is found by halving.
    """
    if dialect == "records":
        return max(0, len(records) - 1)

    def whole(count: int) -> bool:
        options: dict[str, Any] = {"dialect": dialect, "content_type": content_type}
        decoder = StreamDecoder(**options)
        decoder.receive_data(b"".join(record.data for record in records[:count]))
        events = decoder.receive_eof()
        return isinstance(events[-1], StreamEnd) and events[-1].outcome == "complete"

    low, high = 0, len(records)
    if dialect == "text" or not whole(high):
        return high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if whole(middle) else (middle + 1, high)
    return low - 1
