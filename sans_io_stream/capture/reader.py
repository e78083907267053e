"""CaptureReader: the lines of a capture in, its reads out, also while it is being written."""

from __future__ import annotations

import msgspec

from ..errors import CaptureError
from .lines import ENDS, LINES, End, Head, Read, bytes_of, parse_head

__all__ = ["CaptureReader"]


class CaptureReader:
    """The lines of a capture one by one, for whoever reads it while it is being written.

    ``head`` is there after the first line; ``end`` is ``"truncated"`` until the last says
    otherwise, and ``ended`` whether it came.
    """

    __slots__ = ("_head", "_number", "_time", "_torn", "end", "ended", "error")

    def __init__(self) -> None:
        self._head: Head | None = None
        self._number = 0
        self._time = 0.0
        self._torn: str | None = None
        self.end: End = "truncated"
        self.ended = False
        self.error: str | None = None

    @property
    def head(self) -> Head:
        """What the first line says. Raises ``CaptureError`` where there was none."""
        if self._head is None:
            raise CaptureError("an empty file is no capture: its first line is missing")
        return self._head

    def line(self, line: str | bytes) -> list[Read]:
        """The read that this line says, if it says one. Raises ``CaptureError``."""
        self._number += 1
        if not line.strip():
            return []
        if self._head is None:
            self._head = parse_head(line)
            return []
        # Only the last line may be torn, and which one is the last is known at the next.
        if self._torn is not None:
            raise CaptureError(self._torn)
        if self.ended:
            raise CaptureError(f"line {self._number}: something follows the end of the capture")
        try:
            fields = LINES.decode(line)
            data = bytes_of(fields)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            self._torn = f"line {self._number} is damaged: {error}"
            return []
        if fields.end is not None:
            self._note_end(fields.end, fields.error)
        elif fields.t is not None:
            self._time = max(self._time, fields.t)
            return [Read(self._time, data)]
        return []

    def _note_end(self, end: str, error: str | None) -> None:
        if end not in ENDS:
            known = ", ".join(ENDS)
            raise CaptureError(f"line {self._number}: an end is one of {known}, not {end!r}")
        self.end, self.ended, self.error = ENDS[end], True, error
