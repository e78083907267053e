"""Our own events as JSON, whole: what the dialect ``native`` reads.

Every event is one record, those of the connection and ``ResumePoint`` included; what a reader
makes of them is its affair. The provider's usage object is written compact and alone. A
``StreamEnd`` of any outcome is told as it is.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from ..dialects.native import Native
from ..dialects.tolerant import scrub
from ..events import Event, Usage, encode_event
from .base import Format
from .counts import own_object
from .frames import Framing, Item, Out, escaped

__all__ = ["NativeFormat"]

LINE_ENDS = frozenset(b"\r\n")
"""What may stand between the tokens of JSON as it came."""


class NativeFormat(Format, kw_only=True):
    """One answer, for another process of this library."""

    name: ClassVar[str] = Native.name
    framings: ClassVar[tuple[Framing, ...]] = ("sse", "jsonl")
    steady: ClassVar[bool] = True

    def write(self, event: Event, out: list[Item]) -> None:
        if isinstance(event, Usage) and (
            event.path or not LINE_ENDS.isdisjoint(bytes(event.source))
        ):
            raw = msgspec.Raw(msgspec.json.encode(own_object(event)))
            event = msgspec.structs.replace(event, source=raw, path="")
        try:
            data = encode_event(event)
        except UnicodeEncodeError:
            data = encode_event(cleaned(event))
        out.append(Out(escaped(data)))


def cleaned(value: Any) -> Any:
    """A struct with U+FFFD for every lone surrogate in it."""
    if isinstance(value, msgspec.Struct):
        fields = {name: cleaned(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, tuple):
        return tuple(map(cleaned, value))  # pyright: ignore[reportUnknownArgumentType]
    return scrub(value)
