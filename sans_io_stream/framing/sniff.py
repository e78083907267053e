"""Which framing a body has: by its content type, unless its first bytes say that it lies.

The rules, on the first significant byte (after one BOM and ASCII whitespace):

- NUL as the very first byte: ``eventstream``; RS: ``json-seq``.
- ``{``: ``jsonl`` if the first line is one whole value, else ``json-array``, which finds
  values by structure and so reads a document over many lines. But no document has a line
  end inside a string: a first line that ends there is a broken one of ``jsonl``. Under a
  content type of JSON lines so is one whose next line begins with ``{`` too, or has no next.
- ``[``: ``json-array``; under a content type of JSON lines ``jsonl`` if the first line is
  one whole value and ends with its LF.
- Under ``text/event-stream`` all else is ``sse``. Under any other type a colon, or a field
  name of event streams before a colon or line end, is ``sse`` too.
- What remains is ``jsonl`` under a JSON type, else ``text``.
- Under ``text/plain`` an answer may begin like anything, so its first line has to prove that
  it is none: ``jsonl`` if it is one whole object of JSON, ``json-array`` if it is a lone
  ``{`` or ``[`` or begins with ``[{``, ``sse`` if it is a comment or a data line with a
  whole JSON value or ``[DONE]``, which lines without data may precede; else ``text``.
- Under ``application/vnd.amazon.eventstream`` these rules hold only if the first
  significant byte is not a control character.

It settles within the first 64 KiB: a first line that is still open then is
``json-array``, but ``jsonl`` if it begins with ``{`` under a content type of JSON lines; under
``text/plain`` an open object is taken as under no type. At the end of input a first line
without its LF counts as a line if it is one whole object, and under ``text/plain`` always.
The answer is a function of the content type and the bytes, never of the reads.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ..json_scan import JSONScan

__all__ = ["Sniffer"]

FramingName = Literal["eventstream", "json-array", "json-seq", "jsonl", "sse", "text"]
Claim = Literal["", "eventstream", "json", "jsonl", "plain", "sse"]

WINDOW = 64 << 10
BOM = b"\xef\xbb\xbf"
RS, OBJECT, ARRAY, COLON = b"\x1e{[:"
LETTERS = b"az"
SIGNIFICANT = re.compile(rb"[^ \t\r\n\v\f]")
NOT_BLANK = re.compile(rb"[^ \t\r]")
LINE_END = re.compile(rb"[\r\n]")
OPEN_OBJECT = re.compile(rb'(data:)?[ \t]*(\[[ \t]*)?\{[ \t]*"')
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
    broken: bool = False
    """The first line ended before its value; only blanks have followed it."""
    line: int = -1
    """Where the line begins that is to prove an event stream, if it is not the first."""

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
        if self.start < 0 and not self.position and end and LETTERS[0] <= seen[0] <= LETTERS[1]:
            self.start = 0
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
        if claim == "plain":
            return self._plain(end)
        if byte == OBJECT or (byte == ARRAY and claim == "jsonl"):
            return self._line(end)
        if byte == ARRAY:
            return "json-array"
        if claim == "sse" or byte == COLON:
            return "sse"
        field = _is_field(bytes(seen[self.start : min(self.start + 6, end)]))
        if field is None:
            return None
        return "sse" if field else self._otherwise(at_end=False)

    def _line(self, end: int) -> FramingName | None:
        """Read on in the first line, of which a value is the beginning."""
        if self.broken:
            return self._after_broken(end)
        if not self.whole:
            if self.scan is None:
                stop = self.seen.find(b"\n", self.start, end)
                # Mostly it is, and this is quick.
                if stop >= 0 and _is_json(memoryview(self.seen)[self.start : stop]):
                    return "jsonl"
                self.scan = JSONScan(max_depth=WINDOW)
            piece = bytes(self.seen[self.position : end])
            line = piece.partition(b"\n")[0]
            offset = self.scan.feed(line)
            if offset is None:
                if len(line) == len(piece):
                    self.position = end
                    return None
                if self.scan.quoted:
                    return "jsonl"
                if not self._claims_objects():
                    return "json-array"
                self.broken = True
                self.position += len(line) + 1
                return self._after_broken(end)
            self.position += offset
            self.whole = True
            self.scan = None
        found = NOT_BLANK.search(self.seen, self.position, end)
        if found is None:
            self.position = end
            return None
        return "jsonl" if found.group() == b"\n" else "json-array"

    def _after_broken(self, end: int) -> FramingName | None:
        """Look for the beginning of the line after a broken one."""
        found = SIGNIFICANT.search(self.seen, self.position, end)
        if found is None:
            self.position = end
            return None
        return "jsonl" if found.group() == b"{" else "json-array"

    def _claims_objects(self) -> bool:
        """Whether the first value is an object, and the content type says lines of them."""
        return self.seen[self.start] == OBJECT and _claim(self.content_type) == "jsonl"

    def _plain(self, end: int, *, at_end: bool = False) -> FramingName | None:
        """Read on in what is said to be plain text."""
        seen = self.seen
        byte = seen[self.start]
        if byte == ARRAY:
            after = NOT_BLANK.search(seen, max(self.position, self.start + 1), end)
            if after is not None:
                return "json-array" if after.group() in (b"{", b"\n") else "text"
            self.position = end
            return "json-array" if at_end else None
        if byte != OBJECT:
            return self._plain_lines(end, at_end=at_end)
        stop = seen.find(b"\n", self.position, end)
        if stop < 0:
            self.position = stop = end
            if not at_end:
                return None
        line = bytes(seen[self.start : stop])
        if line.strip() == b"{":
            return "json-array"
        return "jsonl" if _is_json(line) else "text"

    def _plain_lines(self, end: int, *, at_end: bool) -> FramingName | None:
        """Whether these are lines of an event stream, up to the first that proves it."""
        seen = self.seen
        while True:
            begin = max(self.line, self.start)
            if begin < end and seen[begin] == COLON:
                return "sse"
            found = LINE_END.search(seen, self.position, end)
            stop = end if found is None else found.start()
            if found is None and not at_end:
                self.position = end
                field = _is_field(bytes(seen[begin : min(begin + 6, end)]))
                return "text" if field is False else None
            name, _, value = bytes(seen[begin:stop]).partition(b":")
            value = value.strip()
            if name and name not in SSE_FIELDS:
                return "text"
            if name == b"data" and value:
                return "sse" if value == b"[DONE]" or _is_json(value) else "text"
            if found is None:
                return "text"
            self.line = self.position = stop + 1

    def _otherwise(self, *, at_end: bool) -> FramingName:
        """The framing where the first bytes do not tell, or not soon enough."""
        claim = _claim(self.content_type)
        if claim == "plain":
            return self._last_of_plain(at_end=at_end)
        if self.whole or self.scan is not None:
            if self.broken or not at_end:
                return "jsonl" if self._claims_objects() else "json-array"
            line = self.whole and self.seen[self.start] == OBJECT
            return "jsonl" if line else "json-array"
        if claim == "json":
            return "jsonl"
        if claim == "eventstream" and self.start >= 0:
            return "text"
        return claim or "text"

    def _last_of_plain(self, *, at_end: bool) -> FramingName:
        """The framing of what is said to be plain text where its line has not ended."""
        if self.start < 0:
            return "text"
        if at_end:
            return self._plain(len(self.seen), at_end=True) or "text"
        found = OPEN_OBJECT.match(self.seen, max(self.line, self.start))
        if found is None:
            return "text"
        return "sse" if found.group(1) else "json-array"


def _is_json(line: bytes | memoryview) -> bool:
    """Whether ``line`` is one JSON value."""
    try:
        _SKIP(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _is_field(word: bytes) -> bool | None:
    """Whether a line that begins with ``word`` is a field of event streams, if that is known."""
    for name in SSE_FIELDS:
        if name.startswith(word):
            return None
        if word.startswith(name) and word[len(name) : len(name) + 1] in SSE_FIELD_ENDS:
            return True
    return False


def _claim(content_type: str | None) -> Claim:
    """What the content type says, as far as it says anything about framing."""
    if not content_type:
        return ""
    if content_type == "text/event-stream":
        return "sse"
    kind = content_type.partition(";")[0].partition(",")[0].strip().lower()
    if kind == "text/event-stream":
        return "sse"
    if kind == "application/vnd.amazon.eventstream":
        return "eventstream"
    if kind == "text/plain":
        return "plain"
    if JSON_LINES.search(kind):
        return "jsonl"
    return "json" if kind.endswith(("/json", "+json")) else ""
