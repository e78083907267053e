from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    MediaDelta,
    ReasoningDelta,
    StreamDecoder,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    Unrecognized,
    Usage,
)
from sans_io_stream.dialects.bedrock import STRUCTURAL
from tests.dialects.block_wires import FRAMES, frame, lines, mangled, of, outcome
from tests.dialects.block_wires import read as read_as

Event = tuple[str, dict[str, Any]]
NAME = "bedrock-converse"


def begin(index: int, **start: Any) -> Event:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def delta(index: int, **delta: Any) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abcd"}


def stop(index: int) -> Event:
    return "contentBlockStop", {"contentBlockIndex": index}


def last(reason: str) -> Event:
    return "messageStop", {"stopReason": reason}


def counts(**usage: Any) -> Event:
    usage = usage or {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
    return "metadata", {"usage": usage, "metrics": {"latencyMs": 1}}


def frames(*events: Event) -> bytes:
    return b"".join(frame(name, body) for name, body in events)


def read(*events: Event, **options: Any) -> list[Any]:
    return read_as(frames(*events), NAME, FRAMES, **options)


TOOL = {"toolUse": {"toolUseId": "t1", "name": "find"}}
ANSWER: list[Event] = [
    ("messageStart", {"role": "assistant"}),
    delta(0, reasoningContent={"text": "Hm."}),
    delta(0, reasoningContent={"signature": "sig"}),
    stop(0),
    delta(1, text="Found"),
    delta(1, text=" it."),
    stop(1),
    begin(2, **TOOL),
    delta(2, toolUse={"input": '{"a":'}),
    delta(2, toolUse={"input": "1}"}),
    stop(2),
    last("tool_use"),
    counts(),
]


def test_an_answer() -> None:
    events = read(*ANSWER)
    assert of(events, ReasoningDelta, TextDelta) == [
        ReasoningDelta("Hm."), TextDelta("Found"), TextDelta(" it."),
    ]  # fmt: skip
    assert of(events, Annotation) == [Annotation("signature", {"signature": "sig"})]
    assert of(events, ToolCall) == [ToolCall(0, "t1", "find", '{"a":1}')]
    # The counts come after the reason, and the tail after both.
    assert [type(event).__name__ for event in events[-4:]] == [
        "Usage", "Finish", "Usage", "StreamEnd",
    ]  # fmt: skip
    assert of(events, Finish) == [Finish("tool_calls", "tool_use")]
    assert outcome(events) == "complete"


def test_any_framing_will_do() -> None:
    events = read(*ANSWER)
    wrapped = lines(*({name: body} for name, body in ANSWER))
    assert read_as(wrapped, NAME, "application/x-ndjson") == events
    bare = lines(*(body for _, body in ANSWER))
    assert read_as(bare, NAME, "application/x-ndjson") == events


def test_the_counts_may_come_before_the_reason() -> None:
    events = read(*ANSWER[:-2], counts(), last("tool_use"))
    assert [type(event).__name__ for event in events[-3:]] == ["Finish", "Usage", "StreamEnd"]
    assert outcome(events) == "complete"


@pytest.mark.parametrize(
    ("until", "truncated", "ends"),
    [
        (13, False, "complete"),
        (13, True, "complete"),
        (12, False, "complete"),
        (12, True, "interrupted"),
        (11, False, "interrupted"),
        (9, False, "interrupted"),
    ],
)
def test_when_an_answer_is_complete(until: int, truncated: bool, ends: str) -> None:
    events = read(*ANSWER[:until], truncated=truncated)
    assert outcome(events) == ends
    if until == 9:
        assert of(events, ToolCallDelta)
        assert not of(events, ToolCall)


def test_input_excludes_the_cache() -> None:
    usage = {"inputTokens": 12, "outputTokens": 250, "totalTokens": 1290}
    usage |= {"cacheReadInputTokens": 1028, "cacheWriteInputTokens": 0, "novel": 1}
    final = of(read(*ANSWER[:-1], counts(**usage)), Usage)[-1]
    assert isinstance(final, Usage)
    assert (final.prompt_tokens, final.completion_tokens, final.total_tokens) == (1040, 250, 1290)
    assert (final.cached_tokens, final.cache_write_tokens, final.final) == (1028, 0, True)
    assert final.raw == usage


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "error"),
        ("malformed_tool_use", "error"),
        ("novel", "other"),
    ],
)
def test_reasons(raw: str, reason: str) -> None:
    assert of(read(delta(0, text="x"), last(raw)), Finish) == [Finish(reason, raw)]  # type: ignore[arg-type]


def test_the_servers_own_tools_are_annotations() -> None:
    tool = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}
    result = {"toolUseId": "t", "status": "success"}
    events = read(
        begin(0, toolUse=tool), delta(0, toolUse={"input": '{"q":1}'}), stop(0),
        begin(1, toolResult=result), delta(1, toolResult=[{"text": "r"}]), stop(1),
        delta(2, citation={"title": "c"}), last("end_turn"), counts(),
    )  # fmt: skip
    assert [(a.kind, a.data) for a in Transcript.of(events).annotations] == [
        ("server_tool_use_delta", {"id": "t", "name": "nova_grounding", "input": ""}),
        ("server_tool_use_delta", {"id": "t", "name": "nova_grounding", "input": '{"q":1}'}),
        ("server_tool_use", {**tool, "input": {"q": 1}}),
        ("tool_result", result),
        ("tool_result", {"content": [{"text": "r"}]}),
        ("citation", {"title": "c"}),
    ]
    assert not of(events, ToolCall, ToolCallDelta, Unrecognized)


def test_images() -> None:
    place = {"source": {"s3Location": {"uri": "s3://x"}}}
    events = read(
        begin(0, image={"format": "png"}), delta(0, image={"source": {"bytes": "AAEC"}}), stop(0),
        delta(0, image=place), delta(1, image={"error": {"message": "m"}}), last("end_turn"),
    )  # fmt: skip
    assert of(events, MediaDelta) == [MediaDelta("image/png", b"\x00\x01\x02")]
    assert of(events, Annotation) == [
        Annotation("image", place), Annotation("image", {"error": {"message": "m"}}),
    ]  # fmt: skip


def test_what_else_is_told() -> None:
    events = read(
        delta(0, reasoningContent={"redactedContent": "b64"}),
        ("messageStop", {"stopReason": "end_turn", "additionalModelResponseFields": {"x": 1}}),
        ("metadata", {"usage": {"inputTokens": 1}, "trace": {"guardrail": {}}}),
    )
    assert of(events, Annotation) == [
        Annotation("redacted_thinking", {"redactedContent": "b64"}),
        Annotation("extra", {"additionalModelResponseFields": {"x": 1}}),
        Annotation("trace", {"guardrail": {}}),
    ]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("internalServerException", 500, "server"),
        ("modelStreamErrorException", 424, "server"),
        ("serviceUnavailableException", 503, "overloaded"),
        ("throttlingException", 429, "rate_limit"),
        ("validationException", 400, "invalid_request"),
        ("modelTimeoutException", 408, "timeout"),
        ("novelException", None, "provider"),
    ],
)
def test_exceptions(name: str, status: int | None, kind: str) -> None:
    for body in ({"message": "m"}, {"Message": "m"}, {"originalMessage": "m"}):
        events = read_as(frames(*ANSWER[:5]) + frame(name, body, "exception"), NAME, FRAMES)
        end = Transcript.of(events).end
        assert end is not None
        assert end.error is not None
        assert (end.outcome, end.error.type, end.error.message) == ("failed", name, "m")
        assert (end.error.status, end.error.kind) == (status, kind)
        assert not of(events, Unrecognized, Finish)


def test_an_exception_without_frames() -> None:
    body = lines({"throttlingException": {"message": "m"}})
    assert outcome(read_as(body, NAME, "application/x-ndjson")) == "failed"


def test_an_error_frame_tells_all_in_its_headers() -> None:
    events = read_as(frame("InternalError", "oops", "error"), NAME, FRAMES)
    end = Transcript.of(events).end
    assert end is not None
    assert end.error is not None
    assert (end.outcome, end.error.type, end.error.message) == ("failed", "InternalError", "oops")


def test_an_error_after_the_end_counts() -> None:
    late = frames(*ANSWER) + frame("modelStreamErrorException", {"message": "m"}, "exception")
    assert outcome(read_as(late, NAME, FRAMES)) == "failed"


@pytest.mark.parametrize(
    "event",
    [
        ("novelEvent", {"contentBlockIndex": 0}),
        delta(0, hologram={}),
        delta(9, toolUse={"input": "{"}),
        begin(0, hologram={"x": 1}),
        ("contentBlockDelta", {"contentBlockIndex": 0}),
    ],
)
def test_what_has_no_meaning_is_not_dropped(event: Event) -> None:
    assert len(of(read(*ANSWER[:5], event), Unrecognized)) == 1


def test_every_event_says_something_or_is_structural() -> None:
    decoder = StreamDecoder(NAME, content_type=FRAMES)
    for event in ANSWER:
        assert decoder.receive_data(frames(event)) or event[0] in STRUCTURAL, event


@pytest.mark.parametrize("place", range(len(ANSWER)))
def test_wrong_types_never_raise(place: int) -> None:
    name, body = ANSWER[place]
    for variant in mangled(body):
        decoder = StreamDecoder(NAME, content_type=FRAMES)
        events = decoder.receive_data(
            frames(*ANSWER[:place], (name, variant), *ANSWER[place + 1 :])
        )
        again = StreamDecoder.restore(decoder.snapshot())
        Transcript.of(events + again.receive_eof())


def test_detection() -> None:
    assert read_as(frames(*ANSWER), None, FRAMES) == read(*ANSWER)
