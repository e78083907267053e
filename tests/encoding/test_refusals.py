"""Errors as documents: the protocols' own shapes, and the same kind again when they are read."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import ErrorInfo, StreamDecoder, StreamEnd, UnknownDialectError
from sans_io_stream.dialects.failure import BY_STATUS, RETRYABLE_KINDS
from sans_io_stream.dialects.failure import error_document as read
from sans_io_stream.encoding import error_document, error_headers
from sans_io_stream.encoding.refusals import DOCUMENTS, KINDS
from sans_io_stream.errors import ErrorKind
from sans_io_stream.session.backoff import with_head
from tests.sources import REPO

OTHERS = sorted(set(get_args(ErrorKind)) - set(KINDS))


def back(format: str, error: ErrorInfo) -> ErrorInfo:
    """The error that a client's decoder reads, by the body and the status alone."""
    status, body = error_document(format, error)
    decoder = StreamDecoder(format, content_type="application/json", status=status)
    end = (decoder.receive_data(body) + decoder.receive_eof())[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "failed"
    assert end.error is not None
    return end.error


def back_with_head(format: str, error: ErrorInfo) -> ErrorInfo:
    """The same with what a session adds from the head."""
    return with_head(back(format, error), error_document(format, error)[0], error_headers(error))


def test_every_kind_of_a_providers_is_in_the_table() -> None:
    assert set(BY_STATUS.values()) | {"invalid_request", "content_filter"} == set(KINDS)
    assert len(OTHERS) == 8


@pytest.mark.parametrize("format", DOCUMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_provider_tells_comes_back_as_it_was(format: str, kind: Any) -> None:
    error = ErrorInfo(kind, "why", retryable=kind in RETRYABLE_KINDS)
    told = back(format, error)
    assert (told.kind, told.retryable, told.message) == (kind, error.retryable, "why")


@pytest.mark.parametrize("format", DOCUMENTS)
@pytest.mark.parametrize("kind", OTHERS)
def test_what_no_provider_tells_is_the_servers_fault_or_the_clients(format: str, kind: Any) -> None:
    told = back(format, ErrorInfo(kind, "why"))
    assert told.message == "why"
    assert told.kind == ("invalid_request" if kind in ("cursor", "cancelled") else "server")


@pytest.mark.parametrize("format", DOCUMENTS)
@pytest.mark.parametrize("kind", [*KINDS, *OTHERS])
@pytest.mark.parametrize("retryable", [True, False])
def test_the_head_says_whether_another_attempt_may_help(
    format: str, kind: Any, retryable: bool
) -> None:
    error = ErrorInfo(kind, "why", retryable=retryable, retry_after=3.0)
    told = back_with_head(format, error)
    assert (told.retryable, told.retry_after) == (retryable, 3.0)


WORDS = st.one_of(
    st.none(),
    st.sampled_from(
        ["context_length_exceeded", "RESOURCE_EXHAUSTED", "overloaded_error", "tokens", "api_error",
         "ThrottlingException", "insufficient_quota", "content_filter", "x"]
    ),
)  # fmt: skip


@given(
    status=st.sampled_from([400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529]),
    type_=WORDS,
    code=WORDS | st.integers(0, 399) | st.integers(600, 9999),
    message=st.text(),
)
@pytest.mark.parametrize("format", DOCUMENTS)
def test_what_was_read_is_read_again(
    format: str, status: int, type_: str | None, code: str | int | None, message: str
) -> None:
    body = json.dumps({"error": {"type": type_, "code": code, "message": message}})
    error = read(body.encode(), status)
    told = back(format, error)
    assert (told.kind, told.retryable) == (error.kind, error.retryable)
    assert told.message == message or not message


def test_openai() -> None:
    error = ErrorInfo("invalid_request", "Too long.", None, "context_length_exceeded", 400)
    status, body = error_document("openai-chat", error)
    assert status == 400
    assert json.loads(body) == {
        "error": {
            "message": "Too long.",
            "type": "invalid_request_error",
            "param": None,
            "code": "context_length_exceeded",
        }
    }


def test_anthropic() -> None:
    error = ErrorInfo("overloaded", "Busy.", status=529, retryable=True, request_id="q1")
    status, body = error_document("anthropic", error)
    assert status == 529
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Busy."},
        "request_id": "q1",
    }


def test_native() -> None:
    error = ErrorInfo("cursor", retry_after=2.5)
    status, body = error_document("native", error)
    assert status == 410
    assert json.loads(body) == {
        "error": {
            "kind": "cursor",
            "message": "the stream cannot be taken up again from there",
            "type": "invalid_request_error",
            "status": 410,
            "retryable": False,
            "retry_after": 2.5,
        }
    }


def test_codes_of_another_kind_do_not_stay() -> None:
    error = ErrorInfo("rate_limit", "slow", "RESOURCE_EXHAUSTED", 429, 429, retryable=True)
    told = json.loads(error_document("openai-chat", error)[1])["error"]
    assert (told["type"], told["code"]) == ("rate_limit_error", "rate_limit_exceeded")


def test_a_status_that_is_none_of_an_error_does_not_stay() -> None:
    assert error_document("anthropic", ErrorInfo("server", status=200, retryable=True))[0] == 500


def test_headers() -> None:
    assert error_headers(ErrorInfo("rate_limit", retryable=True, retry_after=1.2)) == (
        ("content-type", "application/json"),
        ("x-should-retry", "true"),
        ("retry-after", "2"),
    )
    assert error_headers(ErrorInfo("quota")) == (
        ("content-type", "application/json"),
        ("x-should-retry", "false"),
    )


def test_formats_without_documents() -> None:
    with pytest.raises(UnknownDialectError, match="ollama is written as a stream alone"):
        error_document("ollama", ErrorInfo("server"))


def test_the_page_says_what_the_table_does() -> None:
    page = (REPO / "docs" / "encoding.md").read_text("utf-8")
    for kind, words in KINDS.items():
        openai = ", ".join(f"`{word}`" for word in (words.openai_type, words.openai_code) if word)
        assert f"| `{kind}` | {words.status} | {openai} | `{words.anthropic_type}` |" in page
