"""Groq: chat completions.

Usage comes unasked, in ``x_groq`` of the last chunk. Source: groq
``resources/chat/completions.py``, ``types/chat/chat_completion_chunk.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request

if TYPE_CHECKING:
    from ..request import StreamRequest
    from .messages import Messages

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.groq.com"


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed chat completion. ``fields`` are those of the API, as they are.

    Raises ``ValueError`` for what cannot be asked.
    """
    return chat_request(
        "groq",
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        path="openai/v1/chat/completions",
    )


PROVIDER = Provider(
    "groq",
    chat,
    ("GROQ_API_KEY",),
    {"base_url": ("GROQ_BASE_URL",)},
)
