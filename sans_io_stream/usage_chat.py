"""Token counts of the chat family: its own spelling, and what its members and gateways make of it.

Prompt and completion counts include their parts. Servers that count a part beside its whole
give themselves away: by a total that is right only with the part added, or by a part that is
more than its whole.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .dialects.shapes import is_object
from .events import Usage
from .usage import add_known

__all__ = ["MOST", "both", "chat_usage", "count", "dollars", "holysheep_usage", "price"]

MOST = 1 << 53
"""More tokens than this are no count."""
COST_TICKS_PER_DOLLAR = 10_000_000_000

INTO = ("prompt_tokens_details", "prompt_token_details", "input_tokens_details")
OUT_OF = ("completion_tokens_details", "output_tokens_details")
CACHED = (
    "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens", "cache_read_input_tokens",
)  # fmt: skip
WRITTEN = ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens")
"""Under which names the parts stand: OpenAI's, its members', and those that gateways keep from
the protocol behind them."""


def count(holder: Any, *keys: str) -> int | None:
    """The first of ``keys`` that is a count in ``holder`` (a dict, else None)."""
    if is_object(holder):
        for key in keys:
            value = holder.get(key)
            if isinstance(value, float) and value == value and abs(value) < 1e18:
                value = int(value)
            if type(value) is int and 0 <= value < MOST:
                return value
    return None


def chat_usage(usage: dict[str, Any], record: bytes, path: str) -> Usage:
    """The usage of OpenAI chat completions and completions, and of their whole family.

    Prompt and completion counts include their parts, except at servers whose total shows that
    a part stands beside them (reasoning at xAI, audio at Mistral), or whose part is more than
    the whole: there it is added.
    """
    into = next((usage[name] for name in INTO if is_object(usage.get(name))), None)
    out_of = next((usage[name] for name in OUT_OF if is_object(usage.get(name))), None)
    prompt = count(usage, "prompt_tokens", "input_tokens")
    completion = count(usage, "completion_tokens", "output_tokens")
    total = count(usage, "total_tokens")
    cached = count(into, "cached_tokens")
    if cached is None:
        cached = count(usage, *CACHED)
    written = count(into, *WRITTEN)
    if written is None:
        written = count(usage, *WRITTEN)
    reasoning = count(out_of, "reasoning_tokens")
    if reasoning is None:
        reasoning = count(usage, "reasoning_tokens")
    if completion is not None and reasoning:
        known = both(prompt, completion)
        apart = known is not None and known + reasoning == total
        if apart or (reasoning > completion and (total is None or total != known)):
            completion += reasoning
        else:
            reasoning = min(reasoning, completion)
    heard = count(into, "audio_tokens")
    beside = None if prompt is None or heard is None else both(prompt + heard, completion)
    if beside is not None and beside == total:
        prompt = add_known(prompt, heard)
    parts = add_known(cached, written)
    if parts is not None and prompt is not None and parts > prompt:
        prompt += parts
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
        audio_prompt_tokens=heard,
        audio_completion_tokens=count(out_of, "audio_tokens"),
        cost=price(usage),
        source=msgspec.Raw(record),
        path=path,
    )


def price(usage: dict[str, Any]) -> float | None:
    """What the provider itself says it charges, in dollars."""
    ticks = count(usage, "cost_in_usd_ticks")
    return dollars(usage.get("cost") if ticks is None else ticks / COST_TICKS_PER_DOLLAR)


def dollars(value: Any) -> float | None:
    """A sum of money, if it is one."""
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and 0 <= value < MOST else None


def both(first: int | None, second: int | None) -> int | None:
    """Their sum, if both are known."""
    return first + second if first is not None and second is not None else None


def holysheep_usage(usage: dict[str, Any], record: bytes, path: str) -> Usage:
    """The usage of HolySheep: in the chat family's spelling, or in the gateway's own forms of
    Google's names, whose candidates exclude thoughts unless the total shows otherwise."""
    if "prompt_tokens" in usage or "completion_tokens" in usage or "input_tokens" in usage:
        return chat_usage(usage, record, path)
    prompt = count(usage, "promptTokens", "promptTokenCount", "inputTokens")
    completion = count(usage, "candidatesTokens", "candidatesTokenCount")
    if completion is None:
        completion = count(usage, "completionTokens", "outputTokens")
    thoughts = count(usage, "thoughtsTokens", "thoughtsTokenCount", "reasoningTokens")
    total = count(usage, "totalTokens", "totalTokenCount")
    if thoughts and (total is None or both(prompt, completion) != total):
        completion = add_known(completion, thoughts)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=count(usage, "cachedTokens", "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        source=msgspec.Raw(record),
        path=path,
    )
