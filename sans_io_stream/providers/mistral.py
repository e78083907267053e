"""Mistral: chat completions.

Usage comes unasked in the last chunk, and unknown fields such as ``stream_options`` are refused;
a break may be gone on from by a ``prefix``. Source: mistralai ``client/chat.py``,
``models/assistantmessage.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request
from .messages import Messages, system_named

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.mistral.ai"


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
        "mistral",
        model,
        system_named(messages),
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        path="v1/chat/completions",
        dialect="mistral",
        continuation="mistral",
    )


PROVIDER = Provider(
    "mistral",
    chat,
    ("MISTRAL_API_KEY",),
    aliases=("mistralai",),
)
