"""Over the wire: what is read, answered and sent on one connection, and how it breaks.

One ``Service`` is a whole server but for its sockets. Faults are handed out in the order in
which requests for the answer arrive; calls that ask for no stream take none.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING

import h11

from .answering import Shape, answered, found
from .faults import Break, Busy, Fault, Forget, Refuse, Reset, Stall
from .http import Requests, Response, Wire, Write, document
from .resuming import mechanism_named

if TYPE_CHECKING:
    from .connection import Connection
    from .playing import Answer
    from .seen import Asked, Counts

__all__ = ["Service", "Settings"]

Turn = tuple[Fault, ...]
"""What happens to one request."""


@dataclass(frozen=True)
class Settings:
    """All that a server is made of, as plain data that goes to another process."""

    answer: Answer
    mechanism: str = "none"
    turns: tuple[Turn, ...] = ()
    shape: Shape = field(default_factory=Shape)
    speed: float | None = None
    port: int = 0


class Service:
    """Serves connections by its settings."""

    def __init__(self, settings: Settings, counts: Counts) -> None:
        self._settings = settings
        self._counts = counts
        self._mechanism = mechanism_named(settings.mechanism)(settings.answer)
        self._turns = deque(settings.turns)
        self._lock = threading.Lock()

    def serve(self, connection: Connection) -> None:
        """All requests of one connection."""
        if (refused := self._refused()) is not None:
            if refused.reset:
                connection.reset()
            return
        requests = Requests(connection)
        try:
            while (asked := requests.next()) is not None:
                if not self._answer(connection, asked, requests):
                    return
                if not requests.keeps:
                    connection.farewell()
                    return
        except h11.RemoteProtocolError as error:
            response = document(400, {"error": {"message": str(error)}})
            for write in Wire.of(response).writes:
                connection.send(write.data)

    def _answer(self, connection: Connection, asked: Asked, requests: Requests) -> bool:
        """Answer one request; whether the connection may go on."""
        response, faults = self._response(asked)
        self._counts.begin(replace(asked, faults=faults))
        if (refused := found(faults, Refuse)) is not None:
            # A connection that was kept: this one is refused late.
            self._counts.end()
            if refused.reset:
                connection.reset()
            return False
        wire = Wire.of(response, chunks=requests.chunks)
        sending = Sending(connection, wire, self._settings.speed, self._counts.end)
        try:
            return sending.run(found(faults, Break))
        finally:
            sending.end()

    def _response(self, asked: Asked) -> tuple[Response, Turn]:
        """The response, and the faults that it shows."""
        with self._lock:
            turn = self._turns[0] if self._turns else ()
            forgets = found(turn, Forget) is not None
            told = self._mechanism.asked(asked, forgets=forgets)
            if isinstance(told, Response):
                # A check that hears of a forgotten cursor spares the request that would.
                checked = forgets and told != self._mechanism.asked(asked)
                return told, self._pop() if checked else ()
            turn = self._pop()
            response = answered(self._mechanism, told, turn, self._settings.shape)
            if found(turn, Busy) is None:
                self._mechanism.begun(asked)
            return response, turn

    def _refused(self) -> Refuse | None:
        """Whether the next turn refuses a connection; it is over then."""
        with self._lock:
            refused = found(self._turns[0], Refuse) if self._turns else None
            if refused is not None:
                self._pop()
            return refused

    def _pop(self) -> Turn:
        return self._turns.popleft() if self._turns else ()


class Sending:
    """One response on its way."""

    def __init__(
        self, connection: Connection, wire: Wire, speed: float | None, ended: object
    ) -> None:
        self._connection = connection
        self._wire = wire
        self._speed = speed
        self._ended = ended

    def end(self) -> None:
        """The request counts as answered; a second call does nothing."""
        ended, self._ended = self._ended, None
        if callable(ended):
            ended()

    def run(self, fault: Break | None) -> bool:
        """Send it, broken as the fault says; whether the connection may go on."""
        connection, wire = self._connection, self._wire
        size = None if fault is None else wire.until(fault)
        if fault is None or size is None:
            return self._whole()
        if not self._send(wire.first(size), last=not isinstance(fault, Stall)):
            return False
        if isinstance(fault, Stall):
            connection.wait(None)
        elif isinstance(fault, Reset):
            connection.reset()
        return False

    def _whole(self) -> bool:
        connection, wire = self._connection, self._wire
        if wire.beat is not None:
            return self._send(wire.writes, last=False) and self._beat(wire.beat)
        if not self._send(wire.writes, last=True):
            return False
        if wire.reset:
            connection.reset()
        elif wire.closes and wire.whole:
            connection.farewell()
        return not wire.closes

    def _beat(self, beat: Write) -> bool:
        if not beat.data:
            return self._connection.wait(None)
        for _ in repeat(None):
            if not self._connection.wait(beat.pause):
                break
            if self._wire.beaten is not None:
                self._wire.beaten()
            if not self._connection.send(beat.data):
                break
        return False

    def _send(self, writes: list[Write], *, last: bool) -> bool:
        """Send these, each when it is due; False if the client has gone."""
        begun = time.monotonic()
        origin = next((write.time for write in writes[1:]), 0.0)
        for number, write in enumerate(writes, 1):
            if last and number == len(writes):
                self.end()
            wait = write.pause
            if self._speed is not None:
                due = begun + (write.time - origin) / self._speed
                wait = max(wait, due - time.monotonic())
            if wait > 0 and not self._connection.wait(wait):
                return False
            if not self._connection.send(write.data):
                return False
        if last and not writes:
            self.end()
        return True
