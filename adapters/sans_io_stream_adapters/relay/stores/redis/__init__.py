"""Streams in Redis or Valkey, for several workers.

``store`` is what the relay uses. ``scripts`` says which keys there are, ``values`` what stands in
them; ``link`` makes the connections, ``worker`` holds the lease, ``writing`` writes entries once,
``following`` hears of the others', and ``checks`` looks whether a Redis will do.
"""

from __future__ import annotations

from .store import RedisStore

__all__ = ["RedisStore"]
