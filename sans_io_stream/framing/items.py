"""What a framing hands on: items, each the smallest whole thing on the wire.

A framing returns a list of items from ``feed(data)`` and ``end()``. A bare ``bytes`` in
that list is the data of a record that looks just like the ones before it (same type, no
id of its own, the same first bytes, which are left out): the shortcut that makes a plain
delta cheap. Everything else is one of the
classes below. A framing knows no provider.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from ..errors import ErrorInfo

__all__ = [
    "PLAIN",
    "Blank",
    "Broken",
    "Comment",
    "Framing",
    "Item",
    "PlainForm",
    "Stray",
    "Unfinished",
    "WireRecord",
]


class WireRecord(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """One whole record: ``type`` "" where the wire names none, ``id`` only if its own.

    ``headers`` are those of a binary frame.
    """

    data: bytes
    type: str = ""
    id: str | None = None
    headers: dict[str, Any] | None = None


class PlainForm(msgspec.Struct, frozen=True, gc=False):
    """What the bare ``bytes`` items of one ``feed`` have in common.

    Their records have this ``type``, and ``head[cut:]``, the lead, in front of the bytes.
    """

    type: str = ""
    head: bytes = b""
    cut: int = 0

    @property
    def lead(self) -> bytes:
        """The first bytes of each record's data, which the items leave out."""
        return self.head[self.cut :]

    @property
    def has_lead(self) -> bool:
        """Whether the items lack the beginning of their records."""
        return self.cut < len(self.head)

    def whole(self, item: bytes) -> WireRecord:
        """The record of which ``item`` is the bare form."""
        return WireRecord(self.head[self.cut :] + item, self.type)


PLAIN = PlainForm()


class Comment(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """A comment line of an event stream, without its colon."""

    text: str


class Blank(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """A block of an event stream without data: never dispatched, but its id is kept."""

    type: str = ""
    id: str | None = None
    told: bool = False
    """It has been told already that the server is alive."""


class Stray(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """Bytes that the framing's grammar ignores (an unknown field), reported lest they be lost.

    ``whole`` says that they are one whole JSON document that stood between the records.
    """

    data: bytes
    whole: bool = False


class Unfinished(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """The record that the end of input cut off, or that lacks only its terminator.

    ``closed`` says that the framing itself marks the end of a value, so that a whole JSON
    value needs no terminator even if the transport was cut.
    """

    record: WireRecord
    closed: bool = False


class Broken(msgspec.Struct, frozen=True, gc=False, tag_field="item", tag=True):
    """The framing cannot go on. Nothing follows it."""

    error: ErrorInfo


Item = bytes | WireRecord | Comment | Blank | Stray | Unfinished | Broken


class Framing(Protocol):
    """Bytes → items, incremental and linear in the bytes for every chunking.

    An implementation is a ``msgspec.Struct`` whose fields are its whole state, so that a
    snapshot is its encoding.
    """

    mixed: bool
    """What ``feed`` returned last holds other items than bare ``bytes``."""
    form: PlainForm
    """Of the bare ``bytes`` items in what ``feed`` returned last."""
    shortcuts: bool
    """False turns every shortcut for speed off. The items stay the same but for bare ones."""

    @property
    def closed(self) -> bool:
        """Nothing in the bytes so far says that more must come."""
        ...

    def feed(self, data: bytes) -> list[Item]:
        """The items that ``data`` completes."""
        ...

    def end(self) -> list[Item]:
        """The items that the end of input completes. Nothing may be fed afterwards."""
        ...
