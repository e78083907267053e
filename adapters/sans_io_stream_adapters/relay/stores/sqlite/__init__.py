"""Streams in a SQLite file.

``store`` is what the relay uses, ``worker`` the one thread in which all of it happens,
``database`` what is asked of the file, and ``schema`` how it is made and opened.
"""

from __future__ import annotations

from .store import SQLiteStore

__all__ = ["SQLiteStore"]
