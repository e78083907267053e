"""What is made anew for each attempt: signatures as AWS and botocore make them, and tokens."""

from __future__ import annotations

import asyncio
import importlib.util
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.providers.signing import NEVER_SIGNED, AWSCredentials, Bearer, SigV4
from sans_io_stream.request import Authorizer, HTTPRequest

from .signed import (
    KEYS,
    TIME,
    TO_SIGN,
    botocore_signatures,
    botocore_signed,
    headers_of,
    recorded_signatures,
    signatures,
    signed,
)

with_botocore = pytest.mark.skipif(
    importlib.util.find_spec("botocore") is None,
    reason="botocore is not installed: make goldens installs it",
)
REQUEST = HTTPRequest(
    "POST", "https://api.test/v1?x=1", (("content-type", "application/json"),), b"{}"
)


# ---- signatures that others published or made

VISIBLE = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# AWS, "Signature Version 4 test suite": by the names of its files; there each request goes to
# example.amazonaws.com on 2015-08-30 at 12:36:00 UTC.
SUITE: list[tuple[str, HTTPRequest, str]] = [
    (name, HTTPRequest(method, f"https://example.amazonaws.com{target}", headers, body), signature)
    for name, method, target, headers, body, signature in (
        ("get-vanilla", "GET", "/", (), b"",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", (), b"",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("get-vanilla-query-unreserved", "GET", f"/?{VISIBLE}={VISIBLE}", (), b"",
         "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        ("get-unreserved", "GET", f"/{VISIBLE}", (), b"",
         "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        ("get-slashes", "GET", "//./", (), b"",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("get-header-value-trim", "GET", "/",
         (("my-header1", " value1"), ("my-header2", ' "a   b   c"')), b"",
         "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        ("post-vanilla", "POST", "/", (), b"",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("post-vanilla-query", "POST", "/?Param1=value1", (), b"",
         "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        ("post-header-value-case", "POST", "/", (("my-header1", "VALUE1"),), b"",
         "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        ("post-x-www-form-urlencoded", "POST", "/",
         (("content-type", "application/x-www-form-urlencoded"),), b"Param1=value1",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "signature"), [row[1:] for row in SUITE], ids=[row[0] for row in SUITE]
)
def test_the_signature_is_that_of_the_published_suite(
    request_: HTTPRequest, signature: str
) -> None:
    time = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    says = signed(request_, KEYS, "us-east-1", "service", time)["authorization"]
    begin = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
    assert says.startswith(begin)
    assert says.endswith(f", Signature={signature}")


def test_signatures_are_those_that_botocore_made() -> None:
    assert signatures() == recorded_signatures()


@with_botocore
def test_botocore_still_makes_them() -> None:
    assert botocore_signatures() == recorded_signatures()


SEGMENTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
NAMES = st.sampled_from(
    ["accept", "content-type", "x-amzn-bedrock-trace", "my-header", *NEVER_SIGNED]
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(str.strip)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> HTTPRequest:
    """A request as a builder makes it: what is no letter of a path or a query is encoded."""
    segments = draw(st.lists(SEGMENTS, max_size=4))
    query = draw(st.lists(st.tuples(SEGMENTS, SEGMENTS), max_size=3))
    path = "/".join(quote(segment, safe=draw(st.sampled_from(["", ":"]))) for segment in segments)
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    host = draw(st.sampled_from(["api.test", "api.test:8443", "API.Test:443", "[::1]:80"]))
    headers = tuple(draw(st.lists(st.tuples(NAMES, VALUES), max_size=4)))
    url = f"https://{host}/{path}" + (f"?{pairs}" if pairs else "")
    return HTTPRequest(draw(st.sampled_from(["POST", "GET"])), url, headers, draw(st.binary()))


@with_botocore
@given(
    request_=requests(),
    keys=st.builds(AWSCredentials, SECRETS, SECRETS, st.none() | SECRETS),
    time=st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_any_request_is_signed_as_botocore_signs_it(
    request_: HTTPRequest, keys: AWSCredentials, time: datetime
) -> None:
    # What is never signed here, botocore is not shown: it leaves out fewer.
    shown = tuple(pair for pair in request_.headers if pair[0] not in NEVER_SIGNED)
    told = HTTPRequest(request_.method, request_.url, shown, request_.body)
    theirs = botocore_signed(told, keys, "us-east-1", "bedrock", time)
    ours = signed(request_, keys, "us-east-1", "bedrock", time)
    for name in ("authorization", "x-amz-date", "x-amz-security-token"):
        assert ours.get(name) == theirs.get(name)


@with_botocore
def test_what_botocore_never_signs_is_never_signed() -> None:
    auth: Any = importlib.import_module("botocore.auth")
    assert set(auth.SIGNED_HEADERS_BLACKLIST) <= NEVER_SIGNED


# ---- what is signed anew


def outcome(authorize: Authorizer, request: HTTPRequest) -> HTTPRequest:
    """What ``authorize`` returns, waited for."""

    async def wait() -> HTTPRequest:
        done = authorize(request)
        return await done if isinstance(done, Awaitable) else done

    return asyncio.run(wait())


def test_a_signature_takes_the_place_of_an_older_one() -> None:
    seconds = iter([0, 1])
    temporary = AWSCredentials("A", "S", "T")
    keys = iter([temporary, AWSCredentials("B", "S")])
    sign = SigV4(lambda: next(keys), "us-east-1", clock=lambda: TIME + timedelta(0, next(seconds)))
    once = outcome(sign, REQUEST)
    again = outcome(sign, once)
    assert headers_of(once)["x-amz-security-token"] == "T"
    assert "x-amz-security-token" not in headers_of(again)
    assert [headers_of(one)["x-amz-date"] for one in (once, again)] == [
        "20261126T215958Z",
        "20261126T215959Z",
    ]
    assert "Credential=B/20261126/us-east-1/bedrock/" in headers_of(again)["authorization"]
    assert len(again.headers) == len(REQUEST.headers) + 2
    assert again.headers[0] == REQUEST.headers[0]


def test_the_hour_is_that_of_greenwich() -> None:
    there = TIME.astimezone(timezone(timedelta(hours=5, minutes=30)))
    ours = signed(REQUEST, KEYS, "us-east-1", "bedrock", there)
    assert ours == signed(REQUEST, KEYS, "us-east-1", "bedrock", TIME)


def test_credentials_may_be_waited_for() -> None:
    async def fetch() -> AWSCredentials:
        await asyncio.sleep(0)
        return KEYS

    for request, _ in TO_SIGN.values():
        waited = SigV4(fetch, "us-east-1", clock=lambda: TIME)
        at_once = SigV4(KEYS, "us-east-1", clock=lambda: TIME)
        assert outcome(waited, request) == outcome(at_once, request)


def test_a_token_takes_the_place_of_an_older_one() -> None:
    tokens = iter(["one", "two"])
    bearer = Bearer(lambda: next(tokens))
    once = outcome(bearer, REQUEST)
    again = outcome(bearer, once)
    assert once.headers == (*REQUEST.headers, ("authorization", "Bearer one"))
    assert again.headers == (*REQUEST.headers, ("authorization", "Bearer two"))
    assert (again.method, again.url, again.body) == (REQUEST.method, REQUEST.url, REQUEST.body)


def test_a_token_may_be_waited_for() -> None:
    async def fetch() -> str:
        await asyncio.sleep(0)
        return "one"

    assert outcome(Bearer(fetch), REQUEST) == outcome(Bearer(lambda: "one"), REQUEST)


# ---- what is wrong, and what nobody sees

SECRET = "S3CRET"


def now() -> datetime:
    return TIME


def naive() -> datetime:
    return TIME.replace(tzinfo=None)


def later(value: object) -> Callable[[], Awaitable[Any]]:
    async def fetch() -> object:
        await asyncio.sleep(0)
        return value

    return fetch


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "empty": (lambda: AWSCredentials("", SECRET), ValueError, "access_key is empty"),
    "line": (lambda: AWSCredentials("A", f"{SECRET}\n"), ValueError, "secret_key holds a line"),
    "blank": (lambda: AWSCredentials("A", "b", f" {SECRET}"), ValueError, "session_token holds"),
    "bytes": (
        lambda: AWSCredentials("A", SECRET.encode()),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        ValueError,
        "secret_key is empty",
    ),
    "in the wrong place": (
        lambda: SigV4("A", SECRET, clock=now),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        TypeError,
        "credentials are AWSCredentials",
    ),
    "no region": (lambda: SigV4(KEYS, "", clock=now), ValueError, "a region is lower-case letters"),
    "no service": (
        lambda: SigV4(KEYS, "r", "a/b", clock=now),
        ValueError,
        "a service is lower-case",
    ),
    "a pair": (
        lambda: outcome(SigV4(lambda: ("A", SECRET), "r", clock=now), REQUEST),  # type: ignore[arg-type,return-value] # pyright: ignore[reportArgumentType]
        TypeError,
        "returned a tuple",
    ),
    "a pair, later": (
        lambda: outcome(SigV4(later(("A", SECRET)), "r", clock=now), REQUEST),
        TypeError,
        "returned a tuple",
    ),
    "a naive clock": (
        lambda: outcome(SigV4(AWSCredentials("A", SECRET), "r", clock=naive), REQUEST),
        ValueError,
        "aware time",
    ),
    "no URL": (
        lambda: outcome(
            SigV4(AWSCredentials("A", SECRET, SECRET), "r", clock=now), HTTPRequest("GET", "x")
        ),
        ValueError,
        "no scheme",
    ),
    "a token": (lambda: Bearer(SECRET), TypeError, "takes a callable"),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "a token's line": (
        lambda: outcome(Bearer(lambda: f"{SECRET}\n"), REQUEST),
        ValueError,
        "the token holds a line break",
    ),
    "a token's line, later": (
        lambda: outcome(Bearer(later(f"{SECRET}\n")), REQUEST),
        ValueError,
        "the token holds a line break",
    ),
    "no token": (lambda: outcome(Bearer(later(None)), REQUEST), ValueError, "the token is empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_and_shown_nowhere(name: str) -> None:
    call, kind, why = WRONG[name]
    with pytest.raises(kind, match=why) as told:
        call()
    frames = traceback.TracebackException.from_exception(told.value, capture_locals=True).stack
    ours = [frame for frame in frames if frame.filename.endswith("signing.py")]
    ours = [frame for frame in ours if "/tests/" not in frame.filename]
    assert ours, "the frames that might show it are there"
    assert SECRET not in str(told.value) + "".join(str(frame.locals) for frame in ours)


def test_nothing_shows_a_secret() -> None:
    temporary = AWSCredentials("A", SECRET, SECRET)
    sign, bear = SigV4(temporary, "r", clock=now), Bearer(lambda: SECRET)
    assert repr([temporary, sign, bear]) == "[<AWSCredentials>, <SigV4>, <Bearer>]"
    for authorize in (sign, bear):
        done = outcome(authorize, REQUEST)
        assert SECRET in "".join(value for _, value in done.headers)
        assert SECRET not in repr(done) + repr(done.headers)
