"""Gemini's function calls: whole, and with arguments in pieces (Vertex AI)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import Finish, Limits, ToolCall, ToolCallDelta, Unrecognized
from sans_io_stream.dialects.gemini_args import PartialArguments, Unmergeable
from sans_io_stream.dialects.shapes import is_array, is_object
from tests.dialects.reading import Read, read, sse

SIMPLE = st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.text(max_size=6)
# Pieces cannot say that an object or array is empty.
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=4), inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=3)


def response(*parts: Any, finish: str | None = None) -> dict[str, Any]:
    reason = {} if finish is None else {"finishReason": finish}
    candidate = {"content": {"parts": list(parts), "role": "model"}, **reason}
    return {"candidates": [candidate], "modelVersion": "gemini-3-pro", "responseId": "r"}


def call(*pieces: Any, **fields: Any) -> dict[str, Any]:
    told = {"partialArgs": list(pieces)} if pieces else {}
    return {"functionCall": {**told, **fields}}


def piece(path: str, more: bool = False, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **value, **({"willContinue": True} if more else {})}


def gemini(*records: Any, **options: Any) -> Read:
    return read("gemini", sse(*records), **options)


def test_whole_calls_in_parallel() -> None:
    got = gemini(
        response(
            call(name="a", args={"x": 1}),
            call(name="a", args={"x": [2, "é"]}, id="i"),
            {**call(name="b"), "thoughtSignature": "c2ln"},
            finish="STOP",
        )
    )
    assert got.of(ToolCall) == [
        ToolCall(0, None, "a", '{"x":1}'),
        ToolCall(1, "i", "a", '{"x":[2,"é"]}'),
        ToolCall(2, None, "b", ""),
    ]
    assert got.annotations("signature") == [{"thoughtSignature": "c2ln", "tool_call": 2}]
    assert got.of(Finish) == [Finish("tool_calls", "STOP")]


def test_arguments_in_pieces_are_given_out_as_they_come() -> None:
    got = gemini(
        response(call(name="cook", willContinue=True)),
        response(call(piece("$.r.s[0].a", more=True, stringValue="1 "), willContinue=True)),
        response(call(piece("$.r.s[0].a", more=True, stringValue='l"b'), willContinue=True)),
        response(call(piece("$.r.s[0].a", stringValue=""), willContinue=True)),
        response(call(piece("$.r.s[0].n", numberValue=2), willContinue=True)),
        response(call(willContinue=True)),
        response(call(piece("$.r.s[1]", boolValue=True), piece("$['a b']", nullValue=None))),
        response({"text": ""}, finish="STOP"),
    )
    arguments = '{"r":{"s":[{"a":"1 l\\"b","n":2},true]},"a b":null}'
    assert [e.arguments for e in got.of(ToolCallDelta)] == [
        "", '{"r":{"s":[{"a":"1 ', 'l\\"b', '","n":2', '},true]},"a b":null}',
    ]  # fmt: skip
    assert got.of(ToolCall) == [ToolCall(0, None, "cook", arguments)]
    assert got.transcript.tool_calls[0].arguments == arguments


def test_calls_in_pieces_follow_one_another() -> None:
    got = gemini(
        response(call(name="now")),
        response(call(name="read", willContinue=True)),
        response(call(piece("$.id", more=True, stringValue="A"), willContinue=True)),
        response(call()),
        response(call(name="read", willContinue=True)),
        response(call(piece("$.id", stringValue="B"), willContinue=True)),
        response(call()),
        response({"text": ""}, finish="STOP"),
    )
    calls = [(c.index, c.name, c.arguments) for c in got.of(ToolCall)]
    assert calls == [(0, "now", ""), (1, "read", '{"id":"A"}'), (2, "read", '{"id":"B"}')]


def test_pieces_of_two_open_calls_are_told_apart_by_id() -> None:
    got = gemini(
        response(call(name="f", id="1", willContinue=True)),
        response(call(name="f", id="2", willContinue=True)),
        response(call(piece("$.a", numberValue=1), id="1")),
        response(call(piece("$.a", numberValue=2), id="2"), finish="STOP"),
    )
    assert [(c.id, c.arguments) for c in got.of(ToolCall)] == [("1", '{"a":1}'), ("2", '{"a":2}')]


def test_a_call_may_be_named_first_and_come_whole_later() -> None:
    got = gemini(
        response(call(name="f", willContinue=True)), response(call(args={"a": 1}), finish="STOP")
    )
    assert got.of(ToolCall) == [ToolCall(0, None, "f", '{"a":1}')]


@pytest.mark.parametrize("finish", [None, "STOP", "MAX_TOKENS"])
def test_a_call_that_is_cut_off_is_never_whole(finish: str | None) -> None:
    got = gemini(
        response(call(name="f", willContinue=True)),
        response(call(piece("$.a", more=True, stringValue="x"), willContinue=True)),
        response({"text": "."}, finish=finish),
    )
    assert got.of(ToolCall) == []
    assert not got.transcript.tool_calls[0].complete
    assert got.outcome == ("interrupted" if finish is None else "complete")


@pytest.mark.parametrize(
    "second",
    [
        piece("$.a", numberValue=2),
        piece("$.a.b", numberValue=2),
        piece("$.c[2]", numberValue=2),
        piece("$.c.d", numberValue=2),
        piece("$.b", numberValue=2),
        piece("$.e[1]", numberValue=2),
        piece("$", numberValue=2),
        piece("$[0]", numberValue=2),
        piece("a", numberValue=2),
        piece("$..a", numberValue=2),
        piece("$['\\q']", numberValue=2),
        {"stringValue": "x"},
    ],
)
def test_pieces_that_cannot_be_merged_spoil_the_call(second: dict[str, Any]) -> None:
    first = [piece("$.a", numberValue=1), piece("$.b.x", numberValue=1)]
    got = gemini(
        response(call(*first, piece("$.c[0]", numberValue=0), name="f", willContinue=True)),
        response(call(second, willContinue=True)),
        response(call()),
        response({"text": "."}, finish="STOP"),
    )
    assert got.of(ToolCall) == []
    assert len(got.of(Unrecognized)) == 1


def test_pieces_without_a_call_are_unrecognized() -> None:
    got = gemini(response(call(piece("$.a", numberValue=1))), response(call(), finish="STOP"))
    assert len(got.of(Unrecognized)) == 1
    assert got.of(ToolCallDelta) == []


def test_limits_of_calls() -> None:
    many = [response(call(name="f")) for _ in range(3)]
    got = gemini(*many, limits=Limits(tool_calls=2))
    assert got.error is not None
    assert (got.outcome, got.error.kind) == ("failed", "limit")
    longer = [response(call(name="f", willContinue=True))]
    longer += [response(call(piece("$.a", stringValue="x" * 50), willContinue=True))] * 3
    assert gemini(*longer, limits=Limits(arguments_bytes=120)).outcome == "failed"


def pieces_of(value: Any, path: str = "$") -> list[dict[str, Any]]:
    """The pieces as which a server streams ``value``."""
    if is_object(value):
        return [p for k, v in value.items() for p in pieces_of(v, f"{path}[{json.dumps(k)}]")]
    if is_array(value):
        return [p for i, v in enumerate(value) for p in pieces_of(v, f"{path}[{i}]")]
    if isinstance(value, str):
        letters = [piece(path, more=True, stringValue=letter) for letter in value]
        return [*letters, piece(path, stringValue="")]
    if isinstance(value, bool):
        return [piece(path, boolValue=value)]
    return [piece(path, nullValue=None) if value is None else piece(path, numberValue=value)]


@given(ARGUMENTS)
def test_pieces_make_the_arguments_that_were_streamed(arguments: dict[str, Any]) -> None:
    merged = PartialArguments()
    text = "".join([merged.add(p, 128) for p in pieces_of(arguments)]) + merged.end()
    assert json.loads(text) == arguments


@given(st.lists(st.sampled_from(["$.a", "$.a.b", "$.b[0]", "$.b[1].c", "$.c", "$['d'][0]"])))
def test_whatever_merges_is_json(paths: list[str]) -> None:
    merged = PartialArguments()
    text = ""
    for number, path in enumerate(paths):
        try:
            text += merged.add(piece(path, numberValue=number), 128)
        except Unmergeable:
            continue
    text += merged.end()
    assert not text or isinstance(json.loads(text), dict)
