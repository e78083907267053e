"""Reading a request in the format of OpenAI's chat completions.

Source: the OpenAI API reference, "Create chat completion". ``SETTINGS`` and ``PARTS`` are the
table; what a request holds beside them is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..dialects.shapes import is_object
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
    Tool,
    ToolChoice,
    refuse,
)
from .shapes import Parts, array, asked, known_only, member, objects, parts_of, settings_of

__all__ = ["SETTINGS", "read_openai"]

SETTINGS: dict[str, Setting] = {
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "user": "user",
    "safety_identifier": "user",
    "parallel_tool_calls": "parallel_tool_calls",
    "reasoning_effort": "effort",
}
FIELDS = frozenset(SETTINGS) | {
    "model", "messages", "tools", "tool_choice", "response_format", "stream", "stream_options",
}  # fmt: skip
"""All that is understood. How an answer is streamed is the business of whoever streams it."""
NEUTRAL: dict[str, Any] = {
    "n": 1, "logprobs": False, "store": False, "service_tier": "auto", "modalities": ["text"],
    "presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}, "metadata": {},
    "parallel_tool_calls": True,
}  # fmt: skip
"""Values that ask for nothing: those that some clients always send."""

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant",
    "tool": "user",
}  # fmt: skip
CHOICES: dict[str, ToolChoice] = {"auto": "auto", "none": "none", "required": "required"}
MESSAGE = frozenset({"role", "content", "tool_calls", "tool_call_id", "refusal"})
ANSWERED = frozenset({"reasoning_content", "reasoning", "reasoning_details", "annotations"})
"""What stands beside the content of an answer, and comes back when a client tells the answer as
it got it. No provider wants it back in this form."""


def read_openai(body: Mapping[str, Any]) -> Question:
    """The question of a chat completions request. Raises ``Untranslatable``."""
    body = asked(body, NEUTRAL)
    known_only(body, FIELDS, "")
    choice, tool = tool_choice(body.get("tool_choice"))
    settings, named = settings_of(body, SETTINGS)
    if "response_format" in body:
        settings |= wanted_format(member(body, "response_format", dict, ""))
        named |= dict.fromkeys(("json", "schema"), "response_format")
    return Question(
        model=member(body, "model", str, ""),
        messages=tuple(
            message(one, at) for one, at in objects(member(body, "messages", list, ""), "messages")
        ),
        tools=tuple(tool_of(one, at) for one, at in objects(array(body, "tools", ""), "tools")),
        choice=choice,
        tool=tool,
        settings=settings,
        named=named,
    )


def message(one: dict[str, Any], at: str) -> Message:
    """One message, whatever its role."""
    name = member(one, "role", str, at)
    if name not in ROLES:
        refuse(f"{at}role", f"{name!r} is no role")
    known_only(one, MESSAGE | ANSWERED if name == "assistant" else MESSAGE, at)
    parts: list[Part] = parts_of(one.get("content"), f"{at}content", PARTS)
    if name == "tool":
        # Parts of a result are texts: the API takes nothing else there.
        told = tuple(part for part in parts if isinstance(part, Text | Image))
        parts = [Result(member(one, "tool_call_id", str, at), told)]
    if one.get("refusal"):
        parts.append(Text(member(one, "refusal", str, at)))
    parts += [
        call(made, where)
        for made, where in objects(array(one, "tool_calls", at), f"{at}tool_calls")
    ]
    return Message(ROLES[name], tuple(parts), at.rstrip("."))


def text_part(one: dict[str, Any], at: str) -> Part:
    """A piece of text."""
    return Text(member(one, "text", str, at))


def refusal_part(one: dict[str, Any], at: str) -> Part:
    """What the model declined with: to any other model it is what was said."""
    return Text(member(one, "refusal", str, at))


def image_part(one: dict[str, Any], at: str) -> Part:
    """An image: the address of one, or a ``data:`` URL."""
    held = member(one, "image_url", dict, at)
    if held.get("detail") == "auto":
        held = {name: value for name, value in held.items() if name != "detail"}
    known_only(held, frozenset({"url"}), f"{at}image_url.")
    url: str = member(held, "url", str, f"{at}image_url.")
    if not url.startswith("data:"):
        return Image(url=url)
    head, comma, data = url[len("data:") :].partition(",")
    mime_type, _, coding = head.partition(";")
    if not comma or coding != "base64" or not mime_type:
        refuse(f"{at}image_url.url", "a data URL of an image has a type, and is in base64")
    return Image(mime_type=mime_type, data=data)


PARTS: Parts = {
    "text": (frozenset({"text"}), text_part),
    "refusal": (frozenset({"refusal"}), refusal_part),
    "image_url": (frozenset({"image_url"}), image_part),
}


def call(one: dict[str, Any], at: str) -> Call:
    """A tool call of an assistant's message."""
    known_only(one, frozenset({"id", "type", "function", "index"}), at)
    function = member(one, "function", dict, at)
    known_only(function, frozenset({"name", "arguments"}), f"{at}function.")
    return Call(
        member(one, "id", str, at),
        member(function, "name", str, f"{at}function."),
        member(function, "arguments", str, f"{at}function.", ""),
    )


def tool_of(one: dict[str, Any], at: str) -> Tool:
    """The definition of a function."""
    known_only(one, frozenset({"type", "function"}), at)
    if one.get("type") != "function":
        refuse(at.rstrip("."), f"a tool of type {one.get('type')!r} cannot be translated")
    function, at = member(one, "function", dict, at), f"{at}function."
    known_only(function, frozenset({"name", "description", "parameters", "strict"}), at)
    return Tool(
        member(function, "name", str, at),
        member(function, "description", str, at, None),
        member(function, "parameters", dict, at, None),
        member(function, "strict", bool, at, None),
    )


def tool_choice(held: Any) -> tuple[ToolChoice | None, str | None]:
    """Whether tools are to be called, and the one that is."""
    if held is None:
        return None, None
    if isinstance(held, str):
        if held not in CHOICES:
            refuse("tool_choice", f"{held!r} is none of {', '.join(CHOICES)}")
        return CHOICES[held], None
    if not is_object(held) or held.get("type") != "function":
        refuse("tool_choice", "only a function can be chosen")
    known_only(held, frozenset({"type", "function"}), "tool_choice.")
    function = member(held, "function", dict, "tool_choice.")
    known_only(function, frozenset({"name"}), "tool_choice.function.")
    return None, member(function, "name", str, "tool_choice.function.")


def wanted_format(held: dict[str, Any]) -> dict[str, Any]:
    """What the answer has to fit."""
    known_only(held, frozenset({"type", "json_schema"}), "response_format.")
    kind = held.get("type")
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"json": True}
    if kind != "json_schema":
        refuse("response_format", f"a format of type {kind!r} cannot be translated")
    at = "response_format.json_schema."
    told = member(held, "json_schema", dict, "response_format.")
    known_only(told, frozenset({"name", "schema", "strict", "description"}), at)
    said = {
        "name": member(told, "name", str, at, None),
        "description": member(told, "description", str, at, None),
        "strict": member(told, "strict", bool, at, None),
    }
    whole = {name: value for name, value in said.items() if value is not None}
    return {"schema": {**whole, "schema": member(told, "schema", dict, at)}}
