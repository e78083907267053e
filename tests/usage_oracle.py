"""Another reading of the same usage objects: the extractors of genai-prices.

They were written by others, from the providers' documents. ``second_reading`` gives what they
read in our names, for the fields that the extractor of that provider reads at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from sans_io_stream import StreamDecoder, Usage
from tests.expectations import Recording, recordings

__all__ = ["WITHOUT_ORACLE", "Counted", "all_counted", "second_reading"]

FIELDS = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "cache_read_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_audio_tokens": "audio_prompt_tokens",
    "output_audio_tokens": "audio_completion_tokens",
    "input_tool_tokens": "tool_prompt_tokens",
}
"""genai-prices' name of a count → ours."""

CHAT_FAMILY = {"openai-chat", "openai-completions", "openai-assistants", "openai-responses"}
SELLERS = {
    "anthropic": "anthropic", "azure": "azure", "bedrock": "aws", "cohere": "cohere",
    "copilot": "github-copilot", "databricks": "databricks", "deepseek": "deepseek",
    "google": "google", "hf-novita": "huggingface_novita", "hf-together": "huggingface_together",
    "mistral": "mistral", "openrouter": "openrouter", "vertex": "google",
    "vertex-anthropic": "google", "xai": "x-ai", "zai": "zai",
}  # fmt: skip
"""A capture's provider → genai-prices'; whoever is not here speaks OpenAI's protocol, and is
read as OpenAI."""
WITHOUT_ORACLE = {"gemini-interactions", "ollama", "watsonx"}
"""Dialects that count in a way for which genai-prices has no extractor."""


class Counted(NamedTuple):
    """A provider's own usage object, and where it came from."""

    provider: str
    dialect: str
    capture: str
    raw: dict[str, Any]


def all_counted() -> Iterator[Counted]:
    """Every usage object that a decoder met in a capture, each once: snapshots, too."""
    for recording in recordings():
        meta = json.loads((recording.path / "meta.json").read_text("utf-8"))
        seen: list[object] = []
        for usage in usages(recording):
            if usage.raw not in seen:
                seen.append(usage.raw)
                yield Counted(meta["provider"], recording.dialect, recording.id, usage.raw)


def usages(recording: Recording) -> list[Usage]:
    decoder = StreamDecoder(
        recording.dialect, content_type=recording.content_type, status=recording.status
    )
    events = [*decoder.receive_data(recording.body), *decoder.receive_eof()]
    return [event for event in events if isinstance(event, Usage)]


def flavor(counted: Counted) -> tuple[str, str] | None:
    """Which extractor of whom reads this object; None if there is none."""
    provider, dialect, _, raw = counted
    seller = SELLERS.get(provider, "openai")
    if dialect in CHAT_FAMILY:
        kind = "responses" if dialect == "openai-responses" else "chat"
        known = flavors(seller)
        if kind in known:
            return seller, kind
        return (seller, "default") if "default" in known else ("openai", kind)
    if dialect == "bedrock-invoke":
        return (seller, "anthropic") if "input_tokens" in raw else None
    if dialect == "anthropic":
        return seller, "default" if seller == "anthropic" else "anthropic"
    if dialect.startswith("cohere"):
        return seller, "tokens"
    return None if dialect in WITHOUT_ORACLE else (seller, "default")


def flavors(seller: str) -> set[str]:
    return {extractor.api_flavor for extractor in extractors(seller)}


def extractors(seller: str) -> list[Any]:
    providers: Any = import_module("genai_prices.data").providers
    return next(one.extractors for one in providers if one.id == seller) or []


def second_reading(counted: Counted) -> dict[str, int | None] | str | None:
    """What the other reads, by our names; why it reads nothing, if it refuses; None if it has
    no extractor."""
    found = flavor(counted)
    if found is None:
        return None
    seller, kind = found
    extractor = next(one for one in extractors(seller) if one.api_flavor == kind)
    response: Any = counted.raw
    for key in reversed([extractor.root] if isinstance(extractor.root, str) else extractor.root):
        response = {key: response}
    extract: Any = import_module("genai_prices").extract_usage
    try:
        told: Any = extract(response, provider_id=seller, api_flavor=kind).usage
    except (AttributeError, ValueError) as error:
        return str(error)
    reads = {mapping.dest for mapping in extractor.mappings}
    return {ours: told.__dict__.get(theirs) for theirs, ours in FIELDS.items() if theirs in reads}
