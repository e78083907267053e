"""The fields of Gemini's responses: which are read, which are told, and by what name.

Names are those of the JSON form of protocol buffers (camelCase); ``camel`` brings the other
spelling, which some servers send, to it. Source: the reference of the Gemini API and of
Vertex AI, and the types of the google-genai SDK.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from .shapes import elements, members

__all__ = [
    "CANDIDATE_STRUCTURAL",
    "NAMED",
    "PARTS",
    "STRUCTURAL",
    "camel",
    "empty",
    "from_base64",
    "telling",
]

URL_SAFE = str.maketrans("-_", "+/")
UNDERLINE = re.compile(r"_([a-z])")

STRUCTURAL = frozenset(
    {
        "candidates", "usageMetadata", "modelVersion", "responseId", "createTime",
        "promptFeedback", "error",
    }
)  # fmt: skip
"""Fields of a response that are read above, or only tell about the record itself."""

CANDIDATE_STRUCTURAL = frozenset({"content", "index", "finishReason", "tokenCount"})

NAMED = {
    "citationMetadata": "citation",
    "groundingMetadata": "grounding",
    "groundingAttributions": "grounding",
    "urlContextMetadata": "url_context",
    "logprobsResult": "logprobs",
    "avgLogprobs": "logprobs",
    "safetyRatings": "safety",
    "finishMessage": "finish_message",
    "continuationToken": "continuation_token",
}
"""Fields of a candidate that have a name of their own as annotations."""

PARTS = {
    "executableCode": "executable_code",
    "codeExecutionResult": "code_execution_result",
    "fileData": "file_data",
    "functionResponse": "function_response",
    "toolCall": "server_tool_call",
    "toolResponse": "server_tool_result",
    "audioTranscription": "transcript",
}
"""Parts that are told as annotations."""

KNOWN = (
    STRUCTURAL
    | CANDIDATE_STRUCTURAL
    | NAMED.keys()
    | PARTS.keys()
    | {
        "functionCall", "inlineData", "thoughtSignature", "mimeType", "partialArgs",
        "willContinue", "jsonPath", "stringValue", "numberValue", "boolValue", "nullValue",
        "blockReason",
    }
)  # fmt: skip
"""All names of two words that are read."""

QUIET = frozenset({None, "NEGLIGIBLE", "LOW", "HARM_PROBABILITY_UNSPECIFIED", 0, 1, 2})
"""Probabilities of harm that say nothing, in the words and the numbers of old servers."""


def empty(value: Any) -> bool:
    """Whether a field says nothing."""
    return value is None or value == [] or value == {} or value == ""


def telling(ratings: Any) -> bool:
    """Whether safety ratings say more than that nothing was found."""
    for rating in elements(ratings):
        told = members(rating)
        probability = told.get("probability")
        if told.get("blocked") is True or not isinstance(probability, str | int | None):
            return True
        if probability not in QUIET:
            return True
    return False


def camel(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` with the names that are read here in camelCase; others stay as they are."""
    if not any("_" in field for field in fields):
        return fields
    return {
        name if "_" in field and (name := camel_of(field)) in KNOWN else field: value
        for field, value in fields.items()
    }


def camel_of(field: str) -> str:
    """The camelCase form of a snake_case name."""
    return UNDERLINE.sub(lambda found: found[1].upper(), field)


def from_base64(data: Any) -> bytes | None:
    """The bytes of base64 text, in either alphabet; None if it is none."""
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data.translate(URL_SAFE) + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
