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

from .rows import ALL, CALL, HI, ROWS, SCHEMA, TOOL, Row, anthropic, openai


def found(body: dict[str, Any], path: str) -> Any:
    """What stands at ``a.0.b``; None where nothing does."""
    value: Any = body
    for key in path.split("."):
        try:
            # A text has no parts.
            value = None if isinstance(value, str) else value[int(key) if key.isdigit() else key]
        except (KeyError, IndexError):
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
    ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema"),
    ({"max_tokens": "7"}, "max_tokens"),
    ({"max_tokens": 7.5}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 7, "max_completion_tokens": 8}, "max_tokens"),
    ({"max_tokens": [7], "reasoning_effort": "low"}, "max_tokens"),
    ({"temperature": "warm"}, "temperature"),
    ({"top_p": [1]}, "top_p"),
    ({"stop": 3}, "stop"),
    ({"stop": ["a", 3]}, "stop"),
    ({"reasoning_effort": ["low"]}, "reasoning_effort"),
    ({"user": {"id": 1}}, "user"),
    ({"user": "a", "safety_identifier": "b"}, "safety_identifier"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ({"messages": [{**HI, "reasoning_content": "Hm."}]}, "messages[0].reasoning_content"),
    ({"tool_choice": {"type": "function", "function": {"x": 1}}}, "tool_choice.function.x"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
]  # fmt: skip
UNKNOWN_ANTHROPIC: list[tuple[dict[str, Any], str]] = [
    ({"container": "c"}, "container"),
    ({"metadata": {"x": 1}}, "metadata.x"),
    ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": [{"type": "document"}]}]}, "messages[0].content[0]"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0]"),
    ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
    ({"thinking": {"type": "adaptive"}}, "thinking.type"),
    ({"max_tokens": "7"}, "max_tokens"),
    ({"temperature": {}}, "temperature"),
    ({"top_k": 1.5}, "top_k"),
    ({"stop_sequences": [1]}, "stop_sequences"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
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
    body |= openai(presence_penalty=0, frequency_penalty=0.0, logit_bias={}, metadata={})
    body |= openai(parallel_tool_calls=True, max_tokens=None)
    assert translate(body, "openai-chat", "gemini") == translate(openai(), "openai-chat", "gemini")


def test_an_answer_is_told_again_as_it_came() -> None:
    """What a client got is a message of its next request, with all that stood in it."""
    answer = {
        "role": "assistant", "content": "Yes?", "refusal": None, "annotations": [], "audio": None,
        "function_call": None, "tool_calls": None, "reasoning_content": "Hm.",
        "reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
    }  # fmt: skip
    for target in ALL:
        told = translate(openai(messages=[HI, answer, HI]), "openai-chat", target)
        plain = {"role": "assistant", "content": "Yes?"}
        assert told == translate(openai(messages=[HI, plain, HI]), "openai-chat", target)


def test_results_of_several_calls_come_back_together() -> None:
    """Gemini takes as many results in one turn as there were calls in the one before."""
    calls = [{**CALL, "id": "c1"}, {**CALL, "id": "c2"}]
    results = [{"role": "tool", "tool_call_id": id, "content": id} for id in ("c1", "c2")]
    asked = openai(messages=[HI, {"role": "assistant", "tool_calls": calls}, *results])
    told = translate(asked, "openai-chat", "gemini")
    assert [turn["role"] for turn in told["contents"]] == ["user", "model", "user"]
    assert [part["functionResponse"]["id"] for part in told["contents"][2]["parts"]] == ["c1", "c2"]


def test_no_more_is_promised_of_a_schema_than_was_asked() -> None:
    for told in ({}, {"strict": False}):
        wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA, **told}}
        body = translate(openai(response_format=wanted), "openai-chat", "openai-responses")
        assert body["text"]["format"] == {
            "type": "json_schema", "name": "answer", "schema": SCHEMA, **told,
        }  # fmt: skip


def test_where_no_tool_is_called_none_is_called_alone() -> None:
    body = openai(tools=[TOOL], tool_choice="none", parallel_tool_calls=False)
    assert translate(body, "openai-chat", "anthropic")["tool_choice"] == {"type": "none"}


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
