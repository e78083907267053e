"""One call for most people: whom it asks, what it takes from the environment, what it hides."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from sans_io_stream import (
    AuthenticationFailed,
    RateLimited,
    ReconnectPolicy,
    StreamFailed,
    StreamInterrupted,
    StreamRequest,
    TextDelta,
    Transcript,
)
from sans_io_stream.providers import PROVIDERS, anthropic
from sans_io_stream.providers.signing import SigV4
from sans_io_stream.request import HTTPRequest
from sans_io_stream_adapters import anyio as on_anyio
from sans_io_stream_adapters import asyncio as on_asyncio
from sans_io_stream_adapters import calling, signing
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters import trio as on_trio
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .colours import COLOURS, run

HI = [{"role": "user", "content": "Hi"}]
KEY = "sk-0123456789-secret"
MODULES: dict[str, Any] = {"asyncio": on_asyncio, "trio": on_trio, "sync": on_sync}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the tester's own environment is asked for."""
    for provider in PROVIDERS.values():
        for names in (provider.key_variables, *provider.other_variables.values()):
            for name in names:
                monkeypatch.delenv(name, raising=False)
    for name in signing.REQUIRED:
        monkeypatch.delenv(name, raising=False)


def module(colour: str) -> Any:
    return MODULES.get(colour, on_anyio)


def texts(colour: str, provider: str | StreamRequest, **fields: Any) -> list[str]:
    """What ``chat`` gives as text."""
    if colour == "sync":
        with on_sync.chat(provider, **fields) as stream:
            return list(stream.text())

    async def main() -> list[str]:
        async with module(colour).chat(provider, **fields) as stream:
            return [piece async for piece in stream.text()]

    made: list[str] = run(colour, main)
    return made


def ask(colour: str, provider: str | StreamRequest, **fields: Any) -> Transcript:
    """What ``ask`` gives."""
    if colour == "sync":
        return on_sync.ask(provider, **fields)

    async def main() -> Transcript:
        answer: Transcript = await module(colour).ask(provider, **fields)
        return answer

    made: Transcript = run(colour, main)
    return made


@pytest.mark.parametrize("colour", COLOURS)
def test_one_call_from_a_name_to_the_text(colour: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with FaultServer("anthropic", pieces=5) as server:
        fields: dict[str, Any] = {"model": "claude-sonnet-4.5", "messages": HI, "temperature": 0.5}
        fields |= {"base_url": server.url, "proxy": False}
        pieces = texts(colour, "anthropic", **fields)
        assert len(pieces) == 5
        answer = ask(colour, "anthropic", **fields)
        assert answer.text == "".join(pieces)
        assert answer.end is not None
        asked = server.seen.requests[0]
    assert asked.header("anthropic-version") == anthropic.VERSION
    assert asked.json()["temperature"] == 0.5
    assert "proxy" not in asked.json()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, StreamFailed),
        (401, AuthenticationFailed),
        (403, AuthenticationFailed),
        (429, RateLimited),
        (503, StreamFailed),
    ],
)
def test_a_refusal_is_its_error(colour: str, status: int, kind: type[StreamFailed]) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HI, "api_key": KEY, "proxy": False}
    fields["policy"] = ReconnectPolicy.never()
    for call in (ask, texts):
        with FaultServer("anthropic", faults=[Busy(status)]) as server:
            with pytest.raises(StreamFailed) as raised:
                call(colour, "anthropic", base_url=server.url, **fields)
            assert len(server.seen.requests) == 1
        assert type(raised.value) is kind
        assert raised.value.end.error is not None
        assert raised.value.end.error.status == status


@pytest.mark.parametrize("colour", COLOURS)
def test_an_answer_that_is_not_whole_is_none(colour: str) -> None:
    with FaultServer("openai-chat", pieces=9, faults=[Cut(at=0.6)]) as server:
        request, policy = server.request(), ReconnectPolicy.never()
        with pytest.raises(StreamInterrupted) as raised:
            ask(colour, request, policy=policy, proxy=False)
        assert raised.value.transcript is not None
        assert raised.value.transcript.text
        assert len(texts(colour, request, proxy=False)) == 9


def test_the_stream_is_that_of_open_stream() -> None:
    with FaultServer("openai-chat", pieces=3) as server:
        request = server.request()
        with on_sync.chat(request, proxy=False) as stream:
            assert type(stream) is type(on_sync.open_stream(request))
            assert sum(isinstance(event, TextDelta) for event in stream) == 3


# ---- where the key comes from


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_usual_variables_are_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = PROVIDERS[name]
    fields: dict[str, Any] = {"model": "m", "messages": HI}
    if name == "compatible":
        fields["base_url"] = "http://api.test/v1"
    values = {"region": "eu-west-1", "api_version": "2025-01-01", "project": "p", "location": "eu"}
    for argument, variables in provider.other_variables.items():
        monkeypatch.setenv(variables[0], values.get(argument, f"http://{name}.test/{argument}"))
    if not provider.key_variables:
        fields["api_key"] = KEY
    for variable in provider.key_variables[::-1]:
        monkeypatch.setenv(variable, KEY)
    request, _ = calling.asked(name, dict(fields))
    shown = [value for _, value in request.pairs] + [request.url]
    assert any(KEY in value for value in shown)
    assert all(KEY not in repr(value) for _, value in request.pairs)
    if "base_url" in provider.other_variables:
        assert request.url.startswith(f"http://{name}.test/base_url/")


@pytest.mark.parametrize("name", ["Authorization", "api-key"])
def test_so_does_a_header_that_is_a_credential(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HI, "headers": {name: KEY}}
    request, _ = calling.asked("openai", dict(fields))
    assert [value for header, value in request.pairs if header == name.lower()] == [KEY]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    request, _ = calling.asked("openai", dict(fields))
    assert all("sk-of-the-environment" not in value for _, value in request.pairs)


def test_a_header_of_a_gateway_says_nothing_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HI}
    fields["headers"] = {"cf-aig-authorization": "Bearer of-the-gateway"}
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    request, _ = calling.asked("openai", fields)
    assert dict(request.pairs)["authorization"] == f"Bearer {KEY}"


def test_an_empty_key_is_not_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ValueError, match="api_key is empty"):
        calling.asked("openai", {"model": "m", "messages": HI, "api_key": ""})
    request, _ = calling.asked("openai", {"model": "m", "messages": HI, "api_key": None})
    assert dict(request.pairs)["authorization"] == f"Bearer {KEY}"


def as_it_is(request: HTTPRequest) -> HTTPRequest:
    return request


def test_an_argument_outranks_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://environment.test/v1")
    fields: dict[str, Any] = {"model": "m", "messages": HI, "base_url": "http://mine.test/v1"}
    request, _ = calling.asked("openai", {**fields, "api_key": KEY})
    assert dict(request.pairs)["authorization"] == f"Bearer {KEY}"
    assert request.url.startswith("http://mine.test/")
    request, _ = calling.asked("openai", {**fields, "authorize": as_it_is})
    assert "authorization" not in dict(request.pairs)


def test_what_is_signed_is_signed_with_the_usual_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HI, "region": "eu-west-1"}
    with pytest.raises(ValueError, match="no key for bedrock"):
        calling.asked("bedrock", dict(fields))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    request, _ = calling.asked("bedrock", dict(fields))
    assert isinstance(request.authorize, SigV4)
    signed = request.authorize(request.http())
    assert isinstance(signed, HTTPRequest)
    assert "/eu-west-1/bedrock/aws4_request" in (signed.header("authorization") or "")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", KEY)
    request, _ = calling.asked("bedrock", dict(fields))
    assert request.authorize is None


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("openai", "no key for openai: pass api_key=..., or set OPENAI_API_KEY in the environment"),
        ("claude", "no key for anthropic: .*ANTHROPIC_API_KEY"),
        ("gemini", "GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("vertex", r"no key for vertex: pass access_token=\.\.\. or authorize=\.\.\.$"),
        ("nobody", "no provider is called 'nobody'; there are: openai, "),
    ],
)
def test_what_is_missing_is_said(name: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(ValueError, match=told):
        calling.asked(name, {"model": "m", "messages": HI, "project": "p"})


def test_a_request_that_is_made_takes_no_fields() -> None:
    with pytest.raises(TypeError, match="temperature cannot be added"):
        on_sync.chat(StreamRequest("GET", "http://api.test/"), temperature=1)


def test_who_is_asked_is_a_name_or_a_request() -> None:
    nobody: Any = None
    with pytest.raises(ValueError, match="no provider is called None; there are: openai"):
        on_sync.chat(nobody, model="m")


def test_who_needs_no_key_is_asked_without_one() -> None:
    request, _ = calling.asked("ollama", {"model": "m", "messages": HI})
    assert "authorization" not in dict(request.pairs)


# ---- secrets


def shown(error: Exception, function: str) -> str:
    """The error's traceback from ``function`` on, with all that its frames hold."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The frames before are the caller's, where the key is its own.
    return "".join(found.format()).partition(f", in {function}\n")[2]


def wrong(name: str = "openai", **fields: Any) -> str:
    """The traceback of a call that fails."""
    try:
        on_sync.chat(name, model="m", messages=HI, **fields)
    except Exception as error:
        return shown(error, "chat")
    raise AssertionError


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": object()},
        {"stream": False},
        {"on_error": "sometimes"},
        {"resume_from": "damaged"},
        {"base_url": "no url"},
        {"proxy": "socks5://proxy.test"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_no_traceback_shows_a_key(fields: dict[str, Any]) -> None:
    told = wrong(api_key=KEY, **fields)
    assert "fields" in told
    assert KEY not in told


@pytest.mark.parametrize("name", ["openai", "nobody"])
@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {KEY}"}, [("X-Api-Key", KEY)]], ids=["mapping", "pairs"]
)
def test_nor_one_in_a_header(name: str, headers: Any) -> None:
    told = wrong(name, headers=headers, temperature=object())
    assert "fields" in told
    assert KEY not in told


def test_nor_one_that_is_no_text() -> None:
    told = wrong(api_key=KEY.encode())
    assert "api_key is a text" in told
    assert KEY not in told


@pytest.mark.parametrize("colour", COLOURS)
def test_nor_does_one_of_a_failed_answer(colour: str) -> None:
    fields: dict[str, Any] = {"model": "m", "messages": HI, "proxy": False, "api_key": KEY}
    with FaultServer("openai-chat", faults=[Busy(400)]) as server:
        with pytest.raises(StreamFailed) as raised:
            ask(colour, "openai", base_url=server.url + "/v1", **fields)
        # The first one called so is this file's own.
        told = shown(raised.value, "ask").partition(", in ask\n")[2]
    assert "fields" in told
    assert KEY not in told
