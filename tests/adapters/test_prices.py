"""Prices out of files, and out of genai-prices."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import Budget, Price, PriceTable, StreamRequest, TokenTracker, Usage
from sans_io_stream_adapters.prices import GenaiPrices, load_prices

if TYPE_CHECKING:
    from sans_io_stream.pricing import Prices

MILLION = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)


@pytest.fixture
def theirs() -> GenaiPrices:
    pytest.importorskip("genai_prices")
    return GenaiPrices()


# ---- files


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    json, toml = tmp_path / "prices.json", tmp_path / "PRICES.TOML"
    json.write_text('{"models": {"acme-1": {"prompt": 0.1, "completion": 0.2}}}')
    toml.write_text("[models]\nacme-1 = {prompt = 0.1, completion = 0.2}\n")
    assert load_prices(json) == load_prices(str(toml))
    assert load_prices(json).price("acme-1") == Price("0.1", "0.2")


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    with pytest.raises(FileNotFoundError):
        load_prices(path)
    path.write_text('{"models": {"m": {"prompt": 1}}}')
    with pytest.raises(ValueError, match=r"prices\.json: no table of prices: .*`completion`"):
        load_prices(path)


# ---- genai-prices


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4.1", None),
        ("gpt-4.1-2025-04-14", "openai"),
        ("openai/gpt-4.1", "openai-chat"),
        ("gpt-4.1", "azure"),
        ("models/gemini-2.5-flash", "gemini"),
        ("gemini-2.5-flash", "vertex"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("anthropic/claude-sonnet-4.5", None),
        ("grok-4", "xai"),
        ("deepseek-chat", "deepseek"),
    ],
)
def test_models_are_found_by_our_names(
    theirs: GenaiPrices, model: str, provider: str | None
) -> None:
    cost = theirs.cost(MILLION, model, provider)
    assert cost is not None
    assert cost > 0


def test_what_is_not_known_costs_none(theirs: GenaiPrices) -> None:
    assert theirs.cost(MILLION, "acme-1") is None
    assert theirs.cost(MILLION, "gpt-4.1", "acme") is None
    assert theirs.cost(Usage(prompt_tokens=1), "gpt-4.1") is None
    more_than_all = Usage(prompt_tokens=1, completion_tokens=1, cached_tokens=5)
    assert theirs.cost(more_than_all, "gpt-4.1") is None


def test_parts_are_priced_as_their_package_does(theirs: GenaiPrices) -> None:
    genai_prices: Any = import_module("genai_prices")
    usage = Usage(
        prompt_tokens=1000, completion_tokens=500, cached_tokens=600, reasoning_tokens=200
    )
    told = genai_prices.Usage(
        input_tokens=1000, output_tokens=500, cache_read_tokens=600, output_reasoning_tokens=200
    )
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    expected = genai_prices.calc_price(
        told, "gpt-4.1", provider_id="openai", genai_request_timestamp=at
    )
    assert theirs.cost(usage, "gpt-4.1", "openai", date(2026, 1, 1)) == expected.total_price


def test_reasoning_is_priced_where_it_has_a_price(theirs: GenaiPrices) -> None:
    plain = Usage(prompt_tokens=1000, completion_tokens=500)
    thought = Usage(prompt_tokens=1000, completion_tokens=500, reasoning_tokens=400)
    assert theirs.cost(plain, "gpt-4.1") == theirs.cost(thought, "gpt-4.1")
    model = "sonar-deep-research"
    assert theirs.cost(plain, model, "perplexity") != theirs.cost(thought, model, "perplexity")


def test_a_day_is_its_noon_and_a_moment_itself(theirs: GenaiPrices) -> None:
    # DeepSeek charged less from 16:30 to 0:30 UTC.
    model, day = "deepseek-reasoner", date(2025, 6, 1)
    noon = datetime(2025, 6, 1, 12, tzinfo=UTC)
    dear = theirs.cost(MILLION, model, "deepseek", day)
    assert dear == theirs.cost(MILLION, model, "deepseek", noon)
    assert dear == theirs.cost(MILLION, model, "deepseek", noon.replace(tzinfo=None))
    cheap = theirs.cost(MILLION, model, "deepseek", noon + timedelta(hours=6))
    assert dear is not None
    assert cheap is not None
    assert cheap < dear


def test_it_stands_where_a_table_does(theirs: GenaiPrices) -> None:
    tables: list[Prices] = [theirs, PriceTable()]
    request = StreamRequest("POST", "http://api.test/", model="gpt-4.1", provider="openai")
    for prices in tables:
        tracker, budget = TokenTracker(prices), Budget(dollars=1, prices=prices)
        for observer in (tracker, budget):
            watch = observer.begin(request, 0.0)
            watch.saw([Usage(prompt_tokens=1000, completion_tokens=1000, final=True)], 0.0)
            watch.closed(1.0)
        assert tracker.cost == budget.spent_dollars
        assert Decimal("0.005") < (tracker.cost or 0) < Decimal("0.05")


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(ImportError, match=r"pip install 'sans-io-stream\[prices\]'"):
        GenaiPrices()
