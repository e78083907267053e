"""Built requests against a server that speaks each provider's protocol, breaks included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import ReconnectPolicy, Resumed
from sans_io_stream.providers import (
    PROVIDERS,
    anthropic,
    azure,
    bedrock,
    cohere,
    compatible,
    deepseek,
    gemini,
    groq,
    holysheep,
    interactions,
    mistral,
    ollama,
    openai,
    openrouter,
    relay,
    vertex,
    xai,
)
from sans_io_stream_adapters import tour
from sans_io_stream_adapters.sync import open_stream
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sans_io_stream import Event, StreamRequest

TEXT = "Hello, wörld 🦜, and more of it"
HELLO = {"role": "user", "content": "Hello"}
CHAT: dict[str, Any] = {"model": "m", "messages": [HELLO], "api_key": "k"}
AT_ONCE = ReconnectPolicy(initial_delay=0.0, jitter=0.0)
ALL_OF_IT = ReconnectPolicy(initial_delay=0.0, jitter=0.0, allow=frozenset({"continuation"}))

PLAYED: list[tuple[str, str, Callable[..., StreamRequest], dict[str, Any], str]] = [
    ("openai-chat", "/v1", openai.chat, CHAT, "/v1/chat/completions"),
    ("openai-responses", "/v1", openai.responses,
     {"model": "m", "input": "Hello"}, "/v1/responses"),
    ("openai-chat", "", azure.chat, CHAT | {"api_version": "1"},
     "/openai/deployments/m/chat/completions"),
    ("openai-responses", "", azure.responses,
     {"model": "m", "input": "Hello"}, "/openai/v1/responses"),
    ("anthropic", "", anthropic.chat, CHAT, "/v1/messages"),
    ("gemini", "", gemini.chat, CHAT, "/v1/models/m:streamGenerateContent"),
    ("gemini", "", vertex.chat, CHAT | {"project": "p"},
     "/v1beta1/projects/p/locations/global/publishers/google/models/m:streamGenerateContent"),
    ("gemini-interactions", "", interactions.chat, CHAT, "/v1/interactions"),
    ("openai-chat", "", deepseek.chat, CHAT, "/chat/completions"),
    ("openai-chat", "", mistral.chat, CHAT, "/v1/chat/completions"),
    ("openai-chat", "", groq.chat, CHAT, "/openai/v1/chat/completions"),
    ("openai-chat", "/v1", xai.chat, CHAT, "/v1/chat/completions"),
    ("openai-chat", "/api/v1", openrouter.chat, CHAT, "/api/v1/chat/completions"),
    ("ollama", "", ollama.chat, CHAT, "/api/chat"),
    ("holysheep", "/v1", holysheep.chat, CHAT, "/v1/chat/completions"),
    ("native", "", relay.chat, CHAT, "/v1/streams"),
    ("openai-chat", "/v1", compatible.chat, CHAT, "/v1/chat/completions"),
]  # fmt: skip


def at(build: Callable[..., StreamRequest], place: str, **given: Any) -> StreamRequest:
    """A request at that place, however this builder calls it."""
    name = "endpoint" if build in (azure.chat, azure.responses) else "base_url"
    return build(**given, **{name: place})


def heard(
    request: StreamRequest, policy: ReconnectPolicy = AT_ONCE
) -> tuple[str, str, list[Event]]:
    """The text, the outcome and the events of an answer."""
    with open_stream(request, policy=policy, on_error="event") as stream:
        events = list(stream)
    end = stream.transcript.end
    assert end is not None
    return stream.transcript.text, end.outcome, events


@pytest.mark.parametrize(("dialect", "base", "build", "given", "path"), PLAYED)
def test_a_built_request_is_answered(
    dialect: str,
    base: str,
    build: Callable[..., StreamRequest],
    given: dict[str, Any],
    path: str,
) -> None:
    framing = "sse" if dialect == "gemini" else None
    with FaultServer(dialect, text=TEXT, framing=framing) as server:
        request = at(build, server.url + base, **given)
        text, outcome, _ = heard(request)
        assert (text, outcome) == (TEXT, "complete")
        (asked,) = server.seen.requests
    assert (asked.method, asked.path) == ("POST", path)
    assert asked.json() == request.http().json()
    assert asked.header("content-type") == "application/json"
    assert asked.header("accept") == request.http().header("accept")


RECORDED: list[tuple[Callable[..., StreamRequest], dict[str, Any], str]] = [
    (bedrock.chat, {"region": "eu-west-1"}, "bedrock-converse"),
    (cohere.chat, {}, "cohere"),
]


@pytest.mark.parametrize(("build", "given", "name"), RECORDED)
def test_a_recorded_answer_is_read(
    build: Callable[..., StreamRequest], given: dict[str, Any], name: str
) -> None:
    capture = Path(tour.__file__).parent / f"{name}.jsonl"
    with FaultServer(capture=capture) as server:
        text, outcome, _ = heard(at(build, server.url, **CHAT, **given))
        assert outcome == "complete"
        assert text
        assert server.seen.requests[0].header("authorization") == "Bearer k"


def test_every_provider_is_played() -> None:
    built = {one[2] for one in PLAYED} | {one[0] for one in RECORDED}
    assert built >= {one.chat for one in PROVIDERS.values()}


RESUMED: list[tuple[str, Callable[..., StreamRequest], dict[str, Any], str]] = [
    ("openai-responses", openai.responses,
     {"model": "m", "input": "Hello", "background": True}, "GET"),
    ("openai-responses", azure.responses,
     {"model": "m", "input": "Hello", "background": True, "api_version": "preview"}, "GET"),
    ("gemini-interactions", interactions.chat, {**CHAT, "background": True}, "GET"),
    ("holysheep", holysheep.chat, CHAT, "POST"),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "build", "given", "method"), RESUMED)
def test_a_broken_answer_is_taken_up_again(
    dialect: str, build: Callable[..., StreamRequest], given: dict[str, Any], method: str
) -> None:
    faults = [Cut(0.4), Cut.in_character(1), Busy(503)]
    with FaultServer(dialect, text=TEXT, pieces=20, faults=faults) as server:
        request = at(build, server.url, **given | {"api_key": "k"})
        text, outcome, events = heard(request)
        assert (text, outcome) == (TEXT, "complete")
        assert {event.mode for event in events if isinstance(event, Resumed)} == {"continue"}
        first, *others = server.seen.requests
    assert len(others) == 3
    key = "authorization" if first.header("authorization") else "api-key"
    key = key if first.header(key) else "x-goog-api-key"
    assert first.header(key) in ("Bearer k", "k")
    for asked in others:
        assert asked.method == method
        assert asked.header(key) == first.header(key)
        assert asked.query.get("api-version") == first.query.get("api-version")


def test_a_response_that_is_not_stored_is_not_begun_again() -> None:
    faults = [Cut(0.6)]
    with FaultServer(
        "openai-responses", text=TEXT, pieces=20, faults=faults, resume="none"
    ) as server:
        text, outcome, _ = heard(openai.responses(model="m", input="x", base_url=server.url))
        assert outcome == "interrupted"
        assert text
        assert TEXT.startswith(text)
        assert len(server.seen.requests) == 1


CONTINUED = [
    ("deepseek", deepseek.chat, "openai-chat", "/beta/chat/completions"),
    ("mistral", mistral.chat, "openai-chat", "/v1/chat/completions"),
    ("anthropic", anthropic.chat, "anthropic", "/v1/messages"),
]


@pytest.mark.parametrize(("name", "build", "dialect", "path"), CONTINUED)
def test_a_model_goes_on_from_its_partial_answer(
    name: str, build: Callable[..., StreamRequest], dialect: str, path: str
) -> None:
    with FaultServer(dialect, text=TEXT, pieces=20, faults=[Cut(0.6)]) as server:
        request = build(**CHAT, base_url=server.url)
        assert request.continues == name
        text, outcome, events = heard(request, ALL_OF_IT)
        assert outcome == "complete"
        assert [event.mode for event in events if isinstance(event, Resumed)] == ["continuation"]
        again = server.seen.requests[1]
    assert again.path == path
    partial = text.removesuffix(TEXT)
    assert partial
    assert partial.strip() in str(again.json()["messages"][1:])
