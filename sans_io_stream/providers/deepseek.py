"""DeepSeek: chat completions.

Usage comes where ``stream_options`` asks for it; a break may be gone on from behind the text so
far ("Chat Prefix Completion", below ``/beta``). Source: DeepSeek's API documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request
from .messages import Messages, system_named

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.deepseek.com"


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
        "deepseek",
        model,
        system_named(messages),
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        options={"include_usage": True},
        continuation="deepseek",
    )


PROVIDER = Provider(
    "deepseek",
    chat,
    ("DEEPSEEK_API_KEY",),
    calls={"max_completion_tokens": "max_tokens"},
)
