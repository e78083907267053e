"""Sums that say what they do not know."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import Price, PriceTable, Usage
from sans_io_stream.tally import AccountKey, Pricing, Tally

COUNT = st.none() | st.integers(0, 1000)
ONE = st.tuples(
    st.builds(
        Usage,
        prompt_tokens=COUNT,
        completion_tokens=COUNT,
        cached_tokens=COUNT,
        cost=st.none() | st.sampled_from([0.1, 0.25, 3.0]),
    ),
    st.none() | st.decimals(0, 10, places=3),
)


@given(st.lists(ONE), st.lists(ONE))
def test_merging_is_adding_all(
    first: list[tuple[Usage, Decimal | None]], second: list[tuple[Usage, Decimal | None]]
) -> None:
    merged, rest, together = Tally(), Tally(), Tally()
    for usage, cost in first:
        merged.add(usage, cost)
        together.add(usage, cost)
    for usage, cost in second:
        rest.add(usage, cost)
        together.add(usage, cost)
    merged.merge(rest)
    assert merged == together


@given(st.lists(ONE))
def test_a_sum_is_none_exactly_where_nothing_is_known(
    many: list[tuple[Usage, Decimal | None]],
) -> None:
    tally = Tally()
    for usage, cost in many:
        tally.add(usage, cost)
    told = [usage.prompt_tokens for usage, _ in many if usage.prompt_tokens is not None]
    assert tally.usage(final=True).prompt_tokens == (sum(told) if told else None)
    costs = [cost for _, cost in many if cost is not None]
    assert tally.cost == (sum(costs) if costs and len(costs) == len(many) else None)
    assert tally.unpriced == len(many) - len(costs)
    reported = [Decimal(repr(usage.cost)) for usage, _ in many if usage.cost is not None]
    assert tally.reported == (sum(reported) if reported else None)


def test_without_prices_or_a_model_nothing_has_a_cost() -> None:
    usage = Usage(prompt_tokens=1, completion_tokens=1)
    prices = PriceTable({"m": Price(1_000_000, 0)})
    assert Pricing(prices).cost(usage, AccountKey(None, "m")) == 1
    assert Pricing(prices).cost(usage, AccountKey(None, None)) is None
    assert Pricing().cost(usage, AccountKey(None, "m")) is None
