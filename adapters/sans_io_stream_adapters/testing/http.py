"""The HTTP side: requests read with h11, responses laid out as bytes with their places.

A response is laid out whole before its first byte goes out, so that a fault can say where it
breaks in bytes of the wire. Responses are written here and not by h11, which would not write
a wrong one.
"""

from __future__ import annotations

import http
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import h11

from .seen import Asked

if TYPE_CHECKING:
    from .connection import Connection
    from .faults import Break

__all__ = ["Piece", "Requests", "Response", "Wire", "Write", "document"]

HEAD_BYTES = 64 * 1024
LAST_CHUNK = b"0\r\n\r\n"


class Requests:
    """The requests of one connection, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left = b""
        self.keeps = True
        """The client takes another response on this connection."""
        self.chunks = True
        """The client reads chunks."""

    def next(self) -> Asked | None:
        """The next request, None when there is none. Raises ``h11.RemoteProtocolError``."""
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        if self._left:
            parser.receive_data(self._left)
        request: h11.Request | None = None
        body: list[bytes] = []
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                if parser.they_are_waiting_for_100_continue:
                    self._connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                data = self._connection.read()
                if not data:
                    return None
                parser.receive_data(data)
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
        assert request is not None
        self._left = parser.trailing_data[0]
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in request.headers)
        self.chunks = request.http_version >= b"1.1"
        wishes = ",".join(value for name, value in headers if name == "connection").lower()
        self.keeps = self.chunks and "close" not in wishes
        method, target = request.method.decode(), request.target.decode("ascii")
        return Asked(method, target, headers, b"".join(body))


class Piece(NamedTuple):
    """A piece of a body, and when it is due, in seconds from the first byte.

    ``pause`` are seconds to wait before it, whatever the speed.
    """

    data: bytes
    time: float = 0.0
    pause: float = 0.0


@dataclass(frozen=True)
class Response:
    """One response. Each piece is a chunk; ``records`` are where the records of the body end,
    as offsets in it. Without ``chunked`` the end of the connection ends the body."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[Piece, ...] = ()
    records: tuple[int, ...] = ()
    chunked: bool = True
    whole: bool = True
    """The body is ended as its framing says."""
    reset: bool = False
    """The connection ends with a reset behind it."""
    beat: Piece | None = None
    """What comes behind the body again and again, so that it never ends."""
    beaten: Callable[[], None] | None = None
    """Called before each of those."""


def document(status: int, value: Any, **headers: str) -> Response:
    """A JSON document with its length; ``_`` in the names of headers stands for ``-``."""
    data = json.dumps(value).encode()
    told = {"content_type": "application/json", "content_length": str(len(data)), **headers}
    pairs = tuple((name.replace("_", "-"), text) for name, text in told.items())
    return Response(status, pairs, (Piece(data),), chunked=False)


class Write(NamedTuple):
    """Bytes that go out together, with the times of their ``Piece``."""

    data: bytes
    time: float = 0.0
    pause: float = 0.0


@dataclass
class Wire:
    """A response as it goes over the wire, and where in it things stand."""

    writes: list[Write] = field(default_factory=list[Write])
    chunk_headers: list[int] = field(default_factory=list[int])
    """Where they begin."""
    stretches: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Where stretches of the body begin: in the body, and on the wire."""
    body: bytes = b""
    records: tuple[int, ...] = ()
    closes: bool = False
    """The end of the connection belongs to the response."""
    whole: bool = True
    reset: bool = False
    beat: Write | None = None
    beaten: Callable[[], None] | None = None

    @classmethod
    def of(cls, response: Response, *, chunks: bool = True) -> Wire:
        """Lay out a response; ``chunks`` says whether the client reads them."""
        body = b"".join(piece.data for piece in response.body)
        wire = cls(body=body, records=response.records)
        wire.reset, wire.whole = response.reset, response.whole
        names = {name for name, _ in response.headers}
        coded = response.chunked and chunks
        sized = "content-length" in names or response.status == 204
        wire.closes = not response.whole or not (coded or sized)
        headers = list(response.headers)
        if coded:
            headers.append(("transfer-encoding", "chunked"))
        elif wire.closes:
            headers.append(("connection", "close"))
        wire.writes.append(Write(head(response.status, headers)))
        at, inside = len(wire.writes[0].data), 0
        for piece in response.body:
            if not piece.data:
                continue
            data = coded_as_chunk(piece.data) if coded else piece.data
            if coded:
                wire.chunk_headers.append(at)
            wire.stretches.append((inside, at + (data.index(b"\n") + 1 if coded else 0)))
            wire.writes.append(Write(data, piece.time, piece.pause))
            at, inside = at + len(data), inside + len(piece.data)
        if response.beat is not None:
            beat = response.beat
            data = beat.data and coded_as_chunk(beat.data) if coded else beat.data
            wire.beat, wire.beaten = Write(data, pause=beat.pause), response.beaten
        elif coded and response.whole:
            wire.chunk_headers.append(at)
            wire.writes.append(Write(LAST_CHUNK, wire.writes[-1].time))
        return wire

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return sum(len(write.data) for write in self.writes)

    def until(self, place: Break) -> int | None:
        """How many bytes stand before that place; None where there is no such place."""
        at, size = place.at, self.size
        if place.place == "byte":
            at = int(at * size) if isinstance(at, float) else at
            at = size + at if at < 0 else at
            return at if 0 <= at < size else None
        nth = int(at) - 1
        if place.place == "chunk-header":
            return self.chunk_headers[nth] + 1 if nth < len(self.chunk_headers) else None
        if place.place == "character":
            inside = [n + 1 for n, byte in enumerate(self.body) if byte >= 0xC0]
        else:
            starts = (0, *self.records)
            inside = [(a + b) // 2 for a, b in zip(starts, self.records, strict=False)]
        return self.position(inside[nth]) if nth < len(inside) else None

    def position(self, offset: int) -> int:
        """Where the byte at that offset of the body stands on the wire."""
        inside, at = max(pair for pair in self.stretches if pair[0] <= offset)
        return at + offset - inside

    def first(self, size: int) -> list[Write]:
        """What is written of the first ``size`` bytes."""
        kept: list[Write] = []
        for write in self.writes:
            if size <= 0:
                break
            kept.append(write._replace(data=write.data[:size]))
            size -= len(write.data)
        return kept


def coded_as_chunk(data: bytes) -> bytes:
    """One chunk of the chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a response."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
