"""The files and the clock of captures: the only place where a capture touches the machine.

The core computes the lines; here they are read and written, and nothing is known of what
they say.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import StrPath

__all__ = ["LineFile", "monotonic", "read_lines"]

monotonic = time.monotonic


class LineFile:
    """A new file that takes lines. A crash of the process loses none that was written."""

    def __init__(self, path: StrPath) -> None:
        # Line-buffered: each line goes to the system as soon as it is whole.
        self._file = open(path, "w", encoding="utf-8", newline="\n", buffering=1)  # noqa: SIM115

    def write(self, line: str) -> None:
        """Append one line. Raises ``OSError``."""
        self._file.write(f"{line}\n")

    def close(self) -> None:
        """Close the file. A second call does nothing; what could fail has failed in ``write``."""
        with contextlib.suppress(OSError):
            self._file.close()

    def __del__(self) -> None:
        # A stream that is dropped half-read drops its recorder too: no reason to warn.
        if hasattr(self, "_file"):
            self.close()


def read_lines(path: StrPath) -> Iterator[bytes]:
    """The lines of a file, one by one. Raises ``OSError``."""
    with open(path, "rb") as file:
        yield from file
