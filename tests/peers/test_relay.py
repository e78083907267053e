"""The vendors' own SDKs as clients of the relay, unchanged, whatever provider is behind it."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sans_io_stream import (
    ErrorInfo,
    Event,
    Finish,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    Usage,
)
from sans_io_stream.capture import Capture
from sans_io_stream_adapters import tour
from sans_io_stream_adapters.relay.config import ClientKey, RelayConfig, Route, Upstream
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer
from tests.adapters.relay.serving import relay_served

openai: Any = pytest.importorskip("openai")
anthropic: Any = pytest.importorskip("anthropic")

KEY = "client-key-0123456789abcdef"
TEXT = "Zeilen\u2028trennen nicht: wörter 🦜, 漢字"
MESSAGES = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CITY = {"city": "Köln"}
SAID: list[Event] = [
    StreamStart("resp_1", "there"),
    *(TextDelta(TEXT[n : n + 5]) for n in range(0, len(TEXT), 5)),
]
COUNTED = Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18, final=True)
ANSWER: list[Event] = [*SAID, Finish("stop"), COUNTED]
CALLING: list[Event] = [
    *SAID,
    ToolCallDelta(index=0, id="call_1", name="weather", arguments=""),
    ToolCallDelta(index=0, arguments='{"city": '),
    ToolCallDelta(index=0, arguments='"Köln"}'),
    ToolCall(index=0, id="call_1", name="weather", arguments='{"city": "Köln"}'),
    Finish("tool_calls"),
    COUNTED,
]

PLAYED: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1", {"provider": "openai"}),
    "openai-responses": ("/v1", {"provider": "openai", "surface": "responses"}),
    "anthropic": ("", {"provider": "anthropic"}),
    "gemini": ("", {"provider": "gemini"}),
    "ollama": ("", {"provider": "ollama"}),
    "holysheep": ("/v1", {"provider": "holysheep"}),
}
"""Dialects, the path at which each is played, and who is asked."""
RECORDED: dict[str, dict[str, Any]] = {
    "cohere": {"provider": "cohere"},
    "bedrock-converse": {"provider": "bedrock", "options": {"region": "eu-west-1"}},
}
TOUR = Path(tour.__file__).parent


def upstream(name: str, server: FaultServer, path: str = "", **asked: Any) -> Upstream:
    return Upstream(name=name, api_key="upstream-key", base_url=server.url + path, **asked)


@contextmanager
def behind(*upstreams: Upstream) -> Generator[str]:
    """A relay in front of these; it wants a key."""
    keys = (ClientKey.of("peer", KEY),)
    routes = (Route("listed", upstreams[0].name),)
    with relay_served(RelayConfig(upstreams=upstreams, keys=keys, routes=routes)) as url:
        yield url


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    """A relay in front of everybody; ``calls-…`` are those that call a tool."""
    with ExitStack() as stack:
        upstreams: list[Upstream] = []
        for dialect, (path, asked) in PLAYED.items():
            framing = "sse" if dialect == "gemini" else None
            for prefix, events in (("", ANSWER), ("calls-", CALLING)):
                server = FaultServer(dialect, events=events, framing=framing)
                stack.enter_context(server)
                upstreams.append(upstream(prefix + dialect, server, path, **asked))
        for dialect, asked in RECORDED.items():
            server = stack.enter_context(FaultServer(capture=TOUR / f"{dialect}.jsonl"))
            upstreams.append(upstream(dialect, server, **asked))
        yield stack.enter_context(behind(*upstreams))


def by_openai(url: str, **options: Any) -> Any:
    return openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, **options)


def by_anthropic(url: str, **options: Any) -> Any:
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, **options)


def recorded(dialect: str) -> Transcript:
    """What a capture says."""
    return Transcript.of(Capture.open(TOUR / f"{dialect}.jsonl").events())


each_dialect = pytest.mark.parametrize("dialect", PLAYED)


@each_dialect
def test_openai_streams(url: str, dialect: str) -> None:
    text, reasons, counts = "", list[str](), list[tuple[int, int]]()
    with by_openai(url) as client:
        for chunk in client.chat.completions.create(
            model=f"{dialect}/m",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        ):
            assert chunk.object == "chat.completion.chunk"
            if chunk.usage is not None:
                counts.append((chunk.usage.prompt_tokens, chunk.usage.completion_tokens))
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons += [choice.finish_reason] if choice.finish_reason else []
    assert text == TEXT
    assert reasons == ["stop"]
    assert counts == [(11, 7)]


@each_dialect
def test_openai_streams_a_tool_call(url: str, dialect: str) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    with (
        by_openai(url) as client,
        client.chat.completions.stream(
            model=f"calls-{dialect}/m", messages=MESSAGES, tools=tools
        ) as stream,
    ):
        told = stream.until_done().get_final_completion().choices[0]
    assert told.message.content == TEXT
    (call,) = told.message.tool_calls
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == CITY
    assert told.finish_reason == "tool_calls"


@each_dialect
def test_openai_asks_for_the_whole(url: str, dialect: str) -> None:
    with by_openai(url) as client:
        told = client.chat.completions.create(model=f"calls-{dialect}/m", messages=MESSAGES)
    (choice,) = told.choices
    assert choice.message.content == TEXT
    assert json.loads(choice.message.tool_calls[0].function.arguments) == CITY
    assert choice.finish_reason == "tool_calls"
    assert (told.usage.prompt_tokens, told.usage.completion_tokens) == (11, 7)


@each_dialect
def test_anthropic_streams(url: str, dialect: str) -> None:
    asked: dict[str, Any] = {"model": f"{dialect}/m", "messages": MESSAGES, "max_tokens": 9}
    with by_anthropic(url) as client, client.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == TEXT
        told = stream.get_final_message()
    assert [block.type for block in told.content] == ["text"]
    assert told.stop_reason == "end_turn"
    assert (told.usage.input_tokens, told.usage.output_tokens) == (11, 7)


@each_dialect
def test_anthropic_streams_a_tool_call(url: str, dialect: str) -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    asked: dict[str, Any] = {"model": f"calls-{dialect}/m", "messages": MESSAGES, "max_tokens": 9}
    with by_anthropic(url) as client, client.messages.stream(tools=tools, **asked) as stream:
        told = stream.get_final_message()
    text, call = told.content
    assert (text.text, call.name, call.input) == (TEXT, "weather", CITY)
    assert told.stop_reason == "tool_use"


@each_dialect
def test_anthropic_asks_for_the_whole(url: str, dialect: str) -> None:
    asked: dict[str, Any] = {"model": f"calls-{dialect}/m", "messages": MESSAGES, "max_tokens": 9}
    with by_anthropic(url) as client:
        told = client.messages.create(**asked)
    text, call = told.content
    assert (text.text, call.name, call.input) == (TEXT, "weather", CITY)
    assert told.stop_reason == "tool_use"
    assert (told.usage.input_tokens, told.usage.output_tokens) == (11, 7)


@pytest.mark.parametrize("dialect", RECORDED)
def test_recorded_answers_of_others(url: str, dialect: str) -> None:
    expected = recorded(dialect)
    assert expected.text
    model = f"{dialect}/m"
    with by_openai(url) as client:
        streamed = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        pieces = [choice.delta.content for chunk in streamed for choice in chunk.choices]
    assert "".join(filter(None, pieces)) == expected.text
    with by_anthropic(url) as client:
        told = client.messages.create(model=model, messages=MESSAGES, max_tokens=9)
    assert "".join(b.text for b in told.content if b.type == "text") == expected.text


# ---- what goes wrong

STATUSES = [
    (400, 400, "BadRequestError", "as asked for"),
    # The client's key is a good one: it is the relay's own that the provider does not take.
    (401, 502, "InternalServerError", "relay's own credentials"),
    (403, 502, "InternalServerError", "relay's own credentials"),
    (404, 404, "NotFoundError", "as asked for"),
    (429, 429, "RateLimitError", "as asked for"),
    (500, 500, "InternalServerError", "as asked for"),
]
"""What a provider answers, and what an SDK raises for it: status, class and words."""
each_status = pytest.mark.parametrize(("status", "told", "name", "why"), STATUSES)
streaming = pytest.mark.parametrize("stream", [True, False])


@each_status
@streaming
@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini", "ollama"])
def test_an_error_is_of_the_sdks_class(
    status: int, told: int, name: str, why: str, stream: bool, dialect: str
) -> None:
    path, asked = PLAYED[dialect]
    faults = [Busy(status, retry_after=200)] * 2
    framing = "sse" if dialect == "gemini" else None
    with (
        FaultServer(dialect, faults=faults, framing=framing) as server,
        behind(upstream("test", server, path, **asked)) as url,
        by_openai(url) as ours,
        by_anthropic(url) as theirs,
    ):
        question: dict[str, Any] = {"model": "test/m", "messages": MESSAGES, "stream": stream}
        with pytest.raises(getattr(openai, name)) as one:
            list(ours.chat.completions.create(**question))
        with pytest.raises(getattr(anthropic, name)) as other:
            list(theirs.messages.create(max_tokens=9, **question))
    for error in (one.value, other.value):
        assert error.status_code == told
        assert why in str(error)
        assert "upstream-key" not in str(error)


def test_the_relays_own_refusals(url: str) -> None:
    question: dict[str, Any] = {"messages": MESSAGES, "stream": True}
    with by_openai(url) as ours, by_anthropic(url) as theirs:
        with pytest.raises(openai.NotFoundError, match="not served"):
            ours.chat.completions.create(model="nobody/m", **question)
        with pytest.raises(anthropic.NotFoundError, match="not served"):
            theirs.messages.create(model="nobody/m", max_tokens=9, **question)
        with pytest.raises(openai.BadRequestError, match="logit_bias"):
            ours.chat.completions.create(model="anthropic/m", logit_bias={"1": 1}, **question)
        assert [one.id for one in ours.models.list()] == ["listed"]
        with pytest.raises(openai.AuthenticationError):
            ours.with_options(api_key="another-key-0123456789abcdef").models.list()
        with pytest.raises(anthropic.AuthenticationError):
            theirs.with_options(api_key="another-key-0123456789abcdef").messages.create(
                model="openai-chat/m", max_tokens=9, **question
            )


def test_an_error_in_the_stream_is_raised() -> None:
    failed = StreamEnd("failed", ErrorInfo("overloaded", "too much is going on"))
    with (
        FaultServer("openai-chat", events=[*SAID, failed]) as server,
        behind(upstream("test", server, "/v1", provider="openai")) as url,
        by_openai(url) as ours,
        by_anthropic(url) as theirs,
    ):
        question: dict[str, Any] = {"model": "test/m", "messages": MESSAGES, "stream": True}
        with pytest.raises(openai.APIError, match="too much is going on"):
            list(ours.chat.completions.create(**question))
        with pytest.raises(anthropic.APIStatusError, match="too much is going on"):
            list(theirs.messages.create(max_tokens=9, **question))


BROKEN = "incomplete chunked read|Connection error"


def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    with (
        FaultServer("openai-chat", events=ANSWER, faults=[Cut(0.3)] * 2) as server,
        behind(upstream("test", server, "/v1", provider="openai")) as url,
        by_openai(url) as ours,
        by_anthropic(url) as theirs,
    ):
        question: dict[str, Any] = {"model": "test/m", "messages": MESSAGES, "stream": True}
        # In the words of their HTTP client, or in their own.
        with pytest.raises(Exception, match=BROKEN):
            list(ours.chat.completions.create(**question))
        with pytest.raises(Exception, match=BROKEN):
            list(theirs.messages.create(max_tokens=9, **question))
