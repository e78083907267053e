"""Token counts: the merge rules.

Events are snapshots. Within a generation the last non-null value of each field wins, and two
snapshots of one response are never added; generations are. The normal form itself, and how
each provider's counts come to it, stand in ``usage_forms``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .events import Usage

__all__ = ["COUNTS", "add_known", "add_usage", "compact_usage", "merge_usage", "same_counts"]

COUNTS = tuple(
    field
    for field in Usage.__struct_fields__
    if field not in ("final", "generation", "source", "path")
)
"""The fields of ``Usage`` that are counts."""


def merge_usage(old: Usage | None, new: Usage) -> Usage:
    """``new`` with the counts of ``old`` where it says nothing."""
    if old is None:
        return new
    kept = {
        field: value
        for field in COUNTS
        if getattr(new, field) is None and (value := getattr(old, field)) is not None
    }
    return msgspec.structs.replace(new, **kept) if kept else new


def same_counts(old: Usage | None, new: Usage) -> bool:
    """Whether ``new`` counts what ``old`` did, wherever the two stood."""
    return old is not None and old == msgspec.structs.replace(new, source=old.source, path=old.path)


def compact_usage(usage: Usage) -> Usage:
    """The same, with the usage object alone as its ``source`` instead of the whole record."""
    if not usage.path:
        return usage
    return msgspec.structs.replace(
        usage, source=msgspec.Raw(msgspec.json.encode(usage.raw)), path=""
    )


def add_usage(generations: list[Usage]) -> Usage | None:
    """The counts of several generations added; the last one's own where there is just one."""
    if len(generations) < 2:
        return generations[0] if generations else None
    sums: dict[str, Any] = {
        field: add_known(*(getattr(usage, field) for usage in generations)) for field in COUNTS
    }
    last = generations[-1]
    return Usage(
        **sums,
        final=all(usage.final for usage in generations),
        generation=last.generation,
        source=last.source,
        path=last.path,
    )


def add_known(*parts: int | None) -> int | None:
    """The sum of the parts that are known; None if none is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
