"""Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, LM Studio, gateways.

Usage is asked for; a server that refuses the field gets ``stream_options=None``. What a server
can do beyond the protocol is said by ``resume`` ("llamacpp", with a header
``X-Conversation-Id``) and ``continuation`` ("vllm").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder, named
from .family import chat_request
from .openai import USAGE

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy
    from .messages import Messages

__all__ = ["PROVIDER", "chat"]


@builder
def chat(
    *,
    base_url: str,
    model: str,
    messages: Messages,
    api_key: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = None,
    continuation: str | None = None,
    provider: str = "compatible",
    **fields: object,
) -> StreamRequest:
    """A streamed chat completion. ``base_url`` is what stands before ``/chat/completions``;
    ``provider`` the name to account it to.

    Raises ``ValueError`` for what cannot be asked.
    """
    return chat_request(
        named("provider", provider),
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        options=USAGE,
        resume=resume,
        continuation=continuation,
    )


PROVIDER = Provider(
    "compatible",
    chat,
    aliases=("openai-compatible",),
    needs_key=False,
    # The older name, which every server knows.
    calls={"max_completion_tokens": "max_tokens"},
)
