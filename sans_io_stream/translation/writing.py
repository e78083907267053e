"""What the writers share: settings by table, texts alone, tools as JSON schemas.

A writer is a function from a ``Question`` to the body of a request in one provider's format. It
takes every part that it has words for, and refuses the others by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from ..dialects.shapes import is_object
from .question import Message, Part, Question, Result, Setting, Text, Untranslatable, refuse
from .shapes import put

__all__ = [
    "Settings", "arguments_of", "loose", "one_of", "schema_alone", "set_by", "system_apart",
    "text_of", "together", "told", "unfit",
]  # fmt: skip

T = TypeVar("T")

Settings = Mapping[Setting, str | Callable[[dict[str, Any], Any], None]]
"""Where in the body each setting goes: a path with dots, or a function that puts it there."""


def set_by(body: dict[str, Any], question: Question, settings: Settings, provider: str) -> None:
    """Put every setting of the question into the body. Refuses one without a place."""
    for name, value in question.settings.items():
        where = settings.get(name)  # type: ignore[call-overload]
        if where is None:
            refuse(question.named.get(name, name), f"{provider} has no such setting")
        if isinstance(where, str):
            put(body, where, value)
        else:
            where(body, value)


def unfit(message: Message, part: Part, provider: str) -> Untranslatable:
    """What to raise for a part that has no place in a message of its role."""
    kind = type(part).__name__.lower()
    why = f"{provider} takes no {kind} in a message of the {message.role}'s"
    return Untranslatable(message.at, why)


def text_of(message: Message, provider: str) -> str:
    """The text of a message that may hold nothing else."""
    texts: list[str] = []
    for part in message.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        else:
            raise unfit(message, part, provider)
    return "\n\n".join(texts)


def system_apart(question: Question, provider: str) -> tuple[str, list[Message]]:
    """What the system says, and the turns behind it, for formats that hold the two apart.

    A word of the system's between the turns is refused: it would be moved to the front.
    """
    told: list[str] = []
    turns: list[Message] = []
    for message in question.messages:
        if message.role != "system":
            turns.append(message)
        elif turns:
            refuse(message.at, f"{provider} takes a message of the system's only in front")
        else:
            told.append(text_of(message, provider))
    return "\n\n".join(told), turns


def together(turns: list[Message]) -> list[Message]:
    """Neighbours of one role as one turn: results of several calls come back together."""
    joined: list[Message] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            last = joined[-1]
            joined[-1] = Message(turn.role, (*last.parts, *turn.parts), last.at)
        else:
            joined.append(turn)
    return joined


def loose(question: Question, provider: str) -> None:
    """Refuse a tool whose arguments have to fit its schema, where nothing sees to that."""
    for number, tool in enumerate(question.tools):
        if tool.strict:
            refuse(f"tools[{number}].strict", f"{provider} does not promise it ({tool.name})")


def schema_alone(value: dict[str, Any], provider: str) -> dict[str, Any]:
    """The schema that an answer has to fit, for formats that take nothing with it."""
    if "description" in value:
        refuse("response_format.json_schema.description", f"{provider} takes none")
    schema: dict[str, Any] = value["schema"]
    return schema


def arguments_of(text: str, at: str) -> dict[str, Any]:
    """The arguments of a call, as formats want them that take no JSON text."""
    try:
        value: Any = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        value = None
    if not is_object(value):
        refuse(at, "the arguments of a call are no JSON object")
    return value


def told(result: Result, at: str, provider: str) -> str:
    """The text of a tool's result, for formats without a word for a failure."""
    text = text_of(Message("user", result.parts, at), provider)
    return f"Error: {text}" if result.failed else text


def one_of(words: Mapping[str, T], word: Any, name: str) -> T:
    """What a word is in the provider's format. Refuses one that it has none for."""
    if word not in words:
        refuse(name, f"{word!r} is none of {', '.join(words)}")
    return words[word]
