"""HolySheep: one gateway to many models, whose streams can be taken up again.

Chat completions of OpenAI's form; what a chunk tells is chosen in ``stream_options``. Source:
HolySheep's API documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder
from .family import chat_request

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy
    from .messages import Messages

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "https://api.holysheep.ai/v1"


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    include_usage: bool | None = True,
    include_model: bool | None = None,
    include_finish_reason: bool | None = None,
    resume_from_event_id: str | None = None,
    api_key: str | None = None,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = "holysheep",
    **fields: object,
) -> StreamRequest:
    """A streamed chat completion. What is None is left out of ``stream_options``;
    ``resume_from_event_id`` is the id of the last chunk that was read.

    Raises ``ValueError`` for what cannot be asked.
    """
    options: dict[str, object] = {
        "include_usage": include_usage,
        "include_model": include_model,
        "include_finish_reason": include_finish_reason,
        "resume_from_event_id": resume_from_event_id,
    }
    return chat_request(
        "holysheep",
        model,
        messages,
        fields,
        base_url=base_url,
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        dialect="holysheep",
        options={name: value for name, value in options.items() if value is not None},
        resume=resume,
    )


PROVIDER = Provider("holysheep", chat, ("HOLYSHEEP_API_KEY",))
