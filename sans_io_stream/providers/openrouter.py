"""OpenRouter: chat completions of many providers' models.

Usage always comes in the last chunk; ``stream_options.include_usage`` has no effect. Source:
OpenRouter's API reference, "Usage Accounting"; openrouter ``components/chatstreamoptions.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request

if TYPE_CHECKING:
    from ..request import StreamRequest
    from .messages import Messages

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://openrouter.ai/api/v1"


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
        "openrouter",
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
    )


PROVIDER = Provider(
    "openrouter",
    chat,
    ("OPENROUTER_API_KEY",),
)
