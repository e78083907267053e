"""Where the relay's streams are kept.

``protocol`` says what every store can do, and what those that several workers share can do
beside; ``memory``, ``sqlite`` and ``redis`` are the stores, each imported where it is used.
"""

from __future__ import annotations

from .protocol import Meta, News, Overtaken, Shared, Spent, Store, StoreError, Taken, TooMany

__all__ = [
    "Meta", "News", "Overtaken", "Shared", "Spent", "Store", "StoreError", "Taken", "TooMany",
]  # fmt: skip
