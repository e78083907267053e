"""Strategies: every call of every strategy, and ids of servers that try to break out of it.

URL, method, headers and body are compared whole, with query strings as Azure has them. An id
or a cursor becomes one escaped segment, parameter or header, or there is no call at all; a
session whose server sends such ids ends honestly and never raises.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from sans_io_stream import StreamEnd, StreamRequest, UnknownDialectError
from sans_io_stream.policy import ReconnectPolicy
from sans_io_stream.request import HTTPRequest
from sans_io_stream.session import StreamSession
from sans_io_stream.session.ladder import Situation, next_attempt
from sans_io_stream.strategies import BY_DIALECT, STRATEGIES, Known, Strategy, strategy_named
from sans_io_stream.strategies.holysheep import HolySheepStrategy
from sans_io_stream.strategies.relay import RelayStrategy
from sans_io_stream.strategies.urls import below, sibling, versioned, with_query
from tests.session.peer import Asked, Reply, Server, cut, drive, response

AZURE = "https://x.openai.azure.com/openai/responses?api-version=2025-04-01-preview"
HEADERS = (
    ("authorization", "Bearer k"),
    ("content-type", "application/json"),
    ("idempotency-key", "once"),
    ("accept", "text/event-stream"),
)
KEPT = (("authorization", "Bearer k"), ("accept", "text/event-stream"))
"""What is left for a call without a body."""
CHAT = "https://api.test/v1/chat/completions"


def post(url: str, body: Any = None, *more: tuple[str, str]) -> HTTPRequest:
    return HTTPRequest("POST", url, (*HEADERS, *more), json.dumps(body or {"a": 1}).encode())


def get(url: str, method: str = "GET", *more: tuple[str, str]) -> HTTPRequest:
    return HTTPRequest(method, url, (*KEPT, *more))


# ---- each call


def test_no_strategy_has_no_call() -> None:
    none, first = Strategy(), post(CHAT)
    known = Known("resp_1", True, 7)
    for made in (none.resume, none.replay, none.check, none.stop):
        assert made(first, known) is None
    assert not none.stores(first)
    assert STRATEGIES["none"] == none


def test_openai_responses() -> None:
    strategy = STRATEGIES["openai-responses"]
    first, known = post(AZURE, {"background": True}), Known("resp_1", True, 7)
    place = "https://x.openai.azure.com/openai/responses/resp_1"
    version = "?api-version=2025-04-01-preview"
    assert strategy.resume(first, known) == get(f"{place}{version}&stream=true&starting_after=7")
    assert strategy.replay(first, known) == get(f"{place}{version}&stream=true")
    assert strategy.stop(first, known) == get(f"{place}/cancel{version}", "POST")
    assert strategy.check(first, known) is None
    assert strategy.stores(first)
    assert not strategy.stores(post(AZURE, {"background": False}))
    assert strategy.resume(first, Known("resp_1", True, "7")) is None
    for unknown in (Known("resp_1", False, 7), Known(None, True, 7), Known("", True, 7)):
        for made in (strategy.resume, strategy.replay, strategy.stop):
            assert made(first, unknown) is None


def test_openai_responses_that_were_asked_for_by_get() -> None:
    strategy, known = STRATEGIES["openai-responses"], Known("resp_1", True, 7)
    first = get("https://api.test/v1/responses/resp_1?stream=true&starting_after=3&include=x")
    place = "https://api.test/v1/responses/resp_1"
    assert strategy.resume(first, known) == get(f"{place}?include=x&stream=true&starting_after=7")
    assert strategy.replay(first, known) == get(f"{place}?include=x&stream=true")
    stop = strategy.stop(first, known)
    assert stop is not None
    assert (stop.method, urlsplit(stop.url).path) == ("POST", "/v1/responses/resp_1/cancel")


def test_gemini_interactions() -> None:
    strategy = STRATEGIES["gemini-interactions"]
    url = "https://gl.test/v1beta/interactions?alt=sse&key=k"
    first, known = post(url), Known("int_1", False, "ev/1=é&x")
    place = "https://gl.test/v1beta/interactions/int_1"
    escaped = "ev%2F1%3D%C3%A9%26x"
    assert strategy.resume(first, known) == get(
        f"{place}?alt=sse&key=k&stream=true&last_event_id={escaped}"
    )
    assert strategy.replay(first, known) == get(f"{place}?alt=sse&key=k&stream=true")
    assert strategy.resume(first, Known("int_1")) is None
    assert strategy.stop(first, known) is None, "it is no background interaction"
    behind = post(url, {"background": True})
    assert strategy.stores(behind)
    assert not strategy.stores(first)
    assert strategy.stop(behind, known) == get(f"{place}/cancel?alt=sse&key=k", "POST")
    assert strategy.stop(behind, Known()) is None
    assert strategy.replay(post(url, {"store": False}), known) is None
    assert strategy.resume(post(url, {"store": False}), known) is None


@pytest.mark.parametrize("name", ["last-event-id", "eventsource"])
def test_plain_event_streams(name: str) -> None:
    strategy, first = STRATEGIES[name], post("https://e.test/s?x=1")
    made = strategy.resume(first, Known(cursor="b:é"))
    assert made == HTTPRequest("POST", first.url, (*HEADERS, ("last-event-id", "b:Ã©")), first.body)
    assert made is not None
    again = strategy.resume(made, Known(cursor="c"))
    assert again is not None
    assert again.headers == (*HEADERS, ("last-event-id", "c")), "the newest id alone"
    for cursor in (None, ""):
        assert strategy.resume(first, Known(cursor=cursor)) is None
    for other in (strategy.replay, strategy.check, strategy.stop):
        assert other(first, Known("x", True, "b")) is None
    assert (strategy.after_end, strategy.inexact) == ((True, True) if name == "eventsource" else (
        False,
        False,
    ))  # fmt: skip


def test_holysheep() -> None:
    first = post(f"{CHAT}?v=2", {"model": "m", "stream_options": {"include_usage": True}})
    known = Known("x", False, "evt_1")
    by_headers = HolySheepStrategy()
    more = (("x-stream-event-id", "evt_1"), ("x-stream-resume", "true"))
    assert by_headers.resume(first, known) == HTTPRequest(
        "POST", first.url, (*HEADERS, *more), first.body
    )
    assert by_headers.check(first, known) is None
    made = HolySheepStrategy(via="body").resume(first, known)
    assert made is not None
    assert (made.method, made.url, made.headers) == ("POST", first.url, HEADERS)
    assert made.json() == {
        "model": "m",
        "stream_options": {"include_usage": True, "resume_from_event_id": "evt_1"},
    }
    check = HolySheepStrategy(checked=True).check(first, known)
    assert check == HTTPRequest(
        "POST",
        "https://api.test/v1/stream/check?v=2",
        (
            ("authorization", "Bearer k"),
            ("x-event-id", "evt_1"),
            ("accept", "application/json"),
        ),
    )
    for strategy in (by_headers, HolySheepStrategy(via="body", checked=True)):
        assert strategy.resume(first, Known("x")) is None
        assert strategy.check(first, Known("x")) is None
        assert strategy.replay(first, known) is None
        assert strategy.stop(first, known) is None
    assert HolySheepStrategy(via="body").resume(HTTPRequest("POST", CHAT), known) is None


@pytest.mark.parametrize(
    ("status", "body", "valid"),
    [
        (200, b'{"valid":true}', True),
        (200, b'{"valid":false}', False),
        (200, b'{"valid":1}', False),
        (200, b"[]", False),
        (200, b"", False),
        (500, b'{"valid":true}', False),
    ],
)
def test_holysheeps_check_is_believed_only_if_it_says_so(
    status: int, body: bytes, valid: bool
) -> None:
    assert HolySheepStrategy().valid(status, body) is valid


def test_llamacpp() -> None:
    strategy = STRATEGIES["llamacpp"]
    name = ("x-conversation-id", "conv 1/é")
    first = post("http://localhost/llm/v1/chat/completions?k=1", None, name)
    place = "http://localhost/llm/v1/stream/conv%201%2F%C3%A9?k=1"
    assert strategy.resume(first, Known(cursor=90)) == get(f"{place}&from=90", "GET", name)
    assert strategy.replay(first, Known()) == get(f"{place}&from=0", "GET", name)
    assert strategy.stop(first, Known()) == get(place, "DELETE", name)
    assert strategy.resume(first, Known(cursor="90")) is None
    assert strategy.stores(first)
    nameless = post(CHAT)
    assert not strategy.stores(nameless)
    for made in (strategy.resume, strategy.replay, strategy.stop):
        assert made(nameless, Known(cursor=90)) is None


ID = "Ab_-" * 5 + "xy"
CURSOR = f"{ID}.0000000001.000002"
STREAM_OF_IT = f"/v1/streams/{ID}"
RELAY = "https://r.test/llm"


@pytest.mark.parametrize(
    ("path", "format", "told"),
    [
        ("/v1/streams", None, "native"),
        ("/v1/chat/completions", None, "openai-chat"),
        ("/v1/messages", None, "anthropic"),
        ("/v1/chat/completions", "holysheep", "holysheep"),
    ],
)
def test_relay(path: str, format: str | None, told: str) -> None:
    strategy, first = RelayStrategy(format=format), post(f"{RELAY}{path}?x=1")
    known = Known("not the stream's", False, CURSOR)
    place = f"{RELAY}{STREAM_OF_IT}?x=1&format={told}"
    assert strategy.resume(first, known) == get(place, "GET", ("last-event-id", CURSOR))
    assert strategy.replay(first, known) == get(place)
    assert strategy.stop(first, known) == get(f"{RELAY}{STREAM_OF_IT}?x=1", "DELETE")
    assert strategy.check(first, known) is None
    # Nothing is known of a stream but by its cursors; the first request may have begun one.
    for made in (strategy.resume, strategy.replay, strategy.stop):
        assert made(first, Known("resp_1", True)) is None
        assert made(first, Known(None, True, "../x.1.2")) is None
        assert made(first, Known(None, True, 7)) is None
    assert strategy.stores(first)


def test_relay_that_reads() -> None:
    strategy, place = STRATEGIES["relay"], f"{RELAY}{STREAM_OF_IT}"
    first = get(f"{place}?format=anthropic&after={ID}.1.1&x=1")
    asked, again = f"{place}?format=anthropic&x=1", Known(None, False, CURSOR)
    assert strategy.resume(first, again) == get(asked, "GET", ("last-event-id", CURSOR))
    assert strategy.replay(first, Known()) == get(asked)
    assert strategy.stop(first, Known()) == get(f"{place}?x=1", "DELETE")
    assert not strategy.stores(first)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 429, 401, 403, 500, 503])
@pytest.mark.parametrize("name", STRATEGIES)
def test_what_refuses_a_cursor(name: str, status: int) -> None:
    assert STRATEGIES[name].refused(status, None) is (status in (400, 404, 410, 422))


def test_names() -> None:
    assert set(BY_DIALECT.values()) <= set(STRATEGIES)
    assert all(strategy_named(name).name == name for name in STRATEGIES)
    with pytest.raises(UnknownDialectError, match="llamacpp"):
        strategy_named("nobody")


def test_urls() -> None:
    assert below("https://h/a/?q=1#f", "x") == "https://h/a/x?q=1"
    assert sibling(CHAT, "stream/check") == "https://api.test/v1/stream/check"
    assert sibling("https://h/v1/messages?q", "x") == "https://h/v1/x?q"
    assert versioned("https://h/p/v1/completion", "x") == "https://h/p/v1/x"
    assert versioned("https://h/completion", "x") == "https://h/v1/x"
    assert with_query("https://h/?a=1&b=2&a=3#f", a="x&y", b=None) == "https://h/?a=x%26y"


# ---- hostile ids

HOSTILE = ["../x", "..", ".", "a\r\nb", "a\nX-Evil: 1", "a/b?c#d", "é", "%2e%2e", "a b", "\0", "🦜"]
ESCAPED = {
    "../x": "..%2Fx",
    "a\r\nb": "a%0D%0Ab",
    "a/b?c#d": "a%2Fb%3Fc%23d",
    "é": "%C3%A9",
    "%2e%2e": "%252e%252e",
    "a b": "a%20b",
}


@pytest.mark.parametrize("name", ["openai-responses", "gemini-interactions"])
@pytest.mark.parametrize("own", [*HOSTILE, "\ud800", "a\udc00"])
def test_an_id_is_one_segment_or_there_is_no_call(name: str, own: str) -> None:
    strategy = STRATEGIES[name]
    first = post("https://api.test/v1/made?v=1", {"background": True})
    known = Known(own, True, 7 if name == "openai-responses" else "c")
    for made, below_it in ((strategy.resume, 0), (strategy.replay, 0), (strategy.stop, 1)):
        if own in (".", "..") or (not own.isascii() and own not in ("é", "🦜")):
            with pytest.raises(ValueError, match=r"segment|surrogate"):
                made(first, known)
            continue
        request = made(first, known)
        assert request is not None
        parts = urlsplit(request.url)
        assert (parts.netloc, parts.fragment) == ("api.test", "")
        segments = parts.path.split("/")
        assert segments[:3] == ["", "v1", "made"]
        assert len(segments) == 4 + below_it
        if own in ESCAPED:
            assert segments[3] == ESCAPED[own]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("own", [*HOSTILE, "\ud800", ""])
def test_the_ladder_never_raises_for_what_a_server_sends(name: str, own: str) -> None:
    first = post(CHAT, {"background": True, "messages": []}, ("x-conversation-id", ".."))
    check = HolySheepStrategy(via="body", checked=True)
    for strategy in (STRATEGIES[name], check):
        for known in (Known(own, True, own), Known(own, True, 3)):
            made = next_attempt(
                Situation(
                    request=StreamRequest("POST", CHAT),
                    first=first,
                    strategy=strategy,
                    policy=ReconnectPolicy(),
                    known=known,
                    visible=True,
                    unanswered=True,
                    comparable=True,
                    refused=frozenset(),
                    text=None,
                )
            )
            for header, value in () if made is None else made.request.headers:
                assert not set(header + value) & set("\r\n\0")


def broken(body: bytes) -> Server:
    """A server that tells this, breaks, and then knows of nothing."""

    def serve(asked: Asked) -> Reply:
        assert "\r" not in asked.target
        assert asked.path.startswith(("/v1/", "/v1beta/"))
        assert ".." not in asked.path.split("/")
        told.append(asked.target)
        if len(told) > 1:
            return Reply(response(b"{}", status=404, content_type="application/json"))
        return cut(response(body), -5)

    told: list[str] = []
    return serve


def body_of(dialect: str, own: str) -> bytes:
    """The beginning of an answer whose server gives it, and its records, this id."""
    values: list[dict[str, Any]]
    match dialect:
        case "openai-responses":
            about = {"id": own, "background": True, "model": "m"}
            values = [
                {"type": "response.created", "sequence_number": 0, "response": about},
                {
                    "type": "response.output_text.delta",
                    "sequence_number": 1,
                    "output_index": 0,
                    "delta": "a",
                },
            ]
        case "gemini-interactions":
            about = {"id": own, "model": "m"}
            delta = {"type": "text", "text": "a"}
            values = [
                {"event_type": "interaction.created", "interaction": about, "event_id": own},
                {"event_type": "step.delta", "index": 0, "delta": delta, "event_id": own},
            ]
        case "holysheep":
            choices = [{"index": 0, "delta": {"content": "a"}}]
            values = [{"id": own, "model": "m", "choices": choices}]
        case _:
            return f"id: {own}\ndata: a\n\n".encode()
    # As ASCII: a lone surrogate is then an escape, as it comes from careless servers.
    return b"".join(f"data: {json.dumps(value)}\n\n".encode() for value in values)


CASES: list[tuple[str, Any]] = [
    ("openai-responses", None),
    ("gemini-interactions", None),
    ("holysheep", None),
    ("holysheep", HolySheepStrategy(via="body")),
    ("holysheep", HolySheepStrategy(via="body", checked=True)),
    ("holysheep", HolySheepStrategy(checked=True)),
    ("records", None),
    ("records", "eventsource"),
    ("records", "relay"),
]


HOSTILE_CASES = [
    (dialect, resume, own)
    for dialect, resume in CASES
    for own in [*HOSTILE, "\ud800", "a\udc00b"]
    # No field of an event stream can hold these.
    if dialect != "records" or (own.isprintable() or own == "\0")
]


@pytest.mark.parametrize(("dialect", "resume", "own"), HOSTILE_CASES)
def test_a_session_never_raises_for_a_servers_id(dialect: str, resume: Any, own: str) -> None:
    request = StreamRequest(
        "POST",
        "http://api.test/v1/made",
        json={"background": True},
        dialect=dialect,
        resume=resume,
    )
    session = StreamSession(request, policy=ReconnectPolicy(max_attempts=3))
    stops: list[HTTPRequest | None] = []

    def look(_: Any) -> bool:
        stops.append(session.stop_request())
        session.snapshot(0.0)
        return False

    run = drive(session, broken(body_of(dialect, own)), stop=look)
    assert isinstance(run.end, StreamEnd)
    assert run.end.outcome in ("interrupted", "failed")
    for stop in stops:
        if stop is not None:
            segments = urlsplit(stop.url).path.split("/")
            assert segments[:3] == ["", "v1", "made"]
            assert len(segments) == 5
            assert segments[-1] == "cancel"
    if dialect == "openai-responses":
        assert (stops[-1] is None) is (own in (".", ".."))


def test_an_ordinary_id_can_be_stopped_at_any_time() -> None:
    request = StreamRequest(
        "POST", "http://api.test/v1/made", json={"background": True}, dialect="openai-responses"
    )
    session = StreamSession(request)
    assert session.stop_request() is None
    drive(session, broken(body_of("openai-responses", "resp_1")))
    stop = session.stop_request()
    assert stop is not None
    assert (stop.method, stop.url) == ("POST", "http://api.test/v1/made/resp_1/cancel")
