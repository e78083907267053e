"""Records with one value of a wrong type, for every value in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sans_io_stream.dialects.shapes import is_array, is_object

WRONG: tuple[Any, ...] = (None, True, 7, -1, 1.5, "x", [], ["x"], [None], {}, {"x": 1}, [[]])


def spoiled(record: Any) -> Iterator[Any]:
    """``record`` with each value in it, and itself, replaced by each wrong one."""
    yield from WRONG
    if is_object(record):
        for key, value in record.items():
            for other in spoiled(value):
                yield {**record, key: other}
    elif is_array(record):
        for i, value in enumerate(record):
            for other in spoiled(value):
                yield [*record[:i], other, *record[i + 1 :]]
