"""What Anthropic and Bedrock put on the wire, for the tests of their dialects: written, read."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

from sans_io_stream import Transcript
from sans_io_stream.dialects.shapes import is_array, is_object
from tests.dialects import reading

if TYPE_CHECKING:
    from sans_io_stream.events import Event

SSE = "text/event-stream"
FRAMES = "application/vnd.amazon.eventstream"
Record = dict[str, Any]
JUNK: tuple[Any, ...] = (None, True, -1, 1.5, "x", "", [], [1], {}, {"a": []}, [[]], "\ud800")


def sse(*records: dict[str, Any], named: bool = True) -> bytes:
    """Records of Anthropic as an event stream."""
    blocks = [
        (f"event: {record.get('type')}\n" if named else "") + f"data: {json.dumps(record)}\n\n"
        for record in records
    ]
    return "".join(blocks).encode()


def lines(*records: Any) -> bytes:
    """Records as JSON lines."""
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def frame(kind: str, payload: Any, message: str = "event") -> bytes:
    """One frame of an AWS event stream, of that message type."""
    name = {"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}
    headers = {":message-type": message, name[message]: kind}
    if message == "error":
        headers[":error-message"] = payload
    data = b"" if message == "error" else json.dumps(payload).encode()
    block = b"".join(
        bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for key, value in headers.items()
    )
    lengths = struct.pack(">II", len(block) + len(data) + 16, len(block))
    body = lengths + struct.pack(">I", zlib.crc32(lengths)) + block + data
    return body + struct.pack(">I", zlib.crc32(body))


def chunk(inner: Any) -> bytes:
    """One frame of an invocation around a model's own record."""
    packed = base64.b64encode(json.dumps(inner).encode()).decode()
    return frame("chunk", {"bytes": packed, "p": "abc"})


# ---- the records of a message


def start(**usage: Any) -> Record:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x"}
    usage = usage or {"input_tokens": 10, "output_tokens": 1}
    return {"type": "message_start", "message": {**message, "content": [], "usage": usage}}


def begin(index: int, kind: str, **fields: Any) -> Record:
    block = {"type": kind, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> Record:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def text(index: int, piece: str) -> Record:
    return delta(index, "text_delta", text=piece)


def arguments(index: int, piece: str) -> Record:
    return delta(index, "input_json_delta", partial_json=piece)


def stop(index: int) -> Record:
    return {"type": "content_block_stop", "index": index}


def last(reason: str | None, **usage: Any) -> Record:
    told = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": told, "usage": usage or {"output_tokens": 5}}


STOP: Record = {"type": "message_stop"}
PING: Record = {"type": "ping"}
TOOL: Record = {"id": "toolu_1", "name": "find", "input": {}}
ANSWER = [
    start(),
    begin(0, "thinking", thinking="", signature=""),
    delta(0, "thinking_delta", thinking="Let me"),
    delta(0, "thinking_delta", thinking=" see."),
    delta(0, "signature_delta", signature="sig"),
    stop(0),
    PING,
    begin(1, "text", text=""),
    text(1, "Found"),
    text(1, " it: é😀"),
    text(1, "."),
    stop(1),
    begin(2, "tool_use", **TOOL),
    arguments(2, ""),
    arguments(2, '{"a":'),
    arguments(2, "1}"),
    stop(2),
    last("tool_use"),
    STOP,
]


# ---- reading


def read(body: bytes, dialect: str | None, content_type: str = SSE, **options: Any) -> list[Event]:
    """The events of a whole body, which no cut and no shortcut may change."""
    return reading.read(dialect, body, content_type=content_type, **options).events


def transcript(body: bytes, dialect: str | None, content_type: str = SSE) -> Transcript:
    """What a whole body says."""
    return Transcript.of(read(body, dialect, content_type))


def outcome(events: list[Event]) -> str:
    """How a stream ended."""
    end = Transcript.of(events).end
    assert end is not None
    return end.outcome


def of(events: list[Event], *kinds: type) -> list[Event]:
    """The events of these classes."""
    return [event for event in events if isinstance(event, kinds)]


def mangled(record: Any) -> list[Any]:
    """``record`` with each of its values, one at a time, left out or replaced by junk."""
    variants: list[Any] = []
    if is_object(record):
        for key, value in record.items():
            rest = {k: v for k, v in record.items() if k != key}
            variants.append(rest)
            variants += [{**rest, key: junk} for junk in (*JUNK, *mangled(value))]
    elif is_array(record):
        for place, value in enumerate(record):
            variants += [[*record[:place], v, *record[place + 1 :]] for v in mangled(value)]
    return variants
