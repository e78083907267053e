"""Messages, as the vendor's SDK accumulates them: by the index of the block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import (
    Annotation,
    ErrorInfo,
    Finish,
    Heartbeat,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.encoding import Encoder

from .writing import CALLS, HEAD, SAID, answer, back, body_of, notes, values

if TYPE_CHECKING:
    from sans_io_stream.events import Event

NAME = "anthropic"


def put_together(records: list[Any]) -> dict[str, Any]:
    """The message; fails where the records are out of order."""
    assert records[0]["type"] == "message_start"
    message: dict[str, Any] = records[0]["message"]
    open_blocks: set[int] = set()
    fields = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "json"}
    for record in records[1:]:
        kind = record["type"]
        if kind == "content_block_start":
            assert record["index"] == len(message["content"])
            message["content"].append({**record["content_block"], "json": ""})
            open_blocks.add(record["index"])
        elif kind == "content_block_delta":
            assert record["index"] in open_blocks
            delta, block = record["delta"], message["content"][record["index"]]
            if delta["type"] in fields:
                field = fields[delta["type"]]
                block[field] += delta[{"json": "partial_json"}.get(field, field)]
            else:
                block[delta["type"]] = delta
        elif kind == "content_block_stop":
            open_blocks.remove(record["index"])
        elif kind == "message_delta":
            message |= record["delta"]
            message["usage"] |= record["usage"]
    assert not open_blocks
    assert records[-1] == {"type": "message_stop"}
    return message


def blocks_of(records: list[Any]) -> list[tuple[str, int]]:
    """Which block starts, goes on and stops when."""
    return [(r["type"][14:], r["index"]) for r in records if r["type"].startswith("content_block")]


def test_a_client_puts_the_answer_together() -> None:
    start = Usage(prompt_tokens=9, cached_tokens=3)
    end = Usage(prompt_tokens=9, cached_tokens=3, completion_tokens=4, total_tokens=13)
    events = answer(start, *SAID, *CALLS, TextDelta("!"), reason="tool_calls", usage=end)
    records = values(events, NAME)
    assert records[0]["message"]["usage"] == {"input_tokens": 6, "cache_read_input_tokens": 3}
    message = put_together(records)
    assert (message["id"], message["model"], message["stop_reason"]) == ("r1", "m1", "tool_use")
    assert [
        (b["type"], b.get("text"), b.get("thinking"), b["json"]) for b in message["content"]
    ] == [
        ("thinking", None, "Hm.", ""),
        ("text", "Hello", None, ""),
        ("tool_use", None, None, '{"a":1}'),
        ("tool_use", None, None, '{"b":2}'),
        ("text", "!", None, ""),
    ]
    assert message["usage"] == {
        "input_tokens": 6, "cache_read_input_tokens": 3, "output_tokens": 4,
    }  # fmt: skip


def test_one_block_at_a_time_where_calls_follow_each_other() -> None:
    calls: list[Event] = [
        ToolCallDelta(0, "a", "f", '{"x":'),
        ToolCallDelta(0, "a", "f", "1}"),
        ToolCallDelta(1, "b", "g", "{}"),
        TextDelta("and"),
        ToolCall(0, "a", "f", '{"x":1}'),
        ToolCall(1, "b", "g", "{}"),
    ]
    assert blocks_of(values(answer(*calls, reason="tool_calls"), NAME)) == [
        ("start", 0), ("delta", 0), ("delta", 0), ("stop", 0),
        ("start", 1), ("delta", 1), ("stop", 1),
        ("start", 2), ("delta", 2), ("stop", 2),
    ]  # fmt: skip


def test_fragments_that_alternate_name_their_blocks() -> None:
    assert blocks_of(values(answer(*CALLS, reason="tool_calls"), NAME)) == [
        ("start", 0), ("delta", 0), ("start", 1), ("delta", 1), ("delta", 0), ("delta", 1),
        ("stop", 0), ("stop", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ['"{}"', "[{}]", "1", "{} x", "{}{}", '{"a":"}"', " {"])
def test_arguments_that_are_no_whole_object_keep_their_block_open(text: str) -> None:
    pieces = [ToolCallDelta(0, "a", "f", piece) for piece in text]
    events = answer(*pieces, TextDelta("x"), ToolCallDelta(0, "a", "f", "!"), reason="length")
    found = back(events, NAME)
    said = "".join(event.arguments for event in found if isinstance(event, ToolCallDelta))
    assert said == text + "!"


def test_a_call_waits_for_its_id_and_its_name() -> None:
    encoder = Encoder(NAME)
    assert encoder.encode(ToolCallDelta(0, None, "f", "{")) == b""
    assert encoder.encode(ToolCallDelta(0, "c", "f", '"a":')).count(b"content_block_start") == 2
    never = [*HEAD, ToolCallDelta(0, None, "f", "{"), StreamEnd("interrupted")]
    assert ToolCallDelta(0, None, "f", "{") in back(never, NAME)


def test_the_start_waits_for_names_and_counts() -> None:
    encoder = Encoder(NAME)
    early: list[Event] = [StreamStart(), StreamStart("r", "m"), Usage(prompt_tokens=1)]
    assert [encoder.encode(event) for event in early] == [b"", b"", b""]
    assert encoder.encode(TextDelta("x")).startswith(b"event: message_start\n")


def test_before_the_start_a_ping_would_be_out_of_order() -> None:
    events = answer(Heartbeat("a"), TextDelta("x"), Heartbeat("b"))
    body = body_of(events, NAME)[0]
    assert body.startswith(b": a\nevent: message_start\n")
    assert body.count(b'event: ping\ndata: {"type":"ping"}\n\n') == 1


def test_a_failure_tells_the_counts_before() -> None:
    error = ErrorInfo("quota", "broke", request_id="req_1")
    events = [*HEAD, Usage(prompt_tokens=9), TextDelta("x"), StreamEnd("failed", error)]
    records = values(events, NAME)
    assert records[-1] == {
        "type": "error", "request_id": "req_1",
        "error": {"type": "billing_error", "message": "broke"},
    }  # fmt: skip
    assert records[-2]["usage"] == {"input_tokens": 9}
    assert records[-2]["delta"]["stop_reason"] is None


@pytest.mark.parametrize(
    ("finish", "word"),
    [
        (Finish("stop", "stop_sequence"), "stop_sequence"),
        (Finish("stop", "stop"), "end_turn"),
        (Finish("pause", None), "pause_turn"),
        (Finish("length", "MAX_TOKENS"), "max_tokens"),
        (Finish("content_filter", "SAFETY"), "refusal"),
        (Finish("other", "brand_new"), "brand_new"),
        (Finish("error", None), "error"),
    ],
)
def test_reasons(finish: Finish, word: str) -> None:
    records = values([*HEAD, TextDelta("x"), finish, StreamEnd("complete")], NAME)
    assert records[-2]["delta"]["stop_reason"] == word


def test_annotations_that_have_a_place() -> None:
    use = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}}
    result: dict[str, Any] = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    told: list[tuple[str, Any]] = [
        ("citation", {"type": "char_location", "cited_text": "x"}),
        ("signature", {"signature": "sig"}),
        ("redacted_thinking", {"type": "redacted_thinking", "data": "abc"}),
        ("compaction", {"content": "sum"}),
        ("server_tool_use", use),
        ("web_search_tool_result", result),
        ("stop_sequence", "END"),
        ("stop_details", {"type": "refusal"}),
    ]
    found = notes(NAME, *[Annotation(kind, data) for kind, data in told])
    assert [note for note in found if note[0] != "server_tool_use_delta"] == told


def test_annotations_of_other_protocols() -> None:
    for kind in ("grounding", "logprobs", "web_search_call", "tool_use", "extra"):
        assert notes(NAME, Annotation(kind, {"type": kind, "x": 1})) == []
    assert notes(NAME, Annotation("signature", {"thoughtSignature": "x"})) == []
