"""OpenAI: chat completions, responses and the older completions.

Usage of a chat comes in one more chunk, where ``stream_options`` asks for it; a response always
says it. A response in the background can be taken up again. Source: openai
``resources/chat/completions``, ``resources/responses``, ``_client.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from .family import chat_request, with_options

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy
    from .messages import Messages

__all__ = ["BASE_URL", "PROVIDER", "chat", "completions", "responses", "responses_body"]

BASE_URL = "https://api.openai.com/v1"
USAGE = {"include_usage": True}


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    organization: str | None = None,
    project: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed chat completion. ``fields`` are those of the API, as they are.

    Raises ``ValueError`` for what cannot be asked.
    """
    return chat_request(
        "openai",
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        own=account(organization, project),
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        options=USAGE,
    )


@builder
def responses(
    *,
    model: str,
    input: str | Sequence[Mapping[str, object]],
    background: bool | None = None,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    organization: str | None = None,
    project: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = "openai-responses",
    **fields: object,
) -> StreamRequest:
    """A streamed response. ``background=True`` has it go on without its reader, so that it can
    be taken up again after a break.

    Raises ``ValueError`` for what cannot be asked.
    """
    return post(
        "openai",
        address(base_url, "responses"),
        responses_body(model, input, background, fields),
        dialect="openai-responses",
        own={"authorization": bearer(api_key), **account(organization, project)},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        resume=resume,
    )


@builder
def completions(
    *,
    model: str,
    prompt: str | Sequence[object],
    api_key: str | None = None,
    base_url: str = BASE_URL,
    organization: str | None = None,
    project: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed text completion, of a prompt alone.

    Raises ``ValueError`` for what cannot be asked.
    """
    body: Body = {"model": named("model", model), "prompt": prompt, **streaming(fields)}
    return post(
        "openai",
        address(base_url, "completions"),
        with_options({**body, "stream": True}, USAGE),
        dialect="openai-completions",
        own={"authorization": bearer(api_key), **account(organization, project)},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


def responses_body(
    model: str,
    input: str | Sequence[Mapping[str, object]],
    background: bool | None,
    fields: Mapping[str, object],
) -> Body:
    """The body of a response, for whoever speaks this API."""
    if not input:
        raise ValueError("input is empty: give a text, or a list of messages and other items")
    body: Body = {"model": named("model", model), "input": input, **streaming(fields)}
    if background is not None:
        body["background"] = background
    return {**body, "stream": True}


def account(organization: str | None, project: str | None) -> dict[str, str | None]:
    """The headers that say on whose account it goes."""
    return {"openai-organization": organization, "openai-project": project}


PROVIDER = Provider(
    "openai",
    chat,
    ("OPENAI_API_KEY",),
    {
        "base_url": ("OPENAI_BASE_URL",),
        "organization": ("OPENAI_ORG_ID",),
        "project": ("OPENAI_PROJECT_ID",),
    },
)
