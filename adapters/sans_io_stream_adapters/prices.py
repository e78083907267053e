"""Prices from elsewhere: tables in files, and the package genai-prices.

What is here reads files and knows what day it is; the arithmetic is the core's (``pricing``).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sans_io_stream import PriceTable, Usage
from sans_io_stream.model_names import bare_name
from sans_io_stream.pricing import known_as

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from _typeshed import StrPath

__all__ = ["GenaiPrices", "load_prices"]

NOON = time(12, tzinfo=UTC)
UNITS = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "cache_read_tokens": "cached_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
    "input_audio_tokens": "audio_prompt_tokens",
    "output_audio_tokens": "audio_completion_tokens",
}
"""genai-prices' name of a count → ours. Both count parts within their wholes."""
SELLERS: dict[str, str | None] = {
    "bedrock": "aws",
    "bedrock-converse": "aws",
    "bedrock-invoke": "aws",
    "gemini": "google",
    "gemini-interactions": "google",
    "interactions": "google",
    "vertex": "google",
    "xai": "x-ai",
    **dict.fromkeys(("compatible", "openai-chat", "openai-completions", "openai-responses")),
}
"""Our name of a provider → genai-prices'; None for those that anybody may be: there the model
tells whose it is. All others are called the same."""


def load_prices(path: StrPath) -> PriceTable:
    """The table in a file: TOML if its name ends so, else JSON (see ``price_files``).

    Raises ``OSError`` for a file that cannot be read, ``ValueError`` for one that is no table,
    naming the file.
    """
    file = Path(path)
    text = file.read_text("utf-8")
    try:
        if file.suffix.lower() == ".toml":
            return PriceTable.from_toml(text)
        return PriceTable.from_json(text)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


class GenaiPrices:
    """The prices of the package genai-prices, with the ``cost`` of a ``PriceTable``.

    It knows some thousand models, tiers by the length of a prompt, and prices by the hour. Needs
    the extra ``prices``; raises ``ImportError``, saying so, without it.
    """

    def __init__(self) -> None:
        try:
            genai_prices: Any = import_module("genai_prices")
        except ModuleNotFoundError as missing:
            if missing.name != "genai_prices":
                raise
            raise ImportError(
                "genai-prices is not installed: pip install 'sans-io-stream[prices]'"
            ) from None
        self._usage: Callable[..., Any] = genai_prices.Usage
        self._price: Callable[..., Any] = genai_prices.calc_price

    def cost(
        self, usage: Usage, model: str, provider: str | None = None, at: date | None = None
    ) -> Decimal | None:
        """What these tokens cost, in dollars, at the moment ``at`` (a day: its noon, UTC; None:
        now).

        None for a model or a provider that the package does not know, for counts that nobody
        told, and for counts that it refuses.
        """
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        seller = None if provider is None else SELLERS.get(known_as(provider), known_as(provider))
        counts = {unit: getattr(usage, name) for unit, name in UNITS.items()}
        try:
            told = self._usage(**counts)
        except ValueError:
            return None
        for name in dict.fromkeys((model, bare_name(model))):
            try:
                found = self._price(
                    told, name, provider_id=seller, genai_request_timestamp=moment(at)
                )
            except LookupError:
                continue
            except ValueError:
                return None
            cost: Decimal = found.total_price
            return cost
        return None


def moment(at: date | None) -> datetime | None:
    """The moment that a day or a moment stands for."""
    if at is None:
        return None
    if not isinstance(at, datetime):
        return datetime.combine(at, NOON)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
