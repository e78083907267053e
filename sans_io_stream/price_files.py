"""Price tables as text: JSON or TOML of one shape.

``as_of`` is a day; ``models`` maps a model's name to its price or to a list of them, one for
each ``valid_from``; ``providers`` maps a provider's name to ``models`` of its own. A price has
the fields of ``Price``, numbers or texts. A field that is not among these is a mistake, and
told as one: a price that is silently left out would be a wrong bill.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from .pricing import Given, Price, PriceTable

__all__ = ["json_table", "table_of", "toml_table"]


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """A price as it is written."""

    prompt: Decimal
    completion: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    valid_from: date | None = None

    def price(self) -> Price:
        return Price(
            self.prompt,
            self.completion,
            self.cached,
            self.cache_write,
            self.reasoning,
            self.valid_from,
        )


Models = dict[str, Written | list[Written]]


class Table(msgspec.Struct, forbid_unknown_fields=True):
    """A table as it is written."""

    models: Models = {}
    providers: dict[str, Models] = {}
    as_of: date | None = None

    def table(self) -> PriceTable:
        providers = {provider: given(models) for provider, models in self.providers.items()}
        return PriceTable(given(self.models), providers=providers, as_of=self.as_of)


def given(models: Models) -> Given:
    """The prices of these models."""
    return {
        model: one.price() if isinstance(one, Written) else [each.price() for each in one]
        for model, one in models.items()
    }


def table_of(data: Mapping[str, Any]) -> PriceTable:
    """The table that these tables are, as ``tomllib`` reads them. Raises ``ValueError`` for what
    is none."""
    try:
        return msgspec.convert(data, Table, builtin_types=(date,)).table()
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"no table of prices: {error}") from None


def json_table(data: bytes | str) -> PriceTable:
    """The table in this JSON. Raises ``ValueError`` for what is none."""
    try:
        return msgspec.json.decode(data, type=Table).table()
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"no table of prices: {error}") from None


def toml_table(text: str) -> PriceTable:
    """The table in this TOML. Raises ``ValueError`` for what is none."""
    try:
        return msgspec.toml.decode(text, type=Table).table()
    except (msgspec.MsgspecError, ValueError) as error:
        raise ValueError(f"no table of prices: {error}") from None
