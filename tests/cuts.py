"""One body in many reads: how the tests cut what a framing or a decoder is fed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

__all__ = ["cut", "single", "two_way"]


def single(data: bytes) -> list[bytes]:
    """Byte by byte."""
    return [data[i : i + 1] for i in range(len(data))]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """In reads that end at these places; a place that stands twice gives an empty read."""
    inside = sorted(min(place, len(data)) for place in places)
    return [data[start:stop] for start, stop in pairwise((0, *inside, len(data)))]


def two_way(data: bytes) -> Iterator[list[bytes]]:
    """In two reads, at every place, with an empty one between them."""
    for place in range(len(data) + 1):
        yield [data[:place], b"", data[place:]]
