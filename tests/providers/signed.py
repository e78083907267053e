"""Requests and what signs them, for the tests of signing."""

from __future__ import annotations

import importlib
from datetime import datetime
from typing import Any
from unittest import mock

from sans_io_stream.providers.signing import AWSCredentials, SigV4
from sans_io_stream.request import HTTPRequest

__all__ = ["botocore_signed", "headers_of", "signed"]


def signed(
    request: HTTPRequest, keys: AWSCredentials, region: str, service: str, time: datetime
) -> dict[str, str]:
    """The headers of ``request``, signed by us."""
    done = SigV4(keys, region, service, clock=lambda: time)(request)
    assert isinstance(done, HTTPRequest)
    assert (done.method, done.url, done.body) == (request.method, request.url, request.body)
    return headers_of(done)


def headers_of(request: HTTPRequest) -> dict[str, str]:
    """The headers, each of which is there once."""
    headers = dict(request.headers)
    assert len(headers) == len(request.headers)
    return headers


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
