"""Azure OpenAI: chat completions and responses of one's own deployments.

Two surfaces: the classic one, where ``api-version`` stands in the query and the deployment in
the path of a chat, and the key in ``api-key``; and ``/openai/v1``, asked as OpenAI itself is.
A token of Entra comes from ``authorize``. Source: openai ``lib/azure.py``; Azure's API lifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..url import path_segment
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
from .messages import Messages, checked
from .openai import USAGE, responses_body

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy

__all__ = ["PROVIDER", "chat", "responses"]


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    endpoint: str,
    api_version: str | None = None,
    api_key: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed chat completion. ``model`` is the deployment's name; ``endpoint`` the
    resource's URL, ``https://NAME.openai.azure.com``. Without an ``api_version`` the surface
    ``/openai/v1`` is asked.

    Raises ``ValueError`` for what cannot be asked.
    """
    deployment = f"deployments/{path_segment(named('model', model))}/chat/completions"
    body: Body = {"model": model, "messages": checked(messages), **streaming(fields)}
    return post(
        "azure",
        surface(endpoint, api_version, deployment, "chat/completions"),
        with_options({**body, "stream": True}, USAGE),
        dialect="openai-chat",
        own=credential(api_version, api_key),
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


@builder
def responses(
    *,
    model: str,
    input: str | Sequence[Mapping[str, object]],
    endpoint: str,
    api_version: str | None = None,
    background: bool | None = None,
    api_key: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = "openai-responses",
    **fields: object,
) -> StreamRequest:
    """A streamed response, as of ``openai.responses``; ``endpoint`` and ``api_version`` as of
    ``chat``.

    Raises ``ValueError`` for what cannot be asked.
    """
    return post(
        "azure",
        surface(endpoint, api_version, "responses", "responses"),
        responses_body(model, input, background, fields),
        dialect="openai-responses",
        own=credential(api_version, api_key),
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        resume=resume,
    )


def surface(endpoint: str, api_version: str | None, classic: str, newer: str) -> str:
    """The URL of a call, ``classic`` or ``newer`` below the endpoint."""
    if api_version is None:
        return address(endpoint, f"openai/v1/{newer}", name="endpoint")
    version = {"api-version": named("api_version", api_version)}
    return address(endpoint, f"openai/{classic}", name="endpoint", **version)


def credential(api_version: str | None, api_key: str | None) -> dict[str, str | None]:
    """The header of the key, for the surface that is asked."""
    if api_version is None:
        return {"authorization": bearer(api_key)}
    return {"api-key": api_key}


PROVIDER = Provider(
    "azure",
    chat,
    ("AZURE_OPENAI_API_KEY",),
    {"endpoint": ("AZURE_OPENAI_ENDPOINT",), "api_version": ("OPENAI_API_VERSION",)},
    ("azure-openai",),
)
