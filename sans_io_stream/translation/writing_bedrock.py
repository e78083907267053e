"""Writing a request in the format of Amazon Bedrock's Converse.

Source: the Amazon Bedrock API reference, "ConverseStream". The model's name stands in the URL,
not in the body.
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Part, Question, Result, Text, Thought, refuse
from .shapes import put
from .writing import Settings, arguments_of, loose, set_by, system_apart, together, unfit

__all__ = ["SETTINGS", "write_bedrock"]

PROVIDER = "Bedrock"
CHOICES = {"auto": "auto", "required": "any"}

SETTINGS: Settings = {
    "max_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "stop": "inferenceConfig.stopSequences",
}


def write_bedrock(question: Question) -> dict[str, Any]:
    """The body of a Converse request. Raises ``Untranslatable``."""
    loose(question, PROVIDER)
    system, turns = system_apart(question, PROVIDER)
    body: dict[str, Any] = {
        "messages": [
            {"role": turn.role, "content": [block_of(turn, part) for part in turn.parts]}
            for turn in together(turns)
        ]
    }
    if system:
        body["system"] = [{"text": system}]
    # There is no word for "none": without tools there is nothing to be called.
    if question.tools and question.choice != "none":
        tools = [
            {
                "toolSpec": {
                    "name": tool.name,
                    **({} if tool.description is None else {"description": tool.description}),
                    "inputSchema": {"json": tool.parameters or {"type": "object"}},
                }
            }
            for tool in question.tools
        ]
        put(body, "toolConfig.tools", tools)
        if question.tool is not None:
            put(body, "toolConfig.toolChoice", {"tool": {"name": question.tool}})
        elif question.choice is not None:
            put(body, "toolConfig.toolChoice", {CHOICES[question.choice]: {}})
    set_by(body, question, SETTINGS, PROVIDER)
    return body


def block_of(turn: Message, part: Part) -> dict[str, Any]:
    """The block of one part."""
    match part:
        case Text(text=text):
            return {"text": text}
        case Image() if turn.role == "user":
            if part.data is None or part.mime_type is None:
                refuse(turn.at, f"{PROVIDER} takes an image's bytes, not its address")
            format = part.mime_type.removeprefix("image/")
            return {"image": {"format": format, "source": {"bytes": part.data}}}
        case Call() if turn.role == "assistant":
            arguments = arguments_of(part.arguments, turn.at)
            return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": arguments}}
        case Thought() if turn.role == "assistant" and part.signature is not None:
            thought = {"text": part.text, "signature": part.signature}
            return {"reasoningContent": {"reasoningText": thought}}
        case Result() if turn.role == "user":
            told = Message("user", part.parts, turn.at)
            content = [block_of(told, one) for one in part.parts]
            status = {"status": "error"} if part.failed else {}
            return {"toolResult": {"toolUseId": part.id, "content": content, **status}}
        case _:
            raise unfit(turn, part, PROVIDER)
