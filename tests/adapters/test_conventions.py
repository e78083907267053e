"""The names of telemetry: those of OpenTelemetry's own package, and what is told of a stream."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

import pytest
from opentelemetry.semconv.attributes import error_attributes, server_attributes

from sans_io_stream import (
    Event,
    Finish,
    Reconnecting,
    Resumed,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    Usage,
)
from sans_io_stream.dialects.registry import DIALECTS
from sans_io_stream.errors import ErrorInfo
from sans_io_stream_adapters import conventions
from sans_io_stream_adapters.facts import Facts

# Imported by name: the package calls them deprecated, as they have moved to a repository of
# their own, which has no package.
INCUBATING = "opentelemetry.semconv._incubating"
names = importlib.import_module(f"{INCUBATING}.attributes.gen_ai_attributes")
metrics = importlib.import_module(f"{INCUBATING}.metrics.gen_ai_metrics")

RENAMED = {"gen_ai.usage.cache_write.input_tokens": "gen_ai.usage.cache_creation.input_tokens"}
"""Names that the conventions changed after they left the package, with those that it has."""

USAGE = Usage(
    prompt_tokens=20,
    completion_tokens=30,
    cached_tokens=4,
    cache_write_tokens=5,
    reasoning_tokens=6,
    final=True,
)
ANSWER: list[Event] = [
    StreamStart("resp_1", "gpt-x-2026"),
    TextDelta("secret words"),
    Finish("stop", "stop"),
    Finish("length", "length", 1),
    USAGE,
    StreamEnd("complete"),
]


def facts_of(
    events: Sequence[Event],
    *,
    url: str = "https://api.openai.com/v1/chat/completions?key=secret-key",
    dialect: str | None = "openai-chat",
    provider: str | None = None,
) -> Facts:
    headers = {"authorization": "Bearer secret-key"}
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": "secret words"}]}
    request = StreamRequest("POST", url, headers, json=body, dialect=dialect, provider=provider)
    facts = Facts(request, 100.0)
    for n, event in enumerate(events, 1):
        facts.saw([event], 100.0 + n)
    return facts


def test_all_that_is_told_of_a_whole_answer() -> None:
    assert conventions.attributes_of(facts_of(ANSWER)) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-x-2026",
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.response.time_to_first_chunk": 2.0,
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 6,
        "server.address": "api.openai.com",
        "server.port": 443,
    }


def test_measurements_have_few_attributes() -> None:
    failed = StreamEnd("failed", ErrorInfo("overloaded", "secret words", status=529))
    assert conventions.metric_attributes_of(facts_of([StreamStart("r", "m"), failed])) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "m",
        "server.address": "api.openai.com",
        "server.port": 443,
        "error.type": "overloaded",
    }


def test_every_name_is_one_of_the_conventions() -> None:
    failed = StreamEnd("failed", ErrorInfo("server"))
    told = conventions.attributes_of(facts_of([*ANSWER[:-1], failed]))
    known = {
        value
        for module in (names, error_attributes, server_attributes)
        for name, value in vars(module).items()
        if name.isupper()
    }
    assert {RENAMED.get(name, name) for name in told} <= known
    assert "error.type" in told
    assert names.GEN_AI_TOKEN_TYPE == "gen_ai.token.type"
    assert set(conventions.tokens_of(facts_of(ANSWER))) == {
        kind.value for kind in names.GenAiTokenTypeValues
    }


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (conventions.TOKENS, metrics.GEN_AI_CLIENT_TOKEN_USAGE),
        (conventions.DURATION, metrics.GEN_AI_CLIENT_OPERATION_DURATION),
        (conventions.FIRST_CHUNK, metrics.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK),
        (conventions.NEXT_CHUNK, metrics.GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK),
    ],
    ids=lambda metric: metric if isinstance(metric, str) else "",
)
def test_every_metric_is_one_of_the_conventions(metric: conventions.Metric, name: str) -> None:
    assert metric.name == name
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_every_value_with_a_list_is_on_it() -> None:
    providers = {kind.value for kind in names.GenAiProviderNameValues}
    assert set(conventions.PROVIDERS.values()) <= providers
    assert {name for _, name in conventions.HOSTS} <= providers
    assert set(conventions.DIALECTS.values()) <= providers
    operations = {kind.value for kind in names.GenAiOperationNameValues}
    assert set(conventions.OPERATIONS.values()) <= operations
    assert set(conventions.DIALECTS) | set(conventions.OPERATIONS) <= set(DIALECTS)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://mine.openai.azure.com/openai", "azure.ai.openai"),
        ("https://mine.services.ai.azure.com/models", "azure.ai.inference"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com/model", "aws.bedrock"),
        ("https://us-central1-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://generativelanguage.googleapis.com/v1beta", "gcp.gemini"),
        ("https://us-south.ml.cloud.ibm.com/ml", "ibm.watsonx.ai"),
        ("https://api.x.ai/v1", "x_ai"),
        # Others', whose protocol it is:
        ("https://api.openai.com.attacker.test/v1", "openai"),
        ("https://notapi.x.ai/v1", "openai"),
        ("https://s3.us-east-1.amazonaws.com/v1", "openai"),
        ("http://localhost:8000/v1", "openai"),
    ],
)
def test_a_provider_is_known_by_its_host_else_by_its_protocol(url: str, name: str) -> None:
    assert conventions.provider_of(facts_of([], url=url)) == name


@pytest.mark.parametrize(
    ("provider", "name"),
    [("azure", "azure.ai.openai"), ("xai", "x_ai"), ("openai", "openai"), ("mine", "mine")],
)
def test_what_the_request_says_counts_first(provider: str, name: str) -> None:
    assert conventions.provider_of(facts_of([], provider=provider)) == name


def test_what_says_nothing_is_not_guessed() -> None:
    facts = facts_of([], url="http://localhost/", dialect=None)
    assert conventions.provider_of(facts) is None
    assert "gen_ai.provider.name" not in conventions.attributes_of(facts)
    assert not conventions.tokens_of(facts)


def test_the_operation_is_that_of_the_protocol() -> None:
    told = [conventions.span_name_of(facts_of([], dialect=name)) for name in ("gemini", None)]
    assert told == ["generate_content gpt-x", "chat gpt-x"]
    nameless = Facts(StreamRequest("GET", "http://api.test/", dialect="openai-completions"), 0.0)
    assert conventions.span_name_of(nameless) == "text_completion"


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (StreamEnd("complete"), None),
        (StreamEnd("cancelled", ErrorInfo("cancelled")), None),
        (StreamEnd("interrupted", ErrorInfo("truncated")), "truncated"),
        (StreamEnd("interrupted"), "interrupted"),
        (StreamEnd("failed", ErrorInfo("rate_limit")), "rate_limit"),
    ],
)
def test_only_what_went_wrong_has_a_type_of_error(end: StreamEnd, kind: str | None) -> None:
    assert conventions.attributes_of(facts_of([end])).get("error.type") == kind


# ---- facts


def test_a_void_generation_is_billed_but_does_not_answer() -> None:
    facts = facts_of(
        [
            StreamStart("first", "old"),
            Finish("length"),
            Usage(prompt_tokens=1, completion_tokens=2),
            Reconnecting(2, 1.0),
            Resumed("restart"),
            Usage(prompt_tokens=10, completion_tokens=20, generation=1),
        ]
    )
    assert (facts.response_id, facts.response_model, facts.finish_reasons) == (None, None, [])
    assert conventions.tokens_of(facts) == {"input": 11, "output": 22}
    assert facts.connections == 2


def test_a_stream_that_is_left_is_cancelled() -> None:
    facts = facts_of([TextDelta("x")])
    assert (facts.seconds, facts.end) == (None, None)
    facts.close(109.5)
    facts.close(200.0)
    assert (facts.seconds, facts.outcome, facts.error) == (9.5, "cancelled", None)


def test_an_end_that_came_stays() -> None:
    facts = facts_of([StreamEnd("complete")])
    facts.close(200.0)
    assert (facts.seconds, facts.outcome) == (1.0, "complete")


def test_facts_hold_no_content_and_no_keys() -> None:
    facts = facts_of([*ANSWER[:-1], StreamEnd("complete")])
    assert "secret" not in repr(vars(facts))
    assert "secret" not in repr(conventions.attributes_of(facts))
