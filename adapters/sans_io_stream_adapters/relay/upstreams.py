"""From what a client asked to what a provider is asked.

The provider's builder says where, with which headers and what the body must say of streaming;
the body itself is the client's: as it is where the provider speaks the client's format, else
translated. The builder is called with a placeholder for the conversation, and never with a field
of the client's, so that none can be taken for an address or a key.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from sans_io_stream.dialects.holysheep import HolySheep
from sans_io_stream.dialects.native import Native
from sans_io_stream.providers import azure, openai, provider_named
from sans_io_stream.translation import WRITERS, translate

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .routes import Upstream

__all__ = ["ASKED", "RESPONSES", "builder_of", "format_of", "request_for"]

RESPONSES: dict[str, Callable[..., StreamRequest]] = {
    "openai": openai.responses,
    "azure": azure.responses,
}
"""The builders of the surface "responses", by the names of their providers."""

BODIES = {HolySheep.name: "openai-chat", Native.name: "openai-chat"}
"""Whose request has another format's form than its answer."""

ASKED = frozenset({"messages", "contents", "input"})
"""The fields that hold a conversation: the placeholder, in what a builder made."""
STREAMING = frozenset({"stream", "stream_options"})
"""The fields that say how an answer is streamed: a client's are for the relay, which streams."""
PLACEHOLDER = {"role": "user", "content": "-"}


def builder_of(upstream: Upstream) -> Callable[..., StreamRequest]:
    """What builds the requests to an upstream. Raises ``ValueError`` for a surface that its
    provider has not."""
    if upstream.surface == "chat":
        return provider_named(upstream.provider).chat
    if upstream.provider not in RESPONSES:
        known = ", ".join(RESPONSES)
        raise ValueError(f'surface "responses" is asked of {known} alone, not {upstream.provider}')
    return RESPONSES[upstream.provider]


def format_of(request: StreamRequest) -> str:
    """The format of a request's body, by the name that ``translate`` knows it by."""
    dialect = request.dialect or ""
    return BODIES.get(dialect, dialect)


def request_for(
    upstream: Upstream,
    model: str,
    body: Mapping[str, Any],
    source_format: str,
    *,
    idempotency_key: str | None = None,
) -> StreamRequest:
    """The request that asks an upstream what a client's ``body`` asks, in ``source_format``.

    ``model`` is the model's name there. Of the body, ``model``, ``stream`` and
    ``stream_options`` do not count. Raises ``Untranslatable`` for what the upstream's format
    cannot say, ``ValueError`` for a format that is none, and for a model's name that cannot stand
    in the URL.
    """
    made = template(upstream, model, idempotency_key)
    target = format_of(made)
    asked = {name: value for name, value in body.items() if name not in STREAMING}
    if target != source_format:
        calls = provider_named(upstream.provider).calls
        told = translate({**asked, "model": model}, source_format, target)
        asked = {calls.get(name, name): value for name, value in told.items()}
    ours = made.http().json() or {}
    kept = {name: value for name, value in ours.items() if name not in ASKED}
    # Where the builder writes no model, it stands in the URL.
    said = {name: value for name, value in asked.items() if name != "model"}
    whole: dict[str, Any] = {**kept, **said}
    # The address is the configuration's alone.
    return dataclasses.replace(made, body=msgspec.json.encode(whole), redirects=False)


def template(upstream: Upstream, model: str, idempotency_key: str | None = None) -> StreamRequest:
    """A request to an upstream that asks nothing yet. Raises ``ValueError`` for what its builder
    cannot do with the upstream's settings."""
    given: dict[str, Any] = {**upstream.fields, **upstream.options, "model": model}
    if given.get("stream_options") is False:
        # The builders' word for leaving it out, which TOML has not.
        given["stream_options"] = None
    for name in ("api_key", "base_url", "authorize"):
        if (value := getattr(upstream, name)) is not None:
            given[name] = value
    if upstream.headers:
        given["headers"] = upstream.headers
    if upstream.surface == "responses":
        given |= {"input": [PLACEHOLDER], "background": upstream.background or None}
    else:
        given["messages"] = [PLACEHOLDER]
    made = builder_of(upstream)(idempotency_key=idempotency_key, **given)
    if format_of(made) not in WRITERS:
        known = ", ".join(WRITERS)
        raise ValueError(f"nothing is translated for {upstream.provider}; for: {known}")
    return made
