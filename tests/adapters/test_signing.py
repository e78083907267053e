"""Each attempt is signed anew, on every runtime; and what a machine's environment says of AWS."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import anyio
import pytest

from sans_io_stream import ReconnectPolicy
from sans_io_stream.providers.signing import AWSCredentials, Bearer, SigV4
from sans_io_stream.request import HTTPRequest
from sans_io_stream_adapters.signing import from_environment, sigv4
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer
from tests.providers.signed import signed

from .colours import ASYNC, COLOURS, collect

if TYPE_CHECKING:
    from sans_io_stream_adapters.testing import Asked

QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
KEYS = AWSCredentials("AKIDEXAMPLE", "S3CRET", "T0KEN")
BEGIN = datetime(2026, 11, 26, tzinfo=UTC)
STAMP = "%Y%m%dT%H%M%SZ"


def ticking() -> Callable[[], datetime]:
    """A clock that goes on by a second with each look at it."""
    times = (BEGIN + timedelta(seconds=n) for n in range(100))
    return lambda: next(times)


def failing() -> FaultServer:
    """A server that wants to be asked three times: it is busy, and it breaks off."""
    return FaultServer("openai-responses", pieces=9, faults=[Busy(503), Cut(at=0.6)])


def holds(server: FaultServer, asked: Asked, keys: AWSCredentials) -> bool:
    """Whether the signature is that of the request as it came over the wire."""
    says = asked.header("authorization") or ""
    names = says.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    came = tuple(pair for pair in asked.headers if pair[0] in names)
    assert [name for name, _ in sorted(came)] == names
    request = HTTPRequest(asked.method, f"{server.url}{asked.target}", came, asked.body)
    time = datetime.strptime(asked.header("x-amz-date") or "", STAMP).replace(tzinfo=UTC)
    return signed(request, keys, "us-east-1", "bedrock", time)["authorization"] == says


@pytest.mark.parametrize("colour", COLOURS)
def test_each_attempt_is_signed_anew(colour: str) -> None:
    sign = SigV4(KEYS, "us-east-1", clock=ticking())
    with failing() as server:
        told = collect(colour, server.request(authorize=sign), policy=QUICK, proxy=False)
    assert told.end.outcome == "complete"
    requests = server.seen.requests
    assert [asked.method for asked in requests] == ["POST", "POST", "GET"]
    assert [asked.header("x-amz-date") for asked in requests] == [
        "20261126T000000Z",
        "20261126T000001Z",
        "20261126T000002Z",
    ]
    assert all(holds(server, asked, KEYS) for asked in requests)
    assert not holds(server, requests[0], AWSCredentials("AKIDEXAMPLE", "another", "T0KEN"))


@pytest.mark.parametrize("colour", COLOURS)
def test_each_attempt_has_a_fresh_token(colour: str) -> None:
    tokens = iter(["one", "two", "three"])
    request_of = Bearer(lambda: next(tokens))
    with failing() as server:
        told = collect(colour, server.request(authorize=request_of), policy=QUICK, proxy=False)
    assert told.end.outcome == "complete"
    sent = [asked.header("authorization") for asked in server.seen.requests]
    assert sent == ["Bearer one", "Bearer two", "Bearer three"]


@pytest.mark.parametrize("colour", ASYNC)
def test_tokens_and_credentials_are_waited_for(colour: str) -> None:
    async def token() -> str:
        await anyio.lowlevel.checkpoint()
        return "one"

    async def keys() -> AWSCredentials:
        await anyio.lowlevel.checkpoint()
        return KEYS

    with FaultServer("openai-chat") as server:
        for authorize in (Bearer(token), SigV4(keys, "us-east-1", clock=ticking())):
            told = collect(colour, server.request(authorize=authorize), proxy=False)
            assert told.end.outcome == "complete"
    by_token, by_keys = server.seen.requests
    assert by_token.header("authorization") == "Bearer one"
    assert holds(server, by_keys, KEYS)


def test_what_has_to_be_waited_for_is_refused_where_nothing_can_wait() -> None:
    async def token() -> str:
        raise AssertionError("nobody waits for it")

    with (
        FaultServer("openai-chat") as server,
        pytest.raises(TypeError, match="authorize is asynchronous"),
    ):
        collect("sync", server.request(authorize=Bearer(token)), proxy=False)


# ---- the environment, and this machine's clock


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing of AWS but a key and its secret."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S3CRET")
    return monkeypatch


REQUEST = HTTPRequest("POST", "https://api.test/model/m/converse-stream")


def headers(sign: SigV4) -> dict[str, str]:
    done = sign(REQUEST)
    assert isinstance(done, HTTPRequest)
    return dict(done.headers)


def test_the_time_is_that_of_now(environment: pytest.MonkeyPatch) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    stamp = headers(sigv4("us-east-1"))["x-amz-date"]
    assert before <= datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) <= datetime.now(UTC)


def test_credentials_of_the_environment_are_read_for_each_attempt(
    environment: pytest.MonkeyPatch,
) -> None:
    sign = sigv4("us-east-1")
    assert "Credential=A/" in headers(sign)["authorization"]
    environment.setenv("AWS_ACCESS_KEY_ID", "B")
    environment.setenv("AWS_SESSION_TOKEN", "T")
    later = headers(sign)
    assert "Credential=B/" in later["authorization"]
    assert later["x-amz-security-token"] == "T"


def test_credentials_that_are_given_win(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("AWS_ACCESS_KEY_ID")
    given = headers(sigv4("us-east-1", credentials=lambda: KEYS, service="sts"))
    assert "Credential=AKIDEXAMPLE/" in given["authorization"]
    assert "/us-east-1/sts/aws4_request" in given["authorization"]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_region_may_come_from_the_environment(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "eu-west-1")
    assert "/eu-west-1/bedrock/" in headers(sigv4())["authorization"]
    assert "/us-east-1/bedrock/" in headers(sigv4("us-east-1"))["authorization"]


def test_what_is_not_there_is_said_at_once(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no region: give region=, or set AWS_REGION"):
        sigv4()
    environment.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ValueError, match="set AWS_SECRET_ACCESS_KEY, or give"):
        sigv4("us-east-1")
    environment.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ValueError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"):
        from_environment()
    environment.setenv("AWS_ACCESS_KEY_ID", "A")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "S3CRET\r")
    with pytest.raises(ValueError, match="secret_key holds a line break") as refused:
        sigv4("us-east-1")
    assert "S3CRET" not in str(refused.value)
