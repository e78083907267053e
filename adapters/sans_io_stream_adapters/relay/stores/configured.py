"""From a configuration to the store that it names. Each is imported when it is needed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .protocol import StoreError

if TYPE_CHECKING:
    from ..config import RelayConfig
    from .protocol import Store

__all__ = ["store_of"]


def store_of(config: RelayConfig) -> Store:
    """The store that is configured. Raises ``StoreError`` where it cannot be made."""
    if config.store == "memory":
        from .memory import MemoryStore

        return MemoryStore()
    if config.in_redis:
        # Workers drop what has expired; Redis does where none is left.
        expire = 2 * config.retention + 3600 if config.retention < math.inf else None
        told = config.redis
        try:
            from .redis import RedisStore

            return RedisStore(
                config.store, lease=told.lease, prefix=told.prefix, expire_seconds=expire
            )
        except (ImportError, ValueError) as error:
            raise StoreError(str(error)) from None
    from .sqlite import SQLiteStore

    return SQLiteStore(config.store)
