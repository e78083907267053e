"""Ollama: chat, on one's own machine or in its cloud.

No key is needed but in the cloud; usage comes unasked in the last line. An address is written
as Ollama's own variable has it: ``host``, ``host:port`` or a URL. Source: ollama
``_client.py``; Ollama's ``docs/api.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, builder, named
from .family import chat_request
from .messages import Messages, system_named

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["BASE_URL", "PROVIDER", "chat"]

BASE_URL = "http://127.0.0.1:11434"
PORT = 11434


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
    """A streamed chat. ``fields`` are those of the API, as they are: ``options``, ``think``, …

    Raises ``ValueError`` for what cannot be asked.
    """
    return chat_request(
        "ollama",
        model,
        system_named(messages),
        fields,
        base_url=as_url(named("base_url", base_url)),
        api_key=api_key,
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        path="api/chat",
        dialect="ollama",
    )


def as_url(place: str) -> str:
    """``host``, ``host:port`` or a URL as a URL. Ollama's port is taken without a scheme only."""
    if "://" in place:
        return place
    authority, slash, path = place.partition("/")
    host = authority if not authority.startswith(":") else f"127.0.0.1{authority}"
    if ":" not in host.rpartition("]")[2]:
        host = f"{host}:{PORT}"
    return f"http://{host}{slash}{path}"


PROVIDER = Provider(
    "ollama",
    chat,
    ("OLLAMA_API_KEY",),
    {"base_url": ("OLLAMA_HOST",)},
    needs_key=False,
)
