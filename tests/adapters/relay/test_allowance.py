"""What a key may use: which values can be, and when a period begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream_adapters.relay.config import ClientKey
from sans_io_stream_adapters.relay.loading import ConfigError, load_config
from sans_io_stream_adapters.relay.operations.allowance import (
    Allowance,
    Period,
    ends_in,
    nanodollars,
    period_of,
)

HOME = '[upstreams.home]\nprovider = "ollama"\n[keys.ann]\nkey = "k"\n'


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "moment", "name", "seconds"),
    [
        ("day", "2026-11-27T00:00:00", "2026-11-27", 86400),
        ("day", "2026-12-31T23:59:59", "2026-12-31", 1),
        ("month", "2026-12-31T23:59:59", "2026-12", 1),
        ("month", "2028-02-01T00:00:00", "2028-02", 29 * 86400),
        ("month", "2026-02-28T12:00:00", "2026-02", 43200),
    ],
)
def test_periods_are_days_and_months_of_utc(
    period: Period, moment: str, name: str, seconds: float
) -> None:
    assert (period_of(period, at(moment)), ends_in(period, at(moment))) == (name, seconds)


@given(st.floats(0, 4e9), st.sampled_from(["day", "month"]))
def test_another_period_begins_where_one_ends(moment: float, period: Period) -> None:
    left = ends_in(period, moment)
    assert 0 < left <= 31 * 86400
    # A millisecond: times of now are no more exact than that.
    assert period_of(period, moment + left + 0.001) > period_of(period, moment)
    assert period_of(period, moment + max(0.0, left - 0.001)) == period_of(period, moment)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "dollars, tokens, or both"),
        ({"tokens": -1}, "tokens is at least 0"),
        ({"dollars": "x"}, "dollars is an amount"),
        ({"dollars": -1}, "dollars is an amount"),
        ({"tokens": 1, "period": "week"}, 'period is "day" or "month"'),
    ],
)
def test_what_is_no_budget(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Allowance(**fields)


def test_no_part_of_a_dollar_is_lost() -> None:
    assert nanodollars(Decimal("5.00")) == 5_000_000_000
    assert nanodollars(Decimal("0.0000000001")) == 1


def test_a_file_says_it(tmp_path: Any) -> None:
    file = tmp_path / "relay.toml"
    told = 'streams = 3\nmetrics = true\nbudget = { dollars = 0.1, period = "month" }\n'
    prices = "[prices.models]\nm = { prompt = 1, completion = 1 }\n"
    file.write_text(HOME + told + prices, "utf-8")
    budget = Allowance(dollars=Decimal("0.1"), period="month")
    key = ClientKey.of("ann", "k", streams=3, metrics=True, budget=budget)
    assert load_config(file).keys == (key,)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("streams = 0", r"line 5: \[keys.ann\] streams"),
        ("budget = { tokens = 1.5 }", r"\[keys.ann.budget\] tokens: it has to be a whole number"),
        ('budget = { tokens = 1, period = "week" }', r"\[keys.ann.budget\] period"),
        ("budget = { token = 1 }", "did you mean tokens"),
        ("budget = { dollars = true }", r"\[keys.ann.budget\] dollars: it has to be an amount"),
        ('budget = { dollars = "1" }', r"\[prices\] are needed"),
        ('log_format = "x"', "there is no such key"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Any, text: str, why: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(f"{HOME}{text}\n", "utf-8")
    with pytest.raises(ConfigError, match=why):
        load_config(file)
