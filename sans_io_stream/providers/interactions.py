"""Gemini Interactions: stored answers of models and agents.

A stored interaction can be taken up again at an event, or from its start. Source: google-genai
``_gaos/interactions.py``, ``_gaos/types/interactions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .building import Authorizer, Body, Headers, Provider, address, builder, named, post, streaming
from .gemini import API_VERSION, BASE_URL, resource
from .messages import Messages, turned

if TYPE_CHECKING:
    from ..request import StreamRequest
    from ..strategies import Strategy

__all__ = ["API_VERSION", "BASE_URL", "PROVIDER", "chat"]


@builder
def chat(
    *,
    model: str | None = None,
    agent: str | None = None,
    messages: Messages | None = None,
    input: str | Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
    background: bool | None = None,
    api_key: str | None = None,
    api_version: str = API_VERSION,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    resume: str | Strategy | None = "gemini-interactions",
    **fields: object,
) -> StreamRequest:
    """A streamed interaction with a ``model`` or an ``agent``, of ``messages``, which become
    steps, or of ``input`` in the API's own form. ``background=True`` has it go on without its
    reader.

    Raises ``ValueError`` for what cannot be asked.
    """
    if (model is None) == (agent is None):
        raise ValueError("give model= or agent=: one of them")
    who = {"model": named("model", model)} if agent is None else {"agent": named("agent", agent)}
    body: Body = {**who, **asked(messages, input, fields), **streaming(fields)}
    if background is not None:
        body["background"] = background
    return post(
        "interactions",
        address(base_url, f"{resource('api_version', api_version)}/interactions"),
        {**body, "stream": True},
        dialect="gemini-interactions",
        own={"x-goog-api-key": api_key},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
        resume=resume,
    )


def asked(
    messages: Messages | None,
    input: str | Mapping[str, object] | Sequence[Mapping[str, object]] | None,
    fields: Mapping[str, object],
) -> Body:
    """What is asked, as fields of the body."""
    if (messages is None) == (input is None):
        raise ValueError("give messages=, or input= in the API's own form: one of them")
    if messages is not None:
        return turned("gemini-interactions", messages, fields)
    if not input:
        raise ValueError("input is empty: give a text, a content, or a list of steps")
    return {"input": input}


PROVIDER = Provider(
    "interactions",
    chat,
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    {"base_url": ("GOOGLE_GEMINI_BASE_URL",)},
    ("gemini-interactions",),
)
