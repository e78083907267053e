"""The vendors' own SDKs as clients of the relay, unchanged, whatever provider is behind it."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from sans_io_stream_adapters.relay.config import ClientKey, RelayConfig, Route, Upstream
from sans_io_stream_adapters.testing import Busy, Cut
from tests.adapters.relay.serving import relay_served

from .upstreams import DIALECTS, TEXT, WHY, Ending

openai: Any = pytest.importorskip("openai")
anthropic: Any = pytest.importorskip("anthropic")

KEY = "client-key-0123456789abcdef"
MESSAGES = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CITY = {"city": "Köln"}
ENDINGS: dict[str, Ending] = {"": "text", "calls-": "call", "fails-": "failure"}
"""What stands before a dialect's name in that of a model, and how its answers end."""


@contextmanager
def behind(*upstreams: Upstream) -> Generator[str]:
    """A relay in front of these; it wants a key."""
    keys = (ClientKey.of("peer", KEY),)
    routes = (Route("listed", upstreams[0].name),)
    with relay_served(RelayConfig(upstreams=upstreams, keys=keys, routes=routes)) as url:
        yield url


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    """A relay in front of everybody."""
    with ExitStack() as stack:
        upstreams: list[Upstream] = []
        for name, provider in DIALECTS.items():
            for prefix, ending in ENDINGS.items():
                server = stack.enter_context(provider.server(ending))
                upstreams.append(provider.upstream(prefix + name, server))
        yield stack.enter_context(behind(*upstreams))


def by_openai(url: str, **options: Any) -> Any:
    return openai.OpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=0, **options)


def by_anthropic(url: str, **options: Any) -> Any:
    return anthropic.Anthropic(api_key=KEY, base_url=url, max_retries=0, **options)


def text_of(chunks: list[Any]) -> str:
    """The text of chat chunks."""
    return "".join(choice.delta.content or "" for one in chunks for choice in one.choices)


each_dialect = pytest.mark.parametrize("dialect", DIALECTS)


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


def question_of(model: str, *, stream: bool = True) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, "stream": stream}


@each_status
@each_dialect
def test_an_error_is_of_the_sdks_class(
    status: int, told: int, name: str, why: str, dialect: str
) -> None:
    provider, faults = DIALECTS[dialect], [Busy(status, retry_after=200)] * 4
    with (
        provider.server(faults=faults) as server,
        behind(provider.upstream("test", server)) as url,
        by_openai(url) as ours,
        by_anthropic(url) as theirs,
    ):
        for stream in (True, False):
            question = question_of("test/m", stream=stream)
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


@each_dialect
def test_an_error_in_the_stream_is_raised(url: str, dialect: str) -> None:
    model = f"fails-{dialect}/m"
    with by_openai(url) as ours, by_anthropic(url) as theirs:
        question = question_of(model)
        chunks: list[Any] = []
        with pytest.raises(openai.APIError, match=WHY):
            chunks.extend(ours.chat.completions.create(**question))
        assert text_of(chunks) == TEXT
        with pytest.raises(anthropic.APIStatusError, match=WHY):
            list(theirs.messages.create(max_tokens=9, **question))
        question = question_of(model, stream=False)
        with pytest.raises(openai.APIStatusError, match=WHY):
            ours.chat.completions.create(**question)
        with pytest.raises(anthropic.APIStatusError, match=WHY):
            theirs.messages.create(max_tokens=9, **question)


BROKEN = "incomplete chunked read|Connection error"
GOES_ON = frozenset({"holysheep", "openai-responses"})
"""Whose answers the relay takes up behind a break: its clients see none."""


@pytest.mark.parametrize("dialect", sorted(DIALECTS.keys() - GOES_ON))
def test_an_answer_that_breaks_off_does_not_look_whole(dialect: str) -> None:
    provider = DIALECTS[dialect]
    with (
        provider.server(faults=[Cut(0.6)] * 4) as server,
        behind(provider.upstream("test", server)) as url,
        by_openai(url) as ours,
        by_anthropic(url) as theirs,
    ):
        question = question_of("test/m")
        # In the words of their HTTP client, or in their own.
        with pytest.raises(Exception, match=BROKEN):
            list(ours.chat.completions.create(**question))
        with pytest.raises(Exception, match=BROKEN):
            list(theirs.messages.create(max_tokens=9, **question))
        question = question_of("test/m", stream=False)
        with pytest.raises(openai.InternalServerError) as one:
            ours.chat.completions.create(**question)
        with pytest.raises(anthropic.InternalServerError) as other:
            theirs.messages.create(max_tokens=9, **question)
        assert (one.value.status_code, other.value.status_code) == (502, 502)


@pytest.mark.parametrize("dialect", sorted(GOES_ON))
def test_an_answer_that_is_taken_up_shows_no_break(dialect: str) -> None:
    provider = DIALECTS[dialect]
    with (
        provider.server(faults=[Cut(0.6)]) as server,
        behind(provider.upstream("test", server)) as url,
        by_openai(url) as client,
    ):
        chunks = list(client.chat.completions.create(**question_of("test/m")))
        assert len(server.seen.requests) > 1
    assert text_of(chunks) == TEXT
