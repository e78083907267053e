"""Gemini API: ``streamGenerateContent``, as an event stream.

Usage comes unasked, on every record. Source: google-genai ``models.py``, ``_transformers.py``,
``_api_client.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from .building import Authorizer, Body, Headers, Provider, address, builder, named, post, streaming
from .messages import Message, Messages, turned

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["API_VERSION", "BASE_URL", "PROVIDER", "chat", "contents_body", "operation", "resource"]

BASE_URL = "https://generativelanguage.googleapis.com"
API_VERSION = "v1"
"""As of google-genai 3; "v1beta" has what is in preview."""
COLLECTIONS = ("models/", "tunedModels/")


@builder
def chat(
    *,
    model: str,
    messages: Messages | None = None,
    contents: str | Message | Messages | None = None,
    api_key: str | None = None,
    api_version: str = API_VERSION,
    base_url: str = BASE_URL,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """Streamed contents, of ``messages`` or of ``contents`` in the API's own form.

    Raises ``ValueError`` for what cannot be asked.
    """
    name = named("model", model)
    place = name if name.startswith(COLLECTIONS) else f"models/{name}"
    return post(
        "gemini",
        address(base_url, operation(api_version, place), alt="sse"),
        contents_body(messages, contents, fields),
        dialect="gemini",
        own={"x-goog-api-key": api_key},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


def contents_body(
    messages: Messages | None,
    contents: str | Message | Messages | None,
    fields: Mapping[str, object],
) -> Body:
    """The body: ``messages`` turned, or ``contents`` as they are."""
    if (messages is None) == (contents is None):
        raise ValueError("give messages=, or contents= in Gemini's own form: one of them")
    if messages is not None:
        return {**turned("gemini", messages, fields), **streaming(fields)}
    if not contents:
        raise ValueError("contents is empty: give a text, or turns with a role and parts")
    if isinstance(contents, str):
        contents = [{"role": "user", "parts": [{"text": contents}]}]
    elif isinstance(contents, Mapping):
        contents = [contents]
    return {"contents": contents, **streaming(fields)}


def operation(api_version: str, place: str) -> str:
    """The path of the call on the model at that place."""
    model = resource("model", place)
    return f"{resource('api_version', api_version)}/{model}:streamGenerateContent"


def resource(name: str, path: str) -> str:
    """A resource's name as a path: its slashes stay, and nothing in it leads elsewhere."""
    if any(segment in ("", ".", "..") for segment in path.split("/")):
        raise ValueError(
            f"{name}={path!r} cannot stand in a path: a segment of it is empty, or dots"
        )
    return quote(path, safe="/@:")


PROVIDER = Provider(
    "gemini",
    chat,
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    {"base_url": ("GOOGLE_GEMINI_BASE_URL",)},
    ("google", "google-ai"),
)
