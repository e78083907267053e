"""Token counts: from each provider's own usage object to the normal form, and the merge rule.

The normal form: ``prompt_tokens`` and ``completion_tokens`` are inclusive totals; cached and
cache-write tokens are parts of the first, reasoning tokens of the second. A count that was
not reported is None. Whether a provider counts inclusively or exclusively stands here, one
function per spelling; whether its counts are cumulative or come once makes no difference,
since within a generation the last non-null value of each field wins and two snapshots of one
response are never added.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .events import Usage

__all__ = [
    "COUNTS",
    "add",
    "add_usage",
    "chat_usage",
    "compact_usage",
    "count",
    "merge_usage",
    "same_counts",
    "source_of",
]

COUNTS = tuple(
    field
    for field in Usage.__struct_fields__
    if field not in ("final", "generation", "source", "path")
)
"""The fields of ``Usage`` that are counts."""

COST_TICKS_PER_DOLLAR = 10_000_000_000


def merge_usage(old: Usage | None, new: Usage) -> Usage:
    """``new`` with the counts of ``old`` where it says nothing."""
    if old is None:
        return new
    kept = {
        field: value
        for field in COUNTS
        if getattr(new, field) is None and (value := getattr(old, field)) is not None
    }
    return msgspec.structs.replace(new, **kept) if kept else new


def same_counts(old: Usage | None, new: Usage) -> bool:
    """Whether ``new`` counts what ``old`` did, wherever the two stood."""
    return old is not None and old == msgspec.structs.replace(
        new, source=old.source, path=old.path
    )


def compact_usage(usage: Usage) -> Usage:
    """The same, with the usage object alone as its ``source`` instead of the whole record."""
    if not usage.path:
        return usage
    return msgspec.structs.replace(
        usage, source=msgspec.Raw(msgspec.json.encode(usage.raw)), path=""
    )


def add_usage(generations: list[Usage]) -> Usage | None:
    """The counts of several generations added; the last one's own where there is just one."""
    if len(generations) < 2:
        return generations[0] if generations else None
    sums: dict[str, Any] = {
        field: add(*(getattr(usage, field) for usage in generations)) for field in COUNTS
    }
    last = generations[-1]
    return Usage(
        **sums,
        final=all(usage.final for usage in generations),
        generation=last.generation,
        source=last.source,
        path=last.path,
    )


def count(holder: Any, *keys: str) -> int | None:
    """The first of ``keys`` that is a count in ``holder`` (a dict, else None)."""
    if isinstance(holder, dict):
        for key in keys:
            value = holder.get(key)
            if isinstance(value, float) and value == value and abs(value) < 1e18:
                value = int(value)
            if type(value) is int and value >= 0:
                return value
    return None


def add(*parts: int | None) -> int | None:
    """The sum of the parts that are known; None if none is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def source_of(record: bytes, path: str, usage: Any) -> tuple[msgspec.Raw, str]:
    """What ``Usage.raw`` is read from: the record itself if msgspec reads it, else a copy."""
    try:
        value: Any = msgspec.json.decode(record)
        for key in path.split(".") if path else ():
            value = value[key]
    except (msgspec.DecodeError, KeyError, TypeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(usage)), ""
    return msgspec.Raw(record), path


def chat_usage(usage: dict[str, Any], record: bytes, path: str) -> Usage:
    """The usage of OpenAI chat completions and completions, and of their whole family.

    Prompt and completion counts include their parts, except at servers (xAI) whose total
    shows that reasoning stands beside the completion: there it is added.
    """
    into = usage.get("prompt_tokens_details") or usage.get("prompt_token_details")
    out_of = usage.get("completion_tokens_details")
    prompt = count(usage, "prompt_tokens", "input_tokens")
    completion = count(usage, "completion_tokens", "output_tokens")
    total = count(usage, "total_tokens")
    cached = count(into, "cached_tokens")
    if cached is None:
        cached = count(usage, "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens")
    reasoning = count(out_of, "reasoning_tokens")
    if reasoning is None:
        reasoning = count(usage, "reasoning_tokens")
    if prompt is not None and completion is not None and reasoning and total is not None:
        if prompt + completion + reasoning == total:
            completion += reasoning
    if cached is not None and prompt is not None and cached > prompt:
        prompt += cached
    cost = usage.get("cost")
    ticks = count(usage, "cost_in_usd_ticks")
    if ticks is not None:
        cost = ticks / COST_TICKS_PER_DOLLAR
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=cached,
        cache_write_tokens=count(into, "cache_write_tokens"),
        reasoning_tokens=reasoning,
        audio_prompt_tokens=count(into, "audio_tokens"),
        audio_completion_tokens=count(out_of, "audio_tokens"),
        cost=float(cost) if isinstance(cost, int | float) else None,
        source=msgspec.Raw(record),
        path=path,
    )


def both(first: int | None, second: int | None) -> int | None:
    """Their sum, if both are known."""
    return first + second if first is not None and second is not None else None
