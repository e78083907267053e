"""The body of one HTTP/1.1 response: the bytes of the wire in, the bytes of the content out.

Three readers, one for each way in which RFC 9112, 6.3 lets a body end: ``ChunkedBody``,
``LengthBody``, ``CloseBody``. h11 says what is valid, and a test holds the readers to it; they
are here because h11 makes several objects of each chunk, and providers send a chunk per event
(docs/decisions/0006-chunked-reader.md).

Rules of the room. ``feed`` hands on at once what a read brings, all of it in one ``bytes``; a
chunk is never waited for. What it returns depends on the bytes alone: however they are cut,
the joined body, the end and the error are the same. Each limit is checked on its unit. After
``BodyEnd`` or ``Broken`` (``ended``) bytes are counted in ``excess`` and say nothing. Time is
linear in the bytes for every chunking. All fields are plain state.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from .errors import ErrorInfo, ErrorKind
from .http_head import Head, Section, refused_trailers

__all__ = [
    "SIZE_LINE_BYTES",
    "Body",
    "BodyEnd",
    "Broken",
    "ChunkedBody",
    "CloseBody",
    "Item",
    "LengthBody",
    "broken",
]

CR, LF = 13, 10
CRLF = b"\r\n"
SIZE_LINE_BYTES = 16 * 1024
"""The most that a chunk's size line may take, extensions and CRLF included: what h11 takes."""
SHORT = 8
"""A size line of up to so many bytes is looked up among those that were read before."""

# RFC 9112, 7.1: chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF; chunk-size = 1*HEXDIG.
# As in h11: at most 20 digits, and blanks at the end, which some servers send. Other than in
# h11: an extension (7.1.1: tokens and quoted strings) holds no control character but HTAB.
SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;[\t\x20-\x7e\x80-\xff]*)?[ \t]*\r\n")

Framing = Literal["none", "length", "chunked", "close", "tunnel"]


class BodyEnd(msgspec.Struct, frozen=True, gc=False):
    """The orderly end of a body; nothing follows.

    ``framing`` says what ended it: "none" (such a response has no body), "length", "chunked",
    "close" (of the connection), "tunnel" (a ``CONNECT`` that was granted).
    """

    framing: Framing

    @property
    def delimited(self) -> bool:
        """Whether the framing itself marks the end. If not, a cut looks just the same."""
        return self.framing != "close"


class Broken(msgspec.Struct, frozen=True, gc=False):
    """The response cannot be read on; nothing follows."""

    error: ErrorInfo


Item = Head | bytes | BodyEnd | Broken


def broken(kind: ErrorKind, what: str, place: int, status: int | None = None) -> Broken:
    """``what`` went wrong, and at which byte of the response, counted from 0."""
    message = f"{what}, at byte {place} of the response"
    return Broken(ErrorInfo(kind, message, status=status, retryable=kind == "truncated"))


def chunk_size(line: bytes) -> int:
    """The size that a size line says, its CRLF included, or -1 if it is no size line."""
    # int() alone would take 0x, a sign, blanks and underscores.
    found = SIZE_LINE.fullmatch(line)
    return int(found[1], 16) if found is not None else -1


short_size = lru_cache(maxsize=1024)(chunk_size)


class ChunkedBody:
    """A body in chunks (RFC 9112, 7.1); its extensions and trailers are checked and ignored.

    States: ``size`` (``line`` is what came of the size line) → ``data`` (``left`` bytes of the
    chunk are to come) → ``cr`` → ``lf`` (what follows a chunk's data) → ``size``; after the last
    chunk ``trailers``, of ``trailer_bytes`` at most; then ``ended``. ``ready``: a chunk begins
    with the next byte, which is byte ``place`` of the response. ``status`` is told with errors.
    """

    __slots__ = (
        "excess",
        "left",
        "line",
        "place",
        "ready",
        "state",
        "status",
        "trailer_bytes",
        "trailers",
    )

    def __init__(self, trailer_bytes: int, place: int = 0, status: int | None = None) -> None:
        self.trailer_bytes = trailer_bytes
        self.place = place
        self.status = status
        self.state: Literal["size", "data", "cr", "lf", "trailers", "ended"] = "size"
        self.ready = True
        self.left = 0
        self.line = bytearray()
        self.trailers: Section | None = None
        self.excess = 0

    @property
    def ended(self) -> bool:
        """``BodyEnd`` or ``Broken`` is out."""
        return self.state == "ended"

    def feed(self, data: bytes) -> list[Item]:
        """What ``data`` brings: at most one ``bytes``, then perhaps the end."""
        if self.ready:
            # One whole chunk in a read of its own, as providers send them.
            begin = data.find(LF, 0, SHORT) + 1
            end = begin + short_size(data[:begin])
            if data[end:] == CRLF and end > begin:
                self.place += end + 2
                return [data[begin:end]]
        pieces: list[bytes] = []
        last = self._read(data, pieces)
        self.ready = self.state == "size" and not self.line
        self.place += len(data)
        items: list[Item] = []
        if pieces:
            items.append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if last is not None:
            items.append(last)
        return items

    def end(self) -> list[Item]:
        """The end of input: a cut, before the last chunk and its trailers; [] after the end."""
        if self.state == "ended":
            return []
        # RFC 9112, 8: "A message body that uses the chunked transfer coding is incomplete if
        # the zero-sized chunk that terminates the encoding has not been received."
        where = "within the trailers" if self.state == "trailers" else "before the last chunk"
        self._stop(0)
        self.ready = False
        what = f"the connection ended {where} of the body"
        return [broken("truncated", what, self.place, self.status)]

    def _read(self, data: bytes, pieces: list[bytes]) -> BodyEnd | Broken | None:
        """Any read: what it holds of the content goes to ``pieces``, the end is returned."""
        pos, size = 0, len(data)
        while pos < size:
            state = self.state
            if state == "size":
                end = data.find(LF, pos) + 1
                if self.line or not end:
                    self.line += data[pos : end or size]
                    if not end:
                        pos = size
                        if len(self.line) > SIZE_LINE_BYTES:
                            return self._long_line(data, size - len(self.line))
                        break
                    line = bytes(self.line)
                    self.line.clear()
                else:
                    line = data[pos:end]
                pos = end
                left = short_size(line) if len(line) <= SHORT else chunk_size(line)
                if left > 0 and len(line) <= SIZE_LINE_BYTES:
                    end += left
                    if data[end : end + 2] == CRLF:
                        pieces.append(data[pos:end])
                        pos = end + 2
                    else:
                        self.left, self.state = left, "data"
                elif len(line) > SIZE_LINE_BYTES:
                    return self._long_line(data, pos - len(line))
                elif left < 0:
                    what = "a chunk begins with an illegal size line"
                    return self._break("framing", what, data, pos - len(line))
                else:
                    self.trailers, self.state = Section(), "trailers"
            elif state == "data":
                piece = data[pos : pos + self.left]
                pieces.append(piece)
                pos += len(piece)
                self.left -= len(piece)
                if not self.left:
                    self.state = "cr"
            elif state == "cr" or state == "lf":
                if data[pos] != (CR if state == "cr" else LF):
                    return self._break("framing", "a chunk is longer than its size", data, pos)
                pos += 1
                self.state = "lf" if state == "cr" else "size"
            elif self.trailers is not None:
                return self._read_trailers(self.trailers, data, pos)
            else:
                self.excess += size - pos
                break
        return None

    def _read_trailers(self, trailers: Section, data: bytes, pos: int) -> BodyEnd | Broken | None:
        # RFC 9112, 7.1.2: a recipient "MAY selectively retain or discard the received trailer
        # fields". They are checked all the same, lest something else be taken for the end.
        length = trailers.feed(data[pos:])
        begin = len(data) - len(trailers.buffer)
        if (len(trailers.buffer) if length is None else length) > self.trailer_bytes:
            what = f"the trailers of the body exceed Limits.head_bytes ({self.trailer_bytes} bytes)"
            return self._break("limit", what, data, begin + self.trailer_bytes)
        if length is None:
            return None
        refused = refused_trailers(bytes(trailers.buffer[:length]))
        if refused is not None:
            return self._break("framing", f"illegal trailers ({refused})", data, begin)
        self._stop(len(data) - begin - length)
        return BodyEnd("chunked")

    def _long_line(self, data: bytes, begin: int) -> Broken:
        what = f"a chunk's size line exceeds {SIZE_LINE_BYTES} bytes"
        return self._break("limit", what, data, begin + SIZE_LINE_BYTES)

    def _break(self, kind: ErrorKind, what: str, data: bytes, pos: int) -> Broken:
        """``pos`` counts from the first byte of ``data``, and may lie before it."""
        self._stop(len(data) - pos)
        return broken(kind, what, self.place + pos, self.status)

    def _stop(self, excess: int) -> None:
        self.state = "ended"
        self.trailers = None
        self.line.clear()
        self.excess = excess


class LengthBody:
    """A body of ``left`` more bytes (RFC 9112, 6.2); ``place`` as in ``ChunkedBody``."""

    __slots__ = ("excess", "left", "length", "place", "status")

    def __init__(self, length: int, place: int = 0, status: int | None = None) -> None:
        self.length = self.left = length
        self.place = place
        self.status = status
        self.excess = 0

    @property
    def ended(self) -> bool:
        """``BodyEnd`` or ``Broken`` is out."""
        return self.left <= 0

    def feed(self, data: bytes) -> list[Item]:
        """What ``data`` brings: at most one ``bytes``, then perhaps the end."""
        size, left = len(data), self.left
        if size < left:
            self.left -= size
            self.place += size
            return [data] if data else []
        if left <= 0:
            self.excess += size
            return []
        self.excess = size - left
        self.left = 0
        return [data[:left], BodyEnd("length")]

    def end(self) -> list[Item]:
        """What the end of input means; [] after the end."""
        if self.left <= 0:
            return []
        # RFC 9112, 6.3: "If the sender closes the connection or the recipient times out before
        # the indicated number of octets are received, the recipient MUST consider the message
        # to be incomplete".
        missing, self.left = self.left, 0
        what = f"the connection ended {missing} of {self.length} bytes before the end of the body"
        return [broken("truncated", what, self.place, self.status)]


class CloseBody:
    """A body that ends with its connection (RFC 9112, 6.3, the last case)."""

    __slots__ = ("ended", "excess")

    def __init__(self) -> None:
        self.ended = False
        self.excess = 0

    def feed(self, data: bytes) -> list[Item]:
        """What ``data`` brings: at most one ``bytes``, then perhaps the end."""
        return [data] if data else []

    def end(self) -> list[Item]:
        """What the end of input means; [] after the end."""
        if self.ended:
            return []
        self.ended = True
        return [BodyEnd("close")]


Body = ChunkedBody | LengthBody | CloseBody
