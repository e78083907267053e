"""The encoder itself: names, framings, ids, misuse, and what is common to all formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import (
    Annotation,
    Connected,
    ErrorInfo,
    Heartbeat,
    Resumed,
    ResumePoint,
    StreamClosedError,
    StreamDecoder,
    StreamEnd,
    StreamStart,
    TextDelta,
    UnknownDialectError,
    Unrecognized,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream.encoding.registry import FORMATS

from .writing import HEAD, answer, body_of

if TYPE_CHECKING:
    from sans_io_stream.events import Event

PAIRS = [(name, framing) for name, cls in FORMATS.items() for framing in cls.framings]
each = pytest.mark.parametrize(("format", "framing"), PAIRS, ids=["-".join(p) for p in PAIRS])


def test_the_usual_framing_and_its_content_type() -> None:
    found = {name: (Encoder(name).framing, Encoder(name).content_type) for name in FORMATS}
    event_stream = ("sse", "text/event-stream")
    assert found == {
        "native": event_stream,
        "openai-chat": event_stream,
        "openai-responses": event_stream,
        "anthropic": event_stream,
        "gemini": event_stream,
        "ollama": ("jsonl", "application/x-ndjson"),
        "holysheep": event_stream,
        "text": ("text", "text/plain; charset=utf-8"),
    }
    assert Encoder("gemini", "json-array").content_type == "application/json"


def test_names_are_those_of_the_dialects() -> None:
    assert Encoder("OpenAI").format == "openai-chat"
    assert Encoder("claude", "JSONL").framing == "jsonl"
    assert Encoder("vertex", "json_array").framing == "json-array"


@pytest.mark.parametrize(
    ("format", "framing", "told"),
    [
        ("cohere", None, "anthropic, gemini, holysheep, native, ollama, openai-chat"),
        ("", None, "there are:"),
        ("ollama", "sse", "it is sent as: jsonl"),
        ("openai-chat", "json-array", "it is sent as: sse, jsonl"),
        ("text", "sse", "it is sent as: text"),
    ],
)
def test_what_does_not_exist_raises_and_says_what_does(
    format: str, framing: str | None, told: str
) -> None:
    with pytest.raises(UnknownDialectError, match=told):
        Encoder(format, framing)


@pytest.mark.parametrize("options", [{"created": -1}, {"created": 10**12}, {"sequence": -1}])
def test_numbers_out_of_range_raise(options: Any) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Encoder("openai-responses", **options)


@each
def test_nothing_follows_the_end(format: str, framing: str) -> None:
    encoder = Encoder(format, framing)
    assert not encoder.ended
    encoder.encode(StreamEnd("interrupted"))
    assert encoder.ended
    for event in (TextDelta("x"), Heartbeat(), StreamEnd("complete")):
        with pytest.raises(StreamClosedError):
            encoder.encode(event)


@each
@pytest.mark.parametrize(
    "id",
    [
        "a\nb", "a\rb", "a\x00b", "\ud800", "a\x0bdata: x", "a\x0cb", "\x1e", "a\x85data: x",
        "a\u2028data: x", "a\u2029b", "\ufeffa", "a\x7f",
    ],
)  # fmt: skip
def test_an_id_that_would_break_its_line_raises_and_changes_nothing(
    format: str, framing: str, id: str
) -> None:
    encoder, other = Encoder(format, framing), Encoder(format, framing)
    with pytest.raises(ValueError, match="an id holds no"):
        encoder.encode(StreamStart("r", "m"), id=id)
    for event in answer(TextDelta("x")):
        assert encoder.encode(event) == other.encode(event)


@each
@pytest.mark.parametrize("first", ["heartbeat", "id"])
def test_what_no_reader_sees_does_not_come_first(format: str, framing: str, first: str) -> None:
    encoder = Encoder(format, framing)
    if first == "id":
        body = encoder.encode(StreamStart("\ufeff", "m"), id="\ta")
    else:
        body = encoder.encode(Heartbeat("\ufeffx"))
    if framing != "text":
        assert "\ufeff" not in body.decode()


@each
def test_what_is_no_event_raises_and_changes_nothing(format: str, framing: str) -> None:
    encoder, other = Encoder(format, framing), Encoder(format, framing)
    wrong: Any = "text"
    with pytest.raises(TypeError, match="takes an event"):
        encoder.encode(wrong)
    if format != "native":
        with pytest.raises(TypeError):
            encoder.encode(Annotation("citation", {"at": object()}))
    for event in answer(TextDelta("x")):
        assert encoder.encode(event) == other.encode(event)


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "native"])
def test_a_restart_cannot_pass_unsaid(format: str) -> None:
    encoder = Encoder(format)
    encoder.encode(StreamStart("r", "m"))
    assert encoder.encode(Resumed("restart")) == b""
    encoder.encode(TextDelta("x"))
    for mode in ("continue", "replay", "continuation"):
        assert encoder.encode(Resumed(mode)) == b""
    with pytest.raises(ValueError, match="cannot take back"):
        encoder.encode(Resumed("restart"))


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "native"])
def test_events_of_the_connection_and_of_the_wire_are_dropped(format: str) -> None:
    encoder = Encoder(format)
    for event in (Connected(200), Unrecognized("x", "y", "z")):
        assert encoder.encode(event) == b""


def test_the_id_goes_to_the_last_record_of_a_call() -> None:
    encoder = Encoder("openai-responses")
    encoder.encode(HEAD[0])
    records = encoder.records(TextDelta("x"), id="7")
    assert len(records) == 3
    assert [b"id: 7\n" in record for record in records] == [False, False, True]
    assert b"".join(records).count(b"id: ") == 1


@pytest.mark.parametrize("format", ["native", "openai-chat", "anthropic", "gemini"])
def test_the_decoder_resumes_at_these_ids(format: str) -> None:
    encoder = Encoder(format)
    events = answer(TextDelta("a"), TextDelta("b"))
    body = b"".join(encoder.encode(event, id=f"n{n}") for n, event in enumerate(events))
    decoder = StreamDecoder(format, content_type=encoder.content_type)
    found = decoder.receive_data(body) + decoder.receive_eof()
    cursors = [event.cursor for event in found if isinstance(event, ResumePoint)]
    assert cursors[-1] == f"n{len(events) - 1}"
    assert "n2" in cursors


def test_without_an_event_stream_an_id_has_no_place() -> None:
    encoder = Encoder("openai-chat", "jsonl")
    assert b"n1" not in encoder.encode(HEAD[0], id="n1")


@each
def test_a_sign_of_life_changes_no_event_of_the_answer(format: str, framing: str) -> None:
    events = answer(TextDelta("a"), TextDelta("b"))
    alive = [one for event in events for one in (Heartbeat("x\r\n\r\ndata: y"), event)]
    plain, content_type = body_of(events, format, framing)
    body, _ = body_of(alive, format, framing)
    read: list[list[Event]] = []
    for data in (plain, body):
        decoder = StreamDecoder(format, content_type=content_type)
        found = decoder.receive_data(data) + decoder.receive_eof()
        read.append([event for event in found if not isinstance(event, Heartbeat | ResumePoint)])
    assert read[0] == read[1]


@each
def test_lone_surrogates_become_replacement_characters(format: str, framing: str) -> None:
    events = answer(TextDelta("a\ud800b"))
    if format == "native":
        events.insert(1, Connected(200, (("x", "\udfff"),)))
    body, content_type = body_of(events, format, framing)
    decoder = StreamDecoder(format, content_type=content_type)
    found = decoder.receive_data(body) + decoder.receive_eof()
    assert TextDelta("a\ufffdb") in found
    assert found[-1] == StreamEnd("complete")


@each
def test_an_empty_answer_can_be_complete(format: str, framing: str) -> None:
    starts: list[list[Event]] = [[], HEAD]
    for start in starts:
        events = [*start, StreamEnd("complete")]
        body, content_type = body_of(events, format, framing)
        decoder = StreamDecoder(format, content_type=content_type)
        assert (decoder.receive_data(body) + decoder.receive_eof())[-1] == StreamEnd("complete")


@each
def test_an_end_that_is_all_there_is(format: str, framing: str) -> None:
    encoder = Encoder(format, framing)
    body = encoder.encode(StreamEnd("failed", ErrorInfo("overloaded", "busy", retryable=True)))
    decoder = StreamDecoder(format, content_type=encoder.content_type)
    decoder.receive_data(body)
    end = decoder.receive_eof(truncated=encoder.must_abort)[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == ("interrupted" if format == "text" else "failed")
    if format != "text":
        assert end.error is not None
        assert (end.error.kind, end.error.message) == ("overloaded", "busy")


def test_only_text_leaves_the_end_to_the_transport() -> None:
    for name in FORMATS:
        for outcome in ("complete", "failed", "interrupted", "cancelled"):
            encoder = Encoder(name)
            encoder.encode(StreamEnd(outcome))
            assert encoder.must_abort == (name == "text" and outcome != "complete")


KINDS = [
    "signature", "citation", "logprobs", "compaction", "server_tool_use", "redacted_thinking",
    "web_search_call", "code_interpreter_call_code", "encrypted_reasoning", "content_filter",
    "moderation", "audio", "timings", "reasoning_details", "extra", "progress", "context",
    "grounding", "safety", "prompt_feedback", "thought_media", "executable_code", "stop_details",
    "stop_sequence", "finish_message", "nobody's",
]  # fmt: skip
ODD: list[Any] = [
    None,
    0,
    "",
    "x",
    [],
    [1],
    {},
    {"type": 1},
    {1: 2},
    {"self": 1, "out": 2, "kind": 3},
]


@each
@pytest.mark.parametrize("kind", KINDS)
def test_no_annotation_ends_or_breaks_an_answer(format: str, framing: str, kind: str) -> None:
    full = {"signature": "s", "thoughtSignature": "s", "encrypted_content": "e", "transcript": "t"}
    odd = {"self": 1, "out": 2, "kind": 3, "choice": 4, "error": {"message": "forged"}}
    datas = [*ODD, {"type": kind, **full, **odd}, {"blockReason": "SAFETY", "done": True}]
    for data in datas:
        events = answer(TextDelta("a"), Annotation(kind, data), TextDelta("b"))
        body, content_type = body_of(events, format, framing)
        decoder = StreamDecoder(format, content_type=content_type)
        found = decoder.receive_data(body) + decoder.receive_eof()
        assert "".join(e.text for e in found if isinstance(e, TextDelta)) == "ab", data
        assert found[-1] == StreamEnd("complete"), data
        half, _ = body_of([*events[:-2], StreamEnd("interrupted")], format, framing)
        decoder = StreamDecoder(format, content_type=content_type)
        decoder.receive_data(half)
        end = decoder.receive_eof(truncated=True)[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "interrupted", data
