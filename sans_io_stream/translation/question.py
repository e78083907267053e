"""Question: what a request asks of a model, in no provider's words.

A reader makes one of a request in some format, a writer a request in another. What a reader does
not know, and what a writer has no words for, is ``Untranslatable``, by the name that it has in
the request: nothing is dropped.
"""

from __future__ import annotations

from typing import Any, Literal, NoReturn

import msgspec

from ..errors import StreamError

__all__ = [
    "KINDS",
    "Call",
    "Image",
    "Message",
    "Part",
    "Question",
    "Result",
    "Role",
    "Setting",
    "Text",
    "Thought",
    "Tool",
    "ToolChoice",
    "Untranslatable",
    "refuse",
]

Role = Literal["system", "user", "assistant"]
Setting = Literal[
    "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "presence_penalty",
    "frequency_penalty", "user", "parallel_tool_calls", "effort", "schema", "json",
]  # fmt: skip
"""What can be set beside the messages. ``stop`` is a list of texts; ``effort`` how hard to think
(minimal, low, medium, high); ``schema`` the JSON schema that the answer has to fit, as
``{"name", "schema", "strict", "description"}``, without what nobody said; ``json`` is True where
it has to be any JSON."""
KINDS: dict[Setting, type] = {
    "max_tokens": int, "temperature": float, "top_p": float, "top_k": int, "stop": list,
    "seed": int, "presence_penalty": float, "frequency_penalty": float, "user": str,
    "parallel_tool_calls": bool, "effort": str,
}  # fmt: skip
"""The types of those that are plain values; a float may be an int."""


class Untranslatable(StreamError, ValueError):
    """A request holds what the provider's format has no words for. ``field`` is where."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field


def refuse(field: str, why: str) -> NoReturn:
    """Raise ``Untranslatable``."""
    raise Untranslatable(field, why)


class Text(msgspec.Struct, frozen=True):
    """Some text."""

    text: str


class Image(msgspec.Struct, frozen=True):
    """An image: its bytes in base64 with their type, or the address of one."""

    mime_type: str | None = None
    data: str | None = None
    url: str | None = None


class Thought(msgspec.Struct, frozen=True):
    """Thinking of the model's, with the provider's signature."""

    text: str
    signature: str | None = None


class Call(msgspec.Struct, frozen=True):
    """A tool call of the model's; ``arguments`` is JSON text."""

    id: str
    name: str
    arguments: str


class Result(msgspec.Struct, frozen=True):
    """What a tool gave for the call of that id."""

    id: str
    parts: tuple[Text | Image, ...]
    failed: bool = False


Part = Text | Image | Thought | Call | Result


class Message(msgspec.Struct, frozen=True):
    """One turn. Results of tools are the user's."""

    role: Role
    parts: tuple[Part, ...]
    at: str = "messages"
    """Where it stood in the request, for messages about it."""


class Tool(msgspec.Struct, frozen=True):
    """A tool that the model may call; ``parameters`` is a JSON schema."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


ToolChoice = Literal["auto", "none", "required"]


class Question(msgspec.Struct, frozen=True):
    """A request. ``named`` says what each setting is called in it."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    """Whether tools are to be called."""
    tool: str | None = None
    """The one tool that is to be called."""
    settings: dict[str, Any] = {}
    named: dict[str, str] = {}
