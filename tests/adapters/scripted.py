"""A network that is a script: what each primitive meets, on a clock that is a number.

``Scripted`` is the blocking one, ``AsyncScripted`` the same for the asynchronous runtimes,
with a real switch of tasks in each call. All that is asked of them is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio.lowlevel

from sans_io_stream_adapters.network import OutOfTime

if TYPE_CHECKING:
    import ssl

__all__ = ["STALL", "AsyncScripted", "Connection", "Scripted"]

STALL = None
"""Nothing comes, whatever the deadline."""
Met = bytes | tuple[float, bytes] | OSError | None
"""What a ``receive`` meets: bytes (empty for the end), bytes after so many seconds, a failure,
or a stall."""


@dataclass
class Connection:
    """What happens on one connection."""

    reads: list[Met] = field(default_factory=list[Met])
    refused: OSError | None = None
    tls: OSError | None = None
    sends: list[OSError | None] = field(default_factory=list[OSError | None])
    early: bool = False
    """What is to be read lies there before all is sent."""


class Scripted:
    """The primitives of ``Network`` over these connections."""

    def __init__(self, *connections: Connection) -> None:
        self.time = 0.0
        self.log: list[tuple[object, ...]] = []
        self.open = False
        self._coming = [*connections]
        self._at = Connection()

    def now(self) -> float:
        return self.time

    def begin(self) -> None:
        pass

    def interrupt(self) -> None:
        self.log.append(("interrupt",))

    def connect(self, host: str, port: int, deadline: float | None) -> None:
        self._note("connect", host, port, deadline)
        self._at = self._coming.pop(0)
        if self._at.refused is not None:
            raise self._at.refused
        self.open = True

    def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        self._note("start_tls", server_hostname, deadline)
        if self._at.tls is not None:
            raise self._at.tls

    def send(self, data: bytes, deadline: float | None) -> None:
        self._note("send", data, deadline)
        error = self._at.sends.pop(0) if self._at.sends else None
        if error is not None:
            raise error

    def receive(self, deadline: float | None) -> bytes:
        self._note("receive", deadline)
        if deadline is not None and deadline <= self.time and not self._at.early:
            raise OutOfTime
        met = self._at.reads[0]
        if isinstance(met, tuple):
            seconds, data = met
            if deadline is not None and self.time + seconds > deadline:
                self._at.reads[0] = (self.time + seconds - deadline, data)
                self.time = deadline
                raise OutOfTime
            self.time += seconds
            met = data
        if met is None:
            assert deadline is not None, "it would wait for ever"
            self.time = max(self.time, deadline)
            raise OutOfTime
        del self._at.reads[0]
        if isinstance(met, OSError):
            raise met
        return met

    def wait_until(self, time: float) -> None:
        self._note("wait_until", time)
        self.time = max(self.time, time)

    def close(self) -> None:
        if self.open:
            self._note("close")
        self.open = False

    def _note(self, *what: object) -> None:
        self.log.append((*what, "at", self.time))


class AsyncScripted:
    """The primitives of ``AsyncNetwork``."""

    def __init__(self, script: Scripted) -> None:
        self.script = script
        self.now, self.begin, self.interrupt = script.now, script.begin, script.interrupt

    async def connect(self, host: str, port: int, deadline: float | None) -> None:
        await anyio.lowlevel.checkpoint()
        self.script.connect(host, port, deadline)

    async def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        await anyio.lowlevel.checkpoint()
        self.script.start_tls(server_hostname, context, deadline)

    async def send(self, data: bytes, deadline: float | None) -> None:
        await anyio.lowlevel.checkpoint()
        self.script.send(data, deadline)

    async def receive(self, deadline: float | None) -> bytes:
        await anyio.lowlevel.checkpoint()
        return self.script.receive(deadline)

    async def wait_until(self, time: float) -> None:
        await anyio.lowlevel.checkpoint()
        self.script.wait_until(time)

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.script.close()
