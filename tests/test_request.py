"""Requests: what is added, what is refused before anything is sent, and what is never shown."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from sans_io_stream import StreamRequest, UnknownDialectError
from sans_io_stream.request import HTTPRequest
from sans_io_stream.strategies.holysheep import HolySheepStrategy

URL = "https://api.test/v1/responses"


def test_what_streaming_needs_is_added() -> None:
    sent = StreamRequest("post", URL, json={"a": "é"}, dialect="openai-responses").http()
    assert sent.method == "POST"
    assert sent.body == '{"a":"é"}'.encode()
    assert dict(sent.headers) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "user-agent": "sans-io-stream",
        "cache-control": "no-cache",
    }


def test_what_the_user_said_stands() -> None:
    given = {
        "Content-Type": "application/x+json",
        "ACCEPT": "*/*",
        "Accept-Encoding": "gzip",
        "User-Agent": "mine",
        "Cache-Control": "max-age=1",
    }
    sent = StreamRequest("POST", URL, given, json=[1]).http()
    assert sent.headers == tuple((name.lower(), value) for name, value in given.items())


def test_headers_may_be_pairs_and_repeat() -> None:
    pairs = [("X-A", "1"), ("x-a", "2")]
    request = StreamRequest("GET", URL, pairs)
    assert request.pairs == (("x-a", "1"), ("x-a", "2"))
    assert request.http().header("X-A") == "1"


def test_a_dialect_of_json_lines_asks_for_them() -> None:
    sent = StreamRequest("POST", URL, dialect="ollama").http()
    assert sent.header("accept") != "text/event-stream"
    assert sent.header("cache-control") is None


def test_a_body_is_bytes_or_json() -> None:
    assert StreamRequest("POST", URL, body=b"raw").http().body == b"raw"
    assert StreamRequest("POST", URL, body=b"raw").http().header("content-type") is None
    with pytest.raises(ValueError, match="not both"):
        StreamRequest("POST", URL, body=b"raw", json={})
    assert StreamRequest("POST", URL, json={}).http().body == b"{}"


@pytest.mark.parametrize(
    "url",
    [
        "", "api.test/v1", "ftp://api.test/", "https://", "https:///v1", "https://u:p@api.test/",
        "https://api.test:0/", "https://api.test:99999/", "https://api.test/a b",
        "https://api.test/\r\nx: y", "https://a_b..c/", "https://[::1/", "https://api.test/\ud800",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_sent_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        StreamRequest("GET", url)


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nb"}, {"x": "a\nb"}, {"x": "a\0b"}, {"x y": "a"}, {"": "a"}, {"x:": "a"},
        {"x": " a"}, {"x": "a "}, {"x": "🦜"}, {"x\n": "a"},
    ],
)  # fmt: skip
def test_a_header_that_would_break_out_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        StreamRequest("GET", URL, headers)


@pytest.mark.parametrize("method", ["", "GET /", "GE T", "POST\r\n", "G3T", "GÉT"])
def test_a_method_is_a_word(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        StreamRequest(method, URL)


def test_names_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UnknownDialectError):
        StreamRequest("GET", URL, dialect="klingon")
    with pytest.raises(UnknownDialectError):
        StreamRequest("GET", URL, resume="klingon")
    with pytest.raises(ValueError, match="klingon"):
        StreamRequest("GET", URL, continuation="klingon")


def test_repr_hides_what_may_be_secret() -> None:
    request = StreamRequest(
        "POST",
        "https://api.test/v1/x?key=S3CRET-url",
        {"Authorization": "Bearer S3CRET-header", "x-mine": "S3CRET-other"},
        json={"prompt": "S3CRET-body"},
        dialect="anthropic",
    )
    for shown in (
        repr(request),
        str(request),
        repr(request.http()),
        f"{[request, request.http()]}",
    ):
        assert "S3CRET" not in shown
        assert "api.test" in shown
        assert "POST" in shown


@pytest.mark.parametrize(
    ("headers", "asked", "follows"),
    [
        ({}, None, True),
        ({"x-mine": "1"}, None, True),
        ({"Authorization": "Bearer x"}, None, False),
        ({"X-Api-Key": "x"}, None, False),
        ({"cookie": "x"}, None, False),
        ({"Authorization": "Bearer x"}, True, True),
        ({}, False, False),
    ],
)
def test_redirects_are_followed_without_credentials_or_if_asked_for(
    headers: dict[str, str], asked: bool | None, follows: bool
) -> None:
    assert StreamRequest("GET", URL, headers, redirects=asked).follows_redirects is follows


@pytest.mark.parametrize(
    ("query", "follows"),
    [
        ("alt=sse&page=2", True),
        ("keyboard=qwerty&max_tokens=9", True),
        ("alt=sse&key=AIza", False),
        ("KEY=AIza", False),
        ("api_key=x", False),
        ("api%5Fkey=x", False),
        ("access_token=x", False),
        ("X-Amz-Signature=x&X-Amz-Date=1", False),
        ("sig=x", False),
        ("token", False),
    ],
)
def test_a_key_in_the_url_is_a_credential(query: str, follows: bool) -> None:
    url = f"https://api.test/v1/models?{query}"
    assert StreamRequest("GET", url).follows_redirects is follows
    assert StreamRequest("GET", url, redirects=True).follows_redirects


def test_the_strategy_is_the_dialects_own_unless_named() -> None:
    own = HolySheepStrategy(checked=True)
    named: list[tuple[str | None, Any, str]] = [
        ("openai-responses", None, "openai-responses"),
        ("gemini-interactions", None, "gemini-interactions"),
        ("holysheep", None, "holysheep"),
        ("records", None, "last-event-id"),
        ("native", None, "last-event-id"),
        ("openai-chat", None, "none"),
        (None, None, "none"),
        ("openai-responses", "none", "none"),
        ("openai-chat", "llamacpp", "llamacpp"),
    ]
    for dialect, resume, name in named:
        assert StreamRequest("POST", URL, dialect=dialect, resume=resume).strategy.name == name
    assert StreamRequest("POST", URL, resume=own).strategy is own


def test_the_continuation_is_the_dialects_own_unless_named() -> None:
    ways: list[tuple[str | None, str | None, str | None]] = [
        ("anthropic", None, "anthropic"),
        ("mistral", None, "mistral"),
        ("openai-chat", None, None),
        ("openai-chat", "vllm", "vllm"),
        ("openai-chat", "deepseek", "deepseek"),
        (None, None, None),
    ]
    for dialect, continuation, way in ways:
        request = StreamRequest("POST", URL, dialect=dialect, continuation=continuation)
        assert request.continues == way


def test_one_http_request_is_made_from_another() -> None:
    first = HTTPRequest("POST", URL, (("x-a", "1"), ("x-b", "2")), b'{"a":1}')
    made = first.with_headers(x_a="3", x_b=None, x_c="4")
    assert made.headers == (("x-a", "3"), ("x-c", "4"))
    assert first.headers == (("x-a", "1"), ("x-b", "2"))
    with pytest.raises(ValueError, match="control"):
        first.with_headers(x_a="a\r\nb")
    assert first.with_json({"b": 2}).json() == {"b": 2}
    assert first.json() == {"a": 1}


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"null", b"\xff"])
def test_a_body_that_is_no_object_is_none(body: bytes) -> None:
    assert HTTPRequest("POST", URL, body=body).json() is None


@pytest.mark.parametrize("ending", ["\n", " ", "\x00"])
def test_a_header_that_is_refused_does_not_show_its_key(ending: str) -> None:
    request = HTTPRequest("GET", "https://api.test/")
    with pytest.raises(ValueError, match="authorization") as refused:
        request.with_headers(authorization="Bearer tok-4711" + ending, x_api_key="key-0815")
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    # The first frame is this one.
    shown = "".join(told.format()).partition("in with_headers")[2]
    assert "value" in shown
    assert "tok-4711" not in shown
    assert "key-0815" not in shown
