"""One stream of a pool, without its runtime: its state, its buffer, its result.

The stream's own task offers events, a reader takes them. While there is room nobody waits; a
reader that does not read has the stream wait, and the server with it. ``pool`` and
``pool_sync`` add the waiting. All that changes does so under the pool's lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from sans_io_stream import ErrorInfo, Event, StreamEnd, StreamRequest, Transcript
from sans_io_stream.errors import StreamEndError

from .bell import Bell, Ringer
from .errors import StreamCancelled

if TYPE_CHECKING:
    from ..stream import Opened, StreamOptions
    from .scope import Scope
    from .stats import Eye, State

__all__ = ["Pooled"]

T = TypeVar("T")
S = TypeVar("S", bound=Ringer)

OUTCOMES: dict[str, State] = {
    "complete": "complete", "cancelled": "cancelled", "interrupted": "failed", "failed": "failed",
}  # fmt: skip


class Pooled(Generic[T, S]):
    """A stream that a pool was asked for: waiting, running, or ended."""

    eye: Eye
    withdraw: Callable[[], None]
    """Leaves the queue."""
    origin = ""
    ticket = 0
    begun: float | None = None
    """When it got its slot, and when it ended, on the runtime's clock."""
    ended: float | None = None

    def __init__(
        self,
        request: StreamRequest,
        options: StreamOptions,
        lock: threading.RLock,
        bell: Bell[S],
        buffer: int,
        *,
        handled: bool,
    ) -> None:
        self.key: Hashable = None
        """What it is known by; the pool's running number where none was given."""
        self.request = request
        self.options = options
        self._lock = lock
        self._bell = bell
        """Rung when an event is there, when there is room again, and at the end."""
        self._room = buffer
        self._buffer: deque[Event] = deque()
        self._kept: Literal["handler", "bounded", "all", "none"]
        """What becomes of the events."""
        self._kept = "handler" if handled else "bounded"
        self._read = False
        """Somebody iterates."""
        self.standing: State = "waiting"
        """What ``state`` and ``error`` say, for the pool, which is not somebody."""
        self._stream: Opened | None = None
        self._scope: Scope | None = None
        self._cancelled: StreamEnd | None = None
        self._values: list[T] = []
        """What the work has returned: one, or none."""
        self.failure: Exception | None = None
        self._transcript: Transcript | None = None
        self._raised = False
        self.told = False
        """Its failure was told to somebody."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key!r} {self.request!r}, {self.standing}>"

    @property
    def state(self) -> State:
        """Where it stands."""
        self.told = self.told or self.standing == "failed"
        return self.standing

    @property
    def error(self) -> Exception | None:
        """What it failed of: what the stream raised, or its handler. None while it has not."""
        self.told = self.told or self.failure is not None
        return self.failure

    @property
    def transcript(self) -> Transcript | None:
        """The answer as far as it was read; None while it goes on. It is there for what
        failed and what was cancelled too."""
        return self._transcript

    @property
    def buffered(self) -> int:
        """How many events wait to be read."""
        return len(self._buffer)

    @property
    def value(self) -> T:
        """What the handler returned, or without one the transcript; raises ``error``.

        A stream that was cancelled has its transcript; its handler has no value, and
        ``StreamCancelled`` is raised. Raises ``RuntimeError`` while it goes on.
        """
        if self.ended is None:
            raise RuntimeError("this stream goes on: wait for its result()")
        if self.failure is not None:
            self.told = True
            raise self.failure
        return self._values[0]

    def cancel(self, reason: str | None = None) -> None:
        """End it, whatever it does. One that has ended stays as it is."""
        with self._lock:
            if self.ended is not None or self._cancelled is not None:
                return
            error = None if reason is None else ErrorInfo("cancelled", reason)
            self._cancelled = StreamEnd("cancelled", error)
            if self._scope is not None:
                self._scope.cancel(reason)
            elif self.standing == "waiting":
                self.withdraw()
            self._bell.ring()

    @property
    def why(self) -> str | None:
        """What it failed of, as text."""
        if self.failure is not None:
            return f"{type(self.failure).__name__}: {self.failure}"
        end = self.eye.end
        return None if end is None or end.error is None else str(end.error)

    # ---- for the work

    def enter(self, stream: Opened, scope: Scope) -> bool:
        """The work begins; False if it was cancelled before."""
        with self._lock:
            self._stream = stream
            if self._cancelled is None:
                self._scope = scope
            return self._cancelled is None

    def hold(self, until: float) -> None:
        """Let it begin no connection before that time."""
        if self._stream is not None:
            self._stream.not_before(until)

    @property
    def _drops(self) -> bool:
        """Events are not kept: that never changes again, and needs no lock."""
        return self._kept == "none"

    def offer(self, event: Event) -> S | None:
        """Keep an event. A signal says that there is no room: offer it again after that."""
        if self._drops:
            return None
        with self._lock:
            if self._drops:
                return None
            full = len(self._buffer) >= self._room
            if self._kept == "bounded" and full and self._cancelled is None:
                return self._bell.listen()
            self._buffer.append(event)
            if len(self._buffer) == 1:
                self._bell.ring()
            return None

    def give(self, value: T) -> None:
        """The work has returned this."""
        self._values.append(value)

    def fail(self, error: Exception) -> None:
        """The work has raised this."""
        self.failure = error

    def run(self, now: float) -> None:
        """It has a slot."""
        self.standing, self.begun = "running", now

    def finish(self, now: float) -> None:
        """The work is over, or never will begin."""
        self._scope = None
        stream, self._stream = self._stream, None
        transcript = self._transcript = Transcript() if stream is None else stream.transcript
        self.ended = now
        end = self.eye.end
        if self.failure is not None:
            self.standing = "failed"
        elif not self._values or (
            self._cancelled is not None and (end is None or end.outcome != "complete")
        ):
            self._finish_cancelled(transcript)
        else:
            self.standing = "complete" if end is None else OUTCOMES[end.outcome]
        self._bell.ring()

    def _finish_cancelled(self, transcript: Transcript) -> None:
        self.standing = "cancelled"
        end = self._cancelled or StreamEnd("cancelled")
        transcript.add(end)
        if self._kept == "handler":
            self.failure = StreamCancelled(end, transcript)
            return
        self._values = [transcript]  # type: ignore[list-item]  # without a handler T is that
        if self._kept != "none" and not (self._buffer and type(self._buffer[-1]) is StreamEnd):
            self._buffer.append(end)

    # ---- for readers

    def lift(self) -> None:
        """Nobody makes room any more: keep all for who has begun to iterate, else nothing."""
        with self._lock:
            if self._kept != "bounded":
                return
            self._kept = "all" if self._read else "none"
            if not self._read:
                self._buffer.clear()
            self._bell.ring()

    def claim(self) -> None:
        """Somebody iterates. Raises ``RuntimeError`` where there is nothing to iterate."""
        with self._lock:
            if self._kept == "handler":
                raise RuntimeError("the events of this stream go to its handler")
            if self._kept == "none":
                raise RuntimeError(
                    "the events of this stream were not kept: iterate it before its result() "
                    "is asked for and before the pool is left"
                )
            self._read = True

    def next_event(self) -> tuple[Event | None, S | None]:
        """The next event, or a signal to wait for, or neither: the end."""
        with self._lock:
            if self._buffer:
                event = self._buffer.popleft()
                if len(self._buffer) == self._room // 2:
                    self._bell.ring()
                return event, None
            return None, None if self.ended is not None else self._bell.listen()

    def tell_end(self) -> None:
        """Its ``StreamEnd`` was handed out, and with it what the stream failed of."""
        self.told = self.told or isinstance(self.failure, StreamEndError)

    def raise_once(self) -> None:
        """Raise what the stream raised, at the end of an iteration."""
        if self.failure is not None and not self._raised:
            self._raised = self.told = True
            raise self.failure

    def unfinished(self) -> S | None:
        """A signal while it goes on, to look again after; None when it has ended."""
        with self._lock:
            return None if self.ended is not None else self._bell.listen()
