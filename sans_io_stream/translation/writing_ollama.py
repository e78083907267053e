"""Writing a request in the format of Ollama's chat.

Source: Ollama's API documentation, "Generate a chat completion".
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Question, Result, Text, refuse
from .writing import (
    Settings,
    arguments_of,
    loose,
    one_of,
    schema_alone,
    set_by,
    text_of,
    told,
    unfit,
)
from .writing_openai import tool_of

__all__ = ["SETTINGS", "write_ollama"]

PROVIDER = "Ollama"
EFFORTS = {"low": "low", "medium": "medium", "high": "high"}


def schema(body: dict[str, Any], value: dict[str, Any]) -> None:
    """The schema that the answer has to fit."""
    body["format"] = schema_alone(value, PROVIDER)


def any_json(body: dict[str, Any], _: bool) -> None:
    """The answer has to be some JSON."""
    body["format"] = "json"


def thinking(body: dict[str, Any], effort: str) -> None:
    """How hard to think."""
    body["think"] = one_of(EFFORTS, effort, "reasoning_effort")


SETTINGS: Settings = {
    "max_tokens": "options.num_predict",
    "temperature": "options.temperature",
    "top_p": "options.top_p",
    "top_k": "options.top_k",
    "stop": "options.stop",
    "seed": "options.seed",
    "presence_penalty": "options.presence_penalty",
    "frequency_penalty": "options.frequency_penalty",
    "effort": thinking,
    "schema": schema,
    "json": any_json,
}


def write_ollama(question: Question) -> dict[str, Any]:
    """The body of a request to Ollama. Raises ``Untranslatable``."""
    loose(question, PROVIDER)
    body: dict[str, Any] = {"model": question.model, "messages": []}
    names: dict[str, str] = {}
    for message in question.messages:
        body["messages"] += messages_of(message, names)
    if question.tool is not None or question.choice == "required":
        refuse("tool_choice", f"{PROVIDER} leaves it to the model whether a tool is called")
    # There is no word for "none": without tools there is nothing to be called.
    if question.tools and question.choice != "none":
        body["tools"] = [tool_of(tool) for tool in question.tools]
    set_by(body, question, SETTINGS, PROVIDER)
    return body


def messages_of(message: Message, names: dict[str, str]) -> list[dict[str, Any]]:
    """The messages of one turn. A result is known by the name of its tool, which ``names``
    has by the id of its call."""
    if message.role == "system":
        return [{"role": "system", "content": text_of(message, PROVIDER)}]
    results: list[dict[str, Any]] = []
    texts: list[str] = []
    images: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Image) and message.role == "user":
            if part.data is None:
                refuse(message.at, f"{PROVIDER} takes an image's bytes, not its address")
            images.append(part.data)
        elif isinstance(part, Result) and message.role == "user":
            if part.id not in names:
                refuse(message.at, f"no call has the id {part.id!r}, whose result this is")
            text = told(part, message.at, PROVIDER)
            results.append({"role": "tool", "tool_name": names[part.id], "content": text})
        elif isinstance(part, Call) and message.role == "assistant":
            names[part.id] = part.name
            arguments = arguments_of(part.arguments, message.at)
            calls.append({"function": {"name": part.name, "arguments": arguments}})
        else:
            raise unfit(message, part, PROVIDER)
    turn: dict[str, Any] = {"role": message.role, "content": "\n\n".join(texts)}
    if images:
        turn["images"] = images
    if calls:
        turn["tool_calls"] = calls
    return results if results and not (texts or images) else [*results, turn]
