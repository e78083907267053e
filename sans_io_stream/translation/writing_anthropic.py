"""Writing a request in the format of Anthropic's Messages.

Source: the Anthropic API reference, "Create a Message"; its guide to extended thinking.
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Part, Question, Result, Text, Thought
from .shapes import put
from .writing import Settings, arguments_of, one_of, set_by, system_apart, together, unfit

__all__ = ["SETTINGS", "write_anthropic"]

PROVIDER = "Anthropic"
MAX_TOKENS = 4096
"""The API wants a limit from everybody; this one every model takes."""
BUDGETS = {"minimal": 1024, "low": 4096, "medium": 16384, "high": 32768}
"""Tokens of thinking, for each word that others have for it."""
CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def thinking(body: dict[str, Any], effort: str) -> None:
    """A budget of thinking, which counts against the limit of tokens."""
    budget = one_of(BUDGETS, effort, "reasoning_effort")
    put(body, "thinking", {"type": "enabled", "budget_tokens": budget})
    if body["max_tokens"] <= budget:
        body["max_tokens"] += budget


def one_at_a_time(body: dict[str, Any], parallel: bool) -> None:
    """Whether several tools may be called at once stands with the choice of a tool."""
    choice = body.setdefault("tool_choice", {"type": "auto"})
    if choice["type"] != "none":
        choice["disable_parallel_tool_use"] = not parallel


SETTINGS: Settings = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "parallel_tool_calls": one_at_a_time,
    "effort": thinking,
}


def write_anthropic(question: Question) -> dict[str, Any]:
    """The body of a Messages request. Raises ``Untranslatable``."""
    system, turns = system_apart(question, PROVIDER)
    body: dict[str, Any] = {"model": question.model, "max_tokens": MAX_TOKENS}
    if system:
        body["system"] = system
    body["messages"] = [
        {"role": turn.role, "content": content_of(turn)} for turn in together(turns)
    ]
    if question.tools:
        body["tools"] = [
            {
                "name": tool.name,
                **({} if tool.description is None else {"description": tool.description}),
                "input_schema": tool.parameters or {"type": "object", "properties": {}},
                **({"strict": True} if tool.strict else {}),
            }
            for tool in question.tools
        ]
    if question.tool is not None:
        body["tool_choice"] = {"type": "tool", "name": question.tool}
    elif question.choice is not None:
        body["tool_choice"] = {"type": CHOICES[question.choice]}
    set_by(body, question, SETTINGS, PROVIDER)
    return body


def content_of(turn: Message) -> str | list[dict[str, Any]]:
    """One text is told as one, anything else as blocks."""
    if len(turn.parts) == 1 and isinstance(turn.parts[0], Text):
        return turn.parts[0].text
    return [block_of(turn, part) for part in turn.parts]


def block_of(turn: Message, part: Part) -> dict[str, Any]:
    """The block of one part."""
    match part:
        case Text(text=text):
            return {"type": "text", "text": text}
        case Image() if turn.role == "user":
            return {"type": "image", "source": source_of(part)}
        case Call() if turn.role == "assistant":
            arguments = arguments_of(part.arguments, turn.at)
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
        case Thought() if turn.role == "assistant" and part.signature is not None:
            thought = {"thinking": part.text, "signature": part.signature}
            return {"type": "thinking", **thought}
        case Result() if turn.role == "user":
            told = Message("user", part.parts, turn.at)
            block = {"type": "tool_result", "tool_use_id": part.id, "content": content_of(told)}
            return {**block, "is_error": True} if part.failed else block
        case _:
            raise unfit(turn, part, PROVIDER)


def source_of(image: Image) -> dict[str, Any]:
    """Where the bytes of an image are."""
    if image.url is not None:
        return {"type": "url", "url": image.url}
    return {"type": "base64", "media_type": image.mime_type, "data": image.data}
