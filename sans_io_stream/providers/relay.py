"""The relay of this project: every provider behind it, and answers that outlive a connection.

A question is asked in OpenAI's form, or in Anthropic's where the answer is to have its format;
the model's name chooses the provider. The format ``native`` loses nothing of an answer. One that
breaks off is gone on with exactly, whatever stands behind the relay. Source: docs/relay.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from ..headers import header_items
from ..request import StreamRequest
from ..strategies.relay import STREAM, RelayStrategy
from ..strategies.urls import with_query
from .building import (
    Authorizer,
    Body,
    Headers,
    Provider,
    address,
    bearer,
    builder,
    named,
    post,
    streaming,
)
from .family import with_options
from .messages import Messages, checked, turned
from .openai import USAGE

if TYPE_CHECKING:
    from ..strategies import Strategy

__all__ = ["BASE_URL", "PROVIDER", "Format", "chat", "read"]

BASE_URL = "http://127.0.0.1:8700"
"""Where a relay listens that was not told otherwise."""
MAX_TOKENS = 4096
"""What Anthropic's form needs, and is here unless it is given."""

Format = Literal["native", "openai-chat", "anthropic", "holysheep"]
PATHS: Mapping[str, str] = {
    "native": "v1/streams",
    "openai-chat": "v1/chat/completions",
    "anthropic": "v1/messages",
    "holysheep": "v1/chat/completions",
}
"""The formats, and where an answer in each of them is asked for."""
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "openai-chat": USAGE,
    "holysheep": {**USAGE, "include_model": True, "include_finish_reason": True},
}
"""Their ``stream_options``; by HolySheep's the relay knows which of the two formats is meant."""
COUNTS: Mapping[str, Mapping[str, str]] = {"openai-chat": {"include_usage": "true"}}
"""By what the token counts are asked for where a stream is read."""


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    format: Format = "native",
    api_key: str | None = None,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed answer. ``base_url`` is what stands before ``/v1``.

    With an ``idempotency_key`` a request of which nothing came is made again, and the relay joins
    the two; without one it is not, since it may be being answered.

    Raises ``ValueError`` for what cannot be asked.
    """
    path = path_of(format)
    said: Body = {"messages": checked(messages)}
    if format == "anthropic":
        said = {"max_tokens": MAX_TOKENS, **turned("anthropic", messages, fields)}
    body: Body = {"model": named("model", model), **said, **streaming(fields), "stream": True}
    return post(
        "relay",
        address(base_url, path),
        with_options(body, OPTIONS.get(format)),
        dialect=format,
        own={"authorization": bearer(api_key)},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        resume=RelayStrategy(format=format) if resume is None else resume,
    )


@builder
def read(
    *,
    id: str,
    after: str | None = None,
    format: Format = "native",
    model: str | None = None,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    resume: str | Strategy | None = None,
) -> StreamRequest:
    """A stream that is there: ``id`` is its ``X-Stream-Id``, ``after`` a cursor of it; without
    one it comes from its start. ``model`` is whom to account it to.

    Raises ``ValueError`` for an id that is none.
    """
    path_of(format)
    if STREAM.fullmatch(named("id", id)) is None:
        raise ValueError("id is none of a stream: give what X-Stream-Id said")
    pairs = tuple(header_items(headers))
    key = bearer(api_key)
    if key is not None and "authorization" not in {name.lower() for name, _ in pairs}:
        pairs = (("authorization", key), *pairs)
    return StreamRequest(
        "GET",
        with_query(
            address(base_url, f"v1/streams/{id}"),
            format=format,
            after=after,
            **COUNTS.get(format, {}),
        ),
        pairs,
        dialect=format,
        authorize=authorize,
        provider="relay",
        model=model,
        resume=RelayStrategy(format=format) if resume is None else resume,
    )


def path_of(format: str) -> str:
    """Where an answer in that format is asked for. Raises ``ValueError`` for any other."""
    if format not in PATHS:
        raise ValueError(f"format is one of {', '.join(PATHS)}, not {format!r}")
    return PATHS[format]


PROVIDER = Provider(
    "relay",
    chat,
    ("SANS_IO_STREAM_RELAY_KEY",),
    {"base_url": ("SANS_IO_STREAM_RELAY_URL",)},
    needs_key=False,
)
