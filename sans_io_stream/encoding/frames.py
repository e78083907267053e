"""Records → bytes: the framings, from the other side.

A record is data without a line end, and its event name. JSON is written so that no reader
sees a line end in it, not even one that takes U+0085, U+2028 or U+2029 for one: what is no
printable character is escaped. Comments lose such characters. An event stream is written as
WHATWG HTML 9.2 has it, a JSON array as Gemini has it (``[{…}\\n,\\r\\n{…}]``).
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

import msgspec

from ..dialects.tolerant import scrub

__all__ = [
    "CONTENT_TYPES",
    "Comment",
    "Frames",
    "Framing",
    "Item",
    "Out",
    "as_json",
    "check_id",
    "escaped",
]

Framing = Literal["sse", "jsonl", "json-array", "text"]

CONTENT_TYPES: dict[Framing, str] = {
    "sse": "text/event-stream",
    "jsonl": "application/x-ndjson",
    "json-array": "application/json",
    "text": "text/plain; charset=utf-8",
}

UNSEEN = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf")
"""In UTF-8: DEL, C1 controls (U+0085 among them), U+2028, U+2029, and the BOM."""
LINE_ENDS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
"""What some reader takes for a line end, or does not see."""
NOT_IN_AN_ID = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
"""The same but for the tab: an id cannot be escaped, and has to come back as it is."""

_ENCODE = msgspec.json.Encoder().encode


class Out(NamedTuple):
    """One record: its data as JSON value or as bytes, and the name of its event."""

    value: dict[str, Any] | bytes
    type: str = ""


class Comment(NamedTuple):
    """A sign of life that is no record: a comment, or with None an empty line."""

    text: str | None


Item = Out | Comment


class Frames(msgspec.Struct):
    """The framing of one body. All fields are state."""

    framing: Framing
    began: bool = False
    """A record is out."""

    def frame(self, item: Item, id: str | None) -> bytes:
        """The bytes of one item; ``id`` is written where the framing has a place for it."""
        if isinstance(item, Comment):
            return self.comment(item.text)
        data = item.value if isinstance(item.value, bytes) else as_json(item.value)
        first, self.began = not self.began, True
        if self.framing == "sse":
            name = f"event: {item.type}\n" if item.type else ""
            cursor = f"id: {id}\n" if id is not None else ""
            return (name + cursor).encode() + b"data: " + data + b"\n\n"
        if self.framing == "jsonl":
            return data + b"\n"
        if self.framing == "json-array":
            return (b"[" if first else b"\n,\r\n") + data
        return data

    def comment(self, text: str | None) -> bytes:
        """A comment where there are comments, else whitespace that no reader sees."""
        if self.framing == "sse" and text is not None:
            # Without an empty line: behind an id, OpenAI's SDK takes that for a record.
            line = LINE_ENDS.sub(" ", text).encode("utf-8", "replace")
            return b": " + line + b"\n" if line else b":\n"
        return b"" if self.framing == "text" else b"\n"

    def close(self) -> bytes:
        """What ends a body that is whole."""
        return b"]" if self.framing == "json-array" and self.began else b""


def check_id(id: str) -> None:
    """Raise ``ValueError`` for an id that the ``id`` field of an event stream cannot hold."""
    if NOT_IN_AN_ID.search(id):
        raise ValueError(
            f"an id holds no control character but HTAB, no U+2028, U+2029, U+FEFF: {id!a}"
        )
    try:
        id.encode()
    except UnicodeEncodeError:
        raise ValueError(f"an id holds no lone surrogates: {id!a}") from None


def as_json(value: Any) -> bytes:
    """``value`` as one line of JSON for every reader; lone surrogates become U+FFFD."""
    try:
        data = _ENCODE(value)
    except UnicodeEncodeError:
        data = _ENCODE(scrub(value))
    return escaped(data)


def escaped(data: bytes) -> bytes:
    """JSON on one line, with everything escaped that some reader might not see as text."""
    return UNSEEN.sub(_escape, data)


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
