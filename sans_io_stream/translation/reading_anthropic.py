"""Reading a request in the format of Anthropic's Messages.

Source: the Anthropic API reference, "Create a Message". ``SETTINGS`` and ``BLOCKS`` are the
table; what a request holds beside them is refused by name. Marks for caching are left out where
the provider has none: they change the price of an answer, never the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .question import (
    Call,
    Image,
    Message,
    Part,
    Question,
    Result,
    Role,
    Setting,
    Text,
    Thought,
    Tool,
    ToolChoice,
    refuse,
)
from .shapes import Parts, array, asked, known_only, member, objects, parts_of, settings_of

__all__ = ["SETTINGS", "read_anthropic"]

SETTINGS: dict[str, Setting] = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop",
}
FIELDS = frozenset(SETTINGS) | {
    "model", "messages", "system", "tools", "tool_choice", "stream", "metadata", "thinking",
}  # fmt: skip
NEUTRAL: dict[str, Any] = {"thinking": {"type": "disabled"}, "service_tier": "auto"}
"""Values that ask for nothing."""
EFFORTS = ((1024, "minimal"), (4096, "low"), (16384, "medium"))
"""A budget of thinking, in tokens, up to which it is called so; above the last it is high."""
ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant"}
CHOICES: dict[str, ToolChoice] = {"auto": "auto", "none": "none", "any": "required"}


def read_anthropic(body: Mapping[str, Any]) -> Question:
    """The question of a Messages request. Raises ``Untranslatable``."""
    body = asked(body, NEUTRAL)
    known_only(body, FIELDS, "")
    settings, named = settings_of(body, SETTINGS)
    metadata = member(body, "metadata", dict, "", {})
    known_only(metadata, frozenset({"user_id"}), "metadata.")
    user = member(metadata, "user_id", str, "metadata.", None)
    if user is not None:
        settings["user"], named["user"] = user, "metadata.user_id"
    if "thinking" in body:
        settings["effort"], named["effort"] = effort(member(body, "thinking", dict, "")), "thinking"
    choice, tool, parallel = tool_choice(member(body, "tool_choice", dict, "", None))
    if parallel is not None:
        settings["parallel_tool_calls"] = parallel
        named["parallel_tool_calls"] = "tool_choice.disable_parallel_tool_use"
    system = parts_of(body.get("system"), "system", BLOCKS)
    messages = [Message("system", tuple(system), "system")] if system else []
    messages += [
        message(one, at) for one, at in objects(member(body, "messages", list, ""), "messages")
    ]
    return Question(
        model=member(body, "model", str, ""),
        messages=tuple(messages),
        tools=tuple(tool_of(one, at) for one, at in objects(array(body, "tools", ""), "tools")),
        choice=choice,
        tool=tool,
        settings=settings,
        named=named,
    )


def message(one: dict[str, Any], at: str) -> Message:
    """One message."""
    known_only(one, frozenset({"role", "content"}), at)
    name = member(one, "role", str, at)
    if name not in ROLES:
        refuse(f"{at}role", f"{name!r} is no role")
    parts = parts_of(one.get("content"), f"{at}content", BLOCKS)
    return Message(ROLES[name], tuple(parts), at.rstrip("."))


def text_block(one: dict[str, Any], at: str) -> Part:
    """A piece of text. What it cites is not the model's business."""
    return Text(member(one, "text", str, at))


def image_block(one: dict[str, Any], at: str) -> Part:
    """An image: its bytes, or the address of one."""
    source, at = member(one, "source", dict, at), f"{at}source."
    known_only(source, frozenset({"type", "url", "media_type", "data"}), at)
    if source.get("type") == "url":
        return Image(url=member(source, "url", str, at))
    if source.get("type") != "base64":
        refuse(f"{at}type", f"an image from {source.get('type')!r} cannot be translated")
    return Image(member(source, "media_type", str, at), member(source, "data", str, at))


def thinking_block(one: dict[str, Any], at: str) -> Part | None:
    """What the model thought, with its signature. Without any it is no provider's of this format:
    a relay wrote it, and no provider wants it back."""
    text, signature = member(one, "thinking", str, at), member(one, "signature", str, at, None)
    return Thought(text, signature) if signature else None


def call_block(one: dict[str, Any], at: str) -> Part:
    """A tool call."""
    arguments = msgspec.json.encode(member(one, "input", dict, at, {})).decode()
    return Call(member(one, "id", str, at), member(one, "name", str, at), arguments)


def result_block(one: dict[str, Any], at: str) -> Part:
    """What a tool gave."""
    parts: list[Text | Image] = []
    for part in parts_of(one.get("content"), f"{at}content", BLOCKS):
        if not isinstance(part, Text | Image):
            refuse(f"{at}content", "a result holds texts and images")
        parts.append(part)
    failed = member(one, "is_error", bool, at, False)
    return Result(member(one, "tool_use_id", str, at), tuple(parts), failed)


MARKED = frozenset({"cache_control"})
BLOCKS: Parts = {
    "text": (MARKED | {"text", "citations"}, text_block),
    "image": (MARKED | {"source"}, image_block),
    "thinking": (MARKED | {"thinking", "signature"}, thinking_block),
    "tool_use": (MARKED | {"id", "name", "input"}, call_block),
    "tool_result": (MARKED | {"tool_use_id", "content", "is_error"}, result_block),
}


def tool_of(one: dict[str, Any], at: str) -> Tool:
    """The definition of a tool of the client's own."""
    if one.get("type") not in (None, "custom"):
        refuse(at.rstrip("."), f"a tool of type {one['type']!r} cannot be translated")
    known = frozenset({"type", "name", "description", "input_schema", "cache_control", "strict"})
    known_only(one, known, at)
    return Tool(
        member(one, "name", str, at),
        member(one, "description", str, at, None),
        member(one, "input_schema", dict, at, None),
        member(one, "strict", bool, at, None),
    )


def tool_choice(held: dict[str, Any] | None) -> tuple[ToolChoice | None, str | None, bool | None]:
    """Whether tools are to be called, the one that is, and whether several at once."""
    if held is None:
        return None, None, None
    known_only(held, frozenset({"type", "name", "disable_parallel_tool_use"}), "tool_choice.")
    disabled = member(held, "disable_parallel_tool_use", bool, "tool_choice.", None)
    parallel = None if disabled is None else not disabled
    kind = member(held, "type", str, "tool_choice.")
    if kind == "tool":
        return None, member(held, "name", str, "tool_choice."), parallel
    if kind not in CHOICES:
        refuse("tool_choice.type", f"{kind!r} is none of tool, {', '.join(CHOICES)}")
    return CHOICES[kind], None, parallel


def effort(thinking: dict[str, Any]) -> str:
    """How hard to think, in the words that others have for it."""
    if thinking.get("type") != "enabled":
        refuse("thinking.type", f"{thinking.get('type')!r} cannot be translated")
    budget = member(thinking, "budget_tokens", int, "thinking.")
    return next((word for most, word in EFFORTS if budget <= most), "high")
