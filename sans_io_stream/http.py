"""One exchange of HTTP/1.1 from the client's side: the bytes of a response in, items out.

``http_request`` writes what is asked, ``http_head`` has h11 judge the head, ``http_body`` reads
what follows. Here they become one machine, from the first byte to the end of the body.

States: *head* (interim responses are skipped) → *body* → *ended*; in answer to ``CONNECT`` the
second is *refusal*, or nothing where the tunnel is granted. Any state ends with ``Broken``. The
items, their order and every message depend on the bytes alone, not on how they were cut; what a
peer sends never raises; no message repeats what a header says.

This imports h11, which takes time: whoever decodes only has no use for it.
"""

from __future__ import annotations

import re
from typing import Literal

from .errors import ErrorInfo, ErrorKind, StreamClosedError
from .http_body import (
    Body,
    BodyEnd,
    Broken,
    ChunkedBody,
    CloseBody,
    Item,
    LengthBody,
    broken,
)
from .http_head import Head, Section, parse_head
from .http_request import check_method, connect_bytes, request_bytes
from .policy import DEFAULT_LIMITS, Limits

__all__ = [
    "MOST_INTERIM",
    "BodyEnd",
    "Broken",
    "Exchange",
    "Head",
    "Item",
    "connect_bytes",
    "request_bytes",
]

BytesLike = bytes | bytearray | memoryview

MAGIC = b"HTTP/"
MOST_INTERIM = 256
"""How many interim responses (1xx) are skipped; their bytes count as the head's."""
SWITCHED = re.compile(rb"HTTP/[0-9]\.[0-9] 101[ \r\n]")

REFUSAL_BYTES = 1024
REFUSAL_CHARACTERS = 200
TAG = re.compile(r"<[^<>]*>")
# A proxy may repeat what it was sent.
SECRET = re.compile(
    r"(?i)(authorization\W+)?\b(basic|bearer|digest|negotiate|ntlm)\W+\S+|authorization\W+\S+"
)
REFUSED: dict[int, ErrorKind] = {401: "authentication", 403: "permission", 407: "authentication"}
MAY_WORK_LATER = frozenset({408, 429, 500, 502, 503, 504})


class Exchange:
    """The response to one request, which was ``method``.

    Bytes in, in ``receive_data`` and at last ``receive_eof``; out come, in this order, at most
    one ``Head``, the body as ``bytes`` (one per call at most), and one ``BodyEnd`` or
    ``Broken``. Of ``limits`` this reads ``head_bytes``: of the head, interim ones included, and
    of the trailers.

    To ``CONNECT`` a status of 2xx is answered with ``BodyEnd("tunnel")``; what the other side
    sent after that is ``unread``. Any other status is ``Broken``, with a word of the proxy's.

    A coding of the content (gzip and the like) is ``Broken``: ``request_bytes`` asks for none.

    Raises ``ValueError`` if ``method`` is none.
    """

    __slots__ = (
        "_body",
        "_excess",
        "_head",
        "_input_ended",
        "_interim",
        "_limits",
        "_method",
        "_place",
        "_reading",
        "_refusal",
        "_section",
        "_state",
        "unread",
    )

    def __init__(self, method: str, *, limits: Limits = DEFAULT_LIMITS) -> None:
        check_method(method)
        self._method = method
        self._limits = limits
        self._state: Literal["head", "body", "refusal", "ended"] = "head"
        self._input_ended = False
        self._section = Section()
        self._interim = 0
        self._place = 0
        """Where in the response the bytes in ``_section`` begin."""
        self._head: Head | None = None
        """Of a refusal, until it is told."""
        self._body: Body | None = None
        self._reading: Body | None = None
        """The body, while reads go straight to it."""
        self._refusal = bytearray()
        self._excess = 0
        self.unread = b""

    def receive_data(self, data: BytesLike) -> list[Item]:
        """The items that ``data`` brings. Any size, empty too; [] after the end.

        Raises ``StreamClosedError`` after one's own ``receive_eof``.
        """
        reading = self._reading
        if reading is not None and type(data) is bytes:
            return reading.feed(data)
        if not isinstance(data, BytesLike):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"receive_data() takes bytes, not {type(data).__name__}")
        if self._input_ended:
            raise StreamClosedError(
                "receive_data() after receive_eof(): this response has ended; "
                "make a new Exchange for the next one"
            )
        data = bytes(data)
        if self._state == "head":
            return self._receive_head(data)
        if self._body is not None:
            items = self._body.feed(data)
            return self._receive_refusal(items) if self._state == "refusal" else items
        self._excess += len(data)
        return []

    def receive_eof(self) -> list[Item]:
        """The orderly end of the connection: what it ends or cuts. A second call returns []."""
        if self._input_ended:
            return []
        self._input_ended = True
        self._reading = None
        if self._state == "head":
            self._state = "ended"
            return [self._cut_head()]
        if self._body is None:
            return []
        items = self._body.end()
        return self._receive_refusal(items) if self._state == "refusal" else items

    @property
    def ended(self) -> bool:
        """``BodyEnd`` or ``Broken`` is out: nothing that may come means anything."""
        if self._state == "body" and self._body is not None:
            return self._body.ended
        return self._state == "ended"

    @property
    def excess(self) -> int:
        """How many bytes came after the end of a body, or of the head where there is none."""
        return self._excess if self._body is None else self._body.excess

    # ---- the head

    def _receive_head(self, data: bytes) -> list[Item]:
        section = self._section
        length = section.feed(data)
        while True:
            held = len(section.buffer)
            if held < len(MAGIC):
                return []
            if not section.buffer.startswith(MAGIC):
                return [self._break_head("framing", _stranger(bytes(section.buffer[:5])))]
            limit = self._limits.head_bytes
            if self._place + (held if length is None else length) > limit:
                what = f"the head exceeds Limits.head_bytes ({limit} bytes)"
                return [self._break_head("limit", what, limit)]
            if length is None:
                return []
            raw = section.take(length)
            if SWITCHED.match(raw):
                what = "the server switched protocols (101), which it was not asked to"
                return [self._break_head("framing", what)]
            head = parse_head(raw, self._method)
            if isinstance(head, str):
                return [self._break_head("framing", f"illegal head ({head})")]
            self._place += length
            if head.status >= 200:
                break
            self._interim += 1
            if self._interim > MOST_INTERIM:
                what = f"more than {MOST_INTERIM} interim responses"
                return [self._break_head("limit", what)]
            length = section.length()
        rest = section.take(len(section.buffer))
        return [head, *self._begin_body(head, rest)]

    def _break_head(self, kind: ErrorKind, what: str, place: int | None = None) -> Broken:
        self._state = "ended"
        self._section = Section()
        return broken(kind, what, self._place if place is None else place)

    def _cut_head(self) -> Broken:
        begin = bytes(self._section.buffer[: len(MAGIC)])
        if not MAGIC.startswith(begin):
            return self._break_head("framing", _stranger(begin))
        what = "the connection ended without a response"
        if begin:
            what = "the connection ended within the head of the response"
        elif self._interim:
            what = "the connection ended after interim responses alone"
        return self._break_head("truncated", what, self._place + len(self._section.buffer))

    # ---- what follows it

    def _begin_body(self, head: Head, rest: bytes) -> list[Item]:
        granted = 200 <= head.status < 300
        if self._method == "CONNECT" and granted:
            # RFC 9112, 6.3: it "will become a tunnel immediately after the empty line that
            # concludes the header fields", whatever those say.
            self._state = "ended"
            self.unread = rest
            return [BodyEnd("tunnel")]
        status = None if granted else head.status
        body = self._framed(head, status)
        if self._method == "CONNECT":
            return self._begin_refusal(head, None if isinstance(body, BodyEnd) else body, rest)
        if isinstance(body, BodyEnd):
            self._state = "ended"
            self._excess = len(rest)
            return [body]
        if codings := _codings(head):
            self._state = "ended"
            what = (
                f"the body of this HTTP {head.status} has the content coding {codings!a}, "
                "though the request asked for identity"
            )
            return [broken("framing", what, self._place, status)]
        self._state = "body"
        self._body = self._reading = body
        return body.feed(rest)

    def _framed(self, head: Head, status: int | None) -> Body | BodyEnd:
        """RFC 9112, 6.3, case by case: the reader of the body, or the end of an empty one."""
        if self._method == "HEAD" or head.status in (204, 304):
            return BodyEnd("none")
        if head.get("transfer-encoding") is not None:
            # "chunked" and nothing else, or h11 would have refused the head.
            return ChunkedBody(self._limits.head_bytes, self._place, status)
        length = head.get("content-length")
        if length is None:
            return CloseBody()
        # At most 20 digits, or h11 would have refused it.
        if not int(length):
            return BodyEnd("length")
        return LengthBody(int(length), self._place, status)

    # ---- a proxy that grants no tunnel

    def _begin_refusal(self, head: Head, body: Body | None, rest: bytes) -> list[Item]:
        self._head = head
        self._state = "refusal"
        if body is None or _codings(head):
            return [self._refused()]
        self._body = body
        return self._receive_refusal(body.feed(rest))

    def _receive_refusal(self, items: list[Item]) -> list[Item]:
        """Gather the beginning of the proxy's answer, then say ``Broken`` with it."""
        for item in items:
            if isinstance(item, bytes):
                self._refusal += item
        body = self._body
        if len(self._refusal) < REFUSAL_BYTES and body is not None and not body.ended:
            return []
        self._body = None
        return [self._refused()]

    def _refused(self) -> Broken:
        assert self._head is not None
        status = self._head.status
        text = self._refusal[:REFUSAL_BYTES].decode("utf-8", "replace")
        words = _harmless(f"{self._head.reason} {TAG.sub(' ', text)}")
        self._state = "ended"
        self._head = None
        self._refusal = bytearray()
        message = "the proxy refused the tunnel" + (f": {words}" if words else "")
        kind = REFUSED.get(status, "connection")
        return Broken(ErrorInfo(kind, message, status=status, retryable=status in MAY_WORK_LATER))


def _codings(head: Head) -> str:
    """The codings of the content that are not "identity", as they stand in the head."""
    listed = ",".join(head.get_all("content-encoding")).lower().split(",")
    words = [word.strip() for word in listed]
    return ", ".join(word for word in words if word not in ("", "identity"))[:60]


def _harmless(text: str) -> str:
    """The beginning of ``text`` on one line, without what looks like a credential."""
    text = "".join(character if character.isprintable() else " " for character in text)
    return SECRET.sub("…", " ".join(text.split()))[:REFUSAL_CHARACTERS]


def _stranger(begin: bytes) -> str:
    """What ``begin``, which is no HTTP, is likely to be."""
    if b"\x14" <= begin[:1] <= b"\x17" and begin[1:2] == b"\x03":
        what = "it is TLS: the port wants https"
    elif begin.startswith(b"PRI *") or (begin[:1] == b"\0" and begin[3:4] == b"\x04"):
        what = "it is HTTP/2, which was not asked for"
    elif begin.startswith(b"<"):
        what = "it is HTML or XML without a head"
    elif begin.startswith((b"{", b"[", b"data:", b"event")):
        what = "it is a body without a head"
    else:
        what = "this is no HTTP server"
    return f"the response does not begin with a status line but with {begin!r}: {what}"
