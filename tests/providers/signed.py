"""Requests to sign, and what signs them: this library, and botocore where it is installed.

``signatures.json`` holds what botocore makes of ``TO_SIGN``; ``make goldens`` records it.
"""

from __future__ import annotations

import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from sans_io_stream.providers.signing import AWSCredentials, SigV4
from sans_io_stream.request import HTTPRequest

__all__ = [
    "KEYS",
    "REGION",
    "SIGNATURES",
    "TIME",
    "TO_SIGN",
    "botocore_signatures",
    "botocore_signed",
    "headers_of",
    "recorded_signatures",
    "signatures",
    "signed",
]

SIGNATURES = Path(__file__).with_name("signatures.json")
TIME = datetime(2026, 11, 26, 21, 59, 58, tzinfo=UTC)
REGION = "eu-central-1"
# The credentials of AWS' own examples.
KEYS = AWSCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = AWSCredentials(KEYS.access_key, KEYS.secret_key, "IQoJb3JpZ2luX2VjE/+=")
RUNTIME = f"https://bedrock-runtime.{REGION}.amazonaws.com"
HAIKU = f"{RUNTIME}/model/anthropic.claude-3-haiku-20240307-v1%3A0"
PROFILE = (
    f"{RUNTIME}/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3A"
    "application-inference-profile%2Fabc"
)
JSON = (("content-type", "application/json"),)
BODY = b'{"messages":[{"role":"user","content":[{"text":"Gr\xc3\xbc\xc3\x9f dich."}]}]}'
TO_SIGN: dict[str, tuple[HTTPRequest, AWSCredentials]] = {
    "converse": (HTTPRequest("POST", f"{HAIKU}/converse-stream", JSON, BODY), KEYS),
    "invoke": (HTTPRequest("POST", f"{HAIKU}/invoke-with-response-stream", JSON, BODY), KEYS),
    "a colon bare": (
        HTTPRequest("POST", f"{RUNTIME}/model/meta.llama3-v1:0/converse-stream", JSON, BODY),
        KEYS,
    ),
    "an ARN": (HTTPRequest("POST", f"{PROFILE}/converse-stream", JSON, BODY), KEYS),
    "temporary": (HTTPRequest("POST", f"{HAIKU}/converse-stream", JSON, BODY), TEMPORARY),
    "guardrail": (
        HTTPRequest(
            "POST",
            f"{HAIKU}/invoke-with-response-stream",
            (
                *JSON,
                ("x-amzn-bedrock-guardrailidentifier", "abc"),
                ("x-amzn-bedrock-trace", "ENABLED"),
                ("accept", "application/vnd.amazon.eventstream"),
            ),
            BODY,
        ),
        KEYS,
    ),
    "no body": (HTTPRequest("GET", f"{RUNTIME}/async-invoke"), KEYS),
    "query": (
        HTTPRequest("GET", f"{RUNTIME}/async-invoke?sortBy=b&maxResults=10&a=%2F%20x&sortBy=a&e="),
        KEYS,
    ),
    "a port": (HTTPRequest("POST", "http://127.0.0.1:8080/model/m/converse-stream"), KEYS),
    "dots and slashes": (HTTPRequest("GET", f"{RUNTIME}/a//./b/../c~d/e%20f/"), KEYS),
    "a hash given": (
        HTTPRequest("POST", RUNTIME, (("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),), BODY),
        KEYS,
    ),
    "blanks": (
        HTTPRequest("GET", RUNTIME, (("my-one", '  "a   b   c"  '), ("my-two", "x"))),
        KEYS,
    ),
    "one name twice": (HTTPRequest("GET", RUNTIME, (("my-one", "b"), ("my-one", "a"))), KEYS),
}


def signatures() -> dict[str, str]:
    """The header ``authorization`` of each of ``TO_SIGN``, signed by us."""
    return {
        name: signed(request, keys, REGION, "bedrock", TIME)["authorization"]
        for name, (request, keys) in TO_SIGN.items()
    }


def botocore_signatures() -> dict[str, str]:
    """The same by botocore."""
    return {
        name: botocore_signed(request, keys, REGION, "bedrock", TIME)["authorization"]
        for name, (request, keys) in TO_SIGN.items()
    }


def recorded_signatures() -> dict[str, str]:
    """The same as recorded."""
    found: dict[str, str] = json.loads(SIGNATURES.read_text("utf-8"))
    return found


def signed(
    request: HTTPRequest, keys: AWSCredentials, region: str, service: str, time: datetime
) -> dict[str, str]:
    """The headers of ``request``, signed by us."""
    done = SigV4(keys, region, service, clock=lambda: time)(request)
    assert isinstance(done, HTTPRequest)
    assert (done.method, done.url, done.body) == (request.method, request.url, request.body)
    return headers_of(done)


def headers_of(request: HTTPRequest) -> dict[str, str]:
    """The headers; of one that is there twice the last."""
    return dict(request.headers)


def botocore_signed(
    request: HTTPRequest, keys: AWSCredentials, region: str, service: str, time: datetime
) -> dict[str, str]:
    """The same by botocore's own signer, at the same time."""
    auth: Any = importlib.import_module("botocore.auth")
    awsrequest: Any = importlib.import_module("botocore.awsrequest")
    credentials: Any = importlib.import_module("botocore.credentials").Credentials(
        keys.access_key, keys.secret_key, keys.session_token
    )
    asked = awsrequest.AWSRequest(request.method, request.url, data=request.body)
    for name, value in request.headers:
        asked.headers.add_header(name, value)
    with mock.patch.object(auth, "get_current_datetime", return_value=time):
        auth.SigV4Auth(credentials, service, region).add_auth(asked)
    return {name.lower(): value for name, value in asked.headers.items()}
