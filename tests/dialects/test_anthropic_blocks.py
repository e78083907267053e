from __future__ import annotations

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    Limits,
    ReasoningDelta,
    StreamDecoder,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
)
from tests.dialects.block_wires import (
    ANSWER,
    STOP,
    TOOL,
    Record,
    arguments,
    begin,
    delta,
    last,
    of,
    outcome,
    read,
    sse,
    start,
    stop,
    transcript,
)


def test_several_calls_may_be_open_at_once() -> None:
    two: Record = {"id": "toolu_2", "name": "get", "input": {}}
    body = sse(
        start(), begin(0, "tool_use", **TOOL), begin(1, "tool_use", **two),
        arguments(1, '{"b":'), arguments(0, '{"a":'), arguments(1, "2}"), stop(1),
        arguments(0, "1}"), stop(0), last("tool_use"), STOP,
    )  # fmt: skip
    assert of(read(body, "anthropic"), ToolCall) == [
        ToolCall(1, "toolu_2", "get", '{"b":2}'),
        ToolCall(0, "toolu_1", "find", '{"a":1}'),
    ]


@pytest.mark.parametrize(
    ("pieces", "reason", "whole"),
    [
        (['{"a":', "1}"], "tool_use", True),
        (['{"a":', "1}"], "max_tokens", True),
        (['{"a":'], "max_tokens", False),
        (['{"a":'], "tool_use", False),
        ([], "tool_use", True),
        ([], "max_tokens", False),
    ],
)
def test_a_call_that_never_stops_is_whole_if_its_arguments_are(
    pieces: list[str], reason: str, whole: bool
) -> None:
    told = [arguments(0, piece) for piece in pieces]
    body = sse(start(), begin(0, "tool_use", **TOOL), *told, last(reason), STOP)
    assert bool(of(read(body, "anthropic"), ToolCall)) is whole


@pytest.mark.parametrize(
    ("reason", "whole"), [("tool_use", True), ("max_tokens", False), ("refusal", False)]
)
def test_a_call_that_stops_in_its_arguments_is_what_the_reason_says(
    reason: str, whole: bool
) -> None:
    # The block stops though the limit of tokens cut the call off; or the model wrote no JSON.
    again = {**TOOL, "id": "toolu_2"}
    body = sse(
        start(), begin(0, "tool_use", **TOOL), arguments(0, '{"a":'), stop(0),
        begin(0, "tool_use", **again), arguments(0, "{}"), stop(0), last(reason), STOP,
    )  # fmt: skip
    events = read(body, "anthropic")
    cut = [ToolCall(0, "toolu_1", "find", '{"a":')] if whole else []
    assert of(events, ToolCall) == [ToolCall(1, "toolu_2", "find", "{}"), *cut]
    assert not of(read(body[: body.index(b"event: message_delta")], "anthropic"), ToolCall)[1:]


def test_a_call_that_the_end_cuts_off_is_none() -> None:
    events = read(sse(*ANSWER[:16]), "anthropic")
    assert of(events, ToolCallDelta)
    assert not of(events, ToolCall, Finish)
    assert outcome(events) == "interrupted"


def test_a_whole_input_may_stand_in_the_start_of_its_block() -> None:
    whole = begin(0, "tool_use", **{**TOOL, "input": {"a": 1}})
    events = read(sse(start(), whole, stop(0), last("tool_use"), STOP), "anthropic")
    assert of(events, ToolCall) == [ToolCall(0, "toolu_1", "find", '{"a":1}')]
    # Pieces outweigh it.
    body = sse(start(), whole, arguments(0, "{}"), stop(0), last("tool_use"), STOP)
    assert of(read(body, "anthropic"), ToolCall) == [ToolCall(0, "toolu_1", "find", "{}")]


def test_a_message_that_begins_anew_abandons_its_calls() -> None:
    again = start(input_tokens=10, output_tokens=1)
    body = sse(
        start(), begin(0, "tool_use", **TOOL), arguments(0, '{"a":1}'), again,
        begin(0, "tool_use", **{**TOOL, "id": "toolu_2"}), arguments(0, '{"b":2}'), stop(0),
        last("tool_use"), STOP,
    )  # fmt: skip
    events = read(body, "anthropic")
    assert of(events, ToolCall) == [ToolCall(1, "toolu_2", "find", '{"b":2}')]
    assert len(of(events, StreamStart)) == 1


def test_what_a_call_says_beside_its_input() -> None:
    direct = begin(0, "tool_use", **TOOL, caller={"type": "direct"})
    toolset = begin(
        1, "tool_use", **TOOL, caller={"type": "code", "tool_id": "s"}, toolset_name="t"
    )
    events = read(sse(start(), direct, stop(0), toolset, stop(1), last("tool_use")), "anthropic")
    told = {"id": "toolu_1", "caller": {"type": "code", "tool_id": "s"}, "toolset_name": "t"}
    assert of(events, Annotation) == [Annotation("tool_use", told)]


def test_the_servers_own_tools_are_annotations() -> None:
    use: Record = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}
    result: Record = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
    body = sse(
        start(), {**begin(0, ""), "content_block": use},
        arguments(0, ""), arguments(0, '{"query":'), arguments(0, '"x"}'), stop(0),
        begin(1, "web_search_tool_result", tool_use_id="srv_1", content=[]), stop(1),
        begin(2, "mcp_tool_use", id="m", name="n", server_name="s", input={"k": 1}), stop(2),
        last("pause_turn"), STOP,
    )  # fmt: skip
    events = read(body, "anthropic")
    mcp = {"type": "mcp_tool_use", "id": "m", "name": "n", "server_name": "s", "input": {"k": 1}}
    assert [(a.kind, a.data) for a in Transcript.of(events).annotations] == [
        ("server_tool_use_delta", {"id": "srv_1", "name": "web_search", "input": ""}),
        ("server_tool_use_delta", {"id": "srv_1", "name": "web_search", "input": '{"query":'}),
        ("server_tool_use_delta", {"id": "srv_1", "name": "web_search", "input": '"x"}'}),
        ("server_tool_use", {**use, "input": {"query": "x"}}),
        ("web_search_tool_result", result),
        ("mcp_tool_use_delta", {"id": "m", "name": "n", "input": ""}),
        ("mcp_tool_use", mcp),
    ]
    assert not of(events, ToolCall, ToolCallDelta)
    assert of(events, Finish) == [Finish("pause", "pause_turn")]


def test_the_input_of_the_servers_tools_is_bounded() -> None:
    use = begin(0, "server_tool_use", id="s", name="n", input={})
    decoder = StreamDecoder("anthropic", limits=Limits(arguments_bytes=8))
    events = decoder.receive_data(sse(use, arguments(0, "12345"), arguments(0, "67890")))
    assert outcome(events) == "failed"
    whole = begin(0, "server_tool_use", id="s", name="n", input={"q": "12345"})
    decoder = StreamDecoder("anthropic", limits=Limits(arguments_bytes=8))
    assert outcome(decoder.receive_data(sse(whole))) == "failed"


WHOLE: list[tuple[list[Record], list[tuple[str, Record]]]] = [
    ([begin(0, "redacted_thinking", data="b64")], [("redacted_thinking", {"data": "b64"})]),
    ([begin(0, "fallback", to={"model": "m"})], [("fallback", {"to": {"model": "m"}})]),
    ([begin(0, "container_upload", file_id="f")], [("container_upload", {"file_id": "f"})]),
    ([begin(0, "some_new_tool_result", content=[])], [("some_new_tool_result", {"content": []})]),
]


@pytest.mark.parametrize(("records", "told"), WHOLE)
def test_blocks_that_are_whole_when_they_begin(
    records: list[Record], told: list[tuple[str, Record]]
) -> None:
    said = transcript(sse(start(), *records, stop(0), last("end_turn"), STOP), "anthropic")
    assert [
        (a.kind, {k: v for k, v in a.data.items() if k != "type"}) for a in said.annotations
    ] == told


def test_citations_compaction_and_signatures() -> None:
    cite = {"type": "char_location", "cited_text": "x"}
    body = sse(
        start(), begin(0, "text", text="", citations=None),
        begin(1, "text", text="a", citations=[cite]),
        delta(0, "citations_delta", citation=cite), begin(2, "compaction", content=None),
        delta(2, "compaction_delta", content="sum", encrypted_content="e"), stop(2),
        begin(3, "thinking", thinking="t", signature="s"), last("compaction"), STOP,
    )  # fmt: skip
    events = read(body, "anthropic")
    assert [(a.kind, a.data) for a in Transcript.of(events).annotations] == [
        ("citation", cite),
        ("citation", cite),
        ("compaction", {"content": "sum", "encrypted_content": "e"}),
        ("signature", {"signature": "s"}),
    ]
    assert of(events, TextDelta, ReasoningDelta) == [TextDelta("a"), ReasoningDelta("t")]
    assert of(events, Finish) == [Finish("pause", "compaction")]
