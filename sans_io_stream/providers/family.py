"""The family of OpenAI's chat completions: many providers, one body.

Usage is asked for where a provider must be asked. A ``stream_options`` of the caller's is laid
over that; None leaves the field out, for servers that refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from .building import Authorizer, Body, Headers, address, bearer, builder, named, post, streaming
from .messages import Messages, checked, system_named

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy

__all__ = ["Chat", "chat_at", "chat_request", "with_options"]


class Chat(Protocol):
    """What builds a streamed chat completion. ``fields`` are those of the API, as they are."""

    def __call__(
        self,
        *,
        model: str,
        messages: Messages,
        api_key: str | None = None,
        base_url: str = ...,
        headers: Headers = (),
        authorize: Authorizer | None = None,
        idempotency_key: str | None = None,
        **fields: object,
    ) -> StreamRequest:
        """Raises ``ValueError`` for what cannot be asked."""
        ...


def chat_at(
    provider: str,
    home: str,
    *,
    path: str = "chat/completions",
    dialect: str = "openai-chat",
    options: Mapping[str, object] | None = None,
    continuation: str | None = None,
    knows_developers: bool = True,
) -> Chat:
    """The ``chat`` of a provider that is asked below ``home`` unless a ``base_url`` is given.

    ``options`` are the ``stream_options`` that it needs. Who does not know the role
    ``developer`` is told of a system.
    """

    @builder
    def chat(
        *,
        model: str,
        messages: Messages,
        api_key: str | None = None,
        base_url: str = home,
        headers: Headers = (),
        authorize: Authorizer | None = None,
        idempotency_key: str | None = None,
        **fields: object,
    ) -> StreamRequest:
        """A streamed chat completion. ``fields`` are those of the API, as they are.

        Raises ``ValueError`` for what cannot be asked.
        """
        return chat_request(
            provider,
            model,
            messages if knows_developers else system_named(messages),
            fields,
            base_url=base_url,
            api_key=api_key,
            headers=headers,
            authorize=authorize,
            idempotency_key=idempotency_key,
            path=path,
            dialect=dialect,
            options=options,
            continuation=continuation,
        )

    # Where it is found, for whoever asks for help or reads a traceback.
    chat.__module__, chat.__qualname__ = f"{__package__}.{provider}", "chat"
    return chat


def chat_request(
    provider: str,
    model: str,
    messages: Messages,
    fields: Mapping[str, object],
    *,
    base_url: str,
    api_key: str | None,
    headers: Headers,
    authorize: Authorizer | None,
    idempotency_key: str | None,
    path: str = "chat/completions",
    dialect: str = "openai-chat",
    options: Mapping[str, object] | None = None,
    own: Mapping[str, str | None] | None = None,
    resume: str | Strategy | None = None,
    continuation: str | None = None,
) -> StreamRequest:
    """A request for chat completions, below ``base_url``, with the key as a bearer token.

    ``options`` are the ``stream_options`` that the provider needs, ``own`` its other headers.
    """
    named("model", model)
    body: Body = {"model": model, "messages": checked(messages), **streaming(fields)}
    return post(
        provider,
        address(base_url, path),
        with_options({**body, "stream": True}, options),
        dialect=dialect,
        own={"authorization": bearer(api_key), **(own or {})},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        resume=resume,
        continuation=continuation,
    )


def with_options(body: Body, options: Mapping[str, object] | None) -> Body:
    """``body`` with ``stream_options``: the provider's, and the caller's over them."""
    told = body.get("stream_options", {})
    if told is None:
        return {name: value for name, value in body.items() if name != "stream_options"}
    if not isinstance(told, Mapping):
        raise ValueError('stream_options is an object, such as {"include_usage": True}')
    laid = {**(options or {}), **cast("Mapping[str, object]", told)}
    return {**body, "stream_options": laid} if laid else body
