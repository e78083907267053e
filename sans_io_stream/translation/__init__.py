"""Requests from one provider's format into another's: by tables, and with nothing dropped.

``question`` is the form between; ``reading_…`` make it of a request, ``writing_…`` a request of
it. What cannot be said in the other format is ``Untranslatable``, by its name in the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .question import Question, Untranslatable
from .reading_anthropic import read_anthropic
from .reading_openai import read_openai
from .writing_anthropic import write_anthropic
from .writing_bedrock import write_bedrock
from .writing_gemini import write_gemini
from .writing_ollama import write_ollama
from .writing_openai import write_cohere, write_mistral, write_openai
from .writing_responses import write_responses

__all__ = ["READERS", "WRITERS", "Question", "Untranslatable", "translate"]

READERS: dict[str, Callable[[Mapping[str, Any]], Question]] = {
    "openai-chat": read_openai,
    "anthropic": read_anthropic,
}
"""What makes a question of a request, by the name of the format's dialect."""

WRITERS: dict[str, Callable[[Question], dict[str, Any]]] = {
    "openai-chat": write_openai,
    "openai-responses": write_responses,
    "anthropic": write_anthropic,
    "gemini": write_gemini,
    "bedrock-converse": write_bedrock,
    "mistral": write_mistral,
    "cohere": write_cohere,
    "ollama": write_ollama,
}
"""What makes the body of a request, by the name of the format's dialect."""


def translate(body: Mapping[str, Any], source: str, target: str) -> dict[str, Any]:
    """The body of a request in ``target``'s format that asks what ``body`` does in ``source``'s.

    It says nothing of streaming: that is the business of whoever sends it. Raises
    ``Untranslatable`` for what ``target`` cannot say, ``ValueError`` for a format that is none.
    """
    for name, known in ((source, READERS), (target, WRITERS)):
        if name not in known:
            raise ValueError(f"no such format: {name!r}; there are: {', '.join(known)}")
    return WRITERS[target](READERS[source](body))
