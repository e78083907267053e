"""What each upstream is asked, in both of the clients' formats: method, URL, headers, body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sans_io_stream.providers import PROVIDERS
from sans_io_stream.translation import Untranslatable
from sans_io_stream_adapters.relay.config import Upstream
from sans_io_stream_adapters.relay.upstreams import ASKED, RESPONSES, request_for

if TYPE_CHECKING:
    from sans_io_stream.request import HTTPRequest

HELLO = {"role": "user", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be brief."}
OPENAI: dict[str, Any] = {
    "model": "alias",
    "messages": [SYSTEM, HELLO],
    "max_completion_tokens": 64,
    "stream": False,
    "stream_options": {"include_usage": False},
}
CLAUDE: dict[str, Any] = {
    "model": "alias",
    "system": "Be brief.",
    "messages": [HELLO],
    "max_tokens": 64,
    "stream": False,
}
ASKING = {"openai-chat": OPENAI, "anthropic": CLAUDE}

CHAT = {"model": "m", "messages": [SYSTEM, HELLO], "max_completion_tokens": 64, "stream": True}
COUNTED = CHAT | {"stream_options": {"include_usage": True}}
OLDER = {"model": "m", "messages": [SYSTEM, HELLO], "max_tokens": 64, "stream": True}
MESSAGES = {
    "model": "m", "max_tokens": 64, "system": "Be brief.", "messages": [HELLO], "stream": True,
}  # fmt: skip
GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {"maxOutputTokens": 64},
}
CONVERSE = {
    "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
    "system": [{"text": "Be brief."}],
    "inferenceConfig": {"maxTokens": 64},
}
RESPONSE = {
    "model": "m",
    "input": [
        {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
    ],
    "max_output_tokens": 64,
    "stream": True,
}
BEARER = {"authorization": "Bearer k"}
AZURE = {"endpoint": "https://r.openai.azure.com"}
CLASSIC = AZURE | {"api_version": "2024-10-21"}


class Case(NamedTuple):
    """An upstream, and what it is asked."""

    name: str
    upstream: Upstream
    url: str
    headers: dict[str, str]
    dialect: str
    body: dict[str, Any]
    own: dict[str, Any] | None = None
    """The body where the client's format is the upstream's own, if that is another."""


def upstream(provider: str, **given: Any) -> Upstream:
    told: dict[str, Any] = {"api_key": "k", **given}
    return Upstream(name="u", provider=provider, **told)


CASES = [
    Case(
        "openai", upstream("openai"), "https://api.openai.com/v1/chat/completions", BEARER,
        "openai-chat", COUNTED,
    ),
    Case(
        "openai, elsewhere, with headers and fields",
        upstream(
            "openai", base_url="https://gw.test/v1", headers=(("x-team", "t"),),
            options={"organization": "o"}, fields={"store": False, "seed": 1},
        ),
        "https://gw.test/v1/chat/completions",
        BEARER | {"x-team": "t", "openai-organization": "o"}, "openai-chat",
        COUNTED | {"store": False, "seed": 1},
    ),
    Case(
        "openai, responses", upstream("openai", surface="responses"),
        "https://api.openai.com/v1/responses", BEARER, "openai-responses", RESPONSE,
    ),
    Case(
        "openai, responses in the background",
        upstream("openai", surface="responses", background=True),
        "https://api.openai.com/v1/responses", BEARER, "openai-responses",
        RESPONSE | {"background": True},
    ),
    Case(
        "azure", upstream("azure", options=AZURE),
        "https://r.openai.azure.com/openai/v1/chat/completions", BEARER, "openai-chat", COUNTED,
    ),
    Case(
        "azure, classic", upstream("azure", options=CLASSIC),
        "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21",
        {"api-key": "k"}, "openai-chat", COUNTED,
    ),
    Case(
        "azure, responses",
        upstream("azure", options=AZURE, surface="responses", background=True),
        "https://r.openai.azure.com/openai/v1/responses", BEARER, "openai-responses",
        RESPONSE | {"background": True},
    ),
    Case(
        "anthropic", upstream("anthropic"), "https://api.anthropic.com/v1/messages",
        BEARER | {"anthropic-version": "2026-10-21"}, "anthropic", MESSAGES,
    ),
    Case(
        "gemini", upstream("gemini"),
        "https://generativelanguage.googleapis.com/v1/models/m:streamGenerateContent?alt=sse",
        {"x-goog-api-key": "k"}, "gemini", GEMINI,
    ),
    Case(
        "vertex", upstream("vertex", api_key=None, options={"project": "p", "access_token": "t"}),
        "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/publishers/google"
        "/models/m:streamGenerateContent?alt=sse",
        {"authorization": "Bearer t"}, "gemini", GEMINI,
    ),
    Case(
        "deepseek", upstream("deepseek"), "https://api.deepseek.com/chat/completions", BEARER,
        "openai-chat", OLDER | {"stream_options": {"include_usage": True}}, COUNTED,
    ),
    Case(
        "mistral", upstream("mistral"), "https://api.mistral.ai/v1/chat/completions", BEARER,
        "mistral", OLDER,
    ),
    Case(
        "groq", upstream("groq"), "https://api.groq.com/openai/v1/chat/completions", BEARER,
        "openai-chat", CHAT,
    ),
    Case(
        "xai", upstream("xai"), "https://api.x.ai/v1/chat/completions", BEARER, "openai-chat",
        COUNTED,
    ),
    Case(
        "openrouter", upstream("openrouter"), "https://openrouter.ai/api/v1/chat/completions",
        BEARER, "openai-chat", CHAT,
    ),
    Case(
        "cohere", upstream("cohere"), "https://api.cohere.com/v2/chat", BEARER, "cohere", OLDER,
    ),
    Case(
        "ollama", upstream("ollama", api_key=None), "http://127.0.0.1:11434/api/chat", {},
        "ollama",
        {
            "model": "m", "messages": [SYSTEM, HELLO], "options": {"num_predict": 64},
            "stream": True,
        },
    ),
    Case(
        "bedrock", upstream("bedrock", options={"region": "eu-central-1"}),
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/m/converse-stream", BEARER,
        "bedrock-converse", CONVERSE,
    ),
    Case(
        "holysheep", upstream("holysheep"), "https://api.holysheep.ai/v1/chat/completions", BEARER,
        "holysheep", COUNTED,
    ),
    Case(
        "relay", upstream("relay", base_url="https://relay.test"),
        "https://relay.test/v1/streams", BEARER, "native", CHAT,
    ),
    Case(
        "compatible", upstream("compatible", api_key=None, base_url="http://127.0.0.1:8000/v1"),
        "http://127.0.0.1:8000/v1/chat/completions", {}, "openai-chat",
        OLDER | {"stream_options": {"include_usage": True}}, COUNTED,
    ),
]  # fmt: skip


def test_every_provider_is_asked_or_refused() -> None:
    asked = {case.upstream.provider for case in CASES}
    assert asked == PROVIDERS.keys() - {"interactions"}
    surfaces = {case.upstream.provider for case in CASES if case.upstream.surface == "responses"}
    assert surfaces == RESPONSES.keys()
    with pytest.raises(ValueError, match="nothing is translated for interactions"):
        upstream("interactions")


@pytest.mark.parametrize("source", ASKING)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_asked(case: Case, source: str) -> None:
    request = request_for(case.upstream, "m", ASKING[source], source)
    own = case.own if source == "openai-chat" and case.own is not None else case.body
    assert json.loads(request.body) == own
    assert (request.method, request.url) == ("POST", case.url)
    assert (request.dialect, request.provider, request.model) == (
        case.dialect,
        case.upstream.provider,
        "m",
    )
    assert dict(request.pairs) == {"content-type": "application/json", **case.headers}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_field_of_a_clients_leads_elsewhere(case: Case) -> None:
    evil = {
        "base_url": "https://evil.test", "headers": {"x": "y"}, "api_key": "e", "resume": "none",
        "endpoint": "https://evil.test", "region": "evil", "authorize": "e",
    }  # fmt: skip
    if case.dialect not in ("openai-chat", "holysheep", "native"):
        with pytest.raises(Untranslatable) as refused:
            request_for(case.upstream, "m", {**OPENAI, **evil}, "openai-chat")
        assert refused.value.field in evil
        return
    request = request_for(case.upstream, "m", {**OPENAI, **evil}, "openai-chat")
    assert (request.url, dict(request.pairs)) == (
        case.url,
        {"content-type": "application/json", **case.headers},
    )


def test_the_body_passes_as_it_is_in_the_upstreams_own_format() -> None:
    own: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
        "logit_bias": {"1": -100},
        "something_new": [1, {"a": None}],
    }
    request = request_for(upstream("groq"), "m", {**own, "model": "alias"}, "openai-chat")
    told = json.loads(request.body)
    assert {name: told[name] for name in own} == own
    claude = {"messages": [HELLO], "max_tokens": 1, "mcp_servers": [{"url": "u"}]}
    told = json.loads(request_for(upstream("anthropic"), "m", claude, "anthropic").body)
    assert told == {**claude, "model": "m", "stream": True}


def test_what_the_upstream_cannot_say_is_refused_by_name() -> None:
    with pytest.raises(Untranslatable) as refused:
        request_for(upstream("anthropic"), "m", {**OPENAI, "logit_bias": {"1": 2}}, "openai-chat")
    assert refused.value.field == "logit_bias"
    with pytest.raises(ValueError, match="no such format: 'gemini'"):
        request_for(upstream("openai"), "m", GEMINI, "gemini")


def test_the_placeholder_is_never_sent() -> None:
    told = json.loads(request_for(upstream("groq"), "m", {"model": "m"}, "openai-chat").body)
    assert not told.keys() & ASKED


def test_a_background_response_is_taken_up_again() -> None:
    background = upstream("openai", surface="responses", background=True)
    request = request_for(background, "m", OPENAI, "openai-chat", idempotency_key="i1")
    assert request.strategy.name == "openai-responses"
    assert ("idempotency-key", "i1") in request.pairs


def test_the_clients_fields_win_over_the_upstreams() -> None:
    seeded = upstream("openai", fields={"seed": 1, "max_completion_tokens": 5})
    told = json.loads(request_for(seeded, "m", OPENAI, "openai-chat").body)
    assert (told["seed"], told["max_completion_tokens"]) == (1, 64)


def sign(request: HTTPRequest) -> HTTPRequest:
    return request


def test_what_signs_is_given_on() -> None:
    place = {"region": "us-east-1"}
    signed = upstream("bedrock", api_key=None, options=place, authorize=sign)
    request = request_for(signed, "m", OPENAI, "openai-chat")
    assert request.authorize is signed.authorize
    assert "authorization" not in dict(request.pairs)


@pytest.mark.parametrize("model", ["../../secret", "a/../b", ".", ""])
def test_no_model_leads_elsewhere_in_a_path(model: str) -> None:
    with pytest.raises(ValueError, match="model"):
        request_for(upstream("gemini"), model, OPENAI, "openai-chat")
    place = {"region": "us-east-1"}
    for other in (upstream("bedrock", options=place), upstream("azure", options=CLASSIC)):
        if model in ("", "."):
            with pytest.raises(ValueError, match=r"model|segment of a path"):
                request_for(other, model, OPENAI, "openai-chat")
            continue
        url = request_for(other, model, OPENAI, "openai-chat").url
        assert url.count("/") == request_for(other, "m", OPENAI, "openai-chat").url.count("/")


def test_a_server_may_refuse_stream_options() -> None:
    plain = upstream("compatible", base_url="http://x/v1", fields={"stream_options": False})
    assert json.loads(request_for(plain, "m", OPENAI, "openai-chat").body) == CHAT
