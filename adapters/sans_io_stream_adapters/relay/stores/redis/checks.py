"""Whether a Redis is one that streams can be kept in, by what its ``INFO`` says."""

from __future__ import annotations

from ..protocol import StoreError

__all__ = ["check"]

OLDEST = (6, 2)
"""The first that has NOMKSTREAM and exclusive ranges. Valkey says 7.2."""


def check(info: str) -> None:
    """Raises ``StoreError`` where it is none, and says what to do.

    What would evict keys when it is full is refused: it would drop entries that readers have
    seen, and leases of workers that live. Without ``maxmemory`` nothing is evicted.
    """
    told = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = told.get("redis_version", "")
    numbers = tuple(int(one) for one in version.split(".")[:2] if one.isdigit())
    if numbers < OLDEST:
        raise StoreError(f"this is Redis {version}: 6.2, or any Valkey, is the oldest that will do")
    if told.get("redis_mode") == "cluster":
        raise StoreError("this is a Redis Cluster: give one Redis, with replicas if you like")
    if told.get("role") == "slave":
        raise StoreError("this is a replica: give the URL of its primary")
    policy = told.get("maxmemory_policy", "noeviction")
    if told.get("maxmemory", "0") != "0" and policy != "noeviction":
        raise StoreError(
            f"this Redis drops keys when it is full (maxmemory-policy {policy}): streams would "
            "lose what readers have seen. Set maxmemory-policy noeviction, or give another Redis"
        )
