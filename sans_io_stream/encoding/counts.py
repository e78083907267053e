"""Token counts: from the normal form to each protocol's own usage object.

The provider's own object, kept in the event, is written again where this protocol reads the
same counts in it and it has this protocol's fields; else a new one is made. A count that is
not known is left out, never 0. What a protocol has no field for is lost: a table in
docs/encoding.md. How each spelling is read stands in ``usage_forms``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..dialects.shapes import is_object
from ..dialects.tolerant import REFUSED
from ..events import Usage
from ..usage import COUNTS
from ..usage_forms import (
    anthropic_usage,
    both,
    chat_usage,
    gemini_usage,
    ollama_usage,
    responses_usage,
)

__all__ = [
    "anthropic_counts",
    "chat_counts",
    "gemini_counts",
    "ollama_counts",
    "own_object",
    "responses_counts",
]

Reader = Callable[[dict[str, Any]], Usage | None]


def own_object(usage: Usage) -> Any:
    """``usage.raw``; None where its source is no JSON."""
    try:
        return usage.raw
    except REFUSED:
        return None


def kept(usage: Usage, read: Reader, needed: set[str], foreign: str = "") -> dict[str, Any] | None:
    """The provider's own object, if it is this protocol's and says what ``usage`` says."""
    raw = own_object(usage)
    if not is_object(raw) or not needed <= raw.keys() or foreign in raw:
        return None
    return raw if counts_of(read(raw)) == counts_of(usage) else None


def counts_of(usage: Usage | None) -> list[Any]:
    """The counts alone, with the total that follows from its parts."""
    if usage is None:
        return []
    counts = {field: getattr(usage, field) for field in COUNTS}
    if counts["total_tokens"] is None:
        counts["total_tokens"] = both(usage.prompt_tokens, usage.completion_tokens)
    return list(counts.values())


def known(**counts: Any) -> dict[str, Any]:
    """The counts that are known; no object where it would be empty."""
    return {name: value for name, value in counts.items() if value is not None and value != {}}


def less(whole: int | None, *parts: int | None) -> int | None:
    """A count without its parts; never below 0."""
    return None if whole is None else max(0, whole - sum(part or 0 for part in parts))


def total_of(usage: Usage) -> int | None:
    """The total, or the sum of its parts."""
    if usage.total_tokens is not None:
        return usage.total_tokens
    return both(usage.prompt_tokens, usage.completion_tokens)


def chat_counts(usage: Usage) -> dict[str, Any]:
    """As chat completions have it: inclusive, with details. The two totals are always there."""

    def read(raw: dict[str, Any]) -> Usage:
        return chat_usage(raw, b"null", "")

    told = kept(usage, read, {"prompt_tokens", "completion_tokens", "total_tokens"})
    if told is not None:
        return told
    made = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        **known(
            total_tokens=total_of(usage),
            prompt_tokens_details=known(
                cached_tokens=usage.cached_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                audio_tokens=usage.audio_prompt_tokens,
            ),
            completion_tokens_details=known(
                reasoning_tokens=usage.reasoning_tokens,
                audio_tokens=usage.audio_completion_tokens,
            ),
            cost=usage.cost,
        ),
    }
    sum_of_parts = both(usage.prompt_tokens, usage.completion_tokens)
    if sum_of_parts is not None and read(made).completion_tokens != usage.completion_tokens:
        # A total that another rule explains would be taken for a sign of that rule.
        made["total_tokens"] = sum_of_parts
    return made


def responses_counts(usage: Usage) -> dict[str, Any]:
    """As OpenAI responses have it: inclusive, with details."""
    told = kept(usage, responses_usage, {"input_tokens", "output_tokens", "total_tokens"})
    return told or known(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=known(
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            audio_tokens=usage.audio_prompt_tokens,
        ),
        output_tokens=usage.completion_tokens,
        output_tokens_details=known(
            reasoning_tokens=usage.reasoning_tokens, audio_tokens=usage.audio_completion_tokens
        ),
        total_tokens=total_of(usage),
        cost=usage.cost,
    )


def anthropic_counts(usage: Usage) -> dict[str, Any]:
    """As Anthropic has it: the input without what a cache held or took."""

    def read(raw: dict[str, Any]) -> Usage:
        return anthropic_usage(raw, None)

    told = kept(usage, read, {"input_tokens", "output_tokens"}, "total_tokens")
    return told or known(
        input_tokens=less(usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens),
        cache_creation_input_tokens=usage.cache_write_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=known(thinking_tokens=usage.reasoning_tokens),
    )


def gemini_counts(usage: Usage) -> dict[str, Any]:
    """As Gemini has it: candidates without thoughts, the prompt without what tools put in. A
    part is written only beside what is left of its whole, or it would be taken for all of it."""

    def read(raw: dict[str, Any]) -> Usage:
        return gemini_usage(raw, b"null", "", None)

    told = kept(usage, read, {"promptTokenCount", "totalTokenCount"})
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    tools = None if prompt is None else usage.tool_prompt_tokens
    thoughts = None if completion is None else usage.reasoning_tokens
    if thoughts is not None and completion is not None:
        # No part is more than its whole.
        thoughts = min(thoughts, completion)
    return told or known(
        promptTokenCount=less(prompt, tools),
        candidatesTokenCount=less(completion, thoughts),
        totalTokenCount=total_of(usage),
        cachedContentTokenCount=usage.cached_tokens,
        thoughtsTokenCount=thoughts,
        toolUsePromptTokenCount=tools,
        promptTokensDetails=audio(usage.audio_prompt_tokens),
        candidatesTokensDetails=audio(usage.audio_completion_tokens),
    )


def audio(count: int | None) -> list[dict[str, Any]] | None:
    """The count of one modality, as Gemini lists it."""
    return None if count is None else [{"modality": "AUDIO", "tokenCount": count}]


def ollama_counts(usage: Usage) -> dict[str, Any]:
    """As the last line of Ollama has it, durations included where they are known."""
    told = kept(usage, ollama_usage, {"eval_count"})
    if told is not None and counts_only(told):
        return told
    return known(prompt_eval_count=usage.prompt_tokens, eval_count=usage.completion_tokens)


def counts_only(told: dict[str, Any]) -> bool:
    """Whether an object that is to be laid over a record holds nothing but counts and times."""
    return all(
        name.endswith(("_count", "_duration")) and isinstance(value, int | float)
        for name, value in told.items()
    )
