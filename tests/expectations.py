"""Comparing what was read with the ``expected.json`` of a recorded stream.

``differences(transcript, expected)`` names the fields that differ; the conventions are those
of the captures' README.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sans_io_stream.transcript import Transcript

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CAPTURES = SHARED / "captures"

DIALECT_OF = {
    "deepseek": "openai-chat",
    "gemini-sse": "gemini",
    "gemini-json-array": "gemini",
    "writer-completions": "openai-completions",
}
OBJECT_ARGUMENTS = {"gemini", "ollama", "cohere-v1", "gemini-interactions"}


def dialect_of(meta: dict[str, Any]) -> str:
    return DIALECT_OF.get(meta["dialect"], meta["dialect"])


def differences(
    transcript: Transcript, expected: dict[str, Any], dialect: str
) -> dict[str, tuple[Any, Any]]:
    """Field → (read, expected), for the fields that differ."""
    error = transcript.end.error if transcript.end and transcript.end.outcome == "failed" else None
    got: dict[str, Any] = {
        "text": transcript.text,
        "reasoning_text": transcript.reasoning,
        "refusal": transcript.refusal,
        "tool_calls": [_call(c, dialect) for c in transcript.tool_calls],
        "finish_reason": transcript.raw_finish_reason,
        "usage": transcript.usage.raw if transcript.usage else None,
        "model": transcript.model,
        "response_id": transcript.response_id,
        "error": error and (error.type, error.code, error.message, error.status),
    }
    want: dict[str, Any] = {field: expected[field] for field in got}
    want["tool_calls"] = [
        {k: c.get(k) for k in ("id", "name", "arguments")} for c in expected["tool_calls"]
    ]
    if dialect in OBJECT_ARGUMENTS:
        for call in want["tool_calls"]:
            call["arguments"] = json.loads(call["arguments"] or "{}")
    if told := expected["error"]:
        status = told.get("http_status") or (error.status if error else None)
        want["error"] = (told.get("type"), told.get("code"), told["message"], status)
    if choices := expected.get("choices"):
        got["choices"] = {
            str(index): {"text": c.text, "finish_reason": c.raw_finish_reason}
            for index, c in sorted(transcript.choices.items())
        }
        want["choices"] = {
            index: {k: c[k] for k in ("text", "finish_reason")} for index, c in choices.items()
        }
    return {field: (got[field], want[field]) for field in got if got[field] != want[field]}


def _call(call: Any, dialect: str) -> dict[str, Any]:
    arguments: Any = call.arguments
    if dialect in OBJECT_ARGUMENTS:
        arguments = json.loads(arguments or "{}")
    return {"id": call.id, "name": call.name, "arguments": arguments}
