"""What holds for every builder: whose word wins, and what wrong calls are told."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream.providers import PROVIDERS, anthropic, compatible, gemini, groq, openai

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest
    from sans_io_stream.providers.building import Provider

HELLO: list[dict[str, object]] = [{"role": "user", "content": "Hello"}]
NEEDED: dict[str, dict[str, Any]] = {
    "azure": {"endpoint": "https://r.test"},
    "bedrock": {"region": "us-east-1"},
    "compatible": {"base_url": "https://c.test/v1"},
    "vertex": {"project": "p"},
}


def called(provider: Provider, **given: Any) -> StreamRequest:
    needed = NEEDED.get(provider.name, {})
    return provider.chat(**{"model": "m", "messages": HELLO} | needed | given)


every = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


@every
def test_every_argument_is_a_keyword(provider: Provider) -> None:
    kinds = {one.kind for one in inspect.signature(provider.chat).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


@every
def test_a_field_goes_into_the_body_as_it_is(provider: Provider) -> None:
    value = {"a": [1, None, "é"], "b": None}
    body = called(provider, some_field=value, stream=True).http().json()
    assert body is not None
    assert body["some_field"] == value


@every
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"messages": []}, "messages is empty"),
        ({"messages": "Hello"}, "messages is a list"),
        ({"messages": {"role": "user"}}, "messages is a list"),
        ({"messages": ["Hello"]}, r"messages\[0\]"),
        ({"stream": False}, "leave stream out"),
        ({"stream": None}, "leave stream out"),
        ({"timeout": 5}, "Timeouts"),
        ({"max_retries": 2}, "ReconnectPolicy"),
        ({"extra_headers": {}}, "headers="),
        ({"extra_body": {}}, "keywords"),
        ({"some_field": ...}, "'some_field' is no JSON"),
        ({"some_field": "\ud800"}, "'some_field' is no JSON"),
        ({"headers": {"x": None}}, "headers are"),
        ({"headers": {"x": "a\nb"}}, "control character"),
        ({"headers": 5}, "headers are"),
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": str.upper}, "authorize="),
        ({"idempotency_key": "a\r\nb"}, "idempotency-key"),
        ({"idempotency_key": uuid.UUID(int=1)}, "idempotency_key is a text"),
        ({"authorize": "Bearer"}, "authorize is a callable"),
    ],
    ids=str,
)
def test_a_wrong_call_is_told_what_to_do(
    provider: Provider, given: dict[str, Any], told: str
) -> None:
    if provider.name == "interactions" and given == {"model": None}:
        told = "agent="
    with pytest.raises(ValueError, match=told):
        called(provider, **given)


@every
@pytest.mark.parametrize(
    "url", ["api.test/v1", "ftp://api.test", "https://", "https://u:p@api.test", "", "https://a b"]
)
def test_a_base_url_is_a_url(provider: Provider, url: str) -> None:
    name = "endpoint" if provider.name == "azure" else "base_url"
    if (provider.name, url) == ("ollama", "api.test/v1"):
        assert called(provider, base_url=url).url == "http://api.test:11434/v1/api/chat"
        return
    with pytest.raises(ValueError, match=name):
        called(provider, **{name: url})


@every
def test_a_base_url_keeps_its_path_and_its_query(provider: Provider) -> None:
    name = "endpoint" if provider.name == "azure" else "base_url"
    own = called(provider, **{name: "https://gate.test"}).url.removeprefix("https://gate.test/")
    path, _, query = own.partition("?")
    made = called(provider, **{name: "https://gate.test:8443/sub/?team=7"}).url
    assert made == f"https://gate.test:8443/sub/{path}?team=7" + (f"&{query}" if query else "")


@pytest.mark.parametrize(
    ("chat", "base", "lead"),
    [
        (openai.chat, "https://api.openai.com/v1/chat/completions", "/chat/completions"),
        (compatible.chat, "https://c.test/v1/chat/completions/?a=1", "/chat/completions"),
        (groq.chat, "https://api.groq.com/openai/v1", "/openai/v1"),
        (anthropic.chat, "https://api.anthropic.com/v1/", "/v1"),
        (anthropic.chat, "https://api.anthropic.com/v1/messages", "/v1/messages"),
        (gemini.chat, "https://gate.test/v1", "/v1"),
    ],
)
def test_what_is_added_to_a_base_url_does_not_stand_there(
    chat: Callable[..., StreamRequest], base: str, lead: str
) -> None:
    with pytest.raises(ValueError, match=f"^base_url ends in {lead}, which is added"):
        chat(model="m", messages=HELLO, base_url=base)


@pytest.mark.parametrize("base", ["https://g.test/openai", "https://g.test/v1/acc", "https://v1"])
def test_a_gateways_own_path_may_look_alike(base: str) -> None:
    url = groq.chat(model="m", messages=HELLO, base_url=base).url
    assert url == f"{base}/openai/v1/chat/completions"


def test_a_missing_argument_is_named() -> None:
    chat: Callable[..., StreamRequest] = openai.chat
    with pytest.raises(TypeError, match="'messages'"):
        chat(model="m")
    with pytest.raises(TypeError, match="positional"):
        chat("m", HELLO)


def test_a_callers_header_wins() -> None:
    request = anthropic.chat(
        model="m",
        messages=HELLO,
        api_key="k",
        betas=["a"],
        idempotency_key="one",
        headers=[("Anthropic-Beta", "b"), ("AUTHORIZATION", "Other x"), ("Idempotency-Key", "two")],
    )
    assert request.pairs == (
        ("content-type", "application/json"),
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "b"),
        ("authorization", "Other x"),
        ("idempotency-key", "two"),
    )


def test_a_callers_stream_options_are_laid_over_ours() -> None:
    def options(chat: Callable[..., StreamRequest], **given: Any) -> Any:
        body = chat(model="m", messages=HELLO, **given).http().json()
        return (body or {}).get("stream_options", "left out")

    more = {"include_obfuscation": False}
    assert options(openai.chat, stream_options=more) == {"include_usage": True, **more}
    off = {"include_usage": False}
    assert options(openai.chat, stream_options=off) == off
    assert options(openai.chat, stream_options=None) == "left out"
    assert options(groq.chat) == "left out"
    assert options(groq.chat, stream_options={}) == {}
    assert options(groq.chat, stream_options=more) == more
    with pytest.raises(ValueError, match="stream_options is an object"):
        options(openai.chat, stream_options=True)


def test_what_is_given_is_not_changed_nor_kept() -> None:
    messages: list[dict[str, object]] = [{"role": "system", "content": "x"}, *HELLO]
    options: dict[str, object] = {"include_obfuscation": False}
    compatible.chat(base_url="https://c.test", model="m", messages=messages, stream_options=options)
    gemini.chat(model="m", messages=messages)
    assert messages == [{"role": "system", "content": "x"}, *HELLO]
    assert options == {"include_obfuscation": False}


def test_pairs_of_headers_may_come_from_an_iterator() -> None:
    pairs = iter([("X-A", "1"), ("x-a", "2")])
    request = openai.chat(model="m", messages=HELLO, headers=pairs)
    assert request.pairs[1:] == (("x-a", "1"), ("x-a", "2"))
