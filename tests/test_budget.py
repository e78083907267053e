"""A budget lets begin what it can pay, ends what it cannot, and counts what came."""

from __future__ import annotations

import sys
import threading
from decimal import Context, Decimal, Inexact, localcontext
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import (
    Budget,
    BudgetSpent,
    Disconnected,
    Event,
    Finish,
    Heartbeat,
    Price,
    PriceTable,
    ReasoningDelta,
    Reconnecting,
    RefusalDelta,
    Resumed,
    StreamEnd,
    StreamError,
    StreamRequest,
    StreamStart,
    TextDelta,
    TokenTracker,
    ToolCall,
    ToolCallDelta,
    UnknownPriceError,
    Usage,
)

REQUEST = StreamRequest("POST", "http://api.test/", json={"model": "m"}, dialect="openai-chat")
MORE = TextDelta("more")
PRICES = PriceTable({"m": Price(1_000_000, 2_000_000)})
"""A dollar for each token of a prompt, two for each of a completion."""


def usage(prompt: int | None, completion: int | None, **more: Any) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, **more)


def saw(budget: Budget, *events: Event) -> str | None:
    return budget.begin(REQUEST, 0.0).saw(events, 0.0)


# ---- what is limited


def test_something_has_to_be_limited() -> None:
    with pytest.raises(ValueError, match="limits dollars=, tokens=, or both"):
        Budget()
    with pytest.raises(ValueError, match="tokens is 0 or more"):
        Budget(tokens=-1)
    with pytest.raises(ValueError, match="dollars is an amount"):
        Budget(dollars="much")


def test_tokens_are_limited() -> None:
    budget = Budget(tokens=10)
    watch = budget.begin(REQUEST, 0.0)
    assert watch.saw([usage(5, 1)], 0.0) is None
    assert watch.saw([usage(5, 4), MORE], 0.0) is None
    assert (budget.spent_tokens, budget.left.tokens, budget.left.dollars) == (9, 1, None)
    assert watch.saw([usage(5, 5), MORE], 0.0) == "the budget is spent: 10 of 10 tokens"
    assert budget.left.tokens == 0


def test_dollars_are_limited() -> None:
    budget = Budget(dollars="10.50", prices=PRICES)
    watch = budget.begin(REQUEST, 0.0)
    assert watch.saw([usage(4, 3), MORE], 0.0) is None
    assert (budget.spent_dollars, budget.left.dollars) == (Decimal(10), Decimal("0.50"))
    assert watch.saw([usage(4, 4), MORE], 0.0) == "the budget is spent: 12 of 10.50 dollars"


def test_whichever_is_spent_first_ends_it() -> None:
    assert "tokens" in (saw(Budget(dollars=99, tokens=2, prices=PRICES), usage(1, 1), MORE) or "")
    assert "dollars" in (saw(Budget(dollars=3, tokens=9, prices=PRICES), usage(1, 1), MORE) or "")


def test_once_it_is_spent_no_stream_begins() -> None:
    budget = Budget(tokens=10)
    saw(budget, usage(5, 5, final=True), StreamEnd("complete"))
    with pytest.raises(BudgetSpent, match="10 of 10 tokens") as refused:
        budget.begin(REQUEST, 0.0)
    assert isinstance(refused.value, StreamError)
    with pytest.raises(BudgetSpent):
        Budget(tokens=0).begin(REQUEST, 0.0)


def test_a_running_stream_keeps_another_from_beginning() -> None:
    budget = Budget(tokens=10)
    first, second = budget.begin(REQUEST, 0.0), budget.begin(REQUEST, 0.0)
    assert first.saw([usage(5, 1)], 0.0) is None
    assert second.saw([usage(5, 1)], 0.0) is None
    assert first.saw([Heartbeat()], 0.0) is None
    assert first.saw([MORE], 0.0) == "the budget is spent: 12 of 10 tokens"
    assert first.saw([MORE, usage(5, 2)], 0.0) == "the budget is spent: 13 of 10 tokens"
    assert second.saw([MORE], 0.0) is not None
    with pytest.raises(BudgetSpent):
        budget.begin(REQUEST, 0.0)


# ---- prices


def test_a_model_without_a_price_is_refused_if_dollars_are_limited() -> None:
    with pytest.raises(UnknownPriceError, match=r"'m' has no price: .*with_prices\(\{'m': Price"):
        Budget(dollars=1).begin(REQUEST, 0.0)
    unnamed = StreamRequest("POST", "http://api.test/")
    with pytest.raises(UnknownPriceError, match=r"names no model .* StreamRequest\(\.\.\., model="):
        Budget(dollars=1, prices=PRICES).begin(unnamed, 0.0)
    assert Budget(tokens=1).begin(unnamed, 0.0).saw([usage(0, 1), MORE], 0.0) is not None


def test_what_its_message_says_helps() -> None:
    prices = PriceTable().with_prices({"m": Price(1, 2)})
    Budget(dollars=1, prices=prices).begin(REQUEST, 0.0)


def test_the_small_table_is_at_hand() -> None:
    request = StreamRequest("POST", "http://api.test/", model="gpt-4.1")
    budget = Budget(dollars="0.01")
    reason = budget.begin(request, 0.0).saw([usage(1500, 850), MORE], 0.0)
    assert reason == "the budget is spent: 0.01225 of 0.01 dollars"


def test_dollars_that_nobody_knows_are_none() -> None:
    budget = Budget(tokens=10)
    assert budget.spent_dollars is None
    budget = Budget(tokens=10, prices=PRICES)
    saw(budget, usage(1, 1))
    assert budget.spent_dollars == 3
    budget.begin(StreamRequest("POST", "http://api.test/", model="x"), 0.0).saw([usage(1, 1)], 0.0)
    assert budget.spent_dollars is None
    budget.reset()
    assert budget.spent_dollars == 0


# ---- estimates


def test_what_came_since_the_last_count_is_estimated() -> None:
    budget = Budget(tokens=100, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([StreamStart("r", "m"), TextDelta("abc"), ReasoningDelta("de")], 0.0)
    assert budget.spent_tokens == 5
    watch.saw([usage(10, 4)], 0.0)
    assert budget.spent_tokens == 14
    watch.saw([RefusalDelta("f")], 0.0)
    assert budget.spent_tokens == 15
    watch.saw([usage(10, 6, final=True), StreamEnd("complete")], 0.0)
    assert budget.spent_tokens == 16


def test_a_count_that_stands_still_takes_no_estimates_place() -> None:
    # Anthropic counts a few tokens at the start, and the rest at the end.
    budget = Budget(tokens=100, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([usage(10, 1), TextDelta("abcd"), usage(10, 1, cached_tokens=3)], 0.0)
    assert budget.spent_tokens == 15
    watch.saw([usage(10, None, total_tokens=99)], 0.0)
    assert budget.spent_tokens == 14
    watch.saw([usage(10, 5, final=True)], 0.0)
    assert budget.spent_tokens == 15


def test_an_estimate_ends_a_stream() -> None:
    budget = Budget(dollars=9, prices=PRICES, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    assert watch.saw([TextDelta("abcd")], 0.0) is None
    assert watch.saw([TextDelta("e")], 0.0) == "the budget is spent: 10 of 9 dollars"
    watch.closed(1.0)
    assert budget.spent_dollars == 10


def test_without_an_estimate_nothing_is_known_between_counts() -> None:
    budget = Budget(tokens=3)
    assert saw(budget, TextDelta("a long answer"), Finish("stop")) is None
    assert budget.spent_tokens == 0


def test_the_arguments_of_a_call_are_estimated_once() -> None:
    heard: list[str] = []

    def estimate(text: str) -> int:
        heard.append(text)
        return 1

    watch = Budget(tokens=99, estimate=estimate).begin(REQUEST, 0.0)
    watch.saw([ToolCallDelta(0, "a", "f"), ToolCallDelta(0, "a", "f", "{}")], 0.0)
    watch.saw([ToolCall(0, "a", "f", "{}"), ToolCall(1, "b", "g", '{"x":1}')], 0.0)
    watch.saw([TextDelta("")], 0.0)
    assert heard == ["{}", '{"x":1}']


def test_a_call_of_another_generation_is_estimated_too() -> None:
    budget = Budget(tokens=99, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([ToolCallDelta(0, "a", "f", "{}"), ToolCall(0, "a", "f", "{}")], 0.0)
    watch.saw([Resumed("restart"), ToolCall(0, "b", "f", "[1]")], 0.0)
    assert budget.spent_tokens == 5


@given(st.lists(st.text(max_size=5), max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_an_estimate_is_the_same_however_the_events_come(texts: list[str], cuts: list[int]) -> None:
    """Each piece is estimated once, in whatever batches they are seen."""
    whole, pieces = Budget(tokens=10**9, estimate=len), Budget(tokens=10**9, estimate=len)
    events = [TextDelta(text) for text in texts]
    whole.begin(REQUEST, 0.0).saw(events, 0.0)
    watch, places = pieces.begin(REQUEST, 0.0), sorted({0, *cuts, len(events)})
    for begin, end in pairwise(places):
        watch.saw(events[begin:end], 0.0)
    assert whole.spent_tokens == pieces.spent_tokens == len("".join(texts))


def test_no_context_of_the_programs_own_rounds_it() -> None:
    prices = PriceTable({"m": Price("1000000", "0.1234567")})
    budget, tracker = Budget(dollars=9999, prices=prices), TokenTracker(prices)
    with localcontext(Context(prec=3, traps=[Inexact])):
        for counts in (usage(9000, 0), usage(0, 1), usage(0, 1)):
            told = msgspec.structs.replace(counts, final=True, cost=0.001234567)
            for watch in (budget.begin(REQUEST, 0.0), tracker.begin(REQUEST, 0.0)):
                watch.saw([told], 0.0)
                watch.closed(0.0)
        spent = Decimal("9000.0000002469134")
        assert budget.spent_dollars == tracker.cost == spent
        assert budget.left.dollars == Decimal("998.9999997530866")
        assert tracker.reported_cost == Decimal("0.003703701")
        price = prices.scaled("0.1234567").price("m")
        assert price is not None
        assert price.completion == Decimal("0.01524155677489")
        assert prices.estimate({"m": (1, 1), "M": (2, 0)}).total == Decimal("3.0000001234567")


# ---- generations, ends, and beginning anew


def test_void_generations_are_paid_for() -> None:
    budget = Budget(tokens=100, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([StreamStart("a", "m"), usage(10, 1), TextDelta("abc")], 0.0)
    watch.saw([Resumed("restart"), TextDelta("de")], 0.0)
    assert budget.spent_tokens == 16
    watch.saw([StreamStart("b", "m", generation=1), usage(10, 2, generation=1)], 0.0)
    assert budget.spent_tokens == 14 + 12


def test_an_answer_that_is_whole_is_not_cancelled() -> None:
    # Many count behind the last word, and say only then that it was the last.
    budget = Budget(tokens=10)
    watch = budget.begin(REQUEST, 0.0)
    assert watch.saw([MORE], 0.0) is None
    assert watch.saw([usage(9, 9)], 0.0) is None
    assert watch.saw([Finish("stop"), usage(9, 9, final=True), StreamEnd("complete")], 0.0) is None
    assert budget.spent_tokens == 18
    with_others = Budget(tokens=5)
    first, second = with_others.begin(REQUEST, 0.0), with_others.begin(REQUEST, 0.0)
    first.saw([usage(9, 9)], 0.0)
    assert second.saw([MORE, usage(1, 1, final=True)], 0.0) is None
    assert saw(Budget(tokens=1, estimate=len), MORE, MORE, StreamEnd("interrupted")) is None


def test_no_other_attempt_is_made() -> None:
    watch = Budget(tokens=10).begin(REQUEST, 0.0)
    assert watch.saw([MORE, usage(9, 9), Disconnected()], 0.0) is None
    assert watch.saw([Reconnecting(2, 0.1)], 0.0) == "the budget is spent: 18 of 10 tokens"


@given(st.lists(st.sampled_from(["more", "count"]), max_size=12), st.lists(st.integers(0, 12)))
def test_a_stream_ends_at_the_first_piece_behind_its_last_token(
    kinds: list[str], cuts: list[int]
) -> None:
    """However the events come, at the latest with those that come together with the next."""
    events: list[Event] = []
    for kind in kinds:
        events.append(MORE if kind == "more" else usage(0, len(events)))
    spent = next((n for n, one in enumerate(events) if isinstance(one, Usage) and n >= 5), None)
    watch, places = Budget(tokens=5).begin(REQUEST, 0.0), sorted({0, *cuts, len(events)})
    for begin, end in pairwise(places):
        reason = watch.saw(events[begin:end], 0.0)
        behind = spent is not None and MORE in events[spent + 1 : end]
        assert reason is None or behind
        # Once it was spent before these came, any piece among them ends it.
        assert (
            reason is not None or spent is None or spent >= begin or MORE not in events[begin:end]
        )


def test_totals_alone_count() -> None:
    budget = Budget(tokens=10)
    saw(budget, Usage(total_tokens=7))
    assert budget.spent_tokens == 7


def test_reset_begins_anew_with_what_comes() -> None:
    budget = Budget(dollars=20, tokens=20, prices=PRICES)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([usage(4, 4)], 0.0)
    budget.reset()
    assert (budget.spent_tokens, budget.spent_dollars) == (0, Decimal(0))
    watch.saw([usage(4, 6)], 0.0)
    assert (budget.spent_tokens, budget.spent_dollars) == (2, Decimal(4))
    assert repr(budget) == "<Budget Left(dollars=Decimal('16'), tokens=18)>"


def test_what_was_estimated_too_high_before_a_reset_is_not_owed() -> None:
    budget = Budget(tokens=20, estimate=len)
    watch = budget.begin(REQUEST, 0.0)
    watch.saw([TextDelta("abcdefgh")], 0.0)
    budget.reset()
    watch.saw([usage(1, 2, final=True)], 0.0)
    assert (budget.spent_tokens, budget.left.tokens) == (0, 20)


# ---- threads


class Interrupted(Budget):
    """A budget in which other threads come between reading a sum and storing it."""

    @property
    def _tokens(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        sum_: int = vars(self).get("sum", 0)
        for _ in range(30):
            pass
        return sum_

    @_tokens.setter
    def _tokens(self, sum_: int) -> None:
        vars(self)["sum"] = sum_


def test_no_token_is_lost_between_threads() -> None:
    budget = Interrupted(tokens=10**9, prices=PRICES, estimate=len)
    threads, rounds = 8, 400
    start = threading.Barrier(threads)

    def hammer() -> None:
        start.wait()
        for _ in range(rounds):
            watch = budget.begin(REQUEST, 0.0)
            watch.saw([usage(2, 1), TextDelta("ab")], 0.0)
            watch.saw([usage(2, 3, final=True), StreamEnd("complete")], 0.0)
            watch.closed(0.0)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=hammer) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    assert budget.spent_tokens == 5 * threads * rounds
    assert budget.spent_dollars == 8 * threads * rounds
