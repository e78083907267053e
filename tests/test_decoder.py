"""StreamDecoder: its states, its misuse, and bodies that are not what they were said to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import (
    ErrorInfo,
    Heartbeat,
    Limits,
    Record,
    ResumePoint,
    StreamClosedError,
    StreamDecoder,
    StreamEnd,
    TextDelta,
    Unrecognized,
)

if TYPE_CHECKING:
    from sans_io_stream.events import Event


def data(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(text: str, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, **more}
    return data({"id": "c1", "model": "m", "choices": [choice]})


def run(body: bytes, *, truncated: bool = False, **options: Any) -> list[Event]:
    """The events of ``body``, which are the same byte by byte."""
    decoder = StreamDecoder(**options)
    events = decoder.receive_data(body) + decoder.receive_eof(truncated=truncated)
    single = StreamDecoder(**options, shortcuts=False)
    slowly = [e for i in range(len(body)) for e in single.receive_data(body[i : i + 1])]
    assert slowly + single.receive_eof(truncated=truncated) == events
    return events


def end(events: list[Event]) -> StreamEnd:
    last = events[-1]
    assert isinstance(last, StreamEnd)
    return last


def test_misuse_raises_at_once() -> None:
    decoder = StreamDecoder("openai-chat")
    wrongs: list[Any] = [3, "text", [1], None]
    for wrong in wrongs:
        with pytest.raises(TypeError, match="receive_data"):
            decoder.receive_data(wrong)
    decoder.receive_eof()
    with pytest.raises(StreamClosedError, match="make a new StreamDecoder"):
        decoder.receive_data(b"x")
    assert decoder.receive_eof() == []


def test_after_a_failure_everything_is_empty() -> None:
    decoder = StreamDecoder("bedrock-converse")
    assert end(decoder.receive_data(b"\0" * 16)).outcome == "failed"
    assert decoder.receive_data(b"more") == []
    assert decoder.receive_eof() == []
    assert decoder.done


def test_done_is_true_with_the_terminal_record_or_an_error() -> None:
    decoder = StreamDecoder("openai-chat")
    decoder.receive_data(chunk("hi"))
    assert not decoder.done
    decoder.receive_data(b"data: [DONE]\n\n")
    assert decoder.done
    decoder = StreamDecoder("openai-chat")
    decoder.receive_data(data({"error": {"message": "no"}}))
    assert decoder.done


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "no"}}',
        data({"error": {"message": "no"}}),
        b'[{"error": {"message": "no"}}]',
        b'{"message": "no"}',
        b"no",
    ],
)
def test_a_body_with_an_error_status_is_told_as_one_error(status: int, body: bytes) -> None:
    error = end(run(body, status=status)).error
    assert error is not None
    assert (error.message, error.status) == ("no", status)


def test_an_empty_error_body_still_has_its_status() -> None:
    error = end(run(b"", status=429)).error
    assert error is not None
    assert (error.kind, error.status, error.retryable) == ("rate_limit", 429, True)


@pytest.mark.parametrize("step", [1, 7, 999])
def test_an_error_document_that_is_cut_says_so_and_keeps_its_status(step: int) -> None:
    body = b'{"error": {"message": "no"}}'

    def told(limit: int) -> ErrorInfo:
        decoder = StreamDecoder(status=429, limits=Limits(error_body_bytes=limit))
        for begin in range(0, len(body), step):
            decoder.receive_data(body[begin : begin + step])
            decoder = StreamDecoder.restore(decoder.snapshot())
        error = end(decoder.receive_eof()).error
        assert error is not None
        return error

    assert told(len(body)).message == "no"
    cut = told(len(body) - 1)
    assert (cut.kind, cut.status, cut.retryable) == ("rate_limit", 429, True)
    assert cut.message.startswith('{"error": {"message": "no"} [')
    assert f"exceeds Limits.error_body_bytes ({len(body) - 1} bytes)" in cut.message


def test_an_error_document_deep_as_the_stack_raises_nothing() -> None:
    for depth in (150, 500, 900, 3000):
        body = b'{"error":{"message":' + b"[" * depth + b"]" * depth + b"}}"
        assert end(run(body, status=400)).outcome == "failed"
        assert end(run(body, dialect="openai-chat")).outcome in ("failed", "interrupted")


def test_an_error_document_under_status_200_is_a_failure() -> None:
    for document in ({"detail": "Not Found"}, {"message": "no", "code": 404}):
        body = json.dumps(document, indent=1).encode()
        assert end(run(body, dialect="openai-chat")).outcome == "failed"
        assert end(run(body)).outcome == "failed"


def test_names_of_any_type_are_no_trouble_for_detection() -> None:
    for name in ("type", "event_type", "object", "event"):
        values: list[Any] = [[], {}, 3, None, True]
        for value in values:
            assert end(run(json.dumps({name: value}).encode() + b"\n")).outcome == "interrupted"


def test_nothing_is_lost_where_no_dialect_was_found() -> None:
    events = run(b"<html>\n<h1>502</h1>\n", content_type="text/event-stream")
    assert [e.data for e in events if isinstance(e, Unrecognized)] == ["<html>", "<h1>502</h1>"]
    assert end(run(data({"x": 1}) + b'error: {"message": "rate"}\n\n')).outcome == "failed"


def test_pings_pass_while_the_dialect_is_sought() -> None:
    decoder = StreamDecoder()
    for _ in range(3000):
        assert decoder.receive_data(b"event: ping\n\nid: 7\n\n") == [
            Heartbeat("ping"),
            Heartbeat(""),
        ]
    assert len(decoder.snapshot()) < 2000
    decoder.receive_data(chunk("hi"))
    assert decoder.dialect == "openai-chat"
    assert decoder.resume_point is None


def test_an_empty_body_says_nothing() -> None:
    assert run(b"") == run(b"\xef\xbb\xbf") == [end(run(b""))]
    assert end(run(b"")).outcome == "interrupted"
    assert end(run(b"", status=204, dialect="records")).outcome == "complete"


def test_only_a_chats_done_ends_an_answer() -> None:
    piece = {"type": "text_delta", "text": "x"}
    delta = {"type": "content_block_delta", "index": 0, "delta": piece}
    for dialect, record in (
        ("anthropic", delta),
        ("openai-responses", {"type": "response.output_text.delta", "delta": "x"}),
        ("gemini", {"candidates": [{"content": {"parts": [{"text": "x"}]}}]}),
    ):
        events = run(data(record) + b"data: [DONE]\n\n", dialect=dialect)
        assert end(events).outcome == "interrupted"
    assert end(run(chunk("x") + b"data: [DONE]\n\n")).outcome == "complete"
    assert end(run(b"data: [DONE]\n\n", dialect="openai-chat")).outcome == "interrupted"


def test_nothing_but_errors_keeps_its_meaning_behind_the_tail() -> None:
    body = chunk("a", finish_reason="stop") + b"data: [DONE]\n\n" + chunk("late") + b": ping\n\n"
    events = run(body, dialect="openai-chat")
    assert [e.text for e in events if isinstance(e, TextDelta)] == ["a"]
    assert [e.why for e in events if isinstance(e, Unrecognized)] == [
        "a record after the provider's last word"
    ]
    failed = run(body + data({"error": {"message": "no"}}), dialect="openai-chat")
    assert end(failed).outcome == "failed"


def test_every_answer_begins_with_its_start() -> None:
    events = run(data({"type": "content-delta", "delta": {"message": {"content": {"text": "x"}}}}))
    assert [type(e).__name__ for e in events[:2]] == ["StreamStart", "TextDelta"]


def test_resume_points_stand_behind_records_with_an_id() -> None:
    decoder = StreamDecoder("openai-chat")
    decoder.receive_data(b"id: 1\n" + chunk("a"))
    point = decoder.resume_point
    assert point is not None
    assert (point.cursor, point.position) == ("1", 2)
    decoder.receive_data(chunk("b"))
    assert decoder.resume_point is None
    events = decoder.receive_data(b"id: 2\n\n")
    assert isinstance(events[-1], ResumePoint)
    assert decoder.receive_data(b"id:\n\n") == [Heartbeat("")]
    huge = decoder.receive_data(b"id: " + b"9" * 5000 + b"\n" + chunk("c"))
    assert not any(isinstance(event, ResumePoint) for event in huge)


def test_raw_tells_each_record_before_its_events() -> None:
    events = run(chunk("a") + b"data: [DONE]\n\n", dialect="openai-chat", raw=True)
    assert [type(e).__name__ for e in events] == [
        "Record", "StreamStart", "TextDelta", "Record", "Finish", "StreamEnd",
    ]  # fmt: skip


def test_records_follow_the_grammar_to_the_letter() -> None:
    body = b"id: 1\nfoo: x\ndata: a\n\ndata: b\n\ndata: end\n\ndata: cut"
    events = run(body, dialect="sse", terminator="end")
    assert [e for e in events if isinstance(e, Record)] == [
        Record("message", "a", "1"),
        Record("message", "b", "1"),
        Record("message", "end", "1"),
    ]
    assert end(events).outcome == "complete"
    assert end(run(body, dialect="records")).outcome == "interrupted"
