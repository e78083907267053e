"""Capture: one recorded response body, to be decoded, cut into other reads, or cut off.

Nothing here depends on chance: the pseudo-random splits are the same on every machine, so
that a failure at one of them has a number by which anyone can see it again.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from ..decoder import StreamDecoder
from ..errors import ErrorInfo
from .lines import End, Read, end_line, head_line, read_line
from .privacy import Headers, Request, allowed_headers, without_secrets
from .reader import CaptureReader

if TYPE_CHECKING:
    from _typeshed import StrPath

    from ..events import Event

__all__ = ["Capture"]

BytesLike = bytes | bytearray | memoryview
LONGEST = (2, 5, 16, 64, 256, 1024, 4096)


class Capture:
    """One recorded response body: its reads, and what is known about the response.

    ``end`` is ``"eof"`` for an orderly end, ``"truncated"`` where the recording or the
    transport broke off, ``"error"`` where it failed; ``error`` names the failure then.
    A capture is never changed: what changes it returns another.
    """

    __slots__ = ("_reads", "dialect", "end", "error", "headers", "request", "status")

    def __init__(
        self,
        reads: Iterable[Read] = (),
        *,
        dialect: str | None = None,
        request: Request | None = None,
        status: int = 200,
        headers: Headers = (),
        end: End = "eof",
        error: str | None = None,
    ) -> None:
        reads = list(reads)
        # As exact as the format, and never backwards: a capture and its file say the same.
        times = itertools.accumulate((max(0.0, round(read.time, 6)) for read in reads), max)
        self._reads = tuple(Read(time, read.data) for time, read in zip(times, reads, strict=True))
        self.dialect = dialect
        self.request = without_secrets(request)
        self.status = status
        self.headers = allowed_headers(headers)
        self.end: End = end
        self.error = error

    @classmethod
    def of(
        cls,
        chunks: BytesLike | Iterable[BytesLike],
        *,
        times: Iterable[float] | None = None,
        dialect: str | None = None,
        content_type: str | None = None,
        request: Request | None = None,
        status: int = 200,
        headers: Headers = (),
        end: End = "eof",
    ) -> Self:
        """A capture of these reads; bytes alone are one read. ``times`` are seconds, one for
        each, counted from any moment; without them no time passes."""
        if isinstance(chunks, bytes | bytearray | memoryview):
            pieces = [bytes(chunks)]
        else:
            pieces = [bytes(chunk) for chunk in chunks]
        moments = [0.0] * len(pieces) if times is None else list(times)
        reads = [Read(t - moments[0], data) for t, data in zip(moments, pieces, strict=True)]
        kept = allowed_headers(headers)
        if content_type is not None:
            kept["content-type"] = content_type
        return cls(reads, dialect=dialect, request=request, status=status, headers=kept, end=end)

    @classmethod
    def open(cls, path: StrPath) -> Self:
        """The capture in that file. Raises ``CaptureError`` if it is none, ``OSError``."""
        from sans_io_stream_adapters.files import read_lines

        return cls.parse(read_lines(path))

    @classmethod
    def parse(cls, lines: Iterable[str | bytes]) -> Self:
        """The capture that these lines say, with or without their line ends.

        One that breaks off without its last line, or within a line, is ``"truncated"``.
        Raises ``CaptureError`` for anything but a capture of a known version.
        """
        reader = CaptureReader()
        reads = [read for line in lines for read in reader.line(line)]
        head = reader.head
        return cls(
            reads,
            dialect=head.dialect,
            request=head.request,
            status=head.status,
            headers=head.headers,
            end=reader.end,
            error=reader.error,
        )

    def lines(self) -> list[str]:
        """The capture as text: the lines of its file, without line ends."""
        return [
            head_line(self.dialect, self.request, self.status, self.headers),
            *(read_line(read) for read in self._reads),
            end_line(self._reads[-1].time if self._reads else 0.0, self.end, self.error),
        ]

    def reads(self) -> tuple[Read, ...]:
        """The reads, in order: pairs of their time in seconds since the first, and bytes."""
        return self._reads

    @property
    def body(self) -> bytes:
        """All bytes."""
        return b"".join(read.data for read in self._reads)

    @property
    def content_type(self) -> str | None:
        """The value of that header, if it was recorded."""
        return self.headers.get("content-type")

    def events(self, **options: Any) -> list[Event]:
        """Decode the capture, read by read and with the end that it had.

        ``options`` are those of ``StreamDecoder``; dialect, content type and status are the
        recorded ones unless they say otherwise.
        """
        options.setdefault("dialect", self.dialect)
        options.setdefault("content_type", self.content_type)
        options.setdefault("status", self.status)
        decoder = StreamDecoder(**options)
        events: list[Event] = []
        for read in self._reads:
            events += decoder.receive_data(read.data)
        return events + decoder.receive_eof(truncated=self.end != "eof", error=self.failure)

    @property
    def failure(self) -> ErrorInfo | None:
        """What ended the transport, as the events tell it; None unless it failed."""
        if self.end != "error":
            return None
        return ErrorInfo("connection", self.error or "the connection failed", retryable=True)

    def resplit(self, seed: int) -> Self:
        """The same bytes in other reads; the same ones for the same seed, everywhere.

        Seed 0 gives one read, 1 one for each byte, 2 cuts inside every character and line
        end; every other seed cuts pseudo-randomly, seven in a row at seven orders of size.
        """
        body = self.body
        if seed == 0:
            cuts = [len(body)]
        elif seed == 1:
            cuts = list(range(1, len(body) + 1))
        elif seed == 2:
            inside = (at for at in range(1, len(body)) if _awkward(body, at))
            cuts = [*inside, len(body)]
        else:
            cuts = list(_random_cuts(len(body), seed))
        return self._with(self._recut(body, cuts), self.end, self.error)

    def resplit_at(self, *positions: int) -> Self:
        """The same bytes in reads that end at these positions, and at the last byte."""
        body = self.body
        inside = sorted(at for at in positions if 0 < at < len(body))
        return self._with(self._recut(body, [*inside, len(body)]), self.end, self.error)

    def cut(self, at: int) -> Self:
        """The capture as it would be had the transport broken off after ``at`` bytes."""
        if at < 0:
            raise ValueError(f"cut({at}): a position in the body is not negative")
        reads: list[Read] = []
        for read in self._reads:
            if at <= 0:
                break
            reads.append(Read(read.time, read.data[:at]))
            at -= len(read.data)
        return self._with(reads, "truncated", None)

    def _recut(self, body: bytes, cuts: Iterable[int]) -> Iterator[Read]:
        """Reads that end at these places, each at the time when its last byte was there."""
        ends: list[int] = []
        for read in self._reads:
            ends.append((ends[-1] if ends else 0) + len(read.data))
        start = 0
        for cut in cuts:
            if cut > start:
                yield Read(self._reads[bisect.bisect_left(ends, cut)].time, body[start:cut])
                start = cut

    def _with(self, reads: Iterable[Read], end: End, error: str | None) -> Self:
        return type(self)(
            reads,
            dialect=self.dialect,
            request=self.request,
            status=self.status,
            headers=self.headers,
            end=end,
            error=error,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Capture) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        headers = tuple(sorted(self.headers.items()))
        about = (self.dialect, self.request, self.status, self.end, self.error)
        return (self._reads, headers, *about)

    def __repr__(self) -> str:
        size = sum(len(read.data) for read in self._reads)
        what = [self.dialect or "unknown dialect", self.request, str(self.status), self.end]
        words = ", ".join(word for word in what if word)
        return f"<Capture {words}, {size} bytes, reads: {len(self._reads)}>"


def _awkward(body: bytes, at: int) -> bool:
    """Whether a cut here falls inside a character, or between CR and LF."""
    return 0x80 <= body[at] < 0xC0 or (body[at] == 10 and body[at - 1] == 13)


def _random_cuts(size: int, seed: int) -> Iterator[int]:
    """Places from 1 to ``size``, ``size`` last: Knuth's MMIX generator, its upper bits."""
    state = seed & 0xFFFF_FFFF_FFFF_FFFF

    def number(below: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) & 0xFFFF_FFFF_FFFF_FFFF
        return (state >> 33) % below

    number(1)
    longest = LONGEST[seed % len(LONGEST)]
    at = 0
    while at < size:
        at = min(size, at + 1 + number(longest))
        yield at
