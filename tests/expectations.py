"""Recorded streams, and the comparison of what was read with their ``expected.json``.

``differences`` names the fields that differ; the conventions are those of the captures'
README. ``DISAGREEMENTS`` lists the expectations that are held to be wrong, each with what
was read instead and why.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sans_io_stream.transcript import Transcript

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CAPTURES = SHARED / "captures"

NO_ERROR_TYPE = (
    'the document is {"message": …} alone; boto makes the HTTP status up as its error code'
)
SERVER_TOOL_USAGE = (
    "serverToolUsage stands in the wire's usage object, and boto drops what its model of the "
    "service does not know"
)
DISAGREEMENTS: dict[str, dict[str, str]] = {
    "bedrock__chatlas__anthropic-images_2": {"error": NO_ERROR_TYPE},
    "bedrock__opentelemetry-python-contrib__converse-stream-with-invalid-model": {
        "error": NO_ERROR_TYPE
    },
    "bedrock__ai__amazon-bedrock-text": {"usage": SERVER_TOOL_USAGE},
    "bedrock__langchain-aws__citations-document1": {"usage": SERVER_TOOL_USAGE},
    "bedrock__pydantic-ai__bedrock-model-stream-empty-text-delta": {"usage": SERVER_TOOL_USAGE},
    "bedrock__ruby_llm__chat-web-search-with-bedrock-amazon-nova-2-lite-v1-0-streams-grounded"
    "-turns": {
        "usage": SERVER_TOOL_USAGE,
        "tool_calls": "the block says type server_tool_use: Bedrock runs it, the caller must "
        "not; it is an annotation, as Anthropic's server tools are",
    },
    "bedrock__dd-trace-py__anthropic-invoke-stream": {
        "finish_reason": "the last chunk says stop_reason stop_sequence"
    },
}
"""Capture → field → why its expectation is held to be wrong."""

DIALECT_OF = {
    "deepseek": "openai-chat",
    "gemini-sse": "gemini",
    "gemini-json-array": "gemini",
    "writer-completions": "openai-completions",
}
OBJECT_ARGUMENTS = {"gemini", "ollama", "cohere-v1", "gemini-interactions"}


class Recording(NamedTuple):
    """One recorded response body."""

    id: str
    dialect: str
    content_type: str | None
    status: int
    path: Path

    @property
    def body(self) -> bytes:
        return (self.path / "body.bin").read_bytes()

    @property
    def expected(self) -> dict[str, Any]:
        expected: dict[str, Any] = json.loads((self.path / "expected.json").read_text())
        return expected


@cache
def recordings() -> list[Recording]:
    """All recorded streams; none where ``../shared`` is missing."""
    found: list[Recording] = []
    for path in sorted(CAPTURES.glob("*/meta.json")):
        meta = json.loads(path.read_text())
        found.append(
            Recording(
                meta["id"], dialect_of(meta), meta["content_type"], meta["status"], path.parent
            )
        )
    return found


def dialect_of(meta: dict[str, Any]) -> str:
    name: str = meta["dialect"]
    return DIALECT_OF.get(name, name)


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
    for field in ("model", "response_id"):
        want[field] = want[field] or None
    if want["finish_reason"] is not None:
        want["finish_reason"] = str(want["finish_reason"])
    if any(call.get("partial") for call in expected["tool_calls"]):
        # Listed part by part: every part with a name begins a call, the others go on with it.
        got["tool_calls"] = [call["name"] for call in got["tool_calls"]]
        names = [call["name"] for call in expected["tool_calls"] if call["name"]]
        return _differing(got, {**want, "tool_calls": names})
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
    return _differing(got, want)


def _differing(got: dict[str, Any], want: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {field: (got[field], want[field]) for field in got if got[field] != want[field]}


def _call(call: Any, dialect: str) -> dict[str, Any]:
    arguments: Any = call.arguments
    if dialect in OBJECT_ARGUMENTS:
        arguments = json.loads(arguments or "{}")
    return {"id": call.id, "name": call.name, "arguments": arguments}
