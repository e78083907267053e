"""The format: what a line of a capture says, both ways. docs/captures.md is its description.

A read is written as text wherever it is text. One that begins or ends inside a character
stays readable: the bytes of the cut characters stand beside the text, in hexadecimal. What
is no UTF-8 at all is base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Literal, NamedTuple

import msgspec

from ..errors import CaptureError

__all__ = [
    "ENDS", "LINES", "End", "Head", "Line", "Read", "bytes_of", "end_line", "head_line",
    "is_capture", "parse_head", "read_line",
]  # fmt: skip

FORMAT = "sans-io-stream capture"
VERSION = 1
BEGINNING = f'{{"format":"{FORMAT}"'.replace(" ", "").encode()

End = Literal["eof", "truncated", "error"]
ENDS: dict[str, End] = {"eof": "eof", "truncated": "truncated", "error": "error"}
# What moves a terminal's cursor, ends a line for some reader, or turns the direction of text.
UNSEEN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


class Read(NamedTuple):
    """One read: its bytes, and when they came, in seconds since the first."""

    time: float
    data: bytes


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    format: str = ""
    version: int = 0
    dialect: str | None = None
    request: str | None = None
    status: int = 200
    headers: dict[str, str] = {}


class Line(msgspec.Struct, frozen=True):
    """Any other line: the end where it says one, a read where it has a time."""

    t: float | None = None
    data: str = ""
    begins: str = ""
    ends: str = ""
    base64: str | None = None
    end: str | None = None
    error: str | None = None


class Version(msgspec.Struct, frozen=True):
    """What is asked of the first line before its other keys can mean anything."""

    format: str = ""
    version: int = 0


VERSIONS = msgspec.json.Decoder(Version)
HEADS = msgspec.json.Decoder(Head)
LINES = msgspec.json.Decoder(Line)


def is_capture(beginning: bytes) -> bool | None:
    """Whether these are the first bytes of a capture; None while they are too few to tell."""
    known = beginning.lstrip()[:200].replace(b" ", b"")[: len(BEGINNING)]
    if len(known) < len(BEGINNING) and len(beginning) < 200 and BEGINNING.startswith(known):
        return None
    return known == BEGINNING


def parse_head(line: str | bytes) -> Head:
    """What the first line says. Raises ``CaptureError``."""
    try:
        seen = VERSIONS.decode(line)
        if seen.format != FORMAT:
            raise CaptureError(f"no capture: the first line names no {FORMAT!r} as its format")
        if seen.version < 1:
            raise CaptureError("no capture: the first line names no version of its format")
        if seen.version > VERSION:
            raise CaptureError(
                f"a capture of version {seen.version}, and this release reads up to {VERSION}: "
                "a newer release of sans-io-stream reads it"
            )
        return HEADS.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CaptureError(f"no capture: the first line is not its head ({error})") from None


def bytes_of(line: Line) -> bytes:
    """The bytes of a read. Raises ``ValueError``."""
    if line.base64 is not None:
        return base64.b64decode(line.base64, validate=True)
    return binascii.unhexlify(line.begins) + line.data.encode() + binascii.unhexlify(line.ends)


def head_line(
    dialect: str | None, request: str | None, status: int, headers: dict[str, str]
) -> str:
    """The first line."""
    head = {"format": FORMAT, "version": VERSION, "dialect": dialect, "request": request}
    head |= {"status": status, "headers": headers or None}
    return _line({key: value for key, value in head.items() if value is not None})


def read_line(read: Read) -> str:
    """The line of one read."""
    fields: dict[str, Any] = {"t": _seconds(read.time)}
    data = read.data
    start, stop = _whole_characters(data)
    try:
        text = data[start:stop].decode()
    except UnicodeDecodeError:
        fields["base64"] = base64.b64encode(data).decode()
        return _line(fields)
    if start:
        fields["begins"] = data[:start].hex()
    if text or not data:
        fields["data"] = text
    if stop < len(data):
        fields["ends"] = data[stop:].hex()
    return _line(fields)


def end_line(time: float, end: End, error: str | None) -> str:
    """The last line."""
    fields: dict[str, Any] = {"t": _seconds(time), "end": end}
    if error is not None:
        fields["error"] = error
    return _line(fields)


def _line(fields: dict[str, Any]) -> str:
    text = msgspec.json.encode(fields).decode()
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _seconds(time: float) -> msgspec.Raw:
    """A plain decimal, to the microsecond."""
    return msgspec.Raw(f"{max(time, 0.0):.6f}".rstrip("0").rstrip(".").encode())


def _whole_characters(data: bytes) -> tuple[int, int]:
    """From where to where no character is cut, if the bytes are UTF-8."""
    size = len(data)
    start = 0
    while start < min(3, size) and 0x80 <= data[start] < 0xC0:
        start += 1
    for back in range(1, min(3, size - start) + 1):
        byte = data[-back]
        if 0xC2 <= byte <= 0xF4:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return start, size - back if needed > back else size
        if byte < 0x80:
            break
    return start, size
