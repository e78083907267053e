"""One reader of one stream, and its waiting: for more of the log, or for a heartbeat.

A reader that is slow waits by itself, and one that is fast lets others have their turn. What is
written stands in ``sans_io_stream.relay``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.lowlevel import checkpoint

from sans_io_stream.relay import LogReader, Place

if TYPE_CHECKING:
    from sans_io_stream.encoding import Encoder

    from .hub import Running

__all__ = ["Reader"]


class Reader(LogReader):
    """What ``encoder`` writes of the stream from ``place`` on; without token counts, if
    ``counts`` is False. Raises what ``LogReader`` does."""

    __slots__ = ("running",)

    def __init__(
        self, running: Running, encoder: Encoder, place: Place, *, counts: bool = True
    ) -> None:
        super().__init__(running.log, encoder, place, counts=counts)
        self.running = running

    async def ready(self) -> None:
        """Come to where the reader is. Raises ``CursorGone``."""
        while self.catch_up():
            await checkpoint()

    async def next(self) -> bytes:
        """The next bytes, waiting for them; empty behind the end, and where the stream is read
        here no more but goes on: then it is not ``over``."""
        running = self.running
        # Whoever asks has just taken what was there before.
        due = self.log.heartbeat_due(running.now())
        waited = False
        while not self.over:
            data = self.read()
            if data or self.over:
                if not waited:
                    # Where a server's send does not wait either, nobody else would be served.
                    await checkpoint()
                return data
            if running.lost is not None:
                return self.end(running.lost)
            if running.gone:
                return b""
            if not await running.changed(due):
                return self.heartbeat()
            waited = True
        return b""
