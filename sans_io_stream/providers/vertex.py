"""Vertex AI: Gemini's ``streamGenerateContent`` in one's own cloud project.

The host follows from the location; a token of the project's comes from ``authorize`` or as
``access_token``; "express mode" takes a key and no project. Source: google-genai
``_api_client.py``, ``_transformers.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .building import Authorizer, Headers, Provider, address, bearer, builder, label, named, post
from .gemini import contents_body, operation

if TYPE_CHECKING:
    from ..request import StreamRequest
    from .messages import Message, Messages

__all__ = ["PROVIDER", "chat"]

MULTI_REGIONS = ("us", "eu")


@builder
def chat(
    *,
    model: str,
    project: str | None = None,
    location: str = "global",
    messages: Messages | None = None,
    contents: str | Message | Messages | None = None,
    access_token: str | None = None,
    api_key: str | None = None,
    api_version: str = "v1beta1",
    base_url: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """Streamed contents, as of ``gemini.chat``. ``model`` is a name of Google's, or
    ``publisher/name``, or a path that begins with ``publishers/`` or ``projects/``.

    Raises ``ValueError`` for what cannot be asked.
    """
    host = label("location", location)
    place = placed(named("model", model))
    if project is not None and not place.startswith("projects/"):
        if "/" in named("project", project):
            raise ValueError(f"project={project!r} has a slash: give the project's id alone")
        place = f"projects/{project}/locations/{host}/{place}"
    elif project is None and api_key is None and not place.startswith("projects/"):
        raise ValueError("give project=, the cloud project; without one Vertex AI needs api_key=")
    return post(
        "vertex",
        address(
            f"https://{host_of(host)}" if base_url is None else base_url,
            operation(api_version, place),
            alt="sse",
        ),
        contents_body(messages, contents, fields),
        dialect="gemini",
        own={"authorization": bearer(access_token), "x-goog-api-key": api_key},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


def placed(model: str) -> str:
    """The resource that a model's name means."""
    if model.startswith(("projects/", "publishers/", "models/")):
        return model
    publisher, slash, name = model.partition("/")
    return f"publishers/{publisher}/models/{name}" if slash else f"publishers/google/models/{model}"


def host_of(location: str) -> str:
    """The host that serves a location."""
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


PROVIDER = Provider(
    "vertex",
    chat,
    (),
    {"project": ("GOOGLE_CLOUD_PROJECT",), "location": ("GOOGLE_CLOUD_LOCATION",)},
    ("vertexai", "vertex-ai", "google-vertex"),
)
