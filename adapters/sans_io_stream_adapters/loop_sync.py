"""Blocking: ``loop`` without ``async`` and ``await``.

Written by ``python -m tests.adapters.unasync``; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, Unpack

from sans_io_stream import Event, Reconnecting, TextDelta, Transcript
from sans_io_stream.session import (
    Authorize,
    Close,
    Connect,
    Done,
    Receive,
    Send,
    StartTLS,
    Step,
    Wait,
)

from .callbacks import Authorizing, called
from .network import Basics, Network, OutOfTime
from .stream import INTERRUPTED, Opened

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

    from .stream import StreamOptions

__all__ = ["Driven", "Stream", "Texts", "answered"]

N = TypeVar("N", bound=Basics)


class Driven(Opened, Generic[N]):
    """An open stream, whatever carries its bytes: iterate it for its events, in ``with``.

    Iteration hands out every event, ``StreamEnd`` included, and then raises
    ``StreamInterrupted``, ``StreamFailed`` or one of their kinds if the stream did not end
    well. Leaving the block closes the connection; what was not read is not read.
    """

    _network: N
    """The primitives, which a subclass makes for each stream."""
    _calm: tuple[type[Step], ...]
    """Steps that can be broken off in their middle, and asked for again."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._authorizing = Authorizing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while not self._pending or self._left:
            if self._over or self._left:
                self._raise_at_end()
                raise StopIteration
            self._advance()
        event = self._hand_out()
        if type(event) is Reconnecting and self._on_reconnect is not None:
            called("on_reconnect", self._on_reconnect(event.attempt, event.delay))
        return event

    def batch(self) -> list[Event]:
        """The events that are there, waiting for the first; empty behind the end. Raises as the
        iteration does. For those who do something once for many events."""
        try:
            events = [self.__next__()]
        except StopIteration:
            return []
        while self._pending and type(self._pending[-1]) is not Reconnecting:
            events.append(self._hand_out())
        return events

    def text(self, choice: int = 0) -> Texts:
        """The pieces of the visible text alone; it ends and raises as the stream does.

        Raises ``ValueError`` where the policy allows a restart: text that has been handed out
        cannot be made void, so the events have to be read.
        """
        self._check_text()
        return Texts(self, choice)

    def close(self) -> None:
        """Close the connection. Called while another thread reads, it ends that iteration.

        Afterwards ``transcript.end`` is ``cancelled``, unless another end was handed out.
        """
        self._leave()
        if self._busy:
            # Whoever is reading finishes what is begun here.
            self._interrupt()
            return
        self._finish()

    def reconnect(self) -> None:
        """Drop the connection, and take the stream up on another one at once."""
        self._asked = self._session.reconnect
        self._interrupt()

    def cancel(self, reason: str | None = None) -> None:
        """End the stream: whoever reads it gets ``StreamEnd("cancelled")``, with the reason."""
        self._asked = partial(self._session.cancel, reason)
        self._interrupt()

    def _interrupt(self) -> None:
        """Let what is at work stop soon."""
        self._network.interrupt()
        self._authorizing.interrupt()

    def _finish(self) -> None:
        """Close what is open, without waiting for anything."""
        self._over = True
        try:
            self._put_away(self._network.now())
        finally:
            self._network.close()

    def _advance(self) -> None:
        """Carry out one step of the session, and keep what came of it."""
        if self._busy:
            raise RuntimeError("this stream is being read by another task or thread")
        self._busy = True
        self._network.begin()
        try:
            if not self._left:
                self._carry_out()
        finally:
            self._busy = False
            if self._left and not self._over:
                self._finish()

    def _carry_out(self) -> None:
        session, network = self._session, self._network
        now = network.now()
        if not self._started:
            self._begin(self.request, now)
            self._started = True
            self._note(session.start(now), now)
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._note(asked(now), now)
        step = session.next_step(now)
        try:
            events = self._perform(step)
        except OutOfTime:
            events = self._out_of_time(step, network.now())
        except OSError as error:
            events = session.connection_lost(error, network.now())
        except BaseException:
            if not isinstance(step, self._calm):
                # Nobody knows how much of it was done.
                now = network.now()
                self._note(session.connection_lost(INTERRUPTED, now), now)
            raise
        self._note(events, network.now() if self._watches else now)

    def _perform(self, step: Step) -> list[Event]:
        """Do what ``step`` says, and tell the session. These are the same everywhere."""
        session, network = self._session, self._network
        match step:
            case Authorize():
                given = self._authorize(step.request)
                request = self._authorizing.result(given, step.deadline)
                return session.authorized(request, network.now())
            case Wait():
                network.wait_until(step.until)
                return session.handle_timeout(network.now())
            case Close():
                network.close()
                return session.closed(network.now())
            case _:
                assert isinstance(step, Done)
                self._over = True
                return []


class Stream(Driven[Network]):
    """An open stream over a runtime's own connections."""

    _calm = (Receive, Wait)

    def _perform(self, step: Step) -> list[Event]:
        session, network = self._session, self._network
        match step:
            case Receive():
                data = network.receive(step.deadline)
                now = network.now()
                return session.receive_data(data, now) if data else session.receive_eof(now)
            case Send():
                network.send(step.data, step.deadline)
                return session.sent(network.now())
            case Connect():
                network.connect(step.host, step.port, step.deadline)
                return session.connected(network.now())
            case StartTLS():
                network.start_tls(step.server_hostname, self._tls(), step.deadline)
                return session.tls_started(network.now())
            case _:
                return super()._perform(step)


class Texts:
    """The visible text of a stream, piece by piece."""

    def __init__(self, stream: Iterator[Event], choice: int) -> None:
        self._stream = stream
        self._choice = choice

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while True:
            event = self._stream.__next__()
            if type(event) is TextDelta and event.choice == self._choice:
                return event.text


def answered(stream: Stream) -> Transcript:
    """The whole answer. Raises as the iteration does, whatever ``on_error`` says, and
    ``StreamInterrupted`` for one that was cancelled."""
    with stream:
        for _ in stream:
            pass
    return stream.whole
