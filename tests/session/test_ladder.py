"""The ladder: from exact to inexact, each rung only if it can be had, is allowed, not refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sans_io_stream import StreamRequest
from sans_io_stream.policy import ReconnectPolicy
from sans_io_stream.session.ladder import RUNGS, Situation, next_attempt
from sans_io_stream.strategies import STRATEGIES, Known

EVERY = ReconnectPolicy(allow=frozenset({"replay", "restart", "continuation"}))
EXACT = {"continue", "replay"}
BODY = {"background": True, "messages": [{"role": "user", "content": "Hi"}]}


def at(strategy: str = "openai-responses", key: str | None = None, **changes: Any) -> Situation:
    headers = {} if key is None else {"idempotency-key": key}
    url = "http://api.test/v1/chat/completions"
    request = StreamRequest("POST", url, headers, json=BODY, continuation="vllm")
    given: dict[str, Any] = {
        "request": request,
        "first": request.http(),
        "strategy": STRATEGIES[strategy],
        "policy": EVERY,
        "known": Known("resp_1", True, 7),
        "visible": True,
        "unanswered": False,
        "comparable": True,
        "refused": frozenset(),
        "text": "Hel",
    }
    return Situation(**{**given, **changes})


def mode(situation: Situation) -> str | None:
    attempt = next_attempt(situation)
    return None if attempt is None else attempt.mode


def climb(situation: Situation) -> list[str]:
    """The modes in the order in which they are tried, each one refused."""
    tried: list[str] = []
    while (tries := mode(situation)) is not None:
        tried.append(tries)
        situation = msgspec.structs.replace(situation, refused=frozenset(tried))
    return tried


def test_the_order_is_from_exact_to_inexact() -> None:
    assert climb(at()) == ["continue", "replay", "repeat", "restart", "continuation"]
    assert list(RUNGS) == [
        "continue", "replay", "retry", "again", "repeat", "restart", "continuation",
    ]  # fmt: skip
    assert climb(at(visible=False)) == [
        "continue", "replay", "retry", "repeat", "restart", "continuation",
    ]  # fmt: skip


def test_nothing_inexact_without_being_allowed() -> None:
    assert climb(at(policy=ReconnectPolicy())) == ["continue", "replay"]
    assert climb(at("none", policy=ReconnectPolicy())) == []


@pytest.mark.parametrize(
    ("allowed", "tried"),
    [("replay", "repeat"), ("restart", "restart"), ("continuation", "continuation")],
)
def test_each_allowance_is_one_rung(allowed: Any, tried: str) -> None:
    policy = ReconnectPolicy(allow=frozenset({allowed}))
    assert climb(at("none", policy=policy)) == [tried]


def test_without_a_cursor_there_is_no_going_on() -> None:
    assert mode(at(known=Known("resp_1", True))) == "replay"
    assert mode(at(known=Known("resp_1", False, 7), refused=frozenset({"repeat"}))) == "restart"


def test_what_cannot_be_compared_is_not_replayed() -> None:
    assert climb(at(comparable=False)) == ["continue", "restart", "continuation"]


def test_only_one_text_can_be_continued() -> None:
    for text in (None, ""):
        assert "continuation" not in climb(at("none", text=text))


def test_nothing_visible_is_simply_tried_again() -> None:
    policy = ReconnectPolicy()
    assert climb(at("none", visible=False, policy=policy)) == ["retry"]
    attempt = next_attempt(at("none", visible=False))
    assert attempt is not None
    assert attempt.request == at().first


def test_nothing_stored_is_begun_twice_blindly() -> None:
    nothing: dict[str, Any] = {"visible": False, "known": Known(), "policy": ReconnectPolicy()}
    assert mode(at(unanswered=True, **nothing)) is None
    assert mode(at(unanswered=False, **nothing)) == "retry"
    assert mode(at(key="once", unanswered=True, **nothing)) == "retry"
    assert mode(at("none", unanswered=True, **nothing)) == "retry"


def test_a_stored_answer_is_asked_for_though_nothing_was_visible() -> None:
    assert mode(at(visible=False, known=Known("resp_1", True))) == "replay"


def test_an_event_stream_is_taken_up_wherever_it_is() -> None:
    policy = ReconnectPolicy()
    assert climb(at("eventsource", known=Known(), policy=policy)) == ["again"]
    assert climb(at("last-event-id", known=Known(), policy=policy)) == []
    assert climb(at("eventsource", known=Known(cursor="a"), policy=policy)) == [
        "continue",
        "again",
    ]


def test_a_cursor_that_would_break_out_is_passed_over() -> None:
    policy = ReconnectPolicy()
    assert climb(at("last-event-id", known=Known(cursor="a\r\nx: y"), policy=policy)) == []
    assert climb(at(known=Known("..", True, 7), policy=policy)) == []


def test_exact_modes_generate_nothing() -> None:
    for tried in EXACT:
        attempt = next_attempt(at(refused=frozenset(EXACT - {tried})))
        assert attempt is not None
        assert (attempt.mode, attempt.request.method) == (tried, "GET")
        assert attempt.request.body == b""


@pytest.mark.parametrize("key", [None, "once"])
def test_a_blind_second_generation_needs_a_restart_to_be_allowed(key: str | None) -> None:
    nothing: dict[str, Any] = {"visible": False, "known": Known(), "comparable": False}
    tried = climb(at(key=key, unanswered=True, text=None, **nothing))
    assert tried == (["restart"] if key is None else ["retry", "restart"])
