"""xAI: chat completions.

OpenAI's protocol; usage comes where ``stream_options`` asks for it. Source: xAI's REST API
reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request

if TYPE_CHECKING:
    from ..request import StreamRequest
    from .messages import Messages

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.x.ai/v1"


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
        "xai",
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        options={"include_usage": True},
    )


PROVIDER = Provider(
    "xai",
    chat,
    ("XAI_API_KEY",),
    aliases=("x-ai", "grok"),
)
