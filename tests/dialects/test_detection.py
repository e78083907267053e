"""Which dialect a stream speaks is known from its first telling record, whatever the reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import Heartbeat, Record, StreamDecoder, TextDelta
from tests.dialects.chat_wire import DONE, STOP, chunk, text
from tests.dialects.reading import JSONL, SSE, read, sse
from tests.expectations import dialect_of

if TYPE_CHECKING:
    from sans_io_stream.events import Event

TELLING: list[tuple[str, dict[str, Any]]] = [
    ("openai-chat", chunk({"role": "assistant"})),
    ("openai-chat", {"choices": [{"delta": {}}]}),
    ("openai-chat", {"object": "chat.completion", "choices": []}),
    ("openai-responses", {"type": "response.created", "response": {}}),
    ("openai-responses", {"type": "response.output_text.delta", "delta": "x"}),
    ("openai-completions", {"object": "text_completion", "choices": [{"text": "x"}]}),
    ("openai-completions", {"choices": [{"text": "x", "index": 0}]}),
    ("openai-assistants", {"id": "run_1", "object": "thread.run"}),
    ("anthropic", {"type": "message_start", "message": {}}),
    ("anthropic", {"type": "content_block_delta", "index": 0, "delta": {}}),
    ("anthropic-completions", {"type": "completion", "completion": "x", "stop_reason": None}),
    ("gemini", {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}),
    ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}}),
    ("gemini-interactions", {"event_type": "interaction.created", "interaction": {}}),
    ("cohere", {"type": "message-start", "id": "i"}),
    ("cohere", {"type": "content-delta", "index": 0}),
    ("cohere-v1", {"event_type": "stream-start", "is_finished": False}),
    ("ollama", {"model": "m", "created_at": "t", "message": {"content": "x"}, "done": False}),
    ("ollama", {"model": "m", "created_at": "t", "response": "x", "done": False}),
    ("ollama", {"model": "m", "created_at": "t", "done": True, "done_reason": "load"}),
    ("watsonx", {"model_id": "m", "results": [{"generated_text": "x"}]}),
    ("bedrock-converse", {"messageStart": {"role": "assistant"}}),
    ("native", {"event": "stream_start", "response_id": None, "model": "m", "generation": 0}),
]
SILENT: list[dict[str, Any]] = [
    {"type": "ping"}, {"error": {"message": "m"}}, {"choices": []}, {"message": "x"}, {"id": "a"},
    {"text": "x"}, {"output": "x"}, {"type": "message"}, {"event": "update", "data": "x"},
    {"model": "m"}, {"results": []}, {"done": True},
]  # fmt: skip


def found(decoder: StreamDecoder, body: bytes) -> int | None:
    """How many bytes it took until the dialect was known."""
    for place in range(len(body)):
        decoder.receive_data(body[place : place + 1])
        if decoder.dialect is not None:
            return place + 1
    return None


@pytest.mark.parametrize(("dialect", "record"), TELLING)
def test_one_record_tells(dialect: str, record: dict[str, Any]) -> None:
    line = json.dumps(record).encode()
    for body, type_ in ((b"data: " + line + b"\n\n", SSE), (line + b"\n", JSONL)):
        decoder = StreamDecoder(content_type=type_)
        assert found(decoder, body + body) == len(body)
        assert decoder.dialect == dialect


@pytest.mark.parametrize(("dialect", "record"), TELLING)
def test_what_precedes_the_telling_record_is_not_lost(dialect: str, record: dict[str, Any]) -> None:
    body = sse({"type": "ping"}, record)
    assert read(None, body).events == read(dialect, body).events


@pytest.mark.parametrize("record", SILENT)
def test_what_tells_nothing(record: dict[str, Any]) -> None:
    decoder = StreamDecoder(content_type=SSE)
    assert decoder.receive_data(sse(record)) == []
    assert decoder.dialect is None


def test_replicate_is_known_by_its_events() -> None:
    for first in ("x", "", ":", " "):
        body = f"event: output\ndata: {first}\n\nevent: done\ndata: {{}}\n\n".encode()
        got = read(None, body)
        assert (got.outcome, got.transcript.text) == ("complete", first)


def test_a_name_that_the_wire_gives_tells_too() -> None:
    body = b'event: message_start\ndata: {"message":{}}\n\n'
    decoder = StreamDecoder(content_type=SSE)
    decoder.receive_data(body)
    assert decoder.dialect == "anthropic"


# ---- holding back


def test_heartbeats_pass_at_once() -> None:
    decoder = StreamDecoder(content_type=SSE)
    assert decoder.receive_data(b": hello\n\n") == [Heartbeat("hello")]
    assert decoder.receive_data(b"data: : keepalive\n\n") == [Heartbeat(": keepalive")]
    assert decoder.dialect is None


def test_at_most_eight_records_are_held() -> None:
    decoder = StreamDecoder(content_type=SSE)
    events: list[Event] = []
    for number in range(8):
        assert events == []
        events = decoder.receive_data(sse({"n": number}))
    assert decoder.dialect == "records"
    assert [json.loads(e.data) for e in events if isinstance(e, Record)] == [
        {"n": number} for number in range(8)
    ]
    # The seventh in vain is not too late, the eighth is.
    for before, dialect in ((7, "openai-chat"), (8, "records")):
        decoder = StreamDecoder(content_type=SSE)
        decoder.receive_data(sse(*[{"n": 1}] * before, text("x")))
        assert decoder.dialect == dialect


def test_at_most_64_kib_are_held() -> None:
    for size, dialect in ((60_000, None), (66_000, "records")):
        decoder = StreamDecoder(content_type=SSE)
        decoder.receive_data(sse("x" * size))
        assert decoder.dialect == dialect


def test_snapshots_hold_while_records_are_held() -> None:
    body = sse({"type": "ping"}, text("x"), STOP, DONE)
    for cut in range(len(body)):
        decoder = StreamDecoder()
        events = decoder.receive_data(body[:cut])
        decoder = StreamDecoder.restore(decoder.snapshot())
        events += decoder.receive_data(body[cut:]) + decoder.receive_eof()
        assert events == read(None, body, content_type=None).events


# ---- undecided


def test_what_stays_undecided_is_records() -> None:
    got = read(None, sse({"n": 1}, "plain"))
    assert [json.loads(r.data) if r.data[0] == "{" else r.data for r in got.of(Record)] == [
        {"n": 1},
        "plain",
    ]
    assert got.outcome == "interrupted"


def test_plain_text_is_text() -> None:
    decoder = StreamDecoder()
    events = decoder.receive_data(b"Once upon a time") + decoder.receive_eof()
    assert decoder.dialect == "text"
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Once upon a time"


@pytest.mark.parametrize(
    "body",
    [
        sse({"error": {"message": "boom", "code": 500}}),
        sse({"type": "ping"}, {"error": "boom"}),
        b'{"error": {"message": "boom"}}',
        b'{\n  "error": {\n    "message": "boom"\n  }\n}\n',
        b'[{"error": {"message": "boom"}}]',
        b'{"errors": [{"message": "boom"}], "trace": "t"}\n',
    ],
)
@pytest.mark.parametrize("type_", [None, SSE, "application/json", JSONL])
def test_an_error_is_one_in_whichever_dialect(body: bytes, type_: str | None) -> None:
    got = read(None, body, content_type=type_)
    assert got.outcome == "failed"
    assert got.error is not None
    assert got.error.message == "boom"


# ---- recorded streams

ALIKE = {"mistral": "openai-chat", "holysheep": "openai-chat"}
"""What differs from chat chunks in nothing that a first record shows, and is read alike."""
UNDECIDABLE = {"vertex__vertexai-sdk-test-data__streaming-failure-invalid-json"}
"""Nothing in it is JSON."""


@pytest.mark.parametrize("typed", [True, False])
def test_recorded_streams_are_known_from_their_first_record(shared: Path, typed: bool) -> None:
    wrong: list[tuple[str, str | None, int]] = []
    for meta in sorted((shared / "captures").glob("*/meta.json")):
        told = json.loads(meta.read_text())
        if told["status"] != 200 or meta.parent.name in UNDECIDABLE:
            continue
        body = (meta.parent / "body.bin").read_bytes()
        decoder = StreamDecoder(content_type=told["content_type"] if typed else None)
        seen = body[: found(decoder, body)]
        decoder.receive_eof()
        wanted = dialect_of(told)
        # Azure, and who stands on it, opens with a chunk that anyone could have sent.
        records = len(re.findall(rb"^data:(?!.*\"choices\":\[\])", seen, re.MULTILINE))
        if decoder.dialect not in (wanted, ALIKE.get(wanted)) or records > 1:
            wrong.append((meta.parent.name, decoder.dialect, records))
    assert wrong == []
