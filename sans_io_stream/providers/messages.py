"""Messages as everybody writes them, ``{"role": …, "content": "…"}``, in each provider's form.

One table: how a turn of plain text looks, where the system's text goes, and how to know a turn
that is in the provider's own form already, which passes as it is. Only text is turned; what is
more (tools, images) raises ``ValueError`` and names the message: it would be lost otherwise.
Sources: Gemini API ``Content``; Bedrock Runtime ``Message``; Gemini Interactions ``Step``;
Anthropic ``MessageParam``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

__all__ = ["FORMS", "Message", "Messages", "checked", "system_named", "turned"]

Message = Mapping[str, object]
Messages = Sequence[Message]
Made = dict[str, object]

SYSTEM = ("system", "developer")
TEXT_PARTS = ("text", "input_text", "output_text")


@dataclass(frozen=True, slots=True)
class Form:
    """How one API writes a conversation."""

    title: str
    turns: str
    """The field of the turns."""
    system: str
    """The field of the system's text."""
    roles: Mapping[str, str]
    """What it calls whom. A system among them may also stand between the turns."""
    own: Callable[[Message], bool]
    """Whether a message is in this form already."""
    turn: Callable[[str, list[str]], Made]
    """A turn of that role and these texts."""
    instruction: Callable[[list[str]], object]
    """The system's texts."""


def turned(form: str, messages: Messages, fields: Mapping[str, object]) -> Made:
    """``messages`` as the fields that they are in that form: the turns and the system's text.

    ``fields`` are the caller's. If the system's text is among them, a system message stays
    where it is, if the API has such turns. Raises ``ValueError`` for what cannot be turned.
    """
    into = FORMS[form]
    stay = into.system in fields
    turns: list[Made] = []
    system: list[str] = []
    for number, message in enumerate(checked(messages)):
        role = message.get("role")
        if into.own(message):
            turns.append(message)
            continue
        texts = texts_of(message)
        if role in SYSTEM and texts is not None and not stay:
            system += texts
        elif isinstance(role, str) and role in into.roles and texts is not None:
            turns.append(into.turn(into.roles[role], texts))
        elif role in SYSTEM and texts is not None:
            raise ValueError(
                f"messages[{number}] is the system's, and {into.system}= is given: give one"
            )
        else:
            raise ValueError(
                f"messages[{number}] (role {role!r}) is not plain text: write it in the form of "
                f"{into.title}"
            )
    if not turns:
        raise ValueError("messages holds only the system's text: add a message of the user")
    made: Made = {into.turns: turns}
    if system:
        made[into.system] = into.instruction(system)
    return made


def checked(messages: Messages) -> list[Made]:
    """``messages`` as dicts; raises ``ValueError`` if they are none."""
    told = cast("object", messages)
    if isinstance(told, str | bytes | Mapping) or not isinstance(told, Sequence):
        raise ValueError('messages is a list, such as [{"role": "user", "content": "Hello"}]')
    if not messages:
        raise ValueError('messages is empty: give at least {"role": "user", "content": "…"}')
    for number, message in enumerate(messages):
        if not isinstance(cast("object", message), Mapping):
            raise ValueError(f"messages[{number}] is no mapping such as a dict")
    return [dict(message) for message in messages]


def system_named(messages: Messages) -> list[Made]:
    """``messages``, where "developer", OpenAI's newer word, is "system" as everywhere else."""
    return [
        {**message, "role": "system"} if message.get("role") == "developer" else message
        for message in checked(messages)
    ]


def texts_of(message: Message) -> list[str] | None:
    """The texts of a message; None if it is more than text."""
    said = {name for name, value in message.items() if value is not None and value != []}
    content = message.get("content")
    if not said <= {"role", "content"}:
        return None
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list) or not content:
        return None
    texts: list[str] = []
    for part in cast("list[object]", content):
        text = text_of(part)
        if text is None:
            return None
        texts.append(text)
    return texts


def text_of(part: object) -> str | None:
    """The text of a typed part; None if it is more than that."""
    if not isinstance(part, Mapping):
        return None
    known = cast("Message", part)
    text = known.get("text")
    plain = set(known) == {"type", "text"} and known["type"] in TEXT_PARTS
    return text if plain and isinstance(text, str) else None


def of_claude(message: Message) -> bool:
    """A turn whose content Anthropic takes as it is."""
    calls = message.get("tool_calls") or message.get("function_call")
    return message.get("role") in ("user", "assistant") and not calls


def of_blocks(message: Message) -> bool:
    """A turn of Bedrock's blocks, which have no ``type``."""
    content = message.get("content")
    return isinstance(content, list) and all(
        isinstance(block, Mapping) and "type" not in block
        for block in cast("list[object]", content)
    )


def parts(texts: list[str]) -> list[Made]:
    """Texts as Gemini's parts, and as Bedrock's blocks."""
    return [{"text": text} for text in texts]


def contents(texts: list[str]) -> list[Made]:
    """Texts as typed contents."""
    return [{"type": "text", "text": text} for text in texts]


FORMS: dict[str, Form] = {
    "anthropic": Form(
        "Anthropic's Messages API",
        turns="messages",
        system="system",
        roles={"system": "system", "developer": "system"},
        own=of_claude,
        turn=lambda role, texts: {"role": role, "content": "\n\n".join(texts)},
        instruction="\n\n".join,
    ),
    "gemini": Form(
        "the Gemini API, with parts",
        turns="contents",
        system="systemInstruction",
        roles={"user": "user", "assistant": "model", "model": "model"},
        own=lambda message: "parts" in message,
        turn=lambda role, texts: {"role": role, "parts": parts(texts)},
        instruction=lambda texts: {"parts": parts(texts), "role": "user"},
    ),
    "gemini-interactions": Form(
        "Gemini Interactions, with a type",
        turns="input",
        system="system_instruction",
        roles={"user": "user_input", "assistant": "model_output", "model": "model_output"},
        own=lambda message: "type" in message and "role" not in message,
        turn=lambda role, texts: {"type": role, "content": contents(texts)},
        instruction="\n\n".join,
    ),
    "bedrock-converse": Form(
        "Bedrock's Converse API, with content blocks",
        turns="messages",
        system="system",
        roles={"user": "user", "assistant": "assistant", "system": "system", "developer": "system"},
        own=of_blocks,
        turn=lambda role, texts: {"role": role, "content": parts(texts)},
        instruction=parts,
    ),
}
"""By the name of the dialect that answers."""
