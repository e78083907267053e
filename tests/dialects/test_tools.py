"""Tool calls of the chat family: which fragment belongs to which call, and when one is whole."""

from __future__ import annotations

import itertools
import json
from time import process_time
from typing import Any

import pytest

from sans_io_stream import (
    Annotation,
    Finish,
    Limits,
    StreamDecoder,
    StreamEnd,
    ToolCall,
    ToolCallDelta,
)
from tests.dialects.chat_wire import CALLED, DONE, STOP, call, chat, chunk
from tests.dialects.reading import Read, sse

PARIS, ROME = '{"city":"Paris"}', '{"city":"Rome"}'


def calls(*records: Any) -> list[tuple[str | None, str | None, str]]:
    got = chat(*records, CALLED, DONE)
    assert got.outcome == "complete"
    return told(got)


def told(got: Read) -> list[tuple[str | None, str | None, str]]:
    whole = got.of(ToolCall)
    assert [one.index for one in whole] == list(range(len(whole)))
    for one in whole:
        pieces = [p.arguments for p in got.of(ToolCallDelta) if p.index == one.index]
        assert "".join(pieces) == one.arguments
    return [(one.id, one.name, one.arguments) for one in whole]


def test_a_call_by_the_book() -> None:
    got = chat(call("", 0, "a", "f"), call('{"x":', 0), call("1}", 0), CALLED, DONE)
    assert got.of(ToolCallDelta) == [
        ToolCallDelta(0, "a", "f", ""),
        ToolCallDelta(0, "a", "f", '{"x":'),
        ToolCallDelta(0, "a", "f", "1}"),
    ]
    assert got.of(ToolCall) == [ToolCall(0, "a", "f", '{"x":1}')]
    assert got.of(Finish) == [Finish("tool_calls", "tool_calls")]


def test_interleaved_calls_are_kept_apart_by_their_index() -> None:
    assert calls(
        call("", 0, "a", "f"), call("", 1, "b", "g"),
        call(PARIS[:5], 0), call(ROME[:7], 1), call(PARIS[5:], 0), call(ROME[7:], 1),
    ) == [("a", "f", PARIS), ("b", "g", ROME)]  # fmt: skip


def test_several_calls_in_one_delta() -> None:
    both = [
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": PARIS}},
        {"index": 1, "id": "b", "function": {"name": "f", "arguments": ROME}},
    ]
    assert calls(chunk({"tool_calls": both})) == [("a", "f", PARIS), ("b", "f", ROME)]


# What a server says of a call in its first fragment, and in the others. ``...`` stands for a
# value of the call's own, None for a field that is left out.
FIRST = list(itertools.product((..., None), (..., None), (...,)))
LATER = list(itertools.product((..., None), (..., None), (..., None)))


def fragment(said: tuple[Any, Any, Any], number: int, arguments: str) -> dict[str, Any]:
    index, id_, name = said
    return call(
        arguments,
        number if index is ... else None,
        f"id{number}" if id_ is ... else None,
        f"name{number}" if name is ... else None,
    )


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("later", LATER)
def test_one_call_after_the_other_whatever_is_repeated(first: Any, later: Any) -> None:
    records = [
        fragment(said, number, piece)
        for number, whole in enumerate((PARIS, ROME))
        for said, piece in ((first, whole[:5]), (later, whole[5:9]), (later, whole[9:]))
    ]
    expected = [
        (f"id{number}" if first[1] is ... or later[1] is ... else None, f"name{number}", whole)
        for number, whole in enumerate((PARIS, ROME))
    ]
    assert calls(*records) == expected


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("ids", [("a", "b"), (None, None)])
@pytest.mark.parametrize("names", [("f", "g"), ("f", "f")])
def test_whole_calls_that_share_an_index(index: Any, ids: Any, names: Any) -> None:
    records = [call(w, index, i, n) for w, i, n in zip((PARIS, ROME), ids, names, strict=True)]
    assert calls(*records) == list(zip(ids, names, (PARIS, ROME), strict=True))


def test_equal_calls_that_share_an_index_are_two() -> None:
    assert calls(call("{}", 0, None, "now"), call("{}", 0, None, "now")) == [
        (None, "now", "{}"),
        (None, "now", "{}"),
    ]


def test_a_name_that_is_repeated_goes_on_while_the_arguments_are_not_whole() -> None:
    pieces = ['{"a":', '"}"', ',"b":{"c"', ":[1]}", "}"]
    records = [call(piece, 0, None, "f") for piece in pieces]
    assert calls(*records) == [(None, "f", "".join(pieces))]


def test_a_new_id_for_every_fragment_is_still_one_call() -> None:
    records = [call("", 0, "x0", "f"), call(PARIS[:4], 0, "x1"), call(PARIS[4:], 0, "x2")]
    assert calls(*records) == [("x0", "f", PARIS)]


@pytest.mark.parametrize("index", [0, None])
@pytest.mark.parametrize("name", ["f", None])
def test_a_new_id_behind_whole_arguments_is_a_new_call(index: Any, name: str | None) -> None:
    records = [call(PARIS[:5], index, "a", name), call(PARIS[5:], index)]
    assert calls(*records, call(ROME, index, "b")) == [("a", name, PARIS), ("b", None, ROME)]
    assert calls(*records, call("", index, "b"), call(ROME, index)) == [
        ("a", name, PARIS),
        ("b", None, ROME),
    ]


def test_the_same_id_behind_whole_arguments_is_the_same_call() -> None:
    assert calls(call(PARIS, 0, "a", "f"), call("", 0, "a")) == [("a", "f", PARIS)]


def test_a_new_id_with_a_name_on_the_same_index_is_a_new_call() -> None:
    assert calls(call(PARIS, 0, "a", "f"), call("", 0, "b", "f"), call(ROME, 0)) == [
        ("a", "f", PARIS),
        ("b", "f", ROME),
    ]


def test_id_and_name_may_come_late_and_are_told_then() -> None:
    got = chat(call("{", 0), call(None, 0, "a"), call(None, 0, None, "f"), call("}", 0), CALLED)
    assert [(d.id, d.name, d.arguments) for d in got.of(ToolCallDelta)] == [
        (None, None, "{"),
        ("a", None, ""),
        ("a", "f", ""),
        ("a", "f", "}"),
    ]
    assert told(got) == [("a", "f", "{}")]


def test_the_id_text_null_is_none() -> None:
    assert calls(call("{", 0, "a", "f"), call("}", 0, "null")) == [("a", "f", "{}")]


def test_choices_have_calls_of_their_own() -> None:
    got = chat(
        call("{", 0, "a", "f"), call("[", 0, "b", "g", choice=1),
        call("}", 0), call("]", 0, choice=1),
        CALLED, chunk(reason="tool_calls", choice=1), DONE,
    )  # fmt: skip
    assert got.of(ToolCall) == [ToolCall(0, "a", "f", "{}", 0), ToolCall(0, "b", "g", "[]", 1)]


@pytest.mark.parametrize("index", [10**9, 10**40, -1, "call-7"])
def test_an_index_is_a_name_and_allocates_nothing(index: Any) -> None:
    assert calls(call("{", index, "a", "f"), call("}", index)) == [("a", "f", "{}")]


def test_arguments_that_are_objects() -> None:
    assert calls(call({"city": "Paris"}, 0, "a", "f")) == [("a", "f", PARIS)]
    assert calls(call({}, 0, "a", "f"), call({}, 1, "b", "f")) == [
        ("a", "f", "{}"),
        ("b", "f", "{}"),
    ]


def test_a_call_that_is_in_no_list_is_not_lost() -> None:
    entry = {"id": "a", "function": {"name": "f", "arguments": "{}"}}
    assert calls(chunk({"tool_calls": entry})) == [("a", "f", "{}")]


def test_numbers_may_be_written_as_fractions() -> None:
    assert calls(
        call("", 0.0, "a", "f"), call("", 1.0, "b", "g"),
        call(PARIS, 0.0), call(ROME, 1.0),
    ) == [("a", "f", PARIS), ("b", "g", ROME)]  # fmt: skip
    records = [chunk({"content": piece}, choice=n) for n, piece in ((0.0, "a"), (1.0, "b"))]  # type: ignore[arg-type]
    got = chat(*records, *records, STOP, chunk(reason="stop", choice=1), DONE)
    assert {n: c.text for n, c in got.transcript.choices.items()} == {0: "aa", 1: "bb"}


def test_custom_tools_have_free_text() -> None:
    entry = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "sh", "input": "ls "}}
    more = {"index": 0, "custom": {"input": "-l"}}
    records = [chunk({"tool_calls": [entry]}), chunk({"tool_calls": [more]})]
    assert calls(*records) == [("a", "sh", "ls -l")]


# ---- cut off


@pytest.mark.parametrize("ending", [(), (DONE,), (chunk(reason="length"), DONE)])
def test_a_call_that_is_cut_off_is_no_tool_call(ending: Any) -> None:
    got = chat(call('{"city":', 0, "a", "f"), *ending)
    assert got.of(ToolCall) == []
    (partial,) = got.transcript.tool_calls
    assert (partial.name, partial.arguments, partial.complete) == ("f", '{"city":', False)


def test_a_call_that_is_whole_at_its_length_is_one() -> None:
    got = chat(call(PARIS, 0, "a", "f"), call('{"ci', 1, "b", "f"), chunk(reason="length"), DONE)
    assert told(got) == [("a", "f", PARIS)]


def test_a_stream_without_its_end_has_no_tool_call_even_if_whole() -> None:
    got = chat(call(PARIS, 0, "a", "f"))
    assert (got.outcome, got.of(ToolCall)) == ("interrupted", [])


# ---- bounds


def test_the_limits_of_calls_and_arguments() -> None:
    body = sse(*[call("{}", n, f"id{n}", "f") for n in range(3)])
    for limits, name in (
        (Limits(tool_calls=2), "tool_calls"),
        (Limits(arguments_bytes=1), "arguments_bytes"),
    ):
        events = StreamDecoder("openai-chat", limits=limits).receive_data(body)
        end = events[-1]
        assert isinstance(end, StreamEnd)
        assert end.error is not None
        assert end.error.kind == "limit"
        assert name in end.error.message


@pytest.mark.parametrize(
    "records",
    [
        [call("", 0, "a" * 12, "f")],
        [call("", 0, "a", "\u00fc" * 6)],
        [call("", 0, "a"), call("", 0, None, "f" * 12)],
    ],
)
def test_the_id_and_name_of_a_call_are_bounded(records: list[Any]) -> None:
    got = chat(*records, limits=Limits(arguments_bytes=12))
    assert got.error is not None
    assert "arguments_bytes" in got.error.message
    assert chat(*records, limits=Limits(arguments_bytes=13)).outcome == "interrupted"


def test_long_names_and_reasons_are_not_kept() -> None:
    long = "x" * 100_000
    records = [chunk({"content": "a"}, **{long: 1}), call("{}", long, "a", "f"), chunk(reason=long)]
    decoder = StreamDecoder("openai-chat")
    events = decoder.receive_data(sse(*records))
    assert len(decoder.snapshot()) < 10_000
    assert [e.data for e in events if isinstance(e, Annotation)] == [{long: 1}]
    assert [f.raw_reason for f in chat(*records, DONE).of(Finish)] == ["x" * 256]


def test_repeated_names_cost_time_that_is_linear_in_the_fragments() -> None:
    def cost(count: int) -> float:
        # Each fragment looks like the end of an object, and none is.
        records = [call('{"a":"', 0, "a", "f"), *[call("x}", 0, None, "f")] * count]
        body = sse(*records)
        begin = process_time()
        StreamDecoder("openai-chat").receive_data(body)
        return process_time() - begin

    cost(100)
    assert cost(16_000) < 20 * max(cost(2_000), 0.01)


def test_arguments_are_json_text_whatever_the_object_holds() -> None:
    body = b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":%s}}]}}]}'
    data = sse((body % b'{"text":"\\ud83d","n":NaN}').decode(), CALLED, DONE)
    events = StreamDecoder("openai-chat").receive_data(data)
    (whole,) = (event for event in events if isinstance(event, ToolCall))
    assert json.loads(whole.arguments) == {"text": "\ufffd", "n": None}
