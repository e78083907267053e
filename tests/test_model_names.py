"""One model has one key under all its names, and two models have two."""

from __future__ import annotations

import pytest

from sans_io_stream.model_names import bare_name, model_keys

SAME = [
    [
        "claude-sonnet-4.5",
        "claude-sonnet-4-5",
        "Claude-Sonnet-4.5",
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5-2025-09-29",
        "claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5@default",
        "claude-sonnet-4-5-latest",
        "anthropic/claude-sonnet-4.5",
        "openrouter/anthropic/claude-sonnet-4.5",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "publishers/anthropic/models/claude-sonnet-4-5@20250929",
    ],
    ["gemini-2.5-flash", "models/gemini-2.5-flash", "google/gemini-2.5-flash"],
    ["gpt-4.1", "gpt-4.1-2025-04-14", "openai/gpt-4.1", "azure/gpt-4.1", " GPT-4.1 "],
    ["deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2", "deepseek/deepseek-v3.2"],
    ["gpt-oss-120b", "openai.gpt-oss-120b-1:0", "openai/gpt-oss-120b"],
    ["claude-opus-4-6", "anthropic.claude-opus-4-6-v1", "us.anthropic.claude-opus-4-6-v1:0"],
    ["nova-pro", "us-gov.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0:300k"],
]

OTHERS = [
    "gpt-4", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-41", "ft:gpt-4.1-2025-04-14:org::id",
    "gemini-2.5-flash-lite", "gemini-2.5-flash-image", "gemini-2.5", "claude-sonnet-4",
    "anthropic.claude-sonnet-4-6", "claude-opus-4-5", "deepseek-v3",
    "deepseek-v3.2-exp", "deepseek/deepseek-v3.2:free", "deepseek-r1", "deepseek-r1-0528",
    "anthropic.claude-v2", "anthropic.claude-v2:1", "anthropic.claude-instant-v1",
    "llama3:8b", "llama3:70b", "gpt-4-0613", "gpt-4-1106-preview", "gpt-oss-20b",
]  # fmt: skip


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_all_spellings_of_a_model_lead_to_one_key(names: list[str]) -> None:
    assert {model_keys(name)[-1] for name in names} == {model_keys(names[0])[0]}


def test_no_two_models_share_a_key() -> None:
    names = [one[0] for one in SAME] + OTHERS
    keys = [key for name in names for key in set(model_keys(name))]
    assert len(set(keys)) == len(keys)


def test_a_snapshot_keeps_its_day_in_one_spelling() -> None:
    for name in ("gpt-4.1-2025-04-14", "gpt-4.1-20250414", "gpt-4.1@20250414"):
        assert model_keys(name) == ("gpt-4-1-20250414", "gpt-4-1")


def test_a_bare_name_says_which_model_and_not_where() -> None:
    assert bare_name("us.anthropic.claude-sonnet-4-5-20250929-v1:0") == "claude-sonnet-4-5-20250929"
    assert bare_name("models/gemini-2.5-flash") == "gemini-2.5-flash"


@pytest.mark.parametrize("name", [name for names in SAME for name in names] + OTHERS)
def test_a_key_is_a_name_of_the_same_model(name: str) -> None:
    for key in model_keys(name):
        assert model_keys(key)[0] == key
        assert set(model_keys(key)) <= set(model_keys(name))
