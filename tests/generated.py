"""Streams that providers could have sent: an answer, drawn by Hypothesis, on the wire of each.

``answers()`` draws what is said; ``WIRES`` writes it down in one protocol each, as records;
``frames`` puts records on a framing with line ends and noise of its own. What was said is
known, so that nothing lost and nothing invented can be checked without another reader.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import strategies as st


class Call(NamedTuple):
    id: str
    name: str
    pieces: list[str]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Answer(NamedTuple):
    """What is said: the pieces of thinking, of text, the calls, and the counts."""

    reasoning: list[str]
    text: list[str]
    calls: list[Call]
    prompt: int
    completion: int


class Wire(NamedTuple):
    """One protocol: its records (event name, value), and what its reader says at the end."""

    dialect: str
    framings: tuple[str, ...]
    records: Callable[[Answer], list[tuple[str, object]]]
    thinks: bool = True
    names_calls: bool = True


TEXTS = st.text(
    st.one_of(
        st.sampled_from('ab "\\\n\r\t{}[]:,\x00\u2028\u0085é海😀'), st.characters(codec="utf-8")
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


def split(text: str, sizes: list[int]) -> list[str]:
    pieces: list[str] = []
    for size in sizes:
        pieces.append(text[:size])
        text = text[size:]
    return [piece for piece in [*pieces, text] if piece]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    arguments = json.dumps(
        draw(st.dictionaries(TEXTS, st.integers() | TEXTS, min_size=1, max_size=3)),
        ensure_ascii=draw(st.booleans()),
    )
    sizes = draw(st.lists(st.integers(1, 9), max_size=4))
    name = draw(st.sampled_from(["get_weather", "search", "f"]))
    return Call(f"call_{draw(st.integers(0, 10**6))}", name, split(arguments, sizes))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    drawn = draw(st.lists(calls(), max_size=3, unique_by=lambda call: call.id))
    return Answer(
        draw(st.lists(TEXTS, max_size=4)),
        draw(st.lists(TEXTS, min_size=0 if drawn else 1, max_size=8)),
        drawn,
        draw(st.integers(0, 10**6)),
        draw(st.integers(1, 10**6)),
    )


def chat(answer: Answer) -> list[tuple[str, object]]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}

    def chunk(delta: object, finish: str | None = None) -> tuple[str, object]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return "", {**base, "choices": [choice]}

    records = [chunk({"role": "assistant", "content": ""})]
    records += [chunk({"reasoning_content": piece}) for piece in answer.reasoning]
    records += [chunk({"content": piece}) for piece in answer.text]
    for index, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        opening = {"index": index, "id": call.id, "type": "function", "function": function}
        records.append(chunk({"tool_calls": [opening]}))
        for piece in call.pieces:
            fragment = {"index": index, "function": {"arguments": piece}}
            records.append(chunk({"tool_calls": [fragment]}))
    records.append(chunk({}, "tool_calls" if answer.calls else "stop"))
    counts = {"prompt_tokens": answer.prompt, "completion_tokens": answer.completion}
    counts["total_tokens"] = answer.prompt + answer.completion
    records.append(("", {**base, "choices": [], "usage": counts}))
    return [*records, ("", None)]


def anthropic(answer: Answer) -> list[tuple[str, object]]:
    usage = {"input_tokens": answer.prompt, "output_tokens": 1}
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    message |= {"model": "m-1", "stop_reason": None, "usage": usage}
    values: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    index = 0

    def block(start: dict[str, Any], deltas: list[dict[str, str]]) -> None:
        nonlocal index
        values.append({"type": "content_block_start", "index": index, "content_block": start})
        values.extend(
            {"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas
        )
        values.append({"type": "content_block_stop", "index": index})
        index += 1

    if answer.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in answer.reasoning]
        block({"type": "thinking", "thinking": "", "signature": ""}, thoughts)
    if answer.text:
        texts = [{"type": "text_delta", "text": piece} for piece in answer.text]
        block({"type": "text", "text": ""}, texts)
    for call in answer.calls:
        tool: dict[str, Any] = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        block(tool, [{"type": "input_json_delta", "partial_json": p} for p in call.pieces])
    stop = {"stop_reason": "tool_use" if answer.calls else "end_turn"}
    counts = {"output_tokens": answer.completion}
    values.append({"type": "message_delta", "delta": stop, "usage": counts})
    values.append({"type": "message_stop"})
    return [(value["type"], value) for value in values]


def responses(answer: Answer) -> list[tuple[str, object]]:
    base: dict[str, Any] = {"id": "resp_1", "object": "response", "model": "m-1", "output": []}
    values: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**base, "status": "in_progress"}}
    ]
    item: dict[str, Any] = {"id": "rs_1", "type": "reasoning", "summary": []}
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    if answer.reasoning:
        values.append({"type": "response.output_item.added", "output_index": 0, "item": item})
        values += [
            {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
            for piece in answer.reasoning
        ]
    place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    if answer.text:
        item = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        values.append({"type": "response.output_item.added", "output_index": 1, "item": item})
        values += [
            {"type": "response.output_text.delta", **place, "delta": piece} for piece in answer.text
        ]
    for index, call in enumerate(answer.calls, 2):
        item = {"id": f"fc_{index}", "type": "function_call", "call_id": call.id}
        item |= {"name": call.name, "arguments": ""}
        place = {"item_id": item["id"], "output_index": index}
        kind = "response.function_call_arguments"
        values.append({"type": "response.output_item.added", "output_index": index, "item": item})
        values += [{"type": f"{kind}.delta", **place, "delta": piece} for piece in call.pieces]
        values.append({"type": f"{kind}.done", **place, "arguments": call.arguments})
        done = {**item, "arguments": call.arguments, "status": "completed"}
        values.append({"type": "response.output_item.done", "output_index": index, "item": done})
    counts = {"input_tokens": answer.prompt, "output_tokens": answer.completion}
    counts["total_tokens"] = answer.prompt + answer.completion
    end = {**base, "status": "completed", "usage": counts}
    values.append({"type": "response.completed", "response": end})
    return [(v["type"], {**v, "sequence_number": n}) for n, v in enumerate(values)]


def gemini(answer: Answer) -> list[tuple[str, object]]:
    parts: list[dict[str, Any]] = [{"text": p, "thought": True} for p in answer.reasoning]
    parts += [{"text": piece} for piece in answer.text]
    parts += [
        {"functionCall": {"name": call.name, "args": json.loads(call.arguments)}}
        for call in answer.calls
    ]
    records: list[tuple[str, object]] = []
    for number, part in enumerate(parts, 1):
        candidate: dict[str, Any] = {"content": {"parts": [part], "role": "model"}, "index": 0}
        counts = {"promptTokenCount": answer.prompt}
        if number == len(parts):
            candidate["finishReason"] = "STOP"
            counts["candidatesTokenCount"] = answer.completion
            counts["totalTokenCount"] = answer.prompt + answer.completion
        value = {"candidates": [candidate], "usageMetadata": counts}
        records.append(("", value | {"modelVersion": "m-1", "responseId": "r-1"}))
    return records


def ollama(answer: Answer) -> list[tuple[str, object]]:
    head = {"model": "m-1", "created_at": "2025-05-19T09:26:59.678947Z"}

    def line(message: dict[str, Any]) -> tuple[str, object]:
        full = {"role": "assistant", "content": "", **message}
        return "", {**head, "message": full, "done": False}

    records = [line({"thinking": piece}) for piece in answer.reasoning]
    records += [line({"content": piece}) for piece in answer.text]
    for call in answer.calls:
        function = {"name": call.name, "arguments": json.loads(call.arguments)}
        records.append(line({"tool_calls": [{"function": function}]}))
    counts = {"prompt_eval_count": answer.prompt, "eval_count": answer.completion}
    message = {"message": {"role": "assistant", "content": ""}}
    return [*records, ("", {**head, **message, "done": True, "done_reason": "stop", **counts})]


WIRES = (
    Wire("openai-chat", ("sse", "jsonl"), chat),
    Wire("anthropic", ("sse", "jsonl"), anthropic),
    Wire("openai-responses", ("sse", "jsonl"), responses),
    Wire("gemini", ("sse", "json-array"), gemini, names_calls=False),
    Wire("ollama", ("jsonl",), ollama, names_calls=False),
)

NOISE = (b"", b"", b"", b": keep-alive\n\n", b"event: ping\n\n", b"retry: 3000\n\n", b"\n")


class Stream(NamedTuple):
    """A body, what it says, and how it is to be read."""

    answer: Answer
    wire: Wire
    framing: str
    body: bytes
    record_ends: list[int]

    @property
    def content_type(self) -> str:
        return {
            "sse": "text/event-stream",
            "jsonl": "application/x-ndjson",
            "json-array": "application/json",
        }[self.framing]


@st.composite
def streams(draw: st.DrawFn, wires: tuple[Wire, ...] = WIRES) -> Stream:
    answer = draw(answers())
    wire = draw(st.sampled_from(wires))
    framing = draw(st.sampled_from(wire.framings))
    ascii_only = draw(st.booleans())
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])) if framing == "sse" else b"\n"
    noisy = framing == "sse" and draw(st.booleans())
    pieces: list[bytes] = []
    ends: list[int] = []
    records = [r for r in wire.records(answer) if r[1] is not None or framing == "sse"]
    for number, (name, value) in enumerate(records):
        data = json.dumps(value, ensure_ascii=ascii_only).encode() if value else b"[DONE]"
        if framing == "sse":
            head = b"event: " + name.encode() + end if name else b""
            pieces.append(head + b"data: " + data + end + end)
            if noisy:
                pieces.append(draw(st.sampled_from(NOISE)).replace(b"\n", end))
        elif framing == "jsonl":
            pieces.append(data + b"\n")
        else:
            last = number == len(records) - 1
            pieces.append((b"," if number else b"[") + data + (b"]" if last else b"\n"))
        ends.append(sum(map(len, pieces)))
    return Stream(answer, wire, framing, b"".join(pieces), ends)
