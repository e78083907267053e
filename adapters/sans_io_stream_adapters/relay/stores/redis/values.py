"""What stands in Redis, as values, and back: places in a stream, entries, answers of scripts.

A place is ``EPOCH-NUMBER``, the id of what one ``append`` has written. All of its entries stand
there together, in one field, so that Redis keeps all of them or none; a mark, where an epoch
begins, has another field. Whatever is not as it was written raises ``StoreError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec

from sans_io_stream.relay import decode_entry, encode_entry

from ..protocol import Meta, StoreError

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

__all__ = [
    "DAMAGED", "Place", "Rows", "entries_at", "entries_in", "key_of", "meta_of", "read_as",
    "value_of",
]  # fmt: skip

T = TypeVar("T")
Rows = list[tuple[bytes, list[bytes]]]
"""Places, and their fields with their values."""
DAMAGED = "what is in Redis is not what was written there"
VALUES = msgspec.msgpack.Decoder(list[bytes])


class Place(NamedTuple):
    """Where something stands in a stream."""

    epoch: int
    number: int

    @classmethod
    def of(cls, text: bytes) -> Place:
        """The place of that name."""
        epoch, _, number = text.partition(b"-")
        try:
            return cls(int(epoch), int(number))
        except ValueError:
            raise StoreError(DAMAGED) from None

    def __str__(self) -> str:
        return f"{self.epoch}-{self.number}"


def read_as(kind: type[T], answer: object) -> T:
    """An answer, if it is of that type."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError:
        raise StoreError(DAMAGED) from None


def value_of(entries: Sequence[Entry]) -> bytes:
    """What one ``append`` writes."""
    return msgspec.msgpack.encode([encode_entry(one) for one in entries])


def entries_at(fields: Sequence[bytes]) -> list[Entry]:
    """The entries at one place; none at a mark."""
    if fields[:1] != [b"e"]:
        return []
    try:
        return [decode_entry(one) for one in VALUES.decode(fields[1])]
    except (msgspec.DecodeError, IndexError):
        raise StoreError(DAMAGED) from None


def entries_in(rows: Rows, after: int, most: int | None = None) -> list[Entry]:
    """The entries at these places with numbers above ``after``, each one more than the last; the
    first so many. Places behind those are not looked at."""
    found: list[Entry] = []
    for _, fields in rows:
        if most is not None and len(found) >= most:
            break
        found += [one for one in entries_at(fields) if one.number > after]
    del found[len(found) if most is None else most :]
    if any(one.number != found[0].number + n for n, one in enumerate(found)):
        raise StoreError(DAMAGED)
    return found


def meta_of(data: object) -> Meta | None:
    """What is known of a stream; None for nothing."""
    if data is None:
        return None
    try:
        return msgspec.msgpack.decode(read_as(bytes, data), type=Meta)
    except msgspec.DecodeError:
        raise StoreError(DAMAGED) from None


def key_of(owner: str, key: str | None) -> str:
    """An idempotency key with its owner; empty for none."""
    return "" if key is None else f"{quote(owner, safe='')}:{key}"
