from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream.errors import ErrorInfo
from sans_io_stream.events import (
    Annotation,
    Finish,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    Unrecognized,
    Usage,
)

from .reading import jsonl, read, text_of

NAME = "openai-assistants"
Record = tuple[str, Any]
USAGE = {"prompt_tokens": 27, "completion_tokens": 16, "total_tokens": 43}


def sse(*records: Record) -> bytes:
    return "".join(f"event: {n}\ndata: {text_of(d)}\n\n" for n, d in records).encode()


def run(status: str, **fields: Any) -> Record:
    told = {"id": "run_1", "object": "thread.run", "status": status, "model": "gpt-x"}
    none = {"required_action": None, "last_error": None, "usage": None}
    return f"thread.run.{status}", told | none | fields


def text(value: Any, id: str = "msg_1", **fields: Any) -> Record:
    part = {"index": 0, "type": "text", "text": {"value": value, **fields}}
    return delta(part, id)


def delta(part: Any, id: str = "msg_1") -> Record:
    told = {"id": id, "object": "thread.message.delta", "delta": {"content": [part]}}
    return "thread.message.delta", told


def message(status: str, *parts: Any, **fields: Any) -> Record:
    told = {"id": "msg_1", "object": "thread.message", "role": "assistant", "content": parts}
    return f"thread.message.{status}", told | {"status": status} | fields


def step(status: str, *calls: Any) -> Record:
    details = {"type": "tool_calls", "tool_calls": calls}
    told = {"id": "step_1", "object": "thread.run.step", "status": status}
    return f"thread.run.step.{status}", told | {"step_details": details}


def step_delta(*calls: Any) -> Record:
    details = {"step_details": {"type": "tool_calls", "tool_calls": calls}}
    told = {"id": "step_1", "object": "thread.run.step.delta", "delta": details}
    return "thread.run.step.delta", told


def function(index: int, arguments: str | None, **names: Any) -> dict[str, Any]:
    call: dict[str, Any] = {"index": index, "type": "function"}
    if "id" in names:
        call["id"] = names.pop("id")
    return call | {"function": {"arguments": arguments, "output": None} | names}


def wanted(*calls: Any) -> Record:
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
    return run("requires_action", required_action=action)


DONE: Record = ("done", "[DONE]")
BEGIN = [run("queued"), run("in_progress")]


def test_an_answer() -> None:
    records = [("thread.created", {"id": "thread_1", "object": "thread"}), *BEGIN]
    records += [step("in_progress"), message("created"), text("Sure", annotations=[]), text("!")]
    whole = {"type": "text", "text": {"value": "Sure!"}}
    records += [message("completed", whole), step("completed"), run("completed", usage=USAGE), DONE]
    said = read(NAME, sse(*records))
    assert said.outcome == "complete"
    assert said.of(StreamStart) == [StreamStart("run_1", "gpt-x")]
    assert said.of(TextDelta) == [TextDelta("Sure"), TextDelta("!")]
    assert said.of(Finish) == [Finish("stop", "completed")]
    assert said.of(Usage)[-1].raw == USAGE
    assert said.of(Usage)[-1].final
    assert said.of(Unrecognized) == []


def test_the_objects_tell_what_the_event_names_do() -> None:
    records = [*BEGIN, text("Hi"), run("completed", usage=USAGE)]
    named = read(NAME, sse(*records)).events
    assert read(None, sse(*records)).events == named
    assert read(NAME, jsonl(*(data for _, data in records))).events == named
    wrapped = [{"event": name, "data": data} for name, data in records]
    assert read(None, jsonl(*wrapped)).events == named
    bare = [(n, {k: v for k, v in d.items() if k not in ("object", "status")}) for n, d in records]
    assert read(None, sse(*bare)).events == named


def test_a_message_without_deltas() -> None:
    parts = [{"type": "text", "text": {"value": "Hi", "annotations": [{"type": "file_path"}]}}]
    said = read(NAME, sse(*BEGIN, message("incomplete", *parts), run("incomplete"), DONE))
    assert said.transcript.text == "Hi"
    assert said.annotations("citation") == [{"type": "file_path"}]
    users = message("completed", *parts, role="user")
    assert read(NAME, sse(*BEGIN, users)).transcript.text == ""


def test_parts_that_are_no_text() -> None:
    image = {"index": 1, "type": "image_file", "image_file": {"file_id": "f"}}
    refusal = {"index": 2, "type": "refusal", "refusal": "No."}
    said = read(NAME, sse(*BEGIN, delta(image), delta(refusal), run("completed"), DONE))
    assert said.annotations("image_file") == [image]
    assert said.transcript.refusal == "No."


def test_calls_in_parallel_are_whole_when_the_run_waits_for_them() -> None:
    records = [*BEGIN, step_delta(function(0, "", id="call_1", name="one"))]
    records += [step_delta(function(1, "", id="call_2", name="two"), function(0, '{"a"'))]
    records += [step_delta(function(0, ":1}")), step_delta(function(1, "[]"))]
    calls = [{"id": f"call_{n}", "type": "function"} for n in (1, 2)]
    said = read(NAME, sse(*records, wanted(*calls), DONE))
    expected = [ToolCall(0, "call_1", "one", '{"a":1}'), ToolCall(1, "call_2", "two", "[]")]
    assert said.of(ToolCall) == expected
    assert said.of(Finish) == [Finish("tool_calls", "requires_action")]
    assert said.outcome == "complete"
    cut = read(NAME, sse(*records))
    assert cut.of(ToolCall) == []
    assert cut.outcome == "interrupted"
    unlisted = read(NAME, sse(*records, run("requires_action"), DONE))
    assert unlisted.of(ToolCall) == expected


def test_calls_that_only_the_run_lists() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "one", "arguments": "{}"}}
    said = read(NAME, sse(*BEGIN, wanted(call), DONE))
    assert said.of(ToolCall) == [ToolCall(0, "call_1", "one", "{}")]


def test_the_step_that_called_functions_before_calls_none_again() -> None:
    old = function(0, "{}", id="call_1", name="one", output="42")
    said = read(NAME, sse(step("completed", old), *BEGIN, text("Hi"), run("completed"), DONE))
    assert said.of(ToolCall) == []
    assert said.of(Finish) == [Finish("stop", "completed")]


def test_tools_of_the_server() -> None:
    code = {"index": 0, "type": "code_interpreter", "code_interpreter": {"input": "1+1"}}
    said = read(NAME, sse(*BEGIN, step_delta(code), step("completed", code), run("completed")))
    assert said.of(Annotation) == [Annotation("code_interpreter", code)]
    whole = read(NAME, sse(*BEGIN, step("completed", code), run("completed")))
    assert whole.of(Annotation) == [Annotation("code_interpreter", code)]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("completed", "stop"), ("requires_action", "tool_calls"), ("incomplete", "length"),
    ],
)  # fmt: skip
def test_how_a_run_ends(status: str, reason: Any) -> None:
    said = read(NAME, sse(*BEGIN, run("cancelling"), run(status), DONE))
    assert said.of(Finish) == [Finish(reason, status)]
    assert said.outcome == "complete"


@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_a_run_that_was_cancelled(status: str) -> None:
    said = read(NAME, sse(*BEGIN, run("cancelling"), run(status), DONE))
    assert said.outcome == "failed"
    assert said.error == ErrorInfo("provider", "the generation was cancelled", status)
    assert said.of(Finish) == [Finish("error", status)]


def test_failures() -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"}
    limited = ErrorInfo("rate_limit", "slow down", None, "rate_limit_exceeded", retryable=True)
    said = read(NAME, sse(*BEGIN, run("failed", last_error=error), DONE))
    assert (said.outcome, said.error) == ("failed", limited)
    assert said.of(Finish) == [Finish("error", "failed")]
    silent = read(NAME, sse(*BEGIN, run("failed"), DONE))
    assert silent.error == ErrorInfo("provider", "the run failed")
    flat = read(NAME, sse(*BEGIN, ("error", error | {"type": None, "param": None})))
    assert flat.error == limited
    nested = read(NAME, sse(*BEGIN, ("error", {"error": error})))
    assert nested.error == limited


def test_the_end_of_the_run_is_enough() -> None:
    records = [*BEGIN, text("Hi"), run("completed", usage=USAGE)]
    assert read(NAME, sse(*records)).outcome == "complete"
    assert read(NAME, sse(*records), truncated=True).outcome == "interrupted"
    assert read(NAME, sse(*records[:-1])).outcome == "interrupted"


def test_what_is_not_known_is_told() -> None:
    odd: list[Record] = [("thing", {"x": 1}), ("thing", 5), ("message", {"object": "vector"})]
    said = read(NAME, sse(*BEGIN, *odd, run("completed"), DONE))
    assert len(said.of(Unrecognized)) == 3


WRONG: list[Any] = [None, True, -1, 10**30, "x", "\ud83d", [], [1], [[]], {}, {"a": 1}]


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_wrong_types(wrong: Any) -> None:
    call = function(0, "{}", id="call_1", name="one")
    good = [run("failed", usage=USAGE, last_error={"message": "m"}), text("a"), step_delta(call)]
    good += [step("completed", call), message("completed", {"text": {"value": "a"}}), wanted(call)]
    records: list[Record] = [("thread.run.created", json.dumps(wrong))]
    for name, data in good:
        records += [(name, data | {key: wrong}) for key in data]
    records += [delta(wrong), text(wrong), text("a", annotations=wrong), step_delta(wrong)]
    records += [step_delta(function(0, wrong)), step_delta({"function": wrong}), wanted(wrong)]
    records += [run(json.dumps(wrong), usage={"prompt_tokens": wrong, "text": "\ud83d"})]
    assert len(read(NAME, sse(*records)).of(StreamEnd)) == 1
