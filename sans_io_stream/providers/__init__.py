"""Who builds a ``StreamRequest`` for which provider: one module of builders each.

``from sans_io_stream.providers import anthropic``; ``anthropic.chat(model=..., messages=...)``
is a request, and nothing else has happened. Keys are arguments: nothing here reads an
environment. ``PROVIDERS`` is the same as data.
"""

from __future__ import annotations

from . import (
    anthropic,
    azure,
    bedrock,
    cohere,
    compatible,
    deepseek,
    gemini,
    groq,
    holysheep,
    interactions,
    mistral,
    ollama,
    openai,
    openrouter,
    relay,
    vertex,
    xai,
)
from .building import Provider

__all__ = [
    "PROVIDERS",
    "Provider",
    "anthropic",
    "azure",
    "bedrock",
    "cohere",
    "compatible",
    "deepseek",
    "gemini",
    "groq",
    "holysheep",
    "interactions",
    "mistral",
    "ollama",
    "openai",
    "openrouter",
    "provider_named",
    "relay",
    "vertex",
    "xai",
]

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        openai.PROVIDER,
        azure.PROVIDER,
        anthropic.PROVIDER,
        gemini.PROVIDER,
        vertex.PROVIDER,
        interactions.PROVIDER,
        deepseek.PROVIDER,
        mistral.PROVIDER,
        groq.PROVIDER,
        xai.PROVIDER,
        openrouter.PROVIDER,
        cohere.PROVIDER,
        ollama.PROVIDER,
        bedrock.PROVIDER,
        holysheep.PROVIDER,
        relay.PROVIDER,
        compatible.PROVIDER,
    )
}
"""By their names, which are those of the modules."""

ALIASES = {alias: one.name for one in PROVIDERS.values() for alias in one.aliases}


def provider_named(name: str) -> Provider:
    """The provider of that name or alias, in any case, ``_`` for ``-``.

    Raises ``ValueError`` for any other.
    """
    key = str(name).lower().replace("_", "-")
    try:
        return PROVIDERS[ALIASES.get(key, key)]
    except KeyError:
        known = ", ".join(PROVIDERS)
        raise ValueError(f"no provider is called {name!r}; there are: {known}") from None
