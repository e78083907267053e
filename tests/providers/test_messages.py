"""Messages in everybody's form become each provider's, and what cannot be turned is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.providers.messages import FORMS, checked, system_named, turned

TALK: list[dict[str, object]] = [
    {"role": "system", "content": "S1"},
    {"role": "developer", "content": [{"type": "text", "text": "S2"}]},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A", "tool_calls": None, "refusal": None, "annotations": []},
    {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
]


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


TURNED: dict[str, Any] = {
    "anthropic": {"messages": TALK[2:], "system": "S1\n\nS2"},
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "U"}]},
            {"role": "model", "parts": [{"text": "A"}]},
            {"role": "user", "parts": [{"text": "x"}, {"text": "y"}]},
        ],
        "systemInstruction": {"parts": [{"text": "S1"}, {"text": "S2"}], "role": "user"},
    },
    "gemini-interactions": {
        "input": [
            {"type": "user_input", "content": [text("U")]},
            {"type": "model_output", "content": [text("A")]},
            {"type": "user_input", "content": [text("x"), text("y")]},
        ],
        "system_instruction": "S1\n\nS2",
    },
    "bedrock-converse": {
        "messages": [
            {"role": "user", "content": [{"text": "U"}]},
            {"role": "assistant", "content": [{"text": "A"}]},
            {"role": "user", "content": [{"text": "x"}, {"text": "y"}]},
        ],
        "system": [{"text": "S1"}, {"text": "S2"}],
    },
}
OWN: dict[str, list[dict[str, object]]] = {
    "anthropic": [
        {"role": "user", "content": [{"type": "image", "source": {}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "input": {}}]},
    ],
    "gemini": [
        {"role": "user", "parts": [{"inlineData": {}}]},
        {"parts": [{"functionResponse": {}}]},
    ],
    "gemini-interactions": [
        {"type": "user_input", "content": [{"type": "image", "data": ""}]},
        {"type": "function_result", "call_id": "c", "result": {}},
    ],
    "bedrock-converse": [
        {"role": "user", "content": [{"image": {}}]},
        {"role": "user", "content": [{"toolResult": {}}, {"text": "x"}]},
    ],
}
MORE: list[dict[str, Any]] = [
    {"role": "tool", "tool_call_id": "c", "content": "42"},
    {"role": "function", "name": "f", "content": "42"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
    {"role": "assistant", "content": "x", "function_call": {"name": "f"}},
    {"role": "system", "content": [{"type": "text", "text": "x", "cache_control": {}}]},
    {"role": "system", "content": [{"type": "image_url", "image_url": {}}]},
    {"role": "system", "content": None},
    {"role": "system", "content": [{"type": "text", "text": 5}]},
    {"role": "system", "content": ["x"]},
    {"role": 5, "content": "x"},
    {"content": "x"},
    {},
]
"""What no form takes as it is."""
NOT_TEXT: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
    {"role": "user", "content": []},
    {"role": "user", "content": "x", "name": "Ann"},
    {"role": "klingon", "content": "x"},
]
every = pytest.mark.parametrize("form", FORMS)


def test_every_form_is_tested() -> None:
    assert TURNED.keys() == OWN.keys() == FORMS.keys()


@every
def test_plain_text_is_turned(form: str) -> None:
    assert turned(form, TALK, {}) == TURNED[form]


@every
def test_what_is_in_its_own_form_passes(form: str) -> None:
    field = FORMS[form].turns
    assert turned(form, OWN[form], {}) == {field: OWN[form]}
    mixed: Any = turned(form, [*TALK, *OWN[form]], {})[field]
    assert mixed[-2:] == OWN[form]


@every
@pytest.mark.parametrize("message", MORE, ids=str)
def test_what_cannot_be_turned_is_named(form: str, message: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"messages\[1\] \(role ") as told:
        turned(form, [TALK[2], message], {})
    assert repr(message.get("role")) in str(told.value)
    assert FORMS[form].title in str(told.value)


@pytest.mark.parametrize("form", ["gemini", "gemini-interactions"])
@pytest.mark.parametrize("message", NOT_TEXT, ids=str)
def test_more_than_text_is_not_lost(form: str, message: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"messages\[0\]"):
        turned(form, [message], {})


@every
def test_a_systems_text_that_is_given_is_not_doubled(form: str) -> None:
    into = FORMS[form]
    fields = {into.system: "given"}
    assert turned(form, [TALK[2]], fields) == turned(form, [TALK[2]], {})
    if "system" not in into.roles:
        with pytest.raises(ValueError, match=rf"messages\[0\].*{into.system}="):
            turned(form, TALK, fields)
        return
    made = turned(form, TALK, fields)
    assert into.system not in made
    turns: Any = made[into.turns]
    assert [turn["role"] for turn in turns[:3]] == ["system", "system", "user"]


@every
def test_a_system_alone_asks_nothing(form: str) -> None:
    with pytest.raises(ValueError, match="only the system's text"):
        turned(form, TALK[:2], {})


def texts(value: Any) -> list[str]:
    """All texts in what was made, in their order."""
    if isinstance(value, str):
        return [value]
    if hasattr(value, "get"):
        return texts(value.get("text", value.get("content", value.get("parts", []))))
    return [one for item in value for one in texts(item)]


said = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer"]), "content": st.text()}
)


@every
@given(messages=st.lists(said, max_size=6))
def test_no_text_is_lost_and_none_changes_its_order(
    form: str, messages: list[dict[str, object]]
) -> None:
    messages = [{"role": "user", "content": "begin"}, *messages]
    into = FORMS[form]
    made = turned(form, messages, {})
    assert made.keys() <= {into.turns, into.system}

    of_system = [str(m["content"]) for m in messages if m["role"] in ("system", "developer")]
    others = [str(m["content"]) for m in messages if m["role"] not in ("system", "developer")]
    assert texts(made[into.turns]) == others
    system = texts(made.get(into.system, []))
    assert "\n\n".join(system) == "\n\n".join(of_system)
    assert msgspec.json.decode(msgspec.json.encode(made)) == made


def test_only_the_developer_is_renamed() -> None:
    assert system_named(TALK) == [TALK[0], {**TALK[1], "role": "system"}, *TALK[2:]]


def test_messages_are_copied() -> None:
    made = checked(TALK)
    assert made == TALK
    assert made[0] is not TALK[0]
