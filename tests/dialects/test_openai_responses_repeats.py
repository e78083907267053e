"""What a response says twice, what a suffix says of its past, and what comes out of shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream import StreamDecoder
from sans_io_stream.dialects.openai_responses_tables import STRUCTURAL
from sans_io_stream.dialects.shapes import elements, members
from sans_io_stream.errors import ErrorInfo
from sans_io_stream.events import (
    Annotation,
    Finish,
    MediaDelta,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    Unrecognized,
)
from sans_io_stream.policy import Limits

from .reading import SSE, feed, read, sse
from .responses_wire import REFERENCE, Event, Wire, message, tool

NAME = "openai-responses"
TEXT: Event = {"type": "output_text", "text": "Hello", "annotations": [{"url": "u"}]}
THOUGHT: Event = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "sum"}],
    "content": [{"type": "reasoning_text", "text": "raw"}],
}


def repeats(wire: Wire) -> list[Event]:
    """All that repeats the text of item 0."""
    where = {"output_index": 0, "content_index": 0}
    return [
        wire("output_text.done", **where, text="Hello"),
        wire("content_part.done", **where, part=TEXT),
        wire.done(message(TEXT)),
        wire.end(output=[message(TEXT)]),
    ]


def test_what_the_deltas_said_is_not_said_again() -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), wire.text("Hel"), wire.text("lo"), *repeats(wire)))
    assert said.transcript.text == "Hello"
    assert said.annotations("citation") == [{"url": "u"}]


@pytest.mark.parametrize("again", ["rs_1", "rs_other"])
def test_encrypted_reasoning_is_not_said_again(again: str) -> None:
    wire = Wire()
    item: Event = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    output = [item | {"id": again}, item | {"id": "rs_2", "encrypted_content": "gBBB"}]
    said = read(NAME, sse(wire.created(), wire.done(item), wire.end(output=output)))
    told = [
        {"id": "rs_1", "encrypted_content": "gAAA"},
        {"id": "rs_2", "encrypted_content": "gBBB"},
    ]
    assert said.annotations("encrypted_reasoning") == told


@pytest.mark.parametrize("skipped", range(4))
def test_without_deltas_the_first_repeat_counts(skipped: int) -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), *repeats(wire)[skipped:]))
    assert said.of(TextDelta) == [TextDelta("Hello")]
    assert said.outcome == "complete"


def test_each_part_that_has_no_deltas_counts() -> None:
    wire = Wire()
    parts = [{"type": "output_text", "text": "one "}, {"type": "refusal", "refusal": "no"}]
    parts += [{"type": "output_text", "text": "two"}, {"type": "output_audio", "id": "a"}]
    said = read(NAME, sse(wire.created(), wire.done(message(*parts)), wire.end()))
    assert (said.transcript.text, said.transcript.refusal) == ("one two", "no")
    assert said.annotations("output_audio") == [{"type": "output_audio", "id": "a"}]


def test_thinking_without_deltas() -> None:
    wire = Wire()
    records = [wire.created(), wire.done(THOUGHT), wire.end(output=[THOUGHT])]
    assert read(NAME, sse(*records)).transcript.reasoning == "sumraw"
    assert read(NAME, sse(*records[::2])).transcript.reasoning == "sumraw"


def test_calls_without_deltas() -> None:
    wire = Wire()
    arguments = wire("function_call_arguments.done", output_index=0, arguments="{}")
    records = [wire.created(), wire.call(), arguments, wire.done(tool(0, "{}")), wire.end()]
    assert read(NAME, sse(*records)).of(ToolCall) == [ToolCall(0, "call_0", "tool_0", "{}")]
    whole = sse(*records[:1], *records[3:])
    assert read(NAME, whole).of(ToolCall) == [ToolCall(0, "call_0", "tool_0", "{}")]


def test_calls_in_the_final_response_alone() -> None:
    wire = Wire()
    calls = [tool(0, "{}", namespace="n"), tool(1, "[]")]
    said = read(NAME, sse(wire.created(), wire.end(output=calls)))
    assert [c.name for c in said.of(ToolCall)] == ["tool_0", "tool_1"]
    assert said.of(Finish) == [Finish("tool_calls", "completed")]
    assert said.annotations("function_call") == [{"call_id": "call_0", "namespace": "n"}]
    told = read(NAME, sse(wire.created(), wire.done(calls[0]), wire.end(output=calls[:1])))
    assert len(told.of(ToolCall)) == 1


def test_items_in_the_final_response_alone() -> None:
    wire = Wire()
    listed, searched = {"type": "mcp_list_tools", "id": "l"}, {"type": "web_search_call", "id": "w"}
    records = [wire.created(), wire.done(searched), wire.end(output=[listed, searched])]
    kinds = [a.kind for a in read(NAME, sse(*records)).of(Annotation)]
    assert kinds == ["web_search_call", "mcp_list_tools"]


def test_ids_that_change_from_event_to_event() -> None:
    wire = Wire()
    records = [wire.text("Hel") | {"item_id": "x" * 400}, wire.text("lo") | {"item_id": "y" * 400}]
    said = read(NAME, sse(wire.created(), *records, *repeats(wire)))
    assert said.transcript.text == "Hello"


def test_items_without_an_index_go_by_their_ids() -> None:
    wire = Wire()
    where = {"item_id": "m" * 100, "content_index": 0}
    records = [wire.created(), wire("output_text.delta", **where, delta="a")]
    records += [wire("output_text.done", **where, text="a")]
    records += [wire("output_text.done", item_id="other", text="b"), wire.end()]
    assert read(NAME, sse(*records)).transcript.text == "ab"


def test_a_stream_taken_up_in_its_middle_repeats_nothing() -> None:
    wire = Wire(first=7)
    records = [wire.text("lo"), *repeats(wire)]
    said = read(NAME, sse(*records))
    assert said.transcript.text == "lo"
    assert said.of(StreamStart) == [StreamStart(), StreamStart("resp_1", "gpt-x")]
    only_the_end = read(NAME, sse(*records[1:]))
    assert only_the_end.transcript.text == ""
    assert only_the_end.outcome == "complete"


def test_a_call_after_the_cursor_is_told_in_a_suffix_too() -> None:
    wire = Wire(first=7)
    records = [wire.call(2), wire.arguments("{}", 2), wire.done(tool(2, "{}"), 2)]
    said = read(NAME, sse(*records, wire.end(output=[tool(2, "{}")])))
    assert said.of(ToolCall) == [ToolCall(0, "call_2", "tool_2", "{}")]


def test_a_call_whose_beginning_was_lost_gets_its_name_at_its_end() -> None:
    wire = Wire()
    records = [wire.created(), wire.arguments("{}", 3), wire.done(tool(3, "{}"), 3), wire.end()]
    assert read(NAME, sse(*records)).of(ToolCall) == [ToolCall(0, "call_3", "tool_3", "{}")]


def test_the_shortcuts_change_nothing() -> None:
    wire = Wire()
    records: list[Event] = [wire.created()]
    for i in range(3):
        records += [wire.text(f"t{n}", obfuscation="x" * n) for n in range(20)]
        records += [wire.text("other item", place=5), wire.text(""), wire.text("é😀")]
        records += [wire.text("lp") | {"logprobs": [1]}, wire.text("no number") | {"x": 1}]
        records[-1].pop("sequence_number")
        records += [wire.text(f"t{n}") | {"logprobs": None} for n in range(3)]
        records += [wire.summary(f"s{n}", part=n // 10) for n in range(20)]
        records += [wire("reasoning_text.delta", output_index=0, delta=f"r{n}") for n in range(9)]
        records += [wire.call(9 + i), *(wire.arguments(f"{n},", 9 + i) for n in range(20))]
        records += [wire.call(20 + i), wire.arguments("x", 20 + i), wire.arguments("y", 9 + i)]
        records += [wire.text("while open"), wire.text("more"), wire.text("\ud83d"), wire.text("!")]
        records += [wire.done(tool(9 + i, ""), 9 + i), wire.text("z") | {"delta": 5}]
        records += [wire.text("big") | {"sequence_number": 10**30}, wire.text("on")]
    records += [wire.end(), wire.text("late"), wire.text("later")]
    body = sse(*records)
    slow = StreamDecoder(NAME, content_type=SSE, shortcuts=False)
    expected = feed(slow, body, len(body))
    for step in (len(body), 5000, 333):
        assert feed(StreamDecoder(NAME, content_type=SSE), body, step) == expected
    reads = StreamDecoder(NAME, content_type=SSE)
    single = [event for record in records for event in reads.receive_data(sse(record))]
    assert single + reads.receive_eof() == expected
    raw = StreamDecoder(NAME, content_type=SSE, raw=True)
    points = [e for e in feed(raw, body, len(body)) if isinstance(e, ResumePoint)]
    assert points == [e for e in expected if isinstance(e, ResumePoint)]


@pytest.mark.parametrize("kind", REFERENCE)
def test_every_type_of_the_reference_is_known(kind: str) -> None:
    wire = Wire()
    event = wire(kind, output_index=0, delta="YQ==", text="t", item={"type": "web_search_call"})
    body = sse(wire.created(), event, event | {"delta": None})
    decoder = StreamDecoder(NAME, content_type=SSE)
    events = decoder.receive_data(body)
    assert not [e for e in events if isinstance(e, Unrecognized)]
    if f"response.{kind}" in STRUCTURAL:
        assert {type(e) for e in events} == {StreamStart, ResumePoint}


def test_what_is_not_known_is_told() -> None:
    wire = Wire()
    odd: list[Any] = [wire("new.thing", x=1), {"type": "elsewhere"}, {}, 5, None, "text"]
    said = read(NAME, sse(wire.created(), *odd, b"{not json".decode(), wire.end()))
    assert len(said.of(Unrecognized)) == 7
    assert said.outcome == "complete"


WRONG: list[Any] = [None, True, 0, -1.5, 10**30, "x", "\ud83d", [], [[1]], {}, {"a": [None]}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_types_everywhere(wrong: Any) -> None:
    wire = Wire()
    item = {"type": "image_generation_call", "result": "aGk=", "output_format": "png"}
    records = [wire.created(), wire.text("a"), wire.call(1), wire.arguments("{}", 1)]
    records += [wire.done(tool(1, "{}"), 1), wire.done(item), wire.done(THOUGHT), *repeats(wire)]
    records += [wire("output_text.annotation.added", annotation={}), wire("audio.delta", delta="")]
    records += [{"type": "error", "error": {"message": "m", "headers": {"retry-after": 1}}}]
    for number, record in enumerate(records):
        for path in paths(record):
            changed = json.loads(json.dumps(record))
            spot = changed
            for key in path[:-1]:
                spot = spot[key]
            spot[path[-1]] = wrong
            decoder = StreamDecoder(NAME, content_type=SSE)
            body = sse(*records[:number], changed, *records[number + 1 :])
            events = feed(decoder, body, len(body))
            assert [type(e) for e in events].count(StreamEnd) == 1


def paths(value: Any) -> list[list[Any]]:
    """The paths to every value inside ``value``."""
    inner: dict[Any, Any] = dict(enumerate(elements(value))) | members(value)
    return [path for k, v in inner.items() for path in ([k], *([k, *p] for p in paths(v)))]


def test_media_that_is_no_base64_is_an_annotation() -> None:
    wire = Wire()
    said = read(NAME, sse(wire.created(), wire("audio.delta", delta="%%%")))
    assert said.annotations("media") == [{"data": "%%%"}]
    assert said.of(MediaDelta) == []


def test_what_is_remembered_is_bounded() -> None:
    wire = Wire()
    decoder = StreamDecoder(NAME, content_type=SSE)
    decoder.receive_data(sse(wire.created()))
    for place in range(5000):
        decoder.receive_data(sse(wire.text("a", place)))
    size = len(decoder.snapshot())
    for place in range(5000, 9000):
        decoder.receive_data(sse(wire.text("a", place)))
    assert len(decoder.snapshot()) < size + 100
    # What can no longer be told apart is taken as said.
    where = {"output_index": 1, "content_index": 0}
    events = decoder.receive_data(sse(wire("output_text.done", **where, text="a")))
    assert [type(e) for e in events] == [ResumePoint]


def test_limits() -> None:
    wire = Wire()
    body = sse(wire.created(), wire.call(), *(wire.arguments("x" * 60) for _ in range(3)))
    said = read(NAME, body, limits=Limits(arguments_bytes=150))
    assert said.outcome == "failed"
    assert said.error == ErrorInfo(
        "limit", "the arguments of tool call 0 exceeds Limits.arguments_bytes (150)"
    )
