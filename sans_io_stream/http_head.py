"""The head of one HTTP/1.1 response, and the trailers of its body: h11's work.

h11 is the authority on what is valid. It is handed whole sections only, each by a connection
of its own: its limit looks at what lies in its buffer, so that a head may pass in one read and
fail in two. Where a section ends and how long it may be is decided here, by the same rule and
on the section itself. No message repeats a header, since servers echo keys.
"""

from __future__ import annotations

import re

import h11
import msgspec

from .headers import HeaderPairs

__all__ = ["Head", "Section", "h11_reason", "parse_head", "refused_trailers"]

# RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator and ignore any
# preceding CR". h11 does, in heads and in trailers.
SECTION_END = re.compile(rb"\n\r?\n")
NO_FIELDS = (b"\r\n", b"\n")
QUOTE = re.compile(r"""[:,]? *(?:bytearray\()?b?['"]""")
UNLIMITED = 2**62
TRAILERS_HEAD = b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


class Head(msgspec.Struct, frozen=True):
    """The final head of a response. Names are lower-case; values are Latin-1, as they came."""

    status: int
    reason: str = ""
    headers: HeaderPairs = ()

    def get(self, name: str) -> str | None:
        """The first value of the header ``name`` (in any case), or None."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """Every value of the header ``name`` (in any case), in their order."""
        name = name.lower()
        return [value for found, value in self.headers if found == name]

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        return f"Head({self.status} {self.reason!r}, {names})"


class Section:
    """Lines as far as an empty one, which belongs to them: a head, or the trailers of a body.

    ``buffer`` holds what came, what follows the section in the last read included; in the first
    ``searched`` bytes of it no end begins.
    """

    __slots__ = ("buffer", "searched")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.searched = 0

    def feed(self, data: bytes) -> int | None:
        """Take ``data``; how long the section is, or None while its end has not come."""
        self.buffer += data
        return self.length()

    def length(self) -> int | None:
        """How long the section at the beginning of ``buffer`` is, or None as ``feed``."""
        for empty in NO_FIELDS:
            if self.buffer.startswith(empty):
                return len(empty)
        found = SECTION_END.search(self.buffer, self.searched)
        if found is None:
            self.searched = max(0, len(self.buffer) - 2)
            return None
        return found.end()

    def take(self, length: int) -> bytes:
        """Remove the section, or any first ``length`` bytes; the next one begins after it."""
        section = bytes(self.buffer[:length])
        del self.buffer[:length]
        self.searched = 0
        return section


def parse_head(section: bytes, method: str) -> Head | str:
    """The head that ``section`` is, in answer to ``method``, or what h11 has against it.

    An interim head (1xx) is a head like any other. ``section`` ends with its empty line.
    """
    connection = _asked(method)
    connection.receive_data(section)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        return h11_reason(error)
    assert isinstance(event, h11.InformationalResponse | h11.Response), "a whole head is an event"
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
    )
    return Head(event.status_code, event.reason.decode("latin-1"), headers)


def refused_trailers(section: bytes) -> str | None:
    """What h11 has against the trailers ``section``, which ends with its empty line."""
    if section in NO_FIELDS:
        return None
    connection = _asked("GET")
    connection.receive_data(TRAILERS_HEAD + section)
    try:
        connection.next_event()
        connection.next_event()
    except h11.RemoteProtocolError as error:
        return h11_reason(error)
    return None


def _asked(method: str) -> h11.Connection:
    """A connection on which a request was sent."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=UNLIMITED)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "_")]))
    connection.send(h11.EndOfMessage())
    return connection


def h11_reason(error: h11.ProtocolError) -> str:
    """h11's own words, without what they quote."""
    return QUOTE.split(str(error), maxsplit=1)[0]
