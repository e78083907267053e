"""No string, number or key, wherever it stands in a record, makes an event that is no JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from sans_io_stream import Limits, decode_event, encode_event
from sans_io_stream.dialects.base import Dialect, LimitReached
from sans_io_stream.dialects.registry import DIALECTS
from sans_io_stream.dialects.shapes import is_array, is_object
from sans_io_stream.framing.items import WireRecord
from tests.dialects.chat_wire import call, chunk, counts

HIGH, LOW = "\ud83e", "\udd9c"

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [
        chunk({"content": "x", "reasoning": "y", "refusal": "z", "novel": "n"}),
        call("{", 0, "a", "f"),
        call({"text": "x"}, None, "b", "g"),
        {**chunk({}, "stop"), "x_groq": {"id": "q"}, "citations": ["u"], "novel": {"text": "x"}},
        counts(prompt_tokens=1, completion_tokens=2, cost=0.1, note={"text": "x"}),
        {"error": {"message": "m", "type": "t", "code": "c", "metadata": {"text": "x"}}},
    ],
    "openai-responses": [
        {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "model": "m"}},
        {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "i",
         "output_index": 0, "content_index": 0, "delta": "x"},
        {"type": "response.completed", "sequence_number": 2, "response": {"id": "r", "status":
         "completed", "output": [], "usage": {"input_tokens": 1, "output_tokens": 2}}},
        {"type": "novel", "sequence_number": 3, "text": "x"},
    ],
    "anthropic": [
        {"type": "message_start", "message":
         {"id": "i", "model": "m", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block":
         {"type": "tool_use", "id": "t", "name": "n", "input": {"text": "x"}}},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "input_json_delta", "partial_json": "{"}},
        {"type": "message_delta", "usage": {"output_tokens": 3},
         "delta": {"stop_reason": "end_turn", "stop_details": {"text": "x"}}},
    ],
    "gemini": [
        {"responseId": "r", "modelVersion": "m", "usageMetadata": {"promptTokenCount": 1},
         "candidates": [{"index": 0, "finishReason": "STOP", "content": {"parts": [
             {"text": "x"}, {"functionCall": {"name": "f", "id": "i", "args": {"text": "x"}}}]}}]},
        {"promptFeedback": {"blockReason": "SAFETY", "text": "x"}},
    ],
    "cohere": [
        {"type": "message-start", "id": "i"},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "x"}}},
        {"type": "citation-start", "delta": {"message": {"citations": {"text": "x", "start": 1}}}},
        {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "m", "usage":
         {"tokens": {"input_tokens": 1.0, "output_tokens": 2}, "novel": {"text": "x"}}}},
    ],
    "cohere-v1": [
        {"event_type": "stream-start", "generation_id": "g"},
        {"event_type": "tool-calls-generation",
         "tool_calls": [{"name": "f", "parameters": {"text": "x", "n": 1}}]},
        {"event_type": "stream-end", "finish_reason": "COMPLETE",
         "response": {"meta": {"tokens": {"input_tokens": 1}, "novel": {"text": "x"}}}},
    ],
    "ollama": [
        {"model": "m", "created_at": "t", "message": {"content": "x", "thinking": "y",
         "tool_calls": [{"function": {"name": "f", "arguments": {"text": "x"}}}]}},
        {"model": "m", "done": True, "done_reason": "stop", "eval_count": 1, "x_count": "x",
         "context": [1, 2], "logprobs": [{"text": "x"}]},
    ],
    "watsonx": [
        {"model_id": "m", "results": [{"generated_text": "x", "generated_token_count": 1,
         "input_token_count": 2, "stop_reason": "eos_token", "moderations": {"text": "x"}}]},
    ],
    "replicate": [{"reason": "canceled", "text": "x"}],
    "native": [{"event": "text", "text": "x"}, {"event": "annotation", "kind": "k", "data": "x"}],
    "holysheep": [chunk({"content": "x"}), counts(promptTokens=1, candidatesTokens=2)],
    "mistral": [chunk({"content": [{"type": "thinking", "thinking": [{"text": "x"}]}]})],
}  # fmt: skip
SPOILT = (HIGH, LOW + "x" + HIGH, 10**40, -(10**40), float("nan"), float("-inf"), 2**64)


def spoilt(value: Any) -> Iterator[Any]:
    """``value`` with each scalar replaced by each spoilt one, and with spoilt keys."""
    if is_object(value):
        yield {**value, HIGH: LOW, "novel": {"text": HIGH, "content": [LOW], "n": 10**40}}
        for key, item in value.items():
            for other in spoilt(item):
                yield {**value, key: other}
    elif is_array(value):
        for i, item in enumerate(value):
            for other in spoilt(item):
                yield [*value[:i], other, *value[i + 1 :]]
    else:
        yield from SPOILT


def check(dialect: Dialect, records: list[Any]) -> None:
    events: list[Any] = []
    for record in records:
        try:
            dialect.take(WireRecord(json.dumps(record).encode(), "done", "id"), events)
        except LimitReached:
            return
    dialect.close(False, events)
    for event in events:
        line = encode_event(event)
        assert encode_event(decode_event(line)) == line
    state = msgspec.json.encode(dialect)
    assert msgspec.json.encode(msgspec.json.decode(state, type=type(dialect))) == state


@pytest.mark.parametrize("name", SAMPLES)
def test_events_and_state_are_json_whatever_is_spoilt(name: str) -> None:
    records = SAMPLES[name]
    for i, record in enumerate(records):
        for other in spoilt(record):
            check(DIALECTS[name](limits=Limits()), [*records[:i], other, *records[i + 1 :]])
