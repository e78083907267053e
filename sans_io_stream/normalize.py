"""A provider's own usage object, wherever it came from, in the normal form.

A table: for each dialect the spellings in which its providers count, each with the keys by
which it is known and the function that reads it. Those functions are the decoders' own
(``usage_forms``), so that a count means the same whether a stream or a whole answer told it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeGuard

import msgspec

from .dialects.registry import ALIASES, DIALECTS
from .dialects.shapes import is_object, members
from .dialects.tolerant import scrub
from .events import Usage
from .usage_forms import (
    anthropic_usage,
    bedrock_usage,
    chat_usage,
    cohere_usage,
    flat_usage,
    gemini_usage,
    holysheep_usage,
    interactions_usage,
    llamacpp_usage,
    ollama_usage,
    responses_usage,
    tgi_usage,
    watsonx_usage,
)

__all__ = ["PROVIDERS", "known_provider", "normalize"]

Counts = dict[str, Any]


class Spelling(NamedTuple):
    """One way to write counts down: any of ``keys`` gives it away."""

    keys: frozenset[str]
    read: Callable[[Counts], Usage | None]


def encoded(usage: Counts) -> bytes:
    return msgspec.json.encode(usage)


def _chat(usage: Counts) -> Usage:
    return chat_usage(usage, encoded(usage), "")


def _holysheep(usage: Counts) -> Usage:
    return holysheep_usage(usage, encoded(usage), "")


def _gemini(usage: Counts) -> Usage:
    return gemini_usage(usage, encoded(usage), "", None)


def _anthropic(usage: Counts) -> Usage:
    return anthropic_usage(usage, None)


def _interactions(usage: Counts) -> Usage:
    return interactions_usage(usage, None)


def _watsonx(usage: Counts) -> Usage | None:
    return watsonx_usage(usage, None)


def _native(usage: Counts) -> Usage | None:
    try:
        return msgspec.convert({"event": "usage", **usage}, Usage)
    except msgspec.ValidationError:
        return None


def spelling(keys: str, read: Callable[[Counts], Usage | None]) -> Spelling:
    return Spelling(frozenset(keys.split()), read)


CHAT = spelling("prompt_tokens completion_tokens total_tokens", _chat)
RESPONSES = spelling("input_tokens_details output_tokens_details", responses_usage)
MEMBERS = spelling("input_tokens output_tokens", _chat)
ANTHROPIC = spelling("input_tokens output_tokens", _anthropic)
GEMINI = spelling(
    "promptTokenCount prompt_token_count candidatesTokenCount candidates_token_count "
    "totalTokenCount total_token_count",
    _gemini,
)
INTERACTIONS = spelling(
    "total_input_tokens total_output_tokens total_thought_tokens total_tool_use_tokens",
    _interactions,
)
BEDROCK = spelling("inputTokens outputTokens inputTokenCount outputTokenCount", bedrock_usage)
FLAT = spelling(
    "inputTextTokenCount totalOutputTextTokenCount prompt_token_count generation_token_count",
    flat_usage,
)
COHERE = spelling("tokens billed_units", cohere_usage)
OLLAMA = spelling("prompt_eval_count eval_count", ollama_usage)
WATSONX = spelling("input_token_count generated_token_count", _watsonx)
TGI = spelling("input_length generated_tokens", tgi_usage)
LLAMACPP = spelling("tokens_evaluated tokens_predicted", llamacpp_usage)
HOLYSHEEP = spelling("promptTokens completionTokens promptTokenCount", _holysheep)
NATIVE = spelling("prompt_tokens completion_tokens total_tokens", _native)

OPENAI = (CHAT, RESPONSES, MEMBERS, TGI, LLAMACPP)
"""The chat family, with the two servers whose own completions count in another way."""
CLAUDE = (ANTHROPIC, BEDROCK, CHAT)
GOOGLE = (GEMINI, INTERACTIONS, CHAT, ANTHROPIC)
AMAZON = (BEDROCK, FLAT, CHAT, ANTHROPIC)

SPELLINGS: dict[str, tuple[Spelling, ...]] = {
    "openai-chat": OPENAI,
    "openai-responses": (RESPONSES, CHAT, MEMBERS._replace(read=responses_usage)),
    "openai-assistants": OPENAI,
    "openai-completions": OPENAI,
    "mistral": OPENAI,
    "replicate": OPENAI,
    "anthropic": CLAUDE,
    "anthropic-completions": CLAUDE,
    "gemini": GOOGLE,
    "gemini-interactions": (INTERACTIONS, GEMINI),
    "bedrock-converse": AMAZON,
    "bedrock-invoke": AMAZON,
    "cohere": (COHERE, CHAT),
    "cohere-v1": (COHERE, CHAT),
    "ollama": (OLLAMA, CHAT),
    "watsonx": (WATSONX, CHAT),
    "holysheep": (CHAT, MEMBERS, HOLYSHEEP._replace(read=_holysheep)),
    "native": (NATIVE,),
    "text": (),
    "records": (),
}
"""Dialect → its spellings; the first that has a key in the object is the one."""

WITHIN = ("usage", "usageMetadata", "usage_metadata", "meta")
"""Where the usage object stands in a whole answer."""

PROVIDERS: dict[str, str] = {
    "aws": "bedrock-converse",
    "compatible": "openai-chat",
    "databricks": "openai-chat",
    "fireworks": "openai-chat",
    "huggingface": "openai-chat",
    "litellm": "openai-chat",
    "openai-compatible": "openai-chat",
    "perplexity": "openai-chat",
    "together": "openai-chat",
    "vertex-ai": "gemini",
    "x-ai": "openai-chat",
    "zai": "openai-chat",
}
"""Providers that are neither a dialect nor one of its aliases, and the dialect they count in."""


def known_provider(name: str) -> str:
    """The dialect in which the provider of that name counts. Raises ``ValueError``, naming the
    known ones, for any other."""
    key = name.lower().replace("_", "-")
    dialect = PROVIDERS.get(key, ALIASES.get(key, key))
    if dialect not in SPELLINGS:
        known = ", ".join(sorted({*DIALECTS, *ALIASES, *PROVIDERS}))
        raise ValueError(f"no provider is called {name!r}; there are: {known}")
    return dialect


def normalize(raw: object, provider: str, *, final: bool = True) -> Usage:
    """The counts of ``raw``, a usage object of ``provider``, in the normal form.

    ``provider`` is a dialect, one of its aliases, or a name of ``PROVIDERS``. ``raw`` is a
    mapping, or what an SDK makes of one (an object with ``model_dump()``, or with attributes),
    in any spelling that the provider has; for Ollama it is the last line, which has no usage
    object. A whole answer with its usage object in it will do. None, and an object that counts
    nothing, has no counts. A ``Usage`` is given back as it is. ``final=False`` marks what may
    still change.

    Raises ``ValueError`` for an unknown provider, ``TypeError`` for what is no object.
    """
    spellings = SPELLINGS[known_provider(provider)]
    if isinstance(raw, Usage):
        return raw
    if raw is None:
        return Usage(final=final)
    usage = plain(raw)
    read = reader(usage, spellings)
    if read is None:
        inner = next((usage[name] for name in WITHIN if is_object(usage.get(name))), None)
        if inner is not None and (read := reader(inner, spellings)) is not None:
            usage = inner
    found = read(usage) if read is not None else None
    if found is None:
        found = Usage(source=msgspec.Raw(encoded(usage)))
    return msgspec.structs.replace(found, final=final)


def reader(
    usage: Counts, spellings: tuple[Spelling, ...]
) -> Callable[[Counts], Usage | None] | None:
    """What reads the first of these spellings that the object has; None if it has none."""
    # An SDK's objects name every count, and leave at None what was not told.
    told = {key for key, value in usage.items() if value is not None}
    return next((one.read for one in spellings if not told.isdisjoint(one.keys)), None)


def plain(raw: object) -> Counts:
    """``raw`` as a JSON object that can be encoded."""
    try:
        value: Any = msgspec.to_builtins(raw, enc_hook=unfolded)
    except (RecursionError, TypeError, ValueError) as error:
        raise TypeError(f"{type(raw).__name__} is no usage object: {error}") from None
    if not is_object(value):
        raise TypeError(
            f"a usage object is a mapping, a Usage, or an object with model_dump() or attributes, "
            f"not {type(raw).__name__}"
        )
    try:
        encoded(value)
    except UnicodeEncodeError:
        return members(scrub(value))
    return value


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def unfolded(value: object) -> object:
    """What msgspec cannot take apart: a pydantic model, a mapping, an object with attributes."""
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump()
    if is_mapping(value):
        return dict(value)
    told = {name: item for name, item in vars(value).items() if not name.startswith("_")}
    if not told:
        raise TypeError(f"{type(value).__name__} has no attributes to count")
    return told
