"""Reading a whole body in a test, and the promises that hold for every body.

``read`` decodes a body in one piece, byte by byte, and byte by byte with every shortcut off:
the events must be the same, each must survive JSON, and the state between any two bytes must
survive a snapshot.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from sans_io_stream import StreamDecoder, Transcript, decode_event, encode_event
from sans_io_stream.events import Annotation, Event, StreamEnd

E = TypeVar("E")

SSE = "text/event-stream"
JSONL = "application/x-ndjson"


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def sse(*records: Any, names: bool = False) -> bytes:
    """The records as an event stream; with ``names``, each under its own ``type``."""
    blocks: list[str] = []
    for record in records:
        name = f"event: {record['type']}\n" if names and isinstance(record, dict) else ""
        blocks.append(f"{name}data: {text_of(record)}\n\n")
    return "".join(blocks).encode()


def jsonl(*records: Any) -> bytes:
    return "".join(f"{text_of(record)}\n" for record in records).encode()


class Read:
    """What a body says: its events, and the transcript of them."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.transcript = Transcript.of(events)
        end = events[-1]
        assert isinstance(end, StreamEnd)
        self.outcome = end.outcome
        self.error = end.error

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def annotations(self, kind: str) -> list[Any]:
        return [event.data for event in self.of(Annotation) if event.kind == kind]


def feed(decoder: StreamDecoder, body: bytes, step: int, **ending: Any) -> list[Event]:
    events: list[Event] = []
    for i in range(0, len(body), step):
        events += decoder.receive_data(body[i : i + step])
    return events + decoder.receive_eof(**ending)


def read(dialect: str | None, body: bytes, *, truncated: bool = False, **options: Any) -> Read:
    begins = (b"data", b"event", b"id", b":")
    options.setdefault("content_type", SSE if body.startswith(begins) else JSONL)

    def new(**more: Any) -> StreamDecoder:
        return StreamDecoder(dialect, **options, **more)

    events = feed(new(), body, len(body) or 1, truncated=truncated)
    lines = [encode_event(event) for event in events]
    assert [encode_event(decode_event(line)) for line in lines] == lines
    for decoder in (new(), new(shortcuts=False)):
        assert [encode_event(e) for e in feed(decoder, body, 1, truncated=truncated)] == lines

    for restoring in (False, True):
        decoder = new()
        told: list[Event] = []
        for line in body.splitlines(keepends=True):
            told += decoder.receive_data(line)
            if restoring:
                decoder = StreamDecoder.restore(decoder.snapshot())
        told += decoder.receive_eof(truncated=truncated)
        assert [encode_event(event) for event in told] == lines
    return Read(events)
