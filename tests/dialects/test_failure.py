"""Errors in every shape of the wire become one ``ErrorInfo``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream.dialects.failure import error_document, error_in
from tests.dialects.chat_wire import chat, text

if TYPE_CHECKING:
    from sans_io_stream import ErrorInfo


def told(data: Any) -> ErrorInfo:
    error = error_in(data)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("data", "type_", "code", "message"),
    [
        # OpenAI, and all who follow it
        (
            {"error": {"message": "m", "type": "server_error", "param": None, "code": "c"}},
            "server_error",
            "c",
            "m",
        ),
        # OpenAI Responses: flat by its types, nested on the wire
        ({"type": "error", "code": "c", "message": "m", "sequence_number": 2}, None, "c", "m"),
        (
            {"type": "error", "error": {"type": "t", "code": "c", "message": "m"}},
            "t",
            "c",
            "m",
        ),
        # Anthropic
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
            "overloaded_error",
            None,
            "m",
        ),
        # vLLM of old
        (
            {"object": "error", "message": "m", "type": "BadRequestError", "code": 400},
            "BadRequestError",
            400,
            "m",
        ),
        # Google
        (
            {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}},
            "RESOURCE_EXHAUSTED",
            429,
            "m",
        ),
        ([{"error": {"code": 400, "message": "m"}}], None, 400, "m"),
        # Gemini Interactions
        ({"event_type": "error", "error": {"code": "c", "message": "m"}}, None, "c", "m"),
        # TGI, Ollama, proxies: a bare string, with or without a word beside it
        ({"error": "m", "error_type": "overloaded"}, "overloaded", None, "m"),
        ({"error": "m"}, None, None, "m"),
        ({"error": "invalid_token", "error_description": "m"}, "invalid_token", None, "m"),
        ({"error": "Internal Server Error", "message": "m", "status": 500},
         "Internal Server Error", None, "m"),
        # watsonx, Cloudflare: a list
        ({"errors": [{"code": "c", "message": "m"}], "trace": "t"}, None, "c", "m"),
        ({"success": False, "errors": [{"code": 7009, "message": "m"}]}, None, 7009, "m"),
        ({"errors": ["m"]}, None, None, "m"),
        # Mistral and FastAPI: faults in place of a message
        (
            {"object": "error", "message": {"detail": [{"msg": "x"}]}, "type": "t", "code": "1"},
            "t",
            "1",
            '{"detail":[{"msg":"x"}]}',
        ),
        ({"error": True}, None, None, "True"),
        # Gateways: Azure's API management, Baidu
        ({"statusCode": 401, "message": "m"}, None, None, "m"),
        ({"error_code": 336003, "error_msg": "m"}, None, 336003, "m"),
    ],
)  # fmt: skip
def test_shapes(data: Any, type_: str | None, code: Any, message: str) -> None:
    error = told(data)
    assert (error.type, error.code, error.message) == (type_, code, message)


NONE: list[Any] = [
        {"error": None}, {"error": {}}, {"error": ""}, {"error": False}, {"errors": []},
        {"errors": None}, {"errors": [{}]}, {"errors": [1]}, {"errors": 3}, {"type": "errors"},
        {"message": "m"}, {"error_msg": "m"}, {"statusCode": 401},
        [], [{"error": "a"}, {"error": "b"}], "error", 1, None, {},
]  # fmt: skip


@pytest.mark.parametrize("data", NONE)
def test_what_tells_no_error(data: Any) -> None:
    assert error_in(data) is None


@pytest.mark.parametrize(
    ("fields", "kind", "retryable"),
    [
        ({"type": "overloaded_error"}, "overloaded", True),
        ({"type": "rate_limit_error"}, "rate_limit", True),
        ({"type": "RateLimitError"}, "rate_limit", True),
        ({"code": "rate_limit_exceeded", "type": "requests"}, "rate_limit", True),
        ({"type": "ThrottlingException"}, "rate_limit", True),
        ({"code": "insufficient_quota", "type": "insufficient_quota"}, "quota", False),
        ({"type": "invalid_request_error", "code": "invalid_api_key"}, "authentication", False),
        ({"status": "UNAUTHENTICATED", "code": 401}, "authentication", False),
        ({"status": "PERMISSION_DENIED", "code": 403}, "permission", False),
        ({"status": "DEADLINE_EXCEEDED", "code": 504}, "timeout", True),
        ({"status": "UNAVAILABLE", "code": 503}, "overloaded", True),
        ({"code": "model_not_found"}, "not_found", False),
        ({"type": "InternalServerError"}, "server", True),
        ({"type": "api_error"}, "server", True),
        ({"code": "content_filter"}, "content_filter", False),
        ({"code": "context_length_exceeded"}, "invalid_request", False),
        ({"code": 502}, "server", True),
        ({"code": "429"}, "rate_limit", True),
        ({"http_status_code": 422}, "invalid_request", False),
        ({"status": 529}, "overloaded", True),
        # What many call all that they have no better word for
        ({"type": "invalid_request_error", "status": 404}, "not_found", False),
        ({"code": 3051}, "provider", False),
        ({"code": "novel", "type": "novel"}, "provider", False),
    ],
)
def test_kinds(fields: dict[str, Any], kind: str, retryable: bool) -> None:
    error = told({"error": {"message": "m", **fields}})
    assert (error.kind, error.retryable) == (kind, retryable)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"retry_after": 2}, 2.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"headers": {"retry-after": "7"}}, 7.0),
        ({"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo",
                       "retryDelay": "39.5s"}]}, 39.5),
        ({"retry_after": "soon", "details": [{"retryDelay": "3s"}]}, 3.0),
        ({"retry_after": -1}, None),
        ({"retry_after": True}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": 10**400}, None),
        ({"details": [{"retryDelay": 3}, "x", None]}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_how_long_to_wait(fields: dict[str, Any], seconds: float | None) -> None:
    assert told({"error": {"message": "m", **fields}}).retry_after == seconds


def test_the_request_id() -> None:
    error = {"type": "api_error", "message": "m"}
    assert told({"type": "error", "error": error, "request_id": "req_1"}).request_id == "req_1"
    assert told({"error": {**error, "request_id": "req_2"}}).request_id == "req_2"
    assert told({"errors": [error], "trace": "t"}).request_id == "t"


# ---- documents


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        (b'{"message": "invalid api token"}', 401, "authentication", "invalid api token"),
        (b'{"detail": [{"msg": "x"}]}', 422, "invalid_request", '[{"msg":"x"}]'),
        (b'[{"error": {"code": 429, "message": "m"}}]', 429, "rate_limit", "m"),
        (b"<html>Bad Gateway</html>", 502, "server", "<html>Bad Gateway</html>"),
        (b"", 503, "overloaded", ""),
        (b"\xff", 500, "server", "\ufffd"),
        (b"1", 404, "not_found", "1"),
        (b'{"error": {"type": "invalid_request_error", "message": "m"}}', 404, "not_found", "m"),
        (b'{"error": {"message": "m"}}', 418, "invalid_request", "m"),
        (b'{"error": "m"}', 529, "overloaded", "m"),
    ],
)
def test_documents(body: bytes, status: int, kind: str, message: str) -> None:
    error = error_document(body, status)
    assert (error.kind, error.message, error.status) == (kind, message, status)


def test_a_long_document_that_is_no_json_is_shown_in_part() -> None:
    assert len(error_document(b"x" * 10_000, 500).message) == 2000


@pytest.mark.parametrize("wrong", [None, 1, 1.5, "x", [], [1], {}, {"a": 1}, True, 10**40])
def test_wrong_types_raise_nothing(wrong: Any) -> None:
    fields = ("type", "code", "message", "status", "details", "headers", "retry_after", "param")
    for data in (
        wrong,
        {"error": wrong},
        {"errors": wrong},
        {"errors": [wrong]},
        {"error": dict.fromkeys(fields, wrong)},
        {"type": "error", **dict.fromkeys(fields[1:], wrong)},
        {"error": "x", **dict.fromkeys(fields, wrong)},
        {"error": {"details": [wrong, {"retryDelay": wrong}], "headers": {"retry-after": wrong}}},
    ):
        error_in(data)
        error_document(json.dumps(data).encode(), 500)


def test_the_first_error_of_a_stream_counts() -> None:
    got = chat(text("x"), {"error": {"message": "first"}}, {"error": {"message": "second"}})
    assert got.error is not None
    assert got.error.message == "first"
