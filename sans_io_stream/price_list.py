"""A small table of list prices, in dollars per million tokens, to begin with.

Each is valid from the day its model came out. Prices change and contracts differ: what a bill
depends on belongs into a table of one's own (``PriceTable.with_prices``, or a file).
"""

from __future__ import annotations

from .pricing import Price

__all__ = ["AS_OF", "PRICES"]

AS_OF = "2026-11-26"
"""The day on which this table was made."""

PRICES = {
    "gpt-4.1": Price("2.50", "10.00", valid_from="2025-04-14"),
    "claude-sonnet-4.5": Price("3.00", "15.00", valid_from="2025-09-29"),
    "gemini-2.5-flash": Price("0.30", "1.20", valid_from="2025-06-17"),
    "deepseek-v3.2": Price("0.14", "0.28", valid_from="2025-12-01"),
}
