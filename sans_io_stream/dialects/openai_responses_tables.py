"""The events of OpenAI responses, by what they are: the tables that ``openai_responses`` reads.

Every type of the reference stands in exactly one of them. A tool of the caller's (a function,
a custom tool) becomes a tool call; what a tool of the server's does becomes annotations.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Literal

from .shapes import is_object, members

__all__ = [
    "BEGINNINGS",
    "CALL_PIECES",
    "CALL_WHOLES",
    "CHANNELS",
    "ENDS",
    "HEARTBEATS",
    "MEDIA_PIECES",
    "PARTS",
    "PART_CHANNELS",
    "PIECES",
    "SERVER_PIECES",
    "SPELLINGS",
    "STRUCTURAL",
    "TOOL_FIELDS",
    "TOOL_ITEMS",
    "WHOLES",
    "error_fields",
    "from_base64",
    "image_type",
    "part_of",
]

SPELLINGS = {
    "response.reasoning.delta": "response.reasoning_text.delta",
    "response.reasoning.done": "response.reasoning_text.done",
    "response.reasoning_summary.delta": "response.reasoning_summary_text.delta",
    "response.reasoning_summary.done": "response.reasoning_summary_text.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.output_text_annotation.added": "response.output_text.annotation.added",
    "response.code_interpreter_call.code.delta": "response.code_interpreter_call_code.delta",
    "response.code_interpreter_call.code.done": "response.code_interpreter_call_code.done",
    "response.mcp_call.arguments_delta": "response.mcp_call_arguments.delta",
    "response.mcp_call.arguments_done": "response.mcp_call_arguments.done",
    "response.mcp_call.arguments.delta": "response.mcp_call_arguments.delta",
    "response.mcp_call.arguments.done": "response.mcp_call_arguments.done",
    "response.image_generation_call.partial": "response.image_generation_call.partial_image",
    "response.error": "error",
    "response.canceled": "response.cancelled",
    "response.done": "response.completed",
}
"""Spellings that were sent before the reference settled, or against it."""

BEGINNINGS = frozenset({"response.created", "response.queued", "response.in_progress"})
ENDS = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
HEARTBEATS = frozenset({"keepalive", "ping"})

CHANNELS: dict[str, Literal["text", "reasoning", "refusal"]] = {
    "text": "text",
    "reasoning": "reasoning",
    "summary": "reasoning",
    "refusal": "refusal",
}
PIECES = {
    "response.output_text.delta": "text",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "summary",
    "response.refusal.delta": "refusal",
}
"""The channel of each delta of text."""
WHOLES = {
    "response.output_text.done": ("text", "text"),
    "response.reasoning_text.done": ("reasoning", "text"),
    "response.reasoning_summary_text.done": ("summary", "text"),
    "response.refusal.done": ("refusal", "refusal"),
}
"""The channel of each repeated text, and the field that it stands in."""
PARTS = frozenset({"response.content_part.done", "response.reasoning_summary_part.done"})
PART_CHANNELS = {
    "output_text": ("text", "text"),
    "text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning", "text"),
    "summary_text": ("summary", "text"),
}

CALL_PIECES = frozenset(
    {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}
)
CALL_WHOLES = {
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}
TOOL_ITEMS = {"function_call": "arguments", "custom_tool_call": "input"}
"""The items that are calls to a tool of the caller's, and where their arguments stand."""
TOOL_FIELDS = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})

SERVER_PIECES = {
    "response.code_interpreter_call_code.delta": "code_interpreter_call_code",
    "response.mcp_call_arguments.delta": "mcp_call_arguments",
    "response.shell_call_command.delta": "shell_call_command",
    "response.shell_call_output_content.delta": "shell_call_output_content",
}
"""Deltas of what the server's tools do, and the annotations that they become."""
MEDIA_PIECES = {
    "response.image_generation_call.partial_image": "partial_image_b64",
    "response.audio.delta": "delta",
}

STRUCTURAL = BEGINNINGS | frozenset(
    {
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "response.audio.done",
        "response.audio.transcript.done",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call.interpreting",
        "response.code_interpreter_call.completed",
        "response.code_interpreter_call_code.done",
        "response.compaction.compacting",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.image_generation_call.in_progress",
        "response.image_generation_call.generating",
        "response.image_generation_call.completed",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call_arguments.done",
        "response.mcp_list_tools.in_progress",
        "response.mcp_list_tools.completed",
        "response.mcp_list_tools.failed",
        "response.shell_call_command.added",
        "response.shell_call_command.done",
        "response.shell_call_output_content.done",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    }
)
"""Events that only say how far something is, or that repeat what the finished item says."""


def error_fields(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of an error, whether nested or flat, with what its headers say of it."""
    inner = data.get("error")
    fields: dict[str, Any] = {"message": inner if isinstance(inner, str) else "the response failed"}
    if is_object(inner):
        fields = dict(inner)
    elif "error" not in data:
        fields = {k: v for k, v in data.items() if k != "type" or v != "error"}
    for name in ("status", "status_code"):
        if type(data.get(name)) is int:
            fields.setdefault("status_code", data[name])
    for headers in (members(fields.get("headers")), members(data.get("headers"))):
        for name, value in headers.items():
            read_header(name.lower(), value, fields)
    return fields


def read_header(name: str, value: Any, fields: dict[str, Any]) -> None:
    """A header that a server sent inside an error."""
    if name == "x-request-id":
        fields.setdefault("request_id", value)
    if name not in ("retry-after", "retry-after-ms"):
        return
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return
    if 0 <= seconds < float("inf"):
        fields.setdefault("retry_after", seconds / 1000 if name.endswith("ms") else seconds)


def from_base64(data: Any) -> bytes | None:
    """The bytes that ``data`` encodes; None if it is no base64."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None


def image_type(name: Any) -> str | None:
    """The media type of an image format."""
    if not isinstance(name, str) or not name:
        return None
    return "image/svg+xml" if name == "svg" else f"image/{name}"


def part_of(data: dict[str, Any]) -> int:
    """The number of a part within its item."""
    index = data.get("content_index", data.get("summary_index"))
    return index if type(index) is int else 0
