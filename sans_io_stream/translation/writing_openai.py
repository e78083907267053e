"""Writing a request in the format of OpenAI's chat completions, and of its family.

Source: the OpenAI API reference, "Create chat completion"; Mistral's and Cohere's "Chat".
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Question, Result, Text, Tool
from .shapes import put
from .writing import Settings, loose, schema_alone, set_by, text_of, told, unfit

__all__ = ["COHERE_SETTINGS", "MISTRAL_SETTINGS", "SETTINGS", "write_cohere", "write_mistral"]
__all__ += ["write_openai"]


def schema(body: dict[str, Any], value: dict[str, Any]) -> None:
    """The schema that the answer has to fit."""
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", **value}}


def any_json(body: dict[str, Any], _: bool) -> None:
    """The answer has to be some JSON."""
    body["response_format"] = {"type": "json_object"}


SETTINGS: Settings = {
    "max_tokens": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "user": "user",
    "parallel_tool_calls": "parallel_tool_calls",
    "effort": "reasoning_effort",
    "schema": schema,
    "json": any_json,
}
MISTRAL_SETTINGS: Settings = {
    **{name: place for name, place in SETTINGS.items() if name not in ("user", "effort")},
    "max_tokens": "max_tokens",
    "seed": "random_seed",
}


def cohere_schema(body: dict[str, Any], value: dict[str, Any]) -> None:
    """Cohere has no name for a schema."""
    told = schema_alone(value, "Cohere")
    body["response_format"] = {"type": "json_object", "json_schema": told}


COHERE_SETTINGS: Settings = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "stop": "stop_sequences",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "schema": cohere_schema,
    "json": any_json,
}


def write_openai(question: Question) -> dict[str, Any]:
    """The body of a chat completions request. Raises ``Untranslatable``."""
    body = chat_body(question, "the chat format", SETTINGS)
    if question.tool is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": question.tool}}
    elif question.choice is not None:
        body["tool_choice"] = question.choice
    return body


def write_mistral(question: Question) -> dict[str, Any]:
    """The body of a request to Mistral, where a tool that has to be called is any."""
    body = chat_body(question, "Mistral", MISTRAL_SETTINGS)
    if question.tool is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": question.tool}}
    elif question.choice is not None:
        body["tool_choice"] = {"required": "any"}.get(question.choice, question.choice)
    return body


def write_cohere(question: Question) -> dict[str, Any]:
    """The body of a request to Cohere, version 2, which lets a model choose where nothing is
    said, and takes the name of no tool: the others are left out instead."""
    if question.tool is not None:
        tools = tuple(tool for tool in question.tools if tool.name == question.tool)
        question = Question(
            question.model,
            question.messages,
            tools,
            "required",
            settings=question.settings,
            named=question.named,
        )
    loose(question, "Cohere")
    body = chat_body(question, "Cohere", COHERE_SETTINGS)
    if question.choice in ("required", "none"):
        body["tool_choice"] = question.choice.upper()
    return body


def chat_body(question: Question, provider: str, settings: Settings) -> dict[str, Any]:
    """What the whole family has in common."""
    body: dict[str, Any] = {"model": question.model, "messages": []}
    for message in question.messages:
        body["messages"] += messages_of(message, provider)
    if question.tools:
        body["tools"] = [tool_of(tool) for tool in question.tools]
    set_by(body, question, settings, provider)
    return body


def messages_of(message: Message, provider: str) -> list[dict[str, Any]]:
    """The messages of one turn: each result of a tool is one of its own, before the rest."""
    if message.role == "system":
        return [{"role": "system", "content": text_of(message, provider)}]
    results: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image) and message.role == "user":
            content.append({"type": "image_url", "image_url": {"url": url_of(part)}})
        elif isinstance(part, Result) and message.role == "user":
            text = told(part, message.at, provider)
            results.append({"role": "tool", "tool_call_id": part.id, "content": text})
        elif isinstance(part, Call) and message.role == "assistant":
            function = {"name": part.name, "arguments": part.arguments}
            calls.append({"id": part.id, "type": "function", "function": function})
        else:
            raise unfit(message, part, provider)
    if content and all(one["type"] == "text" for one in content):
        turn: dict[str, Any] = {"role": message.role, "content": joined(content)}
    else:
        turn = {"role": message.role, "content": content or None}
    if calls:
        put(turn, "tool_calls", calls)
    return results if results and not content else [*results, turn]


def joined(content: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One text is told as one; several stay apart."""
    text: str = content[0]["text"]
    return text if len(content) == 1 else content


def url_of(image: Image) -> str:
    """The address of an image, or its bytes as one."""
    return image.url or f"data:{image.mime_type};base64,{image.data}"


def tool_of(tool: Tool) -> dict[str, Any]:
    """The definition of a function; what nobody said is left out."""
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    return {"type": "function", "function": {k: v for k, v in function.items() if v is not None}}
