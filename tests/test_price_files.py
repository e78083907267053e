"""Tables as text: one shape in two formats, and every mistake told."""

from __future__ import annotations

import tomllib
from datetime import date
from decimal import Decimal

import pytest

from sans_io_stream import Price, PriceTable
from sans_io_stream.price_files import table_of

JSON = """{
  "as_of": "2026-11-01",
  "models": {
    "acme-1": {"prompt": 0.1, "completion": "0.30", "cached": 0.01, "reasoning": 1},
    "acme-2": [
      {"prompt": 1, "completion": 2},
      {"prompt": 2, "completion": 4, "valid_from": "2026-06-01"}
    ]
  },
  "providers": {"azure": {"acme-1": {"prompt": 5, "completion": 6, "cache_write": 7}}}
}"""

TOML = """
as_of = 2026-11-01

[models]
acme-1 = {prompt = 0.1, completion = "0.30", cached = 0.01, reasoning = 1}
acme-2 = [
  {prompt = 1, completion = 2},
  {prompt = 2, completion = 4, valid_from = 2026-06-01},
]

[providers.azure.acme-1]
prompt = 5
completion = 6
cache_write = 7
"""


def test_both_formats_say_the_same() -> None:
    table = PriceTable.from_json(JSON)
    assert table == PriceTable.from_toml(TOML) == PriceTable.from_json(JSON.encode())
    assert table.as_of == date(2026, 11, 1)
    assert table.price("acme-1") == Price("0.1", "0.3", cached="0.01", reasoning=1)
    assert table.price("acme-1", "azure") == Price(5, 6, cache_write=7)
    assert table.price("acme-2", at=date(2026, 5, 31)) == Price(1, 2)
    assert table.price("acme-2") == Price(2, 4, valid_from="2026-06-01")


def test_numbers_stay_as_they_are_written() -> None:
    text = '{"models": {"m": {"prompt": 0.12345678901234567890123, "completion": 1}}}'
    price = PriceTable.from_json(text).price("m")
    assert price is not None
    assert price.prompt == Decimal("0.12345678901234567890123")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"models": ', "truncated"),
        ("[]", "Expected `object`"),
        ('{"model": {}}', "unknown field `model`"),
        ('{"models": {"m": {"prompt": 1}}}', "missing required field `completion`"),
        ('{"models": {"m": {"prompt": 1, "completion": 1, "cahced": 1}}}', "`cahced`"),
        ('{"models": {"m": {"prompt": -1, "completion": 1}}}', "prompt is an amount of dollars"),
        ('{"models": {"m": {"prompt": "much", "completion": 1}}}', "much|decimal"),
        ('{"models": {"m": []}}', "needs one price"),
        ('{"as_of": "yesterday"}', "date"),
    ],
)
def test_what_is_no_table_raises_and_says_why(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        PriceTable.from_json(text)
    assert str(refused.value).startswith("no table of prices: ")


def test_toml_that_is_none_raises() -> None:
    with pytest.raises(ValueError, match="no table of prices: "):
        PriceTable.from_toml("[[[")
    with pytest.raises(ValueError, match=r"no table of prices: .*`cahced`"):
        PriceTable.from_toml("models.m = {prompt = 1, completion = 1, cahced = 1}")


def test_tables_that_are_read_already() -> None:
    text = 'as_of = 2026-01-02\n[models]\nm = {prompt = 0.1, completion = "2"}'
    assert table_of(tomllib.loads(text)) == PriceTable.from_toml(text)
    with pytest.raises(ValueError, match=r"no table of prices: .*`modles`"):
        table_of({"modles": {}})
