"""AWS' SDK, with Bedrock."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

from sans_io_stream.providers.signing import AWSCredentials, SigV4

from .case import KEY, KEYED, MESSAGES, SYSTEM, Case, Send, module, read

REGION = "us-east-1"
BEDROCK = f"https://bedrock-runtime.{REGION}.amazonaws.com"
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


def bedrock_client(base: str | None) -> Any:
    return module("boto3").client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=base,
        aws_access_key_id=KEY,
        aws_secret_access_key="test-secret",
    )


def bedrock_default() -> str:
    return str(bedrock_client(None).meta.endpoint_url)


def bedrock_converse(base: str, fields: dict[str, Any]) -> None:
    fields = dict(fields)
    model = fields.pop("model")
    read(bedrock_client(base).converse_stream(modelId=model, **fields)["stream"])


def bedrock_by_key(base: str, fields: dict[str, Any]) -> None:
    # The SDK takes it from nowhere else; the recorder puts the environment back.
    os.environ["AWS_BEARER_TOKEN_BEDROCK"] = KEY
    fields = dict(fields)
    client = module("boto3").client("bedrock-runtime", region_name=REGION, endpoint_url=base)
    read(client.converse_stream(modelId=fields.pop("model"), **fields)["stream"])


def bedrock_invoke(base: str, fields: dict[str, Any]) -> None:
    fields = dict(fields)
    client = bedrock_client(base)
    # The SDK takes a body of bytes, since each model has a format of its own.
    answer = client.invoke_model_with_response_stream(
        modelId=fields.pop("model"), body=json.dumps(fields), contentType="application/json"
    )
    read(answer["body"])


SIGNED = SigV4(
    AWSCredentials(KEY, "test-secret"), REGION, clock=lambda: datetime(2026, 11, 26, tzinfo=UTC)
)
CONVERSE = {
    "model": HAIKU,
    "messages": [{"role": "user", "content": [{"text": "Say hello."}]}],
    "system": [{"text": "Be brief."}],
    "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
}
INVOKE = {
    "model": HAIKU,
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 100,
    "messages": MESSAGES,
}


def by_bedrock(
    name: str, send: Send, fields: dict[str, Any], ours: dict[str, Any], **more: Any
) -> Case:
    return Case(
        name,
        f"bedrock.{name.split('-')[1]}",
        "boto3",
        BEDROCK,
        "bedrock",
        send,
        fields,
        {"region": REGION, **ours},
        default=bedrock_default,
        **more,
    )


BEDROCK_CASES = [
    by_bedrock("bedrock-chat", bedrock_converse, CONVERSE, {"authorize": SIGNED}),
    by_bedrock(
        "bedrock-chat-messages",
        bedrock_converse,
        {"model": HAIKU},
        {"authorize": SIGNED, "messages": SYSTEM},
        theirs={"messages": CONVERSE["messages"], "system": CONVERSE["system"]},
    ),
    by_bedrock("bedrock-chat-key", bedrock_by_key, CONVERSE, KEYED, secure=True),
    by_bedrock("bedrock-invoke", bedrock_invoke, INVOKE, {"authorize": SIGNED}),
]
