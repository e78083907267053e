"""One test a row: what a field of a request becomes in each format, or that it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream.translation import (
    READERS,
    WRITERS,
    Untranslatable,
    reading_anthropic,
    reading_openai,
    translate,
)

from .rows import ALL, CALL, HI, ROWS, SCHEMA, Row, anthropic, openai


def found(body: dict[str, Any], path: str) -> Any:
    """What stands at ``a.0.b``; None where nothing does."""
    value: Any = body
    for key in path.split("."):
        try:
            value = value[int(key)] if key.isdigit() else value[key]
        except KeyError:
            return None
    return value


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_row(row: Row, target: str) -> None:
    told = row.told[target]
    if isinstance(told, str):
        with pytest.raises(Untranslatable) as refused:
            translate(row.body, row.source, target)
        assert refused.value.field
        assert refused.value.field.partition("[")[0].partition(".")[0] in row.body
        return
    body = translate(row.body, row.source, target)
    assert {path: found(body, path) for path in told} == told


def test_the_table_has_a_row_for_every_setting() -> None:
    names = {row.name.partition(":")[0] for row in ROWS}
    settings = {"max_completion_tokens", "safety_identifier", "max_tokens", "stop_sequences"}
    asked = {*reading_openai.SETTINGS, *reading_anthropic.SETTINGS}
    assert asked - settings <= names


UNKNOWN_OPENAI: list[tuple[dict[str, Any], str]] = [
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"messages": [{**HI, "name": "Bo"}]}, "messages[0].name"),
    ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role"),
    ({"messages": [{**HI, "content": [{"type": "input_audio"}]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": None}, "messages"),
    ({"tools": [{"type": "web_search"}]}, "tools[0]"),
    ({"tools": [{"type": "function", "function": {"name": 1}}]}, "tools[0].function.name"),
    ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"response_format": {"type": "grammar"}}, "response_format"),
]  # fmt: skip
UNKNOWN_ANTHROPIC: list[tuple[dict[str, Any], str]] = [
    ({"container": "c"}, "container"),
    ({"metadata": {"x": 1}}, "metadata.x"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "messages[0].content[0]"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
    ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    ({"thinking": {"type": "adaptive"}}, "thinking.type"),
]


@pytest.mark.parametrize(("fields", "name"), UNKNOWN_OPENAI, ids=lambda v: str(v)[:40])
def test_what_is_not_understood_is_refused_by_name(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate(openai(**fields), "openai-chat", "anthropic")
    assert refused.value.field == name
    assert str(refused.value).startswith(f"{name}: ")


@pytest.mark.parametrize(("fields", "name"), UNKNOWN_ANTHROPIC, ids=lambda v: str(v)[:40])
def test_so_it_is_in_the_other_format(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        translate(anthropic(**fields), "anthropic", "openai-chat")
    assert refused.value.field == name


def test_what_asks_for_nothing_is_no_field() -> None:
    body = openai(n=1, logprobs=False, store=False, stream=True, user=None, tools=[])
    assert translate(body, "openai-chat", "gemini") == translate(openai(), "openai-chat", "gemini")


# ---- from Anthropic's words


CONVERSATION = anthropic(
    system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    messages=[
        {"role": "user", "content": "Weather in Ulm and Bern?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Two cities.", "signature": "s1"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Ulm"}},
                {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Bern"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "Rain."},
                {"type": "tool_result", "tool_use_id": "c2", "content": "down", "is_error": True},
                {"type": "text", "text": "Go on."},
            ],
        },
    ],
    tools=[{"name": "weather", "input_schema": SCHEMA}],
)


def without_thinking() -> dict[str, Any]:
    body = {**CONVERSATION, "messages": [dict(one) for one in CONVERSATION["messages"]]}
    body["messages"][1]["content"] = body["messages"][1]["content"][1:]
    return body


def test_a_conversation_of_anthropics_comes_back_as_it_was() -> None:
    body = translate(CONVERSATION, "anthropic", "anthropic")
    expected = {**CONVERSATION, "system": "Be brief."}
    assert body == expected


def test_signed_thinking_is_not_dropped() -> None:
    for target in ("openai-chat", "gemini", "cohere", "ollama", "openai-responses", "mistral"):
        with pytest.raises(Untranslatable, match="thought"):
            translate(CONVERSATION, "anthropic", target)
    body = translate(CONVERSATION, "anthropic", "bedrock-converse")
    assert found(body, "messages.1.content.0.reasoningContent.reasoningText") == {
        "text": "Two cities.",
        "signature": "s1",
    }
    assert found(body, "messages.2.content.1.toolResult.status") == "error"


def test_a_conversation_of_anthropics_in_chat() -> None:
    body = translate(without_thinking(), "anthropic", "openai-chat")
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool", "user"]
    assert found(body, "messages.2.content") == "I look."
    assert found(body, "messages.2.tool_calls.1.function.arguments") == '{"city":"Bern"}'
    assert found(body, "messages.4.content") == "Error: down"
    assert found(body, "messages.5.content") == "Go on."
    again = translate(body, "openai-chat", "anthropic")
    assert [message["role"] for message in again["messages"]] == ["user", "assistant", "user"]


def test_a_failed_tool_is_an_error_for_gemini() -> None:
    body = translate(without_thinking(), "anthropic", "gemini")
    assert found(body, "contents.2.parts.1.functionResponse.response") == {"error": "down"}


def test_arguments_that_are_no_object_are_refused_where_objects_are_wanted() -> None:
    broken = {**CALL, "function": {"name": "weather", "arguments": '{"city":'}}
    asked = openai(messages=[HI, {"role": "assistant", "content": None, "tool_calls": [broken]}])
    assert translate(asked, "openai-chat", "mistral")["messages"][1]["tool_calls"] == [broken]
    for target in ("anthropic", "gemini", "bedrock-converse", "ollama"):
        with pytest.raises(Untranslatable, match="no JSON object"):
            translate(asked, "openai-chat", target)


def test_thinking_has_a_budget_there_and_a_word_here() -> None:
    for budget, word in [(1024, "minimal"), (4096, "low"), (10000, "medium"), (50000, "high")]:
        body = anthropic(thinking={"type": "enabled", "budget_tokens": budget})
        assert translate(body, "anthropic", "openai-chat")["reasoning_effort"] == word
    body = anthropic(thinking={"type": "disabled"})
    assert "reasoning_effort" not in translate(body, "anthropic", "openai-chat")
    with pytest.raises(Untranslatable, match="'extreme' is none of"):
        translate(openai(reasoning_effort="extreme"), "openai-chat", "anthropic")


@pytest.mark.parametrize(("source", "target"), [("gemini", "anthropic"), ("anthropic", "x")])
def test_a_format_that_is_none(source: str, target: str) -> None:
    with pytest.raises(ValueError, match="no such format") as refused:
        translate({}, source, target)
    assert "openai-chat" in str(refused.value)


def test_what_is_read_can_be_written() -> None:
    assert set(READERS) <= set(WRITERS)
