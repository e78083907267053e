"""The streams that are measured: bodies of real providers' shape, made here.

Each is a start, many records of one kind, and the provider's own end; sizes of records are
those of recorded streams (an OpenAI chunk has about 330 bytes, most of them not text).
"""

from __future__ import annotations

import json
from typing import NamedTuple

WORDS = (
    "The", " sea", " is", " calm", " to", "night", ",", " the", " tide", " is", " full", ".",
    " Dover", " \u2014", " na\u00efve", " caf\u00e9", ' "quoted"', "\n\n", " \u6d77", " lies",
)  # fmt: skip
RECORDS = 800


class Body(NamedTuple):
    """One stream: its records as they stand on the wire, and how they are framed."""

    name: str
    dialect: str
    framing: str
    records: list[bytes]

    @property
    def data(self) -> bytes:
        return b"".join(self.records)


def words(count: int) -> list[str]:
    return [WORDS[i % len(WORDS)] for i in range(count)]


def dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def data_only(values: list[object], done: bool = False) -> list[bytes]:
    records = [f"data: {dump(value)}\n\n".encode() for value in values]
    return [*records, b"data: [DONE]\n\n"] if done else records


def named(values: list[dict[str, object]]) -> list[bytes]:
    return [f"event: {v['type']}\ndata: {dump(v)}\n\n".encode() for v in values]


def chat_chunk(delta: object, finish: str | None = None, number: int = 0) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-CMKAuuvC6E26nL6HLZzTrysEvC8Ln",
        "object": "chat.completion.chunk",
        "created": 1759436804,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_cbf1785567",
        "usage": None,
        "choices": [choice],
        "obfuscation": "zLrnbPKVod1x"[: number % 13],
    }


def chat(kind: str) -> Body:
    if kind == "tools":
        function = {"name": "get_weather", "arguments": ""}
        first = {"index": 0, "id": "call_NS4iQj14cDFwc0BnrKqDHavt", "type": "function"}
        opening: object = {"role": "assistant", "content": None}
        deltas: list[object] = [{"tool_calls": [{**first, "function": function}]}]
        pieces = ['{"text":"', *words(RECORDS), '"}']
        pieces = [piece.replace('"', "'") for piece in pieces]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": p}}]} for p in pieces]
        finish = "tool_calls"
    else:
        field = "content" if kind == "text" else "reasoning_content"
        opening = {"role": "assistant", "content": "", "refusal": None}
        deltas = [{field: word} for word in words(RECORDS)]
        finish = "stop"
    values: list[object] = [chat_chunk(opening)]
    values += [chat_chunk(delta, number=i) for i, delta in enumerate(deltas)]
    values.append(chat_chunk({}, finish))
    usage = {"prompt_tokens": 21, "completion_tokens": RECORDS, "total_tokens": 21 + RECORDS}
    values.append({**chat_chunk({}), "choices": [], "usage": usage})
    return Body(f"chat {kind}", "openai-chat", "sse", data_only(values, done=True))


def responses(kind: str) -> Body:
    item = "msg_0ecff685e411ca7b0069e06356f3c0819bbd3b5a"
    response: dict[str, object] = {
        "id": "resp_0ecff685e411ca7b0069e063569c7c",
        "object": "response",
        "model": "gpt-4o-mini-2024-07-18",
        "status": "in_progress",
        "output": [],
    }
    if kind == "tools":
        call = {"type": "function_call", "id": item, "call_id": "call_1", "name": "get_weather"}
        call |= {"arguments": "", "status": "in_progress"}
        added: dict[str, object] = {"item": call}
        delta_type = "response.function_call_arguments.delta"
        extra: dict[str, object] = {}
    else:
        added = {"item": {"id": item, "type": "message", "role": "assistant", "content": []}}
        delta_type = "response.output_text.delta"
        extra = {"content_index": 0, "logprobs": []}
    values: list[dict[str, object]] = [{"type": "response.created", "response": response}]
    values.append({"type": "response.output_item.added", "output_index": 0, **added})
    for i, word in enumerate(words(RECORDS)):
        values.append(
            {"type": delta_type, "item_id": item, "output_index": 0, **extra, "delta": word}
            | {"sequence_number": 0, "obfuscation": "zLrnbPKVod1x"[: i % 13]}
        )
    usage = {"input_tokens": 21, "output_tokens": RECORDS, "total_tokens": 21 + RECORDS}
    done = response | {"status": "completed", "usage": usage}
    values.append({"type": "response.completed", "response": done})
    values = [value | {"sequence_number": i} for i, value in enumerate(values)]
    return Body(f"responses {kind}", "openai-responses", "sse", named(values))


def anthropic(kind: str) -> Body:
    usage = {"input_tokens": 598, "cache_read_input_tokens": 0}
    usage |= {"cache_creation_input_tokens": 0, "output_tokens": 8}
    message: dict[str, object] = {
        "id": "msg_01JdU4xqNHXL9QCFWkwCDKGr",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [],
        "stop_reason": None,
        "usage": usage,
    }
    blocks: dict[str, tuple[dict[str, object], str, str]] = {
        "text": ({"type": "text", "text": ""}, "text_delta", "text"),
        "reasoning": (
            {"type": "thinking", "thinking": "", "signature": ""},
            "thinking_delta",
            "thinking",
        ),
        "tools": (
            {"type": "tool_use", "id": "toolu_01825dXWL", "name": "get_weather", "input": {}},
            "input_json_delta",
            "partial_json",
        ),
    }
    block, delta, field = blocks[kind]
    values: list[dict[str, object]] = [{"type": "message_start", "message": message}]
    values.append({"type": "content_block_start", "index": 0, "content_block": block})
    values.append({"type": "ping"})
    for word in words(RECORDS):
        piece = {"type": delta, field: word}
        values.append({"type": "content_block_delta", "index": 0, "delta": piece})
    values.append({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    values.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": RECORDS}})
    values.append({"type": "message_stop"})
    return Body(f"anthropic {kind}", "anthropic", "sse", named(values))


def gemini() -> Body:
    values: list[object] = []
    for i, word in enumerate(words(RECORDS), 1):
        content = {"parts": [{"text": word}], "role": "model"}
        candidate: dict[str, object] = {"content": content, "index": 0}
        if i == RECORDS:
            candidate["finishReason"] = "STOP"
        usage: dict[str, object] = {
            "promptTokenCount": 9,
            "candidatesTokenCount": i,
            "totalTokenCount": 265 + i,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
            "thoughtsTokenCount": 256,
        }
        values.append(
            {"candidates": [candidate], "usageMetadata": usage}
            | {"modelVersion": "gemini-3-pro-preview", "responseId": "dX6LadKVC7SZ28oPr9yJoQs"}
        )
    return Body("gemini text", "gemini", "sse", data_only(values))


def ollama() -> Body:
    head = {"model": "gemma3:1b", "created_at": "2025-05-19T09:26:59.678947Z"}
    values: list[dict[str, object]] = [
        {**head, "message": {"role": "assistant", "content": word}, "done": False}
        for word in words(RECORDS)
    ]
    counts = {"done_reason": "stop", "prompt_eval_count": 16, "eval_count": RECORDS}
    message = {"role": "assistant", "content": ""}
    values.append({**head, "message": message, "done": True, **counts})
    return Body("ollama text", "ollama", "jsonl", [f"{dump(v)}\n".encode() for v in values])


def bodies() -> list[Body]:
    """All measured streams, the gated ones first."""
    return [
        chat("text"), responses("text"), anthropic("text"), gemini(), ollama(),
        chat("tools"), chat("reasoning"), responses("tools"),
        anthropic("tools"), anthropic("reasoning"),
    ]  # fmt: skip
