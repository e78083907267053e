"""Costs are exact, and None wherever something is not known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import Price, PriceTable, Usage
from sans_io_stream.price_list import PRICES

FEW = Usage(prompt_tokens=1500, completion_tokens=850)
MILLION = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)


# ---- a price


def test_the_tokens_of_a_small_answer_at_the_price_of_gpt_4_1() -> None:
    cost = PriceTable().cost(FEW, "gpt-4.1")
    assert cost == Decimal("0.01225")
    assert str(cost) == "0.01225"


@pytest.mark.parametrize("usage", [
    Usage(), Usage(prompt_tokens=1), Usage(completion_tokens=1), Usage(total_tokens=9),
    Usage(prompt_tokens=1, cached_tokens=1),
])  # fmt: skip
def test_counts_that_nobody_told_cost_none(usage: Usage) -> None:
    assert Price(1, 2).cost(usage) is None


def test_no_tokens_cost_nothing() -> None:
    assert Price(1, 2).cost(Usage(prompt_tokens=0, completion_tokens=0)) == 0


def test_parts_have_prices_of_their_own() -> None:
    usage = Usage(
        prompt_tokens=1000,
        completion_tokens=500,
        cached_tokens=600,
        cache_write_tokens=100,
        reasoning_tokens=200,
    )
    price = Price(10, 20, cached=1, cache_write="12.5", reasoning=30)
    exact = 300 * 10 + 600 * 1 + 100 * Decimal("12.5") + 300 * 20 + 200 * 30
    assert price.cost(usage) == exact / 1_000_000


def test_parts_without_a_price_cost_what_the_rest_does() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=500, cached_tokens=600, reasoning_tokens=9)
    assert Price(10, 20).cost(usage) == Price(10, 20, cached=10, reasoning=20).cost(usage)


def test_a_part_that_nobody_counted_is_among_the_others() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=0)
    assert Price(10, 20, cached=1).cost(usage) == Decimal("0.01")


def test_parts_beyond_their_whole_are_not_charged() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=0, cached_tokens=8, cache_write_tokens=8)
    assert Price(1_000_000, 0, cached=100_000, cache_write=0).cost(usage) == Decimal("0.8")


AMOUNTS = st.decimals(0, 1000, places=4)
TOKENS = st.integers(0, 10_000_000)


@given(AMOUNTS, AMOUNTS, st.lists(st.tuples(TOKENS, TOKENS), max_size=5))
def test_costs_add_up(prompt: Decimal, completion: Decimal, many: list[tuple[int, int]]) -> None:
    """The cost of a sum is the sum of the costs."""
    price = Price(prompt, completion)
    costs = [price.cost(Usage(prompt_tokens=p, completion_tokens=c)) for p, c in many]
    together = Usage(
        prompt_tokens=sum(p for p, _ in many), completion_tokens=sum(c for _, c in many)
    )
    assert price.cost(together) == sum(cost for cost in costs if cost is not None)


@given(AMOUNTS, AMOUNTS, TOKENS, TOKENS, TOKENS)
def test_a_cheaper_part_never_makes_it_dearer(
    prompt: Decimal, cached: Decimal, tokens: int, part: int, written: int
) -> None:
    usage = Usage(
        prompt_tokens=tokens, completion_tokens=0, cached_tokens=part, cache_write_tokens=written
    )
    whole, cheaper = Price(prompt, 0).cost(usage), Price(prompt, 0, min(prompt, cached)).cost(usage)
    assert whole is not None
    assert cheaper is not None
    assert 0 <= cheaper <= whole


def test_amounts_are_exact_however_they_are_given() -> None:
    given_: list[Any] = [Decimal("0.1"), "0.1", 0.1]
    assert {Price(one, 1).prompt for one in given_} == {Decimal("0.1")}
    assert Price(3, 1).prompt == 3


@pytest.mark.parametrize("wrong", [-1, "-0.01", "free", "nan", float("inf"), None, True, ""])
def test_what_is_no_price_raises(wrong: Any) -> None:
    with pytest.raises(ValueError, match="prompt is an amount of dollars"):
        Price(wrong, 1)


# ---- a table


@pytest.mark.parametrize("wrong", [(2.5, 10), [{"prompt": 1, "completion": 2}], "2.50"], ids=repr)
def test_a_table_takes_prices_alone(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"'acme-1' needs a Price\("):
        PriceTable({"acme-1": wrong})


def test_an_unknown_model_costs_none() -> None:
    table = PriceTable()
    for name in ("gpt-4.1-mini", "gpt-4", "claude-sonnet-4", "", "deepseek-v3.2:free"):
        assert table.price(name) is None
        assert table.cost(FEW, name) is None


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("gpt-4.1-2025-04-14", "12.50"),
        ("anthropic/claude-sonnet-4.5", "18"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "18"),
        ("models/gemini-2.5-flash", "1.50"),
        ("deepseek-ai/DeepSeek-V3.2", "0.42"),
    ],
)
def test_the_small_table_knows_its_models_by_all_names(name: str, cost: str) -> None:
    assert PriceTable().cost(MILLION, name) == Decimal(cost)


def test_the_small_table_says_of_when_it_is() -> None:
    table = PriceTable()
    assert table.as_of is not None
    assert len(table.models) == len(PRICES)
    for name in PRICES:
        price = table.price(name)
        assert price is not None
        assert price.valid_from is not None
        assert price.valid_from <= table.as_of
        assert table.price(name, at=price.valid_from - timedelta(days=1)) is None


def test_prices_have_their_days() -> None:
    second, third = date(2026, 3, 1), "2026-05-01"
    table = PriceTable(
        {"m": [Price(3, 3, valid_from=third), Price(1, 1), Price(2, 2, valid_from=second)]}
    )
    days = {"2026-02-28": 1, "2026-03-01": 2, "2026-04-30": 2, "2026-05-01": 3, "2030-01-01": 3}
    for day, prompt in days.items():
        price = table.price("m", at=date.fromisoformat(day))
        assert price is not None
        assert price.prompt == prompt
    newest = table.price("m")
    assert newest is not None
    assert newest.prompt == 3


def test_a_moment_is_on_the_day_that_it_is_in_utc() -> None:
    table = PriceTable({"m": [Price(1, 1), Price(2, 2, valid_from="2026-03-01")]})
    east = timezone(timedelta(hours=2))
    at = datetime(2026, 3, 1, 1, tzinfo=east)
    assert table.price("m", at=at) == Price(1, 1)
    assert table.price("m", at=at.replace(tzinfo=UTC)) == Price(2, 2, valid_from="2026-03-01")
    assert table.price("m", at=at.replace(tzinfo=None)) == Price(2, 2, valid_from="2026-03-01")


def test_two_prices_of_one_day_are_none() -> None:
    with pytest.raises(ValueError, match="one price for each valid_from"):
        PriceTable({"m": [Price(1, 1), Price(2, 2)]})
    with pytest.raises(ValueError, match="one price for each valid_from"):
        PriceTable({"gpt-4.1": Price(1, 1), "openai/gpt-4-1": Price(2, 2)})
    with pytest.raises(ValueError, match="one price for each valid_from"):
        PriceTable({"m": []})


def test_a_snapshot_may_have_a_price_of_its_own() -> None:
    table = PriceTable({"gpt-4o": Price(2, 2), "gpt-4o-2024-05-13": Price(5, 5)})
    assert table.price("gpt-4o-20240513") == Price(5, 5)
    assert table.price("gpt-4o-2024-08-06") == Price(2, 2)
    assert table.price("gpt-4o") == Price(2, 2)


def test_a_provider_may_have_prices_of_its_own() -> None:
    table = PriceTable(
        {"m": Price(1, 1), "n": Price(2, 2)}, providers={"Azure": {"m": Price(9, 9)}}
    )
    assert table.price("m", "azure") == Price(9, 9)
    assert table.price("m", "openai") == table.price("m") == Price(1, 1)
    assert table.price("n", "azure") == Price(2, 2)
    more = table.with_prices({"n": Price(7, 7)}, provider="AZURE")
    assert more.price("n", "azure") == Price(7, 7)
    assert more.price("n") == Price(2, 2)


def test_a_gateways_share() -> None:
    table = PriceTable({"m": Price(2, 4, 1, 3, 5, "2026-01-01")}).scaled(Decimal("0.5"))
    assert table.price("m") == Price(1, 2, "0.5", "1.5", "2.5", "2026-01-01")
    half = PriceTable().scaled("0.5").cost(FEW, "gpt-4.1")
    assert half == Decimal("0.006125")
    with pytest.raises(ValueError, match="factor"):
        table.scaled(-1)


def test_a_plan_is_estimated() -> None:
    table = PriceTable()
    known = table.estimate({"gpt-4.1": (1_000_000, 1_000_000), "gemini-2.5-flash": (1_000_000, 0)})
    assert known.by_model == {"gpt-4.1": Decimal("12.5"), "gemini-2.5-flash": Decimal("0.3")}
    assert known.total == Decimal("12.8")
    unknown = table.estimate({"gpt-4.1": (1_000_000, 0), "acme-1": (1, 1)})
    assert unknown.by_model == {"gpt-4.1": Decimal("2.5"), "acme-1": None}
    assert unknown.total is None
    assert table.estimate({}).total == 0


def test_one_table_goes_over_another_and_both_stay() -> None:
    table = PriceTable()
    own = PriceTable(
        {"gpt-4.1-2025-04-14": Price(1, 1), "acme": Price(3, 3)},
        providers={"azure": {"acme": Price(4, 4)}},
        as_of="2027-01-01",
    )
    merged = table.with_prices(own)
    assert merged.price("acme", "azure") == Price(4, 4)
    assert merged.price("gpt-4.1") == table.price("gpt-4.1")
    assert merged.price("gpt-4.1-2025-04-14") == Price(1, 1)
    assert (merged.as_of, table.as_of) == (date(2027, 1, 1), PriceTable().as_of)
    assert table == PriceTable()
    assert table.with_prices({"GPT-4.1": Price(8, 8)}).price("openai/gpt-4.1") == Price(8, 8)
    with pytest.raises(ValueError, match="leave provider out"):
        table.with_prices(own, provider="azure")


def test_an_empty_table_knows_nothing() -> None:
    assert PriceTable({}).models == []
    assert repr(PriceTable({})) == "<PriceTable, 0 models>"
    assert PriceTable({}) != PriceTable()
