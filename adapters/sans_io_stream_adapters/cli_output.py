"""What the command line writes: data on standard output, what people are told on standard error,
and what a terminal may not be sent.

A model, a server or a recorded file may say anything, escape sequences too: on a terminal
whatever could command it or deceive its reader is shown, and not obeyed. Who reads a pipe
gets what was said.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from typing import TYPE_CHECKING, BinaryIO, TextIO

from sans_io_stream.events import ReasoningDelta, RefusalDelta, TextDelta, encode_event

if TYPE_CHECKING:
    from sans_io_stream.events import Event

__all__ = [
    "PROGRAM",
    "EventOutput",
    "TextOutput",
    "UsageError",
    "closed",
    "drop",
    "flush_output",
    "harmless",
    "harmless_json",
    "has_colours",
    "output",
    "tell",
]

PROGRAM = "sans-io-stream"

# C0 but tab and newline, DEL, C1; line separators; marks, overrides and isolates of direction.
HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
DIM, RESET = "\x1b[2m", "\x1b[0m"


class UsageError(Exception):
    """What the caller can mend; the message says how."""


def tell(message: str) -> None:
    """Tell people something, on one line of standard error."""
    if sys.stderr is not None:  # pyright: ignore[reportUnnecessaryComparison]
        try:
            sys.stderr.write(f"{PROGRAM}: {harmless(message)}\n")
            sys.stderr.flush()
        except OSError:
            # Where nobody can be told, the exit code has to do.
            drop(sys.stderr)


def output() -> BinaryIO:
    """Standard output, for bytes. Raises ``OSError`` if it is closed (``>&-``)."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise closed("output")
    return sys.stdout.buffer


def closed(which: str) -> OSError:
    """What writing to a standard stream that the shell has closed comes to."""
    return OSError(errno.EBADF, f"standard {which} is closed")


def flush_output() -> None:
    """Write what is still owed, while a failure can be told."""
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout.flush()


def drop(stream: TextIO | None) -> None:
    """Nothing more can be written there. The interpreter, flushing at exit, would try again."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class EventOutput:
    """One JSON object a line."""

    def __init__(self) -> None:
        self._out = output()
        self._harmless = sys.stdout.isatty()

    def write(self, events: list[Event]) -> None:
        """Write these events, now."""
        for event in events:
            line = encode_event(event)
            if self._harmless:
                line = harmless_json(line)
            self._out.write(line + b"\n")
        if events:
            self._out.flush()

    def close(self) -> None:
        """Nothing is owed."""


class TextOutput:
    """The text of the first choice, a refusal included.

    Thinking is shown only where it can be told from the answer: dimmed, on a terminal with
    colours.
    """

    def __init__(self) -> None:
        self._out = output()
        self._terminal = sys.stdout.isatty()
        self._colours = has_colours(sys.stdout)
        self._dimmed = False
        self._last = "\n"

    def write(self, events: list[Event]) -> None:
        """Write what these events say, now."""
        for event in events:
            if isinstance(event, TextDelta | RefusalDelta) and not event.choice:
                self._undim()
                self._put(event.text)
            elif isinstance(event, ReasoningDelta) and not event.choice and self._colours:
                if not self._dimmed:
                    self._out.write(DIM.encode())
                    self._dimmed = True
                self._put(event.text)
        if events:
            self._out.flush()

    def close(self) -> None:
        """Leave a terminal as it was found: no colour, a new line."""
        # What fails here has failed in the write that met it first.
        with contextlib.suppress(OSError):
            self._undim()
            if self._terminal and self._last != "\n":
                self._out.write(b"\n")
            self._out.flush()

    def _put(self, text: str) -> None:
        if text:
            self._last = text[-1]
            shown = harmless(text) if self._terminal else text
            self._out.write(shown.encode("utf-8", "replace"))

    def _undim(self) -> None:
        if self._dimmed:
            self._dimmed = False
            self._out.write(f"{RESET}\n\n".encode())
            self._last = "\n"


def has_colours(stream: TextIO) -> bool:
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def harmless(text: str) -> str:
    """The text with what could command a terminal, or deceive a reader, made visible."""
    return HARMFUL.sub(_visible, text)


def harmless_json(line: bytes) -> bytes:
    """The same JSON, with the same characters written as escapes."""
    return HARMFUL.sub(_escape, line.decode()).encode()


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
