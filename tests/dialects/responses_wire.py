"""The events of a response as OpenAI sends them, for tests: each call makes the next one."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]


class Wire:
    """Makes events with sequence numbers that count up."""

    def __init__(self, first: int = 0) -> None:
        self.number = first - 1

    def __call__(self, kind: str, **fields: Any) -> Event:
        self.number += 1
        return {"type": f"response.{kind}", **fields, "sequence_number": self.number}

    def created(self, **fields: Any) -> Event:
        return self("created", response=response("in_progress", **fields))

    def text(self, delta: str, place: int = 0, **fields: Any) -> Event:
        where = {"item_id": "msg_1", "output_index": place, "content_index": 0}
        return self("output_text.delta", **where, delta=delta, logprobs=[], **fields)

    def summary(self, delta: str, place: int = 0, part: int = 0) -> Event:
        where = {"item_id": "rs_1", "output_index": place, "summary_index": part}
        return self("reasoning_summary_text.delta", **where, delta=delta)

    def call(self, place: int = 0, **fields: Any) -> Event:
        item = tool(place, "", status="in_progress") | fields
        return self("output_item.added", output_index=place, item=item)

    def arguments(self, delta: str, place: int = 0) -> Event:
        where = {"item_id": f"fc_{place}", "output_index": place}
        return self("function_call_arguments.delta", **where, delta=delta)

    def done(self, item: Event, place: int = 0) -> Event:
        return self("output_item.done", output_index=place, item=item)

    def end(self, status: str = "completed", **fields: Any) -> Event:
        return self(status, response=response(status, **fields))


def response(status: str, **fields: Any) -> Event:
    return {
        "id": "resp_1", "object": "response", "status": status, "model": "gpt-x", "output": [],
        "error": None, "incomplete_details": None, "usage": None, **fields,
    }  # fmt: skip


def tool(place: int, arguments: str, **fields: Any) -> Event:
    names = {"id": f"fc_{place}", "call_id": f"call_{place}", "name": f"tool_{place}"}
    whole = {"type": "function_call", **names, "arguments": arguments, "status": "completed"}
    return whole | fields


def message(*parts: Event) -> Event:
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": list(parts)}


USAGE: Event = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 8},
    "total_tokens": 50,
}

REFERENCE = [
    "audio.delta", "audio.done", "audio.transcript.delta", "audio.transcript.done",
    "code_interpreter_call_code.delta", "code_interpreter_call_code.done",
    "code_interpreter_call.completed", "code_interpreter_call.in_progress",
    "code_interpreter_call.interpreting", "compaction.compacting", "completed",
    "content_part.added", "content_part.done", "created", "custom_tool_call_input.delta",
    "custom_tool_call_input.done", "failed", "file_search_call.completed",
    "file_search_call.in_progress", "file_search_call.searching",
    "function_call_arguments.delta", "function_call_arguments.done",
    "image_generation_call.completed", "image_generation_call.generating",
    "image_generation_call.in_progress", "image_generation_call.partial_image", "in_progress",
    "incomplete", "mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_call.completed",
    "mcp_call.failed", "mcp_call.in_progress", "mcp_list_tools.completed",
    "mcp_list_tools.failed", "mcp_list_tools.in_progress", "output_item.added",
    "output_item.done", "output_text.annotation.added", "output_text.delta", "output_text.done",
    "queued", "reasoning_summary_part.added", "reasoning_summary_part.done",
    "reasoning_summary_text.delta", "reasoning_summary_text.done", "reasoning_text.delta",
    "reasoning_text.done", "refusal.delta", "refusal.done", "shell_call_command.added",
    "shell_call_command.delta", "shell_call_command.done", "shell_call_output_content.delta",
    "shell_call_output_content.done", "web_search_call.completed",
    "web_search_call.in_progress", "web_search_call.searching",
]  # fmt: skip
"""The types of the reference, without ``error`` and without their prefix."""
