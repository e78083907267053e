"""Tokens that nobody has counted: how many there were at least, by what was asked and said.

Only budgets go by this, and only where the provider's last word is missing: whoever ends each
answer before it would have all of them for nothing. What is shown is what was counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any

from sans_io_stream import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.dialects.shapes import elements, is_object

__all__ = ["asked_in", "said_in", "uncounted"]

LETTERS = 4
"""Letters that are a token."""
WORDS: dict[type, Callable[[Any], str]] = {
    TextDelta: attrgetter("text"),
    ReasoningDelta: attrgetter("text"),
    RefusalDelta: attrgetter("text"),
    ToolCallDelta: attrgetter("arguments"),
}
"""What says something a piece at a time, and where."""


def said_in(events: Iterable[Event]) -> int:
    """Tokens that these say: one for each piece, however short."""
    said = 0
    for event in events:
        words = WORDS.get(type(event))
        if words is not None:
            said += max(1, len(words(event)) // LETTERS)
    return said


def asked_in(body: Mapping[str, Any]) -> int:
    """Tokens that the texts of a request ask, in either format: its pictures, tools and calls are
    not among them."""
    contents = [one.get("content") for one in elements(body.get("messages")) if is_object(one)]
    return sum(letters(one) for one in (body.get("system"), *contents)) // LETTERS


def letters(content: Any) -> int:
    """Those of a text, or of the texts among parts."""
    if isinstance(content, str):
        return len(content)
    texts = (part.get("text") for part in elements(content) if is_object(part))
    return sum(len(text) for text in texts if isinstance(text, str))


def uncounted(usages: Iterable[Usage], asked: int, said: int) -> Usage:
    """What was asked and said beyond what was counted; nothing behind the provider's last word."""
    usages = list(usages)
    if usages and all(usage.final for usage in usages):
        asked = said = 0
    for usage in usages:
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if prompt is None and completion is None:
            completion = usage.total_tokens
        asked -= prompt or 0
        said -= completion or 0
    return Usage(prompt_tokens=max(0, asked), completion_tokens=max(0, said))
