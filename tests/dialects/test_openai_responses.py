from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.events import (
    Finish,
    Heartbeat,
    MediaDelta,
    ResumePoint,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)

from .reading import Read, jsonl, read, sse
from .responses_wire import USAGE, Wire, message, response, tool

NAME = "openai-responses"


def test_a_plain_answer() -> None:
    wire = Wire()
    records = [wire.created(), wire.text("Hel"), wire.text("lo"), wire.end(usage=USAGE)]
    said = read(NAME, sse(*records, names=True))
    assert said.outcome == "complete"
    assert [type(e).__name__ for e in said.events] == [
        "StreamStart", "ResumePoint", "TextDelta", "ResumePoint", "TextDelta", "ResumePoint",
        "Usage", "Finish", "Usage", "ResumePoint", "StreamEnd",
    ]  # fmt: skip
    assert said.of(StreamStart) == [StreamStart("resp_1", "gpt-x")]
    assert said.of(Finish) == [Finish("stop", "completed")]
    usage = said.of(Usage)[-1]
    assert usage.raw == USAGE
    assert usage.final
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (30, 20, 50)
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (10, 5, 8)


def test_the_framing_and_the_names_of_the_events_do_not_matter() -> None:
    wire = Wire()
    records = [wire.created(), wire.text("Hi"), wire.end()]
    named = told(read(NAME, sse(*records, names=True)))
    assert told(read(NAME, sse(*records))) == named
    assert told(read(NAME, jsonl(*records))) == named
    assert told(read(None, sse(*records))) == named
    untyped = [{k: v for k, v in record.items() if k != "type"} for record in records]
    blocks = zip(records, untyped, strict=True)
    body = b"".join(f"event: {r['type']}\n".encode() + sse(u) for r, u in blocks)
    assert told(read(NAME, body)) == named


def told(said: Read) -> list[Any]:
    """The events, but for the digests of their first record's bytes."""
    return [
        replace(event, origin=replace(event.origin, first=None))
        if isinstance(event, ResumePoint)
        else event
        for event in said.events
    ]


def test_every_event_with_a_number_is_a_resume_point() -> None:
    wire = Wire()
    records = [wire.created(), wire.text("a"), wire.call(1), wire.arguments("{}", 1)]
    records += [wire.done(tool(1, "{}"), 1), wire("output_text.done", output_index=0, text="a")]
    records += [wire.end()]
    points = read(NAME, sse(*records)).of(ResumePoint)
    assert [p.cursor for p in points] == [0, 1, 2, 3, 4, 5, 6]
    # While the call is open, a new process must ask for what came before it.
    assert [(p.origin.held, p.origin.base) for p in points] == [
        (False, None), (False, None), (True, 1), (True, 1), (False, None), (False, None),
        (False, None),
    ]  # fmt: skip
    assert [p.position for p in points] == [1, 2, 3, 4, 5, 5, 6]
    assert [p.ended for p in points] == [False] * 6 + [True]
    assert {p.origin.response_id for p in points} == {"resp_1"}


def test_calls_in_parallel() -> None:
    wire = Wire()
    records = [wire.created(), wire.call(0), wire.call(1), wire.arguments('{"a":', 0)]
    records += [wire.arguments("[", 1), wire.arguments("1}", 0), wire.arguments("]", 1)]
    records += [wire.done(tool(1, "[]"), 1), wire.done(tool(0, '{"a":1}'), 0), wire.end()]
    said = read(NAME, sse(*records))
    assert said.of(ToolCall) == [
        ToolCall(1, "call_1", "tool_1", "[]"),
        ToolCall(0, "call_0", "tool_0", '{"a":1}'),
    ]
    assert said.of(ToolCallDelta)[0] == ToolCallDelta(0, "call_0", "tool_0", "")
    assert said.of(Finish) == [Finish("tool_calls", "completed")]


def test_a_custom_tool_takes_text() -> None:
    wire = Wire()
    item = {"type": "custom_tool_call", "id": "ct_1", "call_id": "call_1", "name": "sql"}
    where = {"output_index": 0, "item_id": "ct_1"}
    records = [
        wire.created(),
        wire("output_item.added", output_index=0, item=item | {"input": ""}),
        wire("custom_tool_call_input.delta", **where, delta="SELECT "),
        wire("custom_tool_call_input.delta", **where, delta="1"),
        wire("custom_tool_call_input.done", **where, input="SELECT 1"),
        wire.done(item | {"input": "SELECT 1"}),
        wire.end(),
    ]
    assert read(NAME, sse(*records)).of(ToolCall) == [ToolCall(0, "call_1", "sql", "SELECT 1")]


def test_a_call_that_the_limit_cut_off_is_none() -> None:
    wire = Wire()
    records = [wire.created(), wire.call(), wire.arguments('{"a":1')]
    records += [wire("function_call_arguments.done", output_index=0, arguments='{"a":1')]
    records += [wire.done(tool(0, '{"a":1', status="incomplete"))]
    records += [wire.end("incomplete", incomplete_details={"reason": "max_output_tokens"})]
    said = read(NAME, sse(*records))
    assert said.of(ToolCall) == []
    assert said.transcript.tool_calls[0].arguments == '{"a":1'
    assert said.of(Finish) == [Finish("length", "incomplete:max_output_tokens")]
    assert said.outcome == "complete"


@pytest.mark.parametrize("count", range(1, 5))
def test_a_body_that_ends_early_is_interrupted(count: int) -> None:
    wire = Wire()
    records = [wire.created(), wire.text("a"), wire.call(1), wire.arguments("{}", 1)]
    said = read(NAME, sse(*records[:count]))
    assert said.outcome == "interrupted"
    assert said.of(ToolCall) == []
    assert said.of(Finish) == []


def test_a_call_without_its_end_is_whole_if_the_response_is() -> None:
    wire = Wire()
    records = [wire.created(), wire.call(), wire.arguments("{}"), wire.end()]
    assert read(NAME, sse(*records)).of(ToolCall) == [ToolCall(0, "call_0", "tool_0", "{}")]


@pytest.mark.parametrize(
    ("status", "details", "reason", "raw"),
    [
        ("completed", None, "stop", "completed"),
        ("incomplete", "max_output_tokens", "length", "incomplete:max_output_tokens"),
        ("incomplete", "content_filter", "content_filter", "incomplete:content_filter"),
        ("incomplete", "weather", "other", "incomplete:weather"),
        ("incomplete", None, "other", "incomplete"),
    ],
)
def test_how_a_response_ends(status: str, details: str | None, reason: Any, raw: str) -> None:
    wire = Wire()
    why = {"incomplete_details": {"reason": details}} if details else {}
    said = read(NAME, sse(wire.created(), wire.text("a"), wire.end(status, **why)))
    assert said.of(Finish) == [Finish(reason, raw)]
    assert said.outcome == "complete"


def test_a_cancelled_response() -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), wire.text("a"), wire.end("cancelled")))
    assert said.outcome == "failed"
    assert said.error == ErrorInfo("provider", "the generation was cancelled", "cancelled")
    assert said.of(Finish) == [Finish("error", "cancelled")]


def test_a_failed_response() -> None:
    wire = Wire()
    error = {"code": "server_error", "message": "it broke"}
    end = wire.end("failed", error=error, usage=USAGE)
    said = read(NAME, sse(wire.created(), wire.text("a"), end))
    assert said.outcome == "failed"
    assert said.error == ErrorInfo("server", "it broke", code="server_error", retryable=True)
    assert said.of(Finish) == [Finish("error", "failed")]
    assert said.transcript.usage is not None
    assert said.transcript.usage.total_tokens == 50
    assert not said.transcript.usage.final


NESTED = {"type": "tokens", "code": "rate_limit_exceeded", "message": "slow down", "param": None}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (
            {"type": "error", "sequence_number": 2, "error": NESTED},
            ErrorInfo("rate_limit", "slow down", "tokens", "rate_limit_exceeded", retryable=True),
        ),
        (
            {"type": "error", "code": "ERR", "message": "flat", "param": None},
            ErrorInfo("provider", "flat", code="ERR"),
        ),
        (
            {"type": "error", "error": NESTED | {"headers": {"Retry-After-Ms": "1500"}}},
            ErrorInfo("rate_limit", "slow down", "tokens", "rate_limit_exceeded", None, True, 1.5),
        ),
        (
            {"type": "error", "status": 429, "error": {"message": "wait"}, "headers":
             {"retry-after": 3, "x-request-id": "req_1", "retry-after-ms": "soon"}},
            ErrorInfo("rate_limit", "wait", None, None, 429, True, 3.0, "req_1"),
        ),
        ({"type": "response.error", "error": "bare"}, ErrorInfo("provider", "bare")),
        ({"error": {"message": "no type"}}, ErrorInfo("provider", "no type")),
        ([{"error": {"message": "in a list"}}], ErrorInfo("provider", "in a list")),
    ],
)  # fmt: skip
def test_errors_in_the_stream(record: Any, expected: ErrorInfo) -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), wire.text("a"), record))
    assert said.outcome == "failed"
    assert said.error == expected
    assert said.transcript.text == "a"
    assert said.of(Unrecognized) == []


def test_the_first_error_counts_and_outweighs_the_end() -> None:
    wire = Wire()
    error = {"type": "error", "error": {"message": "first"}}
    said = read(NAME, sse(wire.created(), wire.text("a"), error, wire.end()))
    assert said.outcome == "failed"
    assert said.error == ErrorInfo("provider", "first")
    assert said.of(Finish) == [Finish("error", "completed")]


def test_the_event_name_marks_an_error_that_has_a_type_of_its_own() -> None:
    body = sse(Wire().created()) + b'event: error\ndata: {"type":"server_error","message":"m"}\n\n'
    assert read(NAME, body).error == ErrorInfo("server", "m", "server_error", retryable=True)


def test_thinking_and_refusing() -> None:
    wire = Wire()
    records = [wire.created(), wire.summary("S1"), wire.summary("S2", part=1)]
    records += [wire("reasoning_text.delta", output_index=0, content_index=0, delta="T")]
    records += [wire("refusal.delta", output_index=1, content_index=0, delta="No."), wire.end()]
    said = read(NAME, sse(*records)).transcript
    assert (said.reasoning, said.refusal, said.text) == ("S1S2T", "No.", "")


def test_encrypted_reasoning_is_kept() -> None:
    wire = Wire()
    item: dict[str, Any] = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": "gAAA",
    }
    said = read(NAME, sse(wire.created(), wire.done(item), wire.end()))
    told = {"id": "rs_1", "encrypted_content": "gAAA"}
    assert said.annotations("encrypted_reasoning") == [told]


def test_what_servers_tools_do() -> None:
    wire = Wire()
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    image = {"type": "image_generation_call", "id": "ig_1", "output_format": "webp"}
    records = [
        wire.created(),
        wire("code_interpreter_call_code.delta", item_id="ci_1", delta="x", obfuscation="pad"),
        wire.done(search),
        wire("image_generation_call.partial_image", partial_image_b64="aGE=", output_format="png"),
        wire.done(image | {"result": "aGk="}),
        wire("output_text.annotation.added", annotation={"type": "url_citation", "url": "u"}),
        wire("audio.delta", delta="AAA="),
        wire("audio.transcript.delta", delta="spoken"),
        wire.end(),
    ]
    said = read(NAME, sse(*records))
    told = {"item_id": "ci_1", "delta": "x"}
    assert said.annotations("code_interpreter_call_code") == [told]
    assert said.annotations("web_search_call") == [search]
    assert said.annotations("image_generation_call") == [image]
    assert said.annotations("citation") == [{"type": "url_citation", "url": "u"}]
    assert said.annotations("audio") == [{"transcript": "spoken"}]
    assert said.of(MediaDelta) == [
        MediaDelta("image/png", b"ha"), MediaDelta("image/webp", b"hi"), MediaDelta(None, b"\0\0"),
    ]  # fmt: skip
    assert said.of(Finish) == [Finish("stop", "completed")]


def test_logprobs_and_filters() -> None:
    wire = Wire()
    delta = wire.text("a") | {"logprobs": [{"token": "a", "logprob": -1}]}
    end = wire.end(content_filters=[{"blocked": False}], moderation={"flagged": False})
    said = read(NAME, sse(wire.created(), delta, end | {"copilot_usage": {"x": 1}}))
    assert said.annotations("logprobs") == [[{"token": "a", "logprob": -1}]]
    assert said.annotations("content_filter") == [[{"blocked": False}]]
    assert said.annotations("moderation") == [{"flagged": False}]
    assert said.annotations("extra") == [{"copilot_usage": {"x": 1}}]


def test_keepalives_are_heartbeats_with_a_number() -> None:
    wire = Wire()
    beat = wire("x") | {"type": "keepalive"}
    said = read(NAME, sse(beat, wire.created(), wire.end(output=[message()])))
    assert said.of(Heartbeat) == [Heartbeat("keepalive")]
    assert [p.cursor for p in said.of(ResumePoint)] == [0, 1, 2]
    assert said.outcome == "complete"


def test_a_done_record_may_follow() -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), wire.text("a"), wire.end(), "[DONE]"))
    assert said.outcome == "complete"
    assert said.of(TextDelta) == [TextDelta("a")]
    assert len(said.of(Finish)) == 1


def test_a_whole_response_instead_of_a_stream() -> None:
    whole = response("completed", output=[message({"type": "output_text", "text": "Hi"})])
    said = read(None, jsonl(whole | {"usage": USAGE}))
    assert said.transcript.text == "Hi"
    assert said.outcome == "complete"
    assert said.of(Usage)[-1].raw == USAGE
