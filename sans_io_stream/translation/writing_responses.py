"""Writing a request in the format of OpenAI's responses.

Source: the OpenAI API reference, "Create a model response", and its guide for those who come
from chat completions. What a model thought is the provider's own there, and cannot be told.
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Question, Result, Text
from .shapes import put
from .writing import Settings, set_by, told, unfit
from .writing_openai import url_of

__all__ = ["SETTINGS", "write_responses"]

PROVIDER = "the Responses format"
TEXTS = {"system": "input_text", "user": "input_text", "assistant": "output_text"}


def schema(body: dict[str, Any], value: dict[str, Any]) -> None:
    """The schema that the answer has to fit."""
    put(body, "text.format", {"type": "json_schema", "name": "answer", **value})


def any_json(body: dict[str, Any], _: bool) -> None:
    """The answer has to be some JSON."""
    put(body, "text.format", {"type": "json_object"})


SETTINGS: Settings = {
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "user": "user",
    "parallel_tool_calls": "parallel_tool_calls",
    "effort": "reasoning.effort",
    "schema": schema,
    "json": any_json,
}


def write_responses(question: Question) -> dict[str, Any]:
    """The body of a Responses request. Raises ``Untranslatable``."""
    body: dict[str, Any] = {"model": question.model, "input": []}
    for message in question.messages:
        body["input"] += items_of(message)
    if question.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                **({} if tool.description is None else {"description": tool.description}),
                "parameters": tool.parameters,
                "strict": bool(tool.strict),
            }
            for tool in question.tools
        ]
    if question.tool is not None:
        body["tool_choice"] = {"type": "function", "name": question.tool}
    elif question.choice is not None:
        body["tool_choice"] = question.choice
    set_by(body, question, SETTINGS, PROVIDER)
    return body


def items_of(message: Message) -> list[dict[str, Any]]:
    """The items of one turn: calls and their results are items of their own."""
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            content.append({"type": TEXTS[message.role], "text": part.text})
        elif isinstance(part, Image) and message.role == "user":
            content.append({"type": "input_image", "image_url": url_of(part)})
        elif isinstance(part, Result) and message.role == "user":
            text = told(part, message.at, PROVIDER)
            items.append({"type": "function_call_output", "call_id": part.id, "output": text})
        elif isinstance(part, Call) and message.role == "assistant":
            call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
            items.append({"type": "function_call", **call})
        else:
            raise unfit(message, part, PROVIDER)
    turn = [{"role": message.role, "content": content}] if content else []
    return [*turn, *items] if message.role == "assistant" else [*items, *turn]
