"""Amazon Bedrock: ConverseStream, and a model's own body by InvokeModelWithResponseStream.

Requests are signed: ``authorize`` takes what signs them, ``api_key`` a key of Bedrock's own,
which is a bearer token. Usage comes unasked. Source: botocore
``data/bedrock-runtime/2023-09-30``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..url import path_segment
from .building import (
    Authorizer,
    Body,
    Headers,
    Provider,
    address,
    bearer,
    builder,
    label,
    named,
    post,
    streaming,
)
from .messages import Messages, turned

if TYPE_CHECKING:
    from ..request import StreamRequest

__all__ = ["PROVIDER", "chat", "invoke"]


@builder
def chat(
    *,
    model: str,
    messages: Messages,
    region: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed conversation. ``model`` is the id of a model or an inference profile, or an
    ARN; ``fields`` are ``inferenceConfig``, ``toolConfig`` and the other fields of the API.

    Raises ``ValueError`` for what cannot be asked.
    """
    return post(
        "bedrock",
        call(model, "converse-stream", region, base_url),
        {**turned("bedrock-converse", messages, fields), **streaming(fields)},
        dialect="bedrock-converse",
        own={"authorization": bearer(api_key)},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


@builder
def invoke(
    *,
    model: str,
    region: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    headers: Headers = (),
    authorize: Authorizer | None = None,
    idempotency_key: str | None = None,
    **fields: object,
) -> StreamRequest:
    """A streamed invocation: ``fields`` are the body, as the model's vendor defines it.

    Raises ``ValueError`` for what cannot be asked.
    """
    body: Body = streaming(fields)
    if not body:
        raise ValueError("give the fields of the model's own body, such as messages=[...]")
    return post(
        "bedrock",
        call(model, "invoke-with-response-stream", region, base_url),
        body,
        dialect="bedrock-invoke",
        own={"authorization": bearer(api_key)},
        headers=headers,
        authorize=authorize,
        idempotency_key=idempotency_key,
        model=model,
    )


def call(model: str, operation: str, region: str | None, base_url: str | None) -> str:
    """The URL of an operation on a model."""
    return address(
        endpoint(region) if base_url is None else base_url,
        f"model/{path_segment(named('model', model))}/{operation}",
    )


def endpoint(region: str | None) -> str:
    """Where a region's Bedrock answers."""
    place = label("region", region)
    suffix = "amazonaws.com.cn" if place.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{place}.{suffix}"


PROVIDER = Provider(
    "bedrock",
    chat,
    ("AWS_BEARER_TOKEN_BEDROCK",),
    {"region": ("AWS_REGION", "AWS_DEFAULT_REGION")},
    ("aws", "amazon-bedrock"),
)
