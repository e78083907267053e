"""Anthropic: messages.

Usage comes unasked. A break may be gone on from by a partial turn of the assistant, or by a
turn of the user. Key and version are sent as Anthropic's own client does; a gateway that wants
``x-api-key`` gets it by ``headers``. Source: anthropic 2.14 ``_client.py``, ``_constants.py``,
``resources/messages``, ``resources/beta/messages``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .building import (
    Authorizer,
    Headers,
    Provider,
    address,
    bearer,
    builder,
    named,
    post,
    streaming,
)
from .messages import Messages, turned

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["BASE_URL", "PROVIDER", "VERSION", "chat"]

BASE_URL = "https://api.anthropic.com"
VERSION = "2026-10-21"


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    max_tokens: int = 4096,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    version: str = VERSION,
    betas: Sequence[str] = (),
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed message. Messages of the system in plain text become ``system``, unless that
    is given; ``betas`` are the names of previews.

    Raises ``ValueError`` for what cannot be asked.
    """
    if isinstance(betas, str):
        raise ValueError(f"betas is a list of names: give betas=[{betas!r}]")
    told = turned("anthropic", messages, fields)
    return post(
        "anthropic",
        address(base_url, "v1/messages"),
        {
            "model": named("model", model),
            "max_tokens": max_tokens,
            **told,
            **streaming(fields),
            "stream": True,
        },
        dialect="anthropic",
        own={
            "authorization": bearer(api_key),
            "anthropic-version": version,
            "anthropic-beta": ",".join(betas) or None,
        },
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        continuation="anthropic",
    )


PROVIDER = Provider(
    "anthropic",
    chat,
    ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    {"base_url": ("ANTHROPIC_BASE_URL",)},
    ("claude",),
)
