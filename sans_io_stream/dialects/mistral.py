"""Mistral's chat completions: the chat family's protocol under a name of its own.

What Mistral does differently (content as typed parts with thinking and references, padding in
``p``, ids that say "null", audio counted beside the prompt) the chat dialect reads wherever it
comes, so that a stream whose provider is not known reads the same. Source: Mistral's API
reference, and the types of its SDK (``CompletionChunk``, ``DeltaMessage``, ``UsageInfo``).
"""

from __future__ import annotations

from typing import ClassVar

from .openai_chat import OpenAIChat

__all__ = ["Mistral"]


class Mistral(OpenAIChat):
    """One chat completion of Mistral."""

    name: ClassVar[str] = "mistral"
