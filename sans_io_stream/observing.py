"""What may look at streams while they run: counting, limiting, measuring.

An ``Observer`` is shared by many streams, a ``Watch`` is its eye on one. The adapters tell a
watch what came of each step, in order and before the consumer has it; a driver of one's own does
the same in three lines. Neither keeps a stream from going on, except by naming a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .events import Event
    from .request import StreamRequest

__all__ = ["Observer", "Watch"]


class Watch(Protocol):
    """An eye on one stream. Times are those of the stream's clock, in seconds."""

    def saw(self, events: Sequence[Event], now: float) -> str | None:
        """These events came. A text is the reason why the stream has to end: it is cancelled
        with it. ``StreamEnd`` is among the events of every stream that was read to its end."""
        ...

    def closed(self, now: float) -> None:
        """Nothing more comes: the stream is over, or its consumer has left it. Told once."""
        ...


class Observer(Protocol):
    """What looks at any number of streams, from any number of threads and tasks."""

    def begin(self, request: StreamRequest, now: float) -> Watch:
        """A stream is about to connect. What this raises keeps it from doing so, and is raised
        to its consumer."""
        ...
