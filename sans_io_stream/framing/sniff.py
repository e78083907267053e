"""Which framing a body has: by its content type, unless its first bytes say that it lies.

The rules, on the first significant byte (after one BOM and ASCII whitespace):

- NUL as the very first byte: ``eventstream``; RS: ``json-seq``.
- ``{``: ``jsonl`` if the first line is one whole value, else ``json-array``, which finds
  values by structure and so reads a document over many lines.
- ``[``: ``json-array``; under a content type of JSON lines ``jsonl`` if the first line is
  one whole value and ends with its LF.
- Under ``text/event-stream`` all else is ``sse``. Under any other type a colon, or a field
  name of event streams before a colon or line end, is ``sse`` too.
- What remains is ``jsonl`` under a JSON type, else ``text``.
- Under ``application/vnd.amazon.eventstream`` these rules hold only if the first
  significant byte is not a control character.

It settles within the first 64 KiB: a first line that is still open then is
``json-array``. At the end of input a first line without its LF counts as a line if it is
one whole object. The answer is a function of the content type and the bytes, never of the
reads.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ..json_scan import JSONScan

__all__ = ["Sniffer"]

FramingName = Literal["eventstream", "json-array", "json-seq", "jsonl", "sse", "text"]
Claim = Literal["", "eventstream", "json", "jsonl", "sse"]

WINDOW = 64 << 10
BOM = b"\xef\xbb\xbf"
RS, OBJECT, ARRAY, COLON = b"\x1e{[:"
SIGNIFICANT = re.compile(rb"[^ \t\r\n\v\f]")
NOT_BLANK = re.compile(rb"[^ \t\r]")
SSE_FIELDS = (b"data", b"event", b"id", b"retry")
SSE_FIELD_ENDS = (b":", b"\r", b"\n")
JSON_LINES = re.compile(r"ndjson|jsonl|json-lines|json-seq|json-stream|stream\+json")


_SKIP = msgspec.json.Decoder(msgspec.Raw).decode


class Sniffer(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Finds the framing of one body. All fields are state."""

    content_type: str | None = None
    name: FramingName | None = None
    """The framing, once it is settled."""
    seen: bytearray = bytearray()
    position: int = 0
    """How far ``seen`` was read."""
    start: int = -1
    """Where the first significant byte is, once it is known."""
    scan: JSONScan | None = None
    """Set while the value on the first line is not whole."""
    whole: bool = False
    """The value on the first line is whole; only blanks have followed it."""

    def feed(self, data: bytes) -> FramingName | None:
        """The framing if it is settled, else None."""
        self.seen += data
        if self.name is None:
            end = min(len(self.seen), WINDOW)
            self.name = self._look(end)
            if self.name is None and end == WINDOW:
                self.name = self._otherwise(at_end=False)
        return self.name

    def end(self) -> FramingName:
        """The framing, settled by the end of input if by nothing before."""
        if self.name is None:
            self.name = self._otherwise(at_end=True)
        return self.name

    def head(self) -> bytes:
        """All that was fed: what the framing is to be fed first."""
        return bytes(self.seen)

    def _look(self, end: int) -> FramingName | None:
        seen = self.seen
        if self.start < 0:
            if not self.position:
                if end < len(BOM) and BOM.startswith(seen):
                    return None
                self.position = len(BOM) if seen.startswith(BOM) else 0
            found = SIGNIFICANT.search(seen, self.position, end)
            if found is None:
                self.position = end
                return None
            self.start = self.position = found.start()
        byte = seen[self.start]
        claim = _claim(self.content_type)
        if (byte == 0 and not self.start) or (claim == "eventstream" and byte < 0x20):
            return "eventstream"
        if byte == RS:
            return "json-seq"
        if byte == OBJECT or (byte == ARRAY and claim == "jsonl"):
            return self._line(end)
        if byte == ARRAY:
            return "json-array"
        if claim == "sse" or byte == COLON:
            return "sse"
        word = bytes(seen[self.start : min(self.start + 6, end)])
        for name in SSE_FIELDS:
            if name.startswith(word):
                return None
            if word.startswith(name) and word[len(name) : len(name) + 1] in SSE_FIELD_ENDS:
                return "sse"
        return self._otherwise(at_end=False)

    def _line(self, end: int) -> FramingName | None:
        """Read on in the first line, of which a value is the beginning."""
        if not self.whole:
            if self.scan is None:
                if self._is_json(end):
                    return "jsonl"
                self.scan = JSONScan(max_depth=WINDOW)
            piece = bytes(self.seen[self.position : end])
            line = piece.partition(b"\n")[0]
            offset = self.scan.feed(line)
            if offset is None:
                self.position = end
                return "json-array" if len(line) < len(piece) else None
            self.position += offset
            self.whole = True
            self.scan = None
        found = NOT_BLANK.search(self.seen, self.position, end)
        if found is None:
            self.position = end
            return None
        return "jsonl" if found.group() == b"\n" else "json-array"

    def _is_json(self, end: int) -> bool:
        """Whether the first line has ended and is JSON: mostly it is, and this is quick."""
        stop = self.seen.find(b"\n", self.start, end)
        if stop < 0:
            return False
        try:
            _SKIP(memoryview(self.seen)[self.start : stop])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        return True

    def _otherwise(self, *, at_end: bool) -> FramingName:
        """The framing where the first bytes do not tell, or not soon enough."""
        if self.whole or self.scan is not None:
            line = at_end and self.whole and self.seen[self.start] == OBJECT
            return "jsonl" if line else "json-array"
        claim = _claim(self.content_type)
        if claim == "json":
            return "jsonl"
        if claim == "eventstream" and self.start >= 0:
            return "text"
        return claim or "text"


def _claim(content_type: str | None) -> Claim:
    """What the content type says, as far as it says anything about framing."""
    if not content_type:
        return ""
    kind = content_type.partition(";")[0].partition(",")[0].strip().lower()
    if kind == "text/event-stream":
        return "sse"
    if kind == "application/vnd.amazon.eventstream":
        return "eventstream"
    if JSON_LINES.search(kind):
        return "jsonl"
    return "json" if kind.endswith(("/json", "+json")) else ""
