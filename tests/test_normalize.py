"""What no stream told is counted as streams are: every provider, in all its spellings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import TokenTracker, Transcript, Usage
from sans_io_stream.dialects.registry import ALIASES, DIALECTS
from sans_io_stream.normalize import PROVIDERS, SPELLINGS, normalize
from sans_io_stream.usage import COUNTS
from tests.expectations import Recording, recordings
from tests.test_captures import read

RECORDINGS = recordings()
NAMES = sorted({*DIALECTS, *ALIASES, *PROVIDERS})
MERGED = {"google__pydantic-ai__native-output-with-builtin-tools-stream"}
"""Its last record drops a count that an earlier one told: the object alone does not know it."""


def counts(usage: Usage) -> dict[str, Any]:
    """What it counts, without what nobody told."""
    return {name: value for name in COUNTS if (value := getattr(usage, name)) is not None}


PLAIN = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}

SPELT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "openai",
        {
            "prompt_tokens": 12,
            "completion_tokens": 7,
            "total_tokens": 19,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        {**PLAIN, "cached_tokens": 4, "reasoning_tokens": 3},
    ),
    (
        "openai",
        {
            "input_tokens": 12,
            "output_tokens": 7,
            "total_tokens": 19,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 3},
        },
        {**PLAIN, "cached_tokens": 4, "reasoning_tokens": 3},
    ),
    (
        "anthropic",
        {
            "input_tokens": 5,
            "output_tokens": 7,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 3,
        },
        {**PLAIN, "cached_tokens": 4, "cache_write_tokens": 3},
    ),
    (
        "google",
        {
            "promptTokenCount": 12,
            "candidatesTokenCount": 4,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 19,
            "cachedContentTokenCount": 4,
        },
        {**PLAIN, "cached_tokens": 4, "reasoning_tokens": 3},
    ),
    (
        "google",
        {
            "prompt_token_count": 12,
            "candidates_token_count": 4,
            "thoughts_token_count": 3,
            "total_token_count": 19,
            "cached_content_token_count": 4,
        },
        {**PLAIN, "cached_tokens": 4, "reasoning_tokens": 3},
    ),
    (
        "interactions",
        {
            "total_input_tokens": 12,
            "total_output_tokens": 4,
            "total_thought_tokens": 3,
            "total_tokens": 19,
        },
        {**PLAIN, "reasoning_tokens": 3},
    ),
    (
        "deepseek",
        {**PLAIN, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 8},
        {**PLAIN, "cached_tokens": 4},
    ),
    (
        "xai",
        {
            "prompt_tokens": 12,
            "completion_tokens": 4,
            "total_tokens": 19,
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        {**PLAIN, "reasoning_tokens": 3},
    ),
    ("openrouter", {**PLAIN, "cost": 0.25}, {**PLAIN, "cost": 0.25}),
    ("bedrock", {"inputTokens": 12, "outputTokens": 7, "totalTokens": 19}, PLAIN),
    ("bedrock-invoke", {"inputTokenCount": 12, "outputTokenCount": 7}, PLAIN),
    ("bedrock-invoke", {"prompt_token_count": 12, "generation_token_count": 7}, PLAIN),
    ("bedrock", {"input_tokens": 12, "output_tokens": 7}, PLAIN),
    (
        "cohere",
        {
            "billed_units": {"input_tokens": 1, "output_tokens": 2},
            "tokens": {"input_tokens": 12, "output_tokens": 7},
        },
        PLAIN,
    ),
    ("ollama", {"prompt_eval_count": 12, "eval_count": 7, "eval_duration": 1}, PLAIN),
    ("watsonx", {"input_token_count": 12, "generated_token_count": 7}, PLAIN),
    ("tgi", {"input_length": 12, "generated_tokens": 7, "finish_reason": "length"}, PLAIN),
    ("llama.cpp", {"tokens_evaluated": 12, "tokens_predicted": 7}, PLAIN),
    ("holysheep", {"promptTokens": 12, "completionTokens": 7}, PLAIN),
    ("native", {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}, PLAIN),
    ("compatible", PLAIN, PLAIN),
    ("groq", {**PLAIN, "queue_time": 0.1}, PLAIN),
    ("mistral", PLAIN, PLAIN),
    ("azure", PLAIN, PLAIN),
]


@pytest.mark.parametrize(("provider", "raw", "told"), SPELT)
def test_each_spelling_comes_to_the_same(
    provider: str, raw: dict[str, Any], told: dict[str, Any]
) -> None:
    usage = normalize(raw, provider)
    assert counts(usage) == told
    assert usage.final
    assert usage.raw == raw or provider in ("ollama", "llama.cpp", "watsonx", "native")


def test_the_tracker_has_it_too() -> None:
    assert TokenTracker.normalize(PLAIN, "openai") == normalize(PLAIN, "openai")


@pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.id)
def test_it_counts_as_the_decoder_does(recording: Recording) -> None:
    for usage in Transcript.of(read(recording, [recording.body])).billed:
        again = normalize(usage.raw, recording.dialect, final=usage.final)
        if recording.id in MERGED:
            assert counts(again) != counts(usage)
        else:
            assert (counts(again), again.final) == (counts(usage), usage.final)


# ---- who is known


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_known_in_any_case(name: str) -> None:
    usage = normalize({}, name)
    assert counts(usage) == {}
    assert normalize({}, name.upper().replace("-", "_")) == usage


def test_every_dialect_has_its_spellings() -> None:
    assert SPELLINGS.keys() == DIALECTS.keys()
    assert set(PROVIDERS.values()) <= SPELLINGS.keys()


def test_an_unknown_provider_raises_and_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no provider is called 'acme'") as refused:
        normalize(PLAIN, "acme")
    assert all(name in str(refused.value) for name in NAMES)


# ---- what an SDK makes of it


class Model:
    """What a pydantic model looks like from outside."""

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def model_dump(self) -> dict[str, object]:
        return self._fields


class ReadOnly(Mapping[str, object]):
    def __init__(self, fields: dict[str, object]) -> None:
        self._fields = fields

    def __getitem__(self, key: str) -> object:
        return self._fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Modality(Enum):
    AUDIO = "AUDIO"


@dataclass
class Counted:
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None


def test_objects_are_read_as_what_they_hold() -> None:
    details = Model(cached_tokens=4)
    for raw in (
        Model(prompt_tokens=12, completion_tokens=7, prompt_tokens_details=details),
        SimpleNamespace(prompt_tokens=12, completion_tokens=7, prompt_tokens_details=details),
        ReadOnly({"prompt_tokens": 12, "completion_tokens": 7, "prompt_tokens_details": details}),
    ):
        assert counts(normalize(raw, "openai")) == {**PLAIN, "cached_tokens": 4}
    assert counts(normalize(Counted(5, 7, 7), "anthropic")) == {**PLAIN, "cached_tokens": 7}
    heard = [SimpleNamespace(modality=Modality.AUDIO, token_count=9)]
    raw = Model(prompt_token_count=12, candidates_token_count=7, prompt_tokens_details=heard)
    assert counts(normalize(raw, "google")) == {**PLAIN, "audio_prompt_tokens": 9}


def test_an_sdks_own_objects_are_read() -> None:
    types = pytest.importorskip("openai.types")
    raw = types.CompletionUsage(prompt_tokens=12, completion_tokens=7, total_tokens=19)
    assert counts(normalize(raw, "openai")) == PLAIN
    responses = pytest.importorskip("openai.types.responses.response_usage")
    raw = responses.ResponseUsage(
        input_tokens=12,
        output_tokens=7,
        total_tokens=19,
        input_tokens_details={"cached_tokens": 4, "cache_write_tokens": 0},
        output_tokens_details={"reasoning_tokens": 3},
    )
    told = counts(normalize(raw, "openai"))
    assert told == {**PLAIN, "cached_tokens": 4, "cache_write_tokens": 0, "reasoning_tokens": 3}


def test_a_whole_answer_will_do() -> None:
    answer = Model(id="r", usage=Model(**PLAIN), created=1)
    assert counts(normalize(answer, "openai")) == PLAIN
    assert normalize(answer, "openai").raw == PLAIN
    google: dict[str, Any] = {
        "candidates": [],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7},
    }
    assert counts(normalize(google, "google")) == PLAIN
    tokens = {"input_tokens": 12, "output_tokens": 7}
    assert counts(normalize({"text": "", "meta": {"tokens": tokens}}, "cohere")) == PLAIN


def test_names_without_a_value_do_not_give_a_spelling_away() -> None:
    raw = {"prompt_token_count": None, "total_input_tokens": 12, "total_output_tokens": 7}
    assert counts(normalize(raw, "google")) == PLAIN


def test_nothing_has_no_counts_and_a_usage_is_one_already() -> None:
    assert counts(normalize(None, "openai")) == {}
    usage = Usage(prompt_tokens=3)
    assert normalize(usage, "openai") is usage
    assert not normalize(PLAIN, "openai", final=False).final


class Opaque:
    """An object that keeps its counts to itself."""

    def __init__(self) -> None:
        self._counts = PLAIN


LOOP = SimpleNamespace()
LOOP.usage = LOOP


@pytest.mark.parametrize("raw", [3, "{}", [PLAIN], object(), b"{}", Opaque(), LOOP])
def test_what_is_no_object_raises(raw: object) -> None:
    with pytest.raises(TypeError, match="usage object"):
        normalize(raw, "openai")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
KEYS = st.sampled_from(
    sorted({key for all_ in SPELLINGS.values() for one in all_ for key in one.keys})
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


@given(
    st.dictionaries(KEYS | st.text(max_size=4), VALUES, max_size=8),
    st.sampled_from(sorted(DIALECTS)),
)
def test_whatever_a_provider_sent_is_taken(raw: dict[str, Any], provider: str) -> None:
    """No exception, no negative count, and a source that can be written."""
    usage = normalize(raw, provider)
    assert all(value >= 0 for value in counts(usage).values())
    msgspec.json.encode(usage)


def test_what_json_cannot_hold_is_no_count() -> None:
    raw = {**PLAIN, "note": "\ud800", "big": 1 << 80, "more": [1 << 80]}
    assert counts(normalize(raw, "openai")) == PLAIN
