"""Token counts: from each provider's own usage object to the normal form.

``prompt_tokens`` and ``completion_tokens`` are inclusive totals; cached and cache-write tokens
are parts of the first, reasoning tokens of the second. A count that was not reported is None.
Whether a provider counts inclusively or exclusively stands here, one function per spelling;
whether its counts are cumulative or come once makes no difference (see ``usage``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from .dialects.shapes import elements, is_object
from .events import Usage
from .usage import COUNTS, add_known
from .usage_chat import MOST, both, chat_usage, count, dollars, holysheep_usage, price

__all__ = [
    "MOST",
    "anthropic_usage",
    "bedrock_usage",
    "believed",
    "both",
    "by_modality",
    "chat_usage",
    "cohere_usage",
    "count",
    "dollars",
    "flat_usage",
    "gemini_usage",
    "has_counts",
    "holysheep_usage",
    "interactions_usage",
    "llamacpp_usage",
    "ollama_usage",
    "responses_usage",
    "tgi_usage",
    "watsonx_usage",
]

MOST_LAID_OVER = 64 << 10
"""Bytes of a usage object over which another is laid: what never ends growing stays as it is."""


def ollama_usage(line: dict[str, Any]) -> Usage | None:
    """The usage of Ollama: the counts and durations of its last line, which has no object for
    them. A prompt that was cached whole is not counted at all."""
    raw = {
        key: value
        for key, value in line.items()
        if key.endswith(("_count", "_duration")) and isinstance(value, int | float)
    }
    if not raw:
        return None
    prompt, completion = count(raw, "prompt_eval_count"), count(raw, "eval_count")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        source=msgspec.Raw(msgspec.json.encode(raw)),
    )


def cohere_usage(usage: dict[str, Any]) -> Usage | None:
    """The usage of Cohere, v2 and v1: ``tokens`` counts inclusively, ``billed_units`` counts
    something else (what is charged for) and stays in ``raw``. None where it stands alone."""
    tokens = usage.get("tokens")
    prompt, completion = count(tokens, "input_tokens"), count(tokens, "output_tokens")
    told = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        cached_tokens=count(usage, "cached_tokens"),
        reasoning_tokens=count(tokens, "reasoning_tokens"),
        source=msgspec.Raw(msgspec.json.encode(usage)),
    )
    return told if has_counts(told) else None


def watsonx_usage(result: dict[str, Any], old: Usage | None) -> Usage | None:
    """The usage of a watsonx text generation: the generated count grows from record to record,
    the input's stands in the first and is 0 in the others."""
    prompt = count(result, "input_token_count")
    completion = count(result, "generated_token_count")
    if prompt is None and completion is None:
        return None
    if old is not None:
        prompt = max(prompt or 0, old.prompt_tokens or 0)
        completion = max(completion or 0, old.completion_tokens or 0)
    raw = {"input_token_count": prompt, "generated_token_count": completion}
    raw = {key: value for key, value in raw.items() if value is not None}
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        source=msgspec.Raw(msgspec.json.encode(raw)),
    )


def responses_usage(usage: dict[str, Any]) -> Usage:
    """The usage of OpenAI responses: inclusive totals with their parts.

    The usage object is kept alone, since the terminal record holds the whole answer again.
    """
    into = usage.get("input_tokens_details")
    out_of = usage.get("output_tokens_details")
    prompt = count(usage, "input_tokens", "prompt_tokens")
    completion = count(usage, "output_tokens", "completion_tokens")
    total = count(usage, "total_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=count(into, "cached_tokens"),
        cache_write_tokens=count(into, "cache_write_tokens"),
        reasoning_tokens=count(out_of, "reasoning_tokens"),
        audio_prompt_tokens=count(into, "audio_tokens"),
        audio_completion_tokens=count(out_of, "audio_tokens"),
        cost=price(usage),
        source=msgspec.Raw(msgspec.json.encode(usage)),
    )


def tgi_usage(details: dict[str, Any]) -> Usage | None:
    """The counts among the details that end a stream of text-generation-inference."""
    prompt, completion = count(details, "input_length"), count(details, "generated_tokens")
    if prompt is None and completion is None:
        return None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        source=msgspec.Raw(msgspec.json.encode(details)),
    )


def llamacpp_usage(record: dict[str, Any]) -> Usage | None:
    """The counts in the last record of llama.cpp's own completions: ``tokens_evaluated`` is
    the whole prompt, what the cache held of it included."""
    prompt, completion = count(record, "tokens_evaluated"), count(record, "tokens_predicted")
    if prompt is None and completion is None:
        return None
    names = ("tokens_evaluated", "tokens_predicted", "tokens_cached")
    raw = {name: record[name] for name in names if record.get(name) is not None}
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        source=msgspec.Raw(msgspec.json.encode(raw)),
    )


def anthropic_usage(usage: dict[str, Any], old: Usage | None) -> Usage:
    """The usage of Anthropic Messages: the counts of ``message_delta`` are cumulative and laid
    over those of ``message_start``. Input excludes what was read from or written to a cache;
    output includes thinking, whose count is made anew and may be a few tokens too high."""
    before = old.raw if old is not None and len(old.source) <= MOST_LAID_OVER else None
    if is_object(before):
        usage = {**before, **{key: value for key, value in usage.items() if value is not None}}
    created = usage.get("cache_creation")
    written = count(usage, "cache_creation_input_tokens")
    if written is None:
        written = add_known(
            count(created, "ephemeral_5m_input_tokens"), count(created, "ephemeral_1h_input_tokens")
        )
    cached = count(usage, "cache_read_input_tokens")
    fresh = count(usage, "input_tokens")
    prompt = None if fresh is None else add_known(fresh, cached, written)
    completion = count(usage, "output_tokens")
    thinking = count(usage.get("output_tokens_details"), "thinking_tokens")
    if thinking is not None and completion is not None:
        thinking = min(thinking, completion)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thinking,
        source=msgspec.Raw(msgspec.json.encode(usage)),
    )


def bedrock_usage(usage: dict[str, Any]) -> Usage:
    """The usage of Bedrock: a conversation's, and the metrics of an invocation. Input excludes
    the cache."""
    cached = count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
    written = count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    fresh = count(usage, "inputTokens", "inputTokenCount")
    prompt = None if fresh is None else add_known(fresh, cached, written)
    completion = count(usage, "outputTokens", "outputTokenCount")
    total = count(usage, "totalTokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=cached,
        cache_write_tokens=written,
        source=msgspec.Raw(msgspec.json.encode(usage)),
    )


def flat_usage(record: dict[str, Any]) -> Usage | None:
    """The counts that Titan and Llama put into their records, beside the text."""
    inputs = ("inputTextTokenCount", "prompt_token_count")
    outputs = ("totalOutputTextTokenCount", "generation_token_count")
    raw = {name: record[name] for name in inputs + outputs if record.get(name) is not None}
    if not raw:
        return None
    prompt, completion = count(raw, *inputs), count(raw, *outputs)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=both(prompt, completion),
        source=msgspec.Raw(msgspec.json.encode(raw)),
    )


def gemini_usage(
    usage: dict[str, Any], record: bytes, path: str, old: Usage | None, generation: int = 0
) -> Usage:
    """The usage of Gemini: candidates exclude thoughts, the prompt excludes what tools put in.

    Any record may drop counts that an earlier one told. They are parts of sums here, so they
    are taken from ``old``, the last snapshot of this answer, before anything is added.
    """
    own = count(usage, "promptTokenCount", "prompt_token_count")
    tools = count(usage, "toolUsePromptTokenCount", "tool_use_prompt_token_count")
    answer = count(usage, "candidatesTokenCount", "candidates_token_count")
    thoughts = count(usage, "thoughtsTokenCount", "thoughts_token_count")
    total = count(usage, "totalTokenCount", "total_token_count")
    prompt, tools, completion, thoughts = sums_of(old, own, tools, answer, thoughts)
    if total is None:
        total = both(prompt, completion)
        if old and (prompt, completion) == (old.prompt_tokens, old.completion_tokens):
            total = old.total_tokens
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=count(usage, "cachedContentTokenCount", "cached_content_token_count"),
        reasoning_tokens=thoughts,
        audio_prompt_tokens=by_modality(usage, "promptTokensDetails", "prompt_tokens_details"),
        audio_completion_tokens=by_modality(
            usage, "candidatesTokensDetails", "candidates_tokens_details"
        ),
        tool_prompt_tokens=tools,
        generation=generation,
        source=msgspec.Raw(record),
        path=path,
    )


def sums_of(
    old: Usage | None,
    own: int | None,
    tools: int | None,
    answer: int | None,
    thoughts: int | None,
) -> tuple[int | None, int | None, int | None, int | None]:
    """Prompt, tools' part of it, completion and thoughts' part of it, from counts that exclude
    those parts; from ``old`` what they do not tell."""
    if old is not None:
        if own is None and old.prompt_tokens is not None:
            own = old.prompt_tokens - (old.tool_prompt_tokens or 0)
        if answer is None and old.completion_tokens is not None:
            answer = old.completion_tokens - (old.reasoning_tokens or 0)
        tools = old.tool_prompt_tokens if tools is None else tools
        thoughts = old.reasoning_tokens if thoughts is None else thoughts
    return add_known(own, tools), tools, add_known(answer, thoughts), thoughts


def interactions_usage(usage: dict[str, Any], old: Usage | None) -> Usage:
    """The usage of Gemini Interactions: output excludes thoughts, input what tools put in. What
    a snapshot does not name is taken from ``old``, as in ``gemini_usage``."""
    parts = sums_of(
        old,
        count(usage, "total_input_tokens"),
        count(usage, "total_tool_use_tokens"),
        count(usage, "total_output_tokens"),
        count(usage, "total_thought_tokens"),
    )
    prompt, tools, completion, thoughts = parts
    total = count(usage, "total_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total if total is not None else both(prompt, completion),
        cached_tokens=count(usage, "total_cached_tokens"),
        reasoning_tokens=thoughts,
        audio_prompt_tokens=by_modality(usage, "input_tokens_by_modality"),
        audio_completion_tokens=by_modality(usage, "output_tokens_by_modality"),
        tool_prompt_tokens=tools,
        source=msgspec.Raw(msgspec.json.encode(usage)),
    )


def by_modality(usage: dict[str, Any], *keys: str) -> int | None:
    """The tokens of audio in a list of counts by modality; None if it names none."""
    for key in keys:
        for entry in elements(usage.get(key)):
            if is_object(entry) and str(entry.get("modality")).upper() == "AUDIO":
                return count(entry, "tokenCount", "token_count", "tokens")
    return None


def has_counts(usage: Usage) -> bool:
    """Whether a snapshot counts anything at all."""
    return any(getattr(usage, field) is not None for field in COUNTS)


def believed(usage: Usage) -> Usage:
    """A snapshot that somebody else has made, without what is no count: less than nothing, or
    more than ``MOST``."""
    wrong = {
        field: None
        for field in COUNTS
        if (value := getattr(usage, field)) is not None and not 0 <= value < MOST
    }
    return msgspec.structs.replace(usage, **wrong) if wrong else usage
