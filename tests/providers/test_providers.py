"""Each provider's own way: where it is asked, with which headers and which body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

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

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

HELLO = {"role": "user", "content": "Hello"}
ASKED = [{"role": "system", "content": "Be brief."}, HELLO]
CHAT: dict[str, Any] = {"model": "m", "messages": ASKED, "stream": True}
USAGE = {"stream_options": {"include_usage": True}}
TURN = {"role": "user", "parts": [{"text": "Hello"}]}
GEMINI = {
    "contents": [TURN],
    "systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"},
}
BEARER = {"authorization": "Bearer k"}


@dataclass(frozen=True)
class Case:
    """One call, and the request that it is."""

    name: str
    build: Callable[..., StreamRequest]
    given: dict[str, Any]
    url: str
    headers: dict[str, str]
    body: Any
    dialect: str
    provider: str
    resume: str = "none"
    continues: str | None = None
    model: str | None = "m"
    shared: dict[str, Any] = field(default_factory=lambda: {"model": "m", "api_key": "k"})


CASES = [
    Case(
        "openai.chat", openai.chat, {"messages": ASKED, "organization": "org", "project": "p"},
        "https://api.openai.com/v1/chat/completions",
        {**BEARER, "openai-organization": "org", "openai-project": "p"},
        CHAT | USAGE, "openai-chat", "openai",
    ),
    Case(
        "openai.responses", openai.responses, {"input": "Hello", "background": True},
        "https://api.openai.com/v1/responses", BEARER,
        {"model": "m", "input": "Hello", "background": True, "stream": True},
        "openai-responses", "openai", "openai-responses",
    ),
    Case(
        "openai.responses without background", openai.responses, {"input": [HELLO]},
        "https://api.openai.com/v1/responses", BEARER,
        {"model": "m", "input": [HELLO], "stream": True},
        "openai-responses", "openai", "openai-responses",
    ),
    Case(
        "openai.completions", openai.completions, {"prompt": "Once"},
        "https://api.openai.com/v1/completions", BEARER,
        {"model": "m", "prompt": "Once", "stream": True} | USAGE, "openai-completions", "openai",
    ),
    Case(
        "azure.chat, classic", azure.chat,
        {"messages": ASKED, "endpoint": "https://r.openai.azure.com/", "api_version": "2024-10-21"},
        "https://r.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21",
        {"api-key": "k"}, CHAT | USAGE, "openai-chat", "azure",
    ),
    Case(
        "azure.chat, v1", azure.chat,
        {"messages": ASKED, "endpoint": "https://r.openai.azure.com"},
        "https://r.openai.azure.com/openai/v1/chat/completions",
        BEARER, CHAT | USAGE, "openai-chat", "azure",
    ),
    Case(
        "azure.responses, classic", azure.responses,
        {"input": "Hello", "endpoint": "https://r.openai.azure.com", "api_version": "preview"},
        "https://r.openai.azure.com/openai/responses?api-version=preview",
        {"api-key": "k"}, {"model": "m", "input": "Hello", "stream": True},
        "openai-responses", "azure", "openai-responses",
    ),
    Case(
        "azure.responses, v1", azure.responses,
        {"input": "Hello", "endpoint": "https://r.openai.azure.com", "background": False},
        "https://r.openai.azure.com/openai/v1/responses",
        BEARER, {"model": "m", "input": "Hello", "background": False, "stream": True},
        "openai-responses", "azure", "openai-responses",
    ),
    Case(
        "anthropic.chat", anthropic.chat, {"messages": ASKED, "betas": ["a-1", "b-2"]},
        "https://api.anthropic.com/v1/messages",
        {**BEARER, "anthropic-version": "2026-10-21", "anthropic-beta": "a-1,b-2"},
        {
            "model": "m", "max_tokens": 4096, "messages": [HELLO], "system": "Be brief.",
            "stream": True,
        },
        "anthropic", "anthropic", continues="anthropic",
    ),
    Case(
        "gemini.chat", gemini.chat, {"messages": ASKED, "generationConfig": {"topK": 1}},
        "https://generativelanguage.googleapis.com/v1/models/m:streamGenerateContent?alt=sse",
        {"x-goog-api-key": "k"}, GEMINI | {"generationConfig": {"topK": 1}}, "gemini", "gemini",
    ),
    Case(
        "gemini.chat, tuned, of contents", gemini.chat,
        {"model": "tunedModels/t", "contents": "Hello", "api_version": "v1beta"},
        "https://generativelanguage.googleapis.com/v1beta/tunedModels/t:streamGenerateContent?alt=sse",
        {"x-goog-api-key": "k"}, {"contents": [TURN]}, "gemini", "gemini", model="tunedModels/t",
    ),
    Case(
        "vertex.chat", vertex.chat,
        {"messages": ASKED, "project": "p", "access_token": "t"},
        "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/publishers/google"
        "/models/m:streamGenerateContent?alt=sse",
        {"authorization": "Bearer t"}, GEMINI, "gemini", "vertex", shared={"model": "m"},
    ),
    Case(
        "vertex.chat, a region and another publisher", vertex.chat,
        {"model": "meta/l@1", "contents": [TURN], "project": "p", "location": "europe-west4"},
        "https://europe-west4-aiplatform.googleapis.com/v1beta1/projects/p/locations/europe-west4"
        "/publishers/meta/models/l@1:streamGenerateContent?alt=sse",
        {}, {"contents": [TURN]}, "gemini", "vertex", model="meta/l@1", shared={},
    ),
    Case(
        "vertex.chat, several regions", vertex.chat,
        {"contents": TURN, "project": "p", "location": "eu"},
        "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu"
        "/publishers/google/models/m:streamGenerateContent?alt=sse",
        {}, {"contents": [TURN]}, "gemini", "vertex", shared={"model": "m"},
    ),
    Case(
        "vertex.chat, express", vertex.chat, {"messages": [HELLO]},
        "https://aiplatform.googleapis.com/v1beta1/publishers/google/models/m"
        ":streamGenerateContent?alt=sse",
        {"x-goog-api-key": "k"}, {"contents": [TURN]}, "gemini", "vertex",
    ),
    Case(
        "interactions.chat", interactions.chat, {"messages": ASKED, "background": True},
        "https://generativelanguage.googleapis.com/v1/interactions", {"x-goog-api-key": "k"},
        {
            "model": "m",
            "input": [{"type": "user_input", "content": [{"type": "text", "text": "Hello"}]}],
            "system_instruction": "Be brief.", "background": True, "stream": True,
        },
        "gemini-interactions", "interactions", "gemini-interactions",
    ),
    Case(
        "interactions.chat with an agent", interactions.chat, {"agent": "a", "input": "Hello"},
        "https://generativelanguage.googleapis.com/v1/interactions", {"x-goog-api-key": "k"},
        {"agent": "a", "input": "Hello", "stream": True},
        "gemini-interactions", "interactions", "gemini-interactions",
        model=None, shared={"api_key": "k"},
    ),
    Case(
        "deepseek.chat", deepseek.chat, {"messages": ASKED},
        "https://api.deepseek.com/chat/completions", BEARER, CHAT | USAGE,
        "openai-chat", "deepseek", continues="deepseek",
    ),
    Case(
        "mistral.chat", mistral.chat, {"messages": ASKED},
        "https://api.mistral.ai/v1/chat/completions", BEARER, CHAT,
        "mistral", "mistral", continues="mistral",
    ),
    Case(
        "groq.chat", groq.chat, {"messages": ASKED},
        "https://api.groq.com/openai/v1/chat/completions", BEARER, CHAT, "openai-chat", "groq",
    ),
    Case(
        "xai.chat", xai.chat, {"messages": ASKED},
        "https://api.x.ai/v1/chat/completions", BEARER, CHAT | USAGE, "openai-chat", "xai",
    ),
    Case(
        "openrouter.chat", openrouter.chat, {"messages": ASKED},
        "https://openrouter.ai/api/v1/chat/completions", BEARER, CHAT, "openai-chat", "openrouter",
    ),
    Case(
        "cohere.chat", cohere.chat, {"messages": ASKED},
        "https://api.cohere.com/v2/chat", BEARER, CHAT, "cohere", "cohere",
    ),
    Case(
        "ollama.chat", ollama.chat, {"messages": ASKED, "options": {"seed": 1}},
        "http://127.0.0.1:11434/api/chat", {}, CHAT | {"options": {"seed": 1}},
        "ollama", "ollama", shared={"model": "m"},
    ),
    Case(
        "bedrock.chat", bedrock.chat,
        {"model": "a.c-v2:0", "messages": ASKED, "region": "us-east-1", "inferenceConfig": {}},
        "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.c-v2%3A0/converse-stream", BEARER,
        {
            "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
            "system": [{"text": "Be brief."}], "inferenceConfig": {},
        },
        "bedrock-converse", "bedrock", model="a.c-v2:0",
    ),
    Case(
        "bedrock.invoke", bedrock.invoke,
        {
            "model": "arn:aws:bedrock:cn-north-1:1:x/y", "region": "cn-north-1",
            "messages": [HELLO], "max_tokens": 9, "anthropic_version": "bedrock-2023-05-31",
        },
        "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model"
        "/arn%3Aaws%3Abedrock%3Acn-north-1%3A1%3Ax%2Fy/invoke-with-response-stream", BEARER,
        {"messages": [HELLO], "max_tokens": 9, "anthropic_version": "bedrock-2023-05-31"},
        "bedrock-invoke", "bedrock", model="arn:aws:bedrock:cn-north-1:1:x/y",
    ),
    Case(
        "holysheep.chat", holysheep.chat, {"messages": ASKED},
        "https://api.holysheep.ai/v1/chat/completions", BEARER, CHAT | USAGE,
        "holysheep", "holysheep", "holysheep",
    ),
    Case(
        "holysheep.chat with all options", holysheep.chat,
        {
            "messages": ASKED, "include_model": True, "include_finish_reason": False,
            "resume_from_event_id": "e1",
        },
        "https://api.holysheep.ai/v1/chat/completions", BEARER,
        CHAT | {
            "stream_options": {
                "include_usage": True, "include_model": True, "include_finish_reason": False,
                "resume_from_event_id": "e1",
            }
        },
        "holysheep", "holysheep", "holysheep",
    ),
    Case(
        "relay.chat", relay.chat, {"messages": ASKED},
        "http://127.0.0.1:8700/v1/streams", BEARER, CHAT,
        "native", "relay", "relay",
    ),
    Case(
        "relay.chat as openai-chat", relay.chat, {"messages": ASKED, "format": "openai-chat"},
        "http://127.0.0.1:8700/v1/chat/completions", BEARER, CHAT | USAGE,
        "openai-chat", "relay", "relay",
    ),
    Case(
        "relay.chat as anthropic", relay.chat,
        {"messages": ASKED, "format": "anthropic", "base_url": "https://relay.test/llm/"},
        "https://relay.test/llm/v1/messages", BEARER,
        {
            "model": "m", "max_tokens": 4096, "system": "Be brief.", "messages": [HELLO],
            "stream": True,
        },
        "anthropic", "relay", "relay", "anthropic",
    ),
    Case(
        "relay.chat as holysheep", relay.chat,
        {"messages": ASKED, "format": "holysheep", "stream_options": {"include_model": False}},
        "http://127.0.0.1:8700/v1/chat/completions", BEARER,
        CHAT | {
            "stream_options": {
                "include_usage": True, "include_model": False, "include_finish_reason": True,
            }
        },
        "holysheep", "relay", "relay",
    ),
    Case(
        "compatible.chat", compatible.chat,
        {
            "messages": ASKED, "base_url": "http://localhost:8000/v1", "provider": "vllm",
            "resume": "llamacpp", "continuation": "vllm",
        },
        "http://localhost:8000/v1/chat/completions", BEARER, CHAT | USAGE,
        "openai-chat", "vllm", "llamacpp", "vllm",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_call_is_this_request(case: Case) -> None:
    request = case.build(**case.shared | case.given)
    assert request.method == "POST"
    assert request.url == case.url
    assert dict(request.pairs) == {"content-type": "application/json", **case.headers}
    assert request.http().json() == case.body
    assert request.dialect == case.dialect
    assert (request.provider, request.model) == (case.provider, case.model)
    assert request.strategy.name == case.resume
    assert request.continues == case.continues


def test_every_provider_has_a_case() -> None:
    assert {case.build for case in CASES} >= {one.chat for one in PROVIDERS.values()}


WITHOUT_A_KEY = [case for case in CASES if case.name != "vertex.chat, express"]


@pytest.mark.parametrize("case", WITHOUT_A_KEY, ids=lambda case: case.name)
def test_common_arguments_are_taken_everywhere(case: Case) -> None:
    def authorize(asked: Any) -> Any:
        return asked

    given = {**case.shared, **case.given, "api_key": None, "access_token": None}
    if case.provider != "vertex":
        del given["access_token"]
    request = case.build(
        **given, headers={"X-Mine": "1"}, authorize=authorize, idempotency_key="once"
    )
    assert request.authorize is authorize
    sent = request.http()
    assert (sent.header("x-mine"), sent.header("idempotency-key")) == ("1", "once")
    assert not {"authorization", "api-key", "x-goog-api-key"} & dict(request.pairs).keys()


WITH_PATHS = [
    (gemini.chat, {"api_key": "k"}),
    (vertex.chat, {"project": "p"}),
    (azure.chat, {"endpoint": "https://r.test", "api_version": "1"}),
    (bedrock.chat, {"region": "us-east-1"}),
]


@pytest.mark.parametrize(("build", "given"), WITH_PATHS)
@pytest.mark.parametrize("model", ["..", "../x", "a/../b", "x?key=1", "a#b", "a%2e", "a b", "é"])
def test_a_model_in_the_path_leads_nowhere_else(
    build: Callable[..., StreamRequest], given: dict[str, Any], model: str
) -> None:
    try:
        url = build(model=model, messages=[HELLO], **given).url
    except ValueError:
        assert ".." in model
        return
    path, _, query = url.partition("?")
    assert "#" not in url
    assert not {"..", "."} & set(path.split("/"))
    assert query in ("", "alt=sse", "api-version=1")


@pytest.mark.parametrize("place", ["evil.test/", "a.b", "a@b", "é", "", "a:1", None])
def test_a_region_is_a_part_of_a_host(place: Any) -> None:
    with pytest.raises(ValueError, match="location"):
        vertex.chat(model="m", project="p", location=place, messages=[HELLO])
    with pytest.raises(ValueError, match="region"):
        bedrock.chat(model="m", region=place, messages=[HELLO])


def test_vertex_asks_for_a_project() -> None:
    with pytest.raises(ValueError, match="project="):
        vertex.chat(model="m", messages=[HELLO])
    for project in ("", "a/b", ".."):
        with pytest.raises(ValueError, match="project"):
            vertex.chat(model="m", project=project, messages=[HELLO])
    scoped = vertex.chat(model="m", project="example.com:p", messages=[HELLO])
    assert "/projects/example.com:p/locations/global/" in scoped.url
    whole = "projects/p/locations/l/endpoints/7"
    request = vertex.chat(model=whole, location="l", messages=[HELLO])
    assert f"/v1beta1/{whole}:streamGenerateContent" in request.url


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("box:80", "http://box:80"),
        (":8080", "http://127.0.0.1:8080"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:5", "http://[::1]:5"),
        ("example.test/sub/", "http://example.test:11434/sub"),
        ("http://box", "http://box"),
        ("https://ollama.test:9/x", "https://ollama.test:9/x"),
    ],
)
def test_ollamas_address_is_what_its_variable_may_hold(place: str, url: str) -> None:
    request = ollama.chat(model="m", messages=[HELLO], base_url=place, api_key="k")
    assert request.url == f"{url}/api/chat"
    assert request.http().header("authorization") == "Bearer k"


@pytest.mark.parametrize("build", [deepseek.chat, mistral.chat, cohere.chat, ollama.chat])
def test_a_developer_is_the_system_where_that_word_is_not_known(
    build: Callable[..., StreamRequest],
) -> None:
    body = build(model="m", messages=[{"role": "developer", "content": "x"}]).http().json()
    assert body is not None
    assert body["messages"] == [{"role": "system", "content": "x"}]


def test_one_of_two_is_given() -> None:
    for build in (gemini.chat, interactions.chat):
        with pytest.raises(ValueError, match="messages="):
            build(model="m")
    with pytest.raises(ValueError, match="one of them"):
        gemini.chat(model="m", messages=[HELLO], contents="Hello")
    with pytest.raises(ValueError, match="one of them"):
        interactions.chat(model="m", messages=[HELLO], input="Hello")
    with pytest.raises(ValueError, match="agent="):
        interactions.chat(model="m", agent="a", input="Hello")
    with pytest.raises(ValueError, match="agent="):
        interactions.chat(input="Hello")


def test_what_is_empty_is_refused() -> None:
    with pytest.raises(ValueError, match="contents is empty"):
        gemini.chat(model="m", contents=[])
    with pytest.raises(ValueError, match="input is empty"):
        interactions.chat(model="m", input=[])
    with pytest.raises(ValueError, match="input is empty"):
        openai.responses(model="m", input="")
    with pytest.raises(ValueError, match="own body"):
        bedrock.invoke(model="m", region="us-east-1")
    with pytest.raises(ValueError, match="api_version"):
        azure.chat(model="m", messages=[HELLO], endpoint="https://r.test", api_version="")


@pytest.mark.parametrize("version", ["", ".", "v1/../x", "v1//x"])
def test_a_version_is_a_part_of_the_path(version: str) -> None:
    with pytest.raises(ValueError, match="api_version"):
        gemini.chat(model="m", messages=[HELLO], api_version=version)
    with pytest.raises(ValueError, match="api_version"):
        vertex.chat(model="m", project="p", messages=[HELLO], api_version=version)
    with pytest.raises(ValueError, match="api_version"):
        interactions.chat(model="m", messages=[HELLO], api_version=version)


def test_betas_are_a_list() -> None:
    with pytest.raises(ValueError, match="betas="):
        anthropic.chat(model="m", messages=[HELLO], betas="a-1")


def test_a_stream_of_the_relay_is_read() -> None:
    id, place = "A" * 22, "https://relay.test/llm"
    request = relay.read(id=id, format="anthropic", base_url=place, api_key="k", model="m")
    assert (request.method, request.body) == ("GET", b"")
    assert request.url == f"{place}/v1/streams/{id}?format=anthropic"
    assert request.http().header("authorization") == "Bearer k"
    assert (request.dialect, request.provider, request.model) == ("anthropic", "relay", "m")
    assert request.strategy.name == "relay"
    behind = relay.read(id=id, after=f"{id}.1.2", headers={"Authorization": "Bearer mine"})
    assert behind.url == f"http://127.0.0.1:8700/v1/streams/{id}?format=native&after={id}.1.2"
    assert behind.pairs == (("authorization", "Bearer mine"),)


@pytest.mark.parametrize("id", ["", "A" * 21, "A" * 21 + "/", "A" * 87, "../" * 8, None, "é" * 22])
def test_only_an_id_of_a_stream_is_read(id: Any) -> None:
    with pytest.raises(ValueError, match=r"id is (none|missing)"):
        relay.read(id=id)


def test_the_relay_has_its_formats() -> None:
    asked: Any = {"format": "gemini"}
    with pytest.raises(ValueError, match="format is one of native, openai-chat"):
        relay.chat(model="m", messages=[HELLO], **asked)
    with pytest.raises(ValueError, match="format is one of"):
        relay.read(id="A" * 22, **asked)
