"""A stream in the words of OpenTelemetry's conventions for generative AI: a mapping, no more.

The names are those of https://github.com/open-telemetry/semantic-conventions-genai (spans and
metrics of a client). Nothing here imports OpenTelemetry, and nothing tells content or keys.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .facts import Facts

__all__ = [
    "DURATION",
    "FIRST_CHUNK",
    "NEXT_CHUNK",
    "TOKENS",
    "Attributes",
    "Metric",
    "attributes_of",
    "metric_attributes_of",
    "request_attributes_of",
    "span_name_of",
    "tokens_of",
]

Attributes = dict[str, str | int | float | bool | list[str]]


class Metric(NamedTuple):
    """A histogram, with the buckets that the conventions advise."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...]


SECONDS = tuple(0.01 * 2**n for n in range(14))
TOKENS = Metric(
    "gen_ai.client.token.usage",
    "{token}",
    "Number of input and output tokens used.",
    tuple(float(4**n) for n in range(14)),
)
DURATION = Metric("gen_ai.client.operation.duration", "s", "GenAI operation duration.", SECONDS)
FIRST_CHUNK = Metric(
    "gen_ai.client.operation.time_to_first_chunk",
    "s",
    "Time to receive the first chunk, measured from when the client issues the generation request.",
    SECONDS,
)
NEXT_CHUNK = Metric(
    "gen_ai.client.operation.time_per_output_chunk",
    "s",
    "Time per output chunk, recorded for each chunk received after the first one.",
    SECONDS,
)

PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure-inference": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "interactions": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Our names that are not the conventions' own."""

HOSTS = tuple(
    (re.compile(rf"(?:.*\.)?{pattern}"), name)
    for pattern, name in (
        (r"api\.openai\.com", "openai"),
        (r"(?:openai|cognitiveservices)\.azure\.com", "azure.ai.openai"),
        (r"services\.ai\.azure\.com", "azure.ai.inference"),
        (r"api\.anthropic\.com", "anthropic"),
        (r"bedrock-runtime(?:-fips)?\.[^.]+\.amazonaws\.com(?:\.cn)?", "aws.bedrock"),
        (r"generativelanguage\.googleapis\.com", "gcp.gemini"),
        (r"(?:[^.]+-)?aiplatform\.googleapis\.com", "gcp.vertex_ai"),
        (r"api\.cohere\.(?:com|ai)", "cohere"),
        (r"api\.deepseek\.com", "deepseek"),
        (r"api\.groq\.com", "groq"),
        (r"api\.mistral\.ai", "mistral_ai"),
        (r"api\.perplexity\.ai", "perplexity"),
        (r"api\.x\.ai", "x_ai"),
        (r"ml\.cloud\.ibm\.com", "ibm.watsonx.ai"),
    )
)
"""Whose a host is, or any host under it."""

DIALECTS = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "openai-completions": "openai",
    "openai-assistants": "openai",
    "anthropic": "anthropic",
    "anthropic-completions": "anthropic",
    "bedrock-converse": "aws.bedrock",
    "bedrock-invoke": "aws.bedrock",
    "cohere": "cohere",
    "cohere-v1": "cohere",
    "gemini": "gcp.gemini",
    "gemini-interactions": "gcp.gemini",
    "mistral": "mistral_ai",
    "watsonx": "ibm.watsonx.ai",
}
"""Whose a protocol is. The conventions want the best that is known, and call a client of
OpenAI's API "openai" whatever server it talks to."""

OPERATIONS = {
    "openai-completions": "text_completion",
    "anthropic-completions": "text_completion",
    "gemini": "generate_content",
    "gemini-interactions": "generate_content",
}
"""What a protocol is asked for; "chat" where it is not among these."""


def provider_of(facts: Facts) -> str | None:
    """Who answers, in the conventions' words: as the request says, else by its host, else by
    its dialect; None if all of that says nothing."""
    if facts.provider is not None:
        return PROVIDERS.get(facts.provider, facts.provider)
    for pattern, name in HOSTS:
        if pattern.fullmatch(facts.host):
            return name
    return DIALECTS.get(facts.dialect or "")


def operation_of(facts: Facts) -> str:
    """What is asked for."""
    return OPERATIONS.get(facts.dialect or "", "chat")


def span_name_of(facts: Facts) -> str:
    """The name of the stream's span: the operation and the model."""
    operation = operation_of(facts)
    return operation if facts.model is None else f"{operation} {facts.model}"


def request_attributes_of(facts: Facts) -> Attributes:
    """What is known before anything came: for samplers."""
    return known(
        {
            "gen_ai.operation.name": operation_of(facts),
            "gen_ai.provider.name": provider_of(facts),
            "gen_ai.request.model": facts.model,
            "gen_ai.request.stream": True,
            "server.address": facts.host,
            "server.port": facts.port,
        }
    )


def attributes_of(facts: Facts) -> Attributes:
    """The attributes of the stream's span: all that is known of it. What was not reported is
    not there. Counts are those of all generations: what is billed."""
    usage = facts.usage
    counts = {} if usage is None else {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }  # fmt: skip
    return request_attributes_of(facts) | known(
        {
            "gen_ai.response.model": facts.response_model,
            "gen_ai.response.id": facts.response_id,
            "gen_ai.response.finish_reasons": [*facts.finish_reasons] or None,
            "gen_ai.response.time_to_first_chunk": facts.seconds_to_first_piece,
            "error.type": error_type_of(facts),
            **counts,
        }
    )


def metric_attributes_of(facts: Facts) -> Attributes:
    """The attributes of its measurements: few, and of few values."""
    attributes = request_attributes_of(facts) | known(
        {"gen_ai.response.model": facts.response_model, "error.type": error_type_of(facts)}
    )
    del attributes["gen_ai.request.stream"]
    return attributes


def tokens_of(facts: Facts) -> dict[str, int]:
    """The counts by ``gen_ai.token.type``, as far as they were reported."""
    usage = facts.usage
    if usage is None:
        return {}
    counts = {"input": usage.prompt_tokens, "output": usage.completion_tokens}
    return {kind: count for kind, count in counts.items() if count is not None}


def error_type_of(facts: Facts) -> str | None:
    """The kind of error that the stream ended with; None for a stream that ended well, or was
    cancelled."""
    if facts.outcome in ("complete", "cancelled"):
        return None
    return facts.outcome if facts.error is None else facts.error.kind


def known(values: dict[str, str | int | float | bool | list[str] | None]) -> Attributes:
    return {name: value for name, value in values.items() if value is not None}
