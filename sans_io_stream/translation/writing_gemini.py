"""Writing a request in the format of Gemini's ``generateContent``.

Source: the Gemini API reference, "models.streamGenerateContent", and its guide to function
calling. The model's name stands in the URL, not in the body.
"""

from __future__ import annotations

from typing import Any

from .question import Call, Image, Message, Part, Question, Result, Text, refuse
from .shapes import put
from .writing import (
    Settings,
    arguments_of,
    loose,
    one_of,
    schema_alone,
    set_by,
    system_apart,
    together,
    told,
    unfit,
)

__all__ = ["SETTINGS", "write_gemini"]

PROVIDER = "Gemini"
ROLES = {"user": "user", "assistant": "model"}
CHOICES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576}
"""Tokens of thinking; the vendor's own table for its chat endpoint has them, "minimal" aside."""


def thinking(body: dict[str, Any], effort: str) -> None:
    """A budget of thinking."""
    budget = one_of(BUDGETS, effort, "reasoning_effort")
    put(body, "generationConfig.thinkingConfig.thinkingBudget", budget)


def schema(body: dict[str, Any], value: dict[str, Any]) -> None:
    """The schema that the answer has to fit."""
    any_json(body, True)
    put(body, "generationConfig.responseJsonSchema", schema_alone(value, PROVIDER))


def any_json(body: dict[str, Any], _: bool) -> None:
    """The answer has to be some JSON."""
    put(body, "generationConfig.responseMimeType", "application/json")


SETTINGS: Settings = {
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "stop": "generationConfig.stopSequences",
    "seed": "generationConfig.seed",
    "presence_penalty": "generationConfig.presencePenalty",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "effort": thinking,
    "schema": schema,
    "json": any_json,
}


def write_gemini(question: Question) -> dict[str, Any]:
    """The body of a request to Gemini. Raises ``Untranslatable``."""
    loose(question, PROVIDER)
    system, turns = system_apart(question, PROVIDER)
    names = {part.id: part.name for turn in turns for part in turn.parts if isinstance(part, Call)}
    body: dict[str, Any] = {
        "contents": [
            {"role": ROLES[turn.role], "parts": [part_of(turn, part, names) for part in turn.parts]}
            for turn in together(turns)
        ]
    }
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if question.tools:
        declared = [
            {
                "name": tool.name,
                **({} if tool.description is None else {"description": tool.description}),
                **({} if tool.parameters is None else {"parametersJsonSchema": tool.parameters}),
            }
            for tool in question.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
    if question.tool is not None:
        calling = {"mode": "ANY", "allowedFunctionNames": [question.tool]}
        put(body, "toolConfig.functionCallingConfig", calling)
    elif question.choice is not None:
        put(body, "toolConfig.functionCallingConfig.mode", CHOICES[question.choice])
    set_by(body, question, SETTINGS, PROVIDER)
    return body


def part_of(turn: Message, part: Part, names: dict[str, str]) -> dict[str, Any]:
    """One part. A result is known by the name of its tool, and by the id of its call."""
    match part:
        case Text(text=text):
            return {"text": text}
        case Image() if turn.role == "user":
            if part.url is not None:
                refuse(turn.at, f"{PROVIDER} takes an image's bytes, not its address")
            return {"inlineData": {"mimeType": part.mime_type, "data": part.data}}
        case Call() if turn.role == "assistant":
            arguments = arguments_of(part.arguments, turn.at)
            return {"functionCall": {"id": part.id, "name": part.name, "args": arguments}}
        case Result() if turn.role == "user":
            if part.id not in names:
                refuse(turn.at, f"no call has the id {part.id!r}, whose result this is")
            key = "error" if part.failed else "output"
            text = told(Result(part.id, part.parts), turn.at, PROVIDER)
            response = {"id": part.id, "name": names[part.id], "response": {key: text}}
            return {"functionResponse": response}
        case _:
            raise unfit(turn, part, PROVIDER)
