"""Framings: bytes → items, one file per wire format. A framing knows no provider.

``FRAMINGS`` names them all. Each is built with the ``Limits`` it keeps to, fed with bytes,
and ended once (see ``items.Framing``); ``sniff.Sniffer`` finds the name of the one to use.
"""

from __future__ import annotations

from .eventstream import EventStream
from .json_array import JSONArray
from .json_seq import JSONSequence
from .jsonl import JSONLines
from .sse import SSE
from .text import Text

__all__ = ["FRAMINGS", "AnyFraming"]

AnyFraming = EventStream | JSONArray | JSONLines | JSONSequence | SSE | Text

FRAMINGS: dict[str, type[AnyFraming]] = {
    "eventstream": EventStream,
    "json-array": JSONArray,
    "json-seq": JSONSequence,
    "jsonl": JSONLines,
    "sse": SSE,
    "text": Text,
}
