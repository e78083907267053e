"""A blocking driver around ``StreamSession`` over real sockets, for tests of servers.

The adapters have drivers of their own; this one is as small as can be, so that a test of the
server does not lean on them.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

from sans_io_stream import Event, ReconnectPolicy, StreamRequest, StreamSession, Timeouts
from sans_io_stream.session import Authorize, Close, Connect, Done, Receive, Send, StartTLS, Wait

__all__ = ["AT_ONCE", "Run", "drive"]

AT_ONCE = ReconnectPolicy(initial_delay=0.0, max_attempts=20, max_retries=20)
"""Nobody waits for a server that is told to fail."""


@dataclass
class Run:
    """What a session said, and how long it was told to wait, in seconds."""

    events: list[Event] = field(default_factory=list[Event])
    waits: list[float] = field(default_factory=list[float])

    @property
    def end(self) -> Any:
        return self.events[-1]

    def of(self, *types: type) -> list[Any]:
        return [event for event in self.events if type(event) in types]


def drive(
    request: StreamRequest,
    *,
    policy: ReconnectPolicy = AT_ONCE,
    timeouts: Timeouts | None = None,
    tls: ssl.SSLContext | None = None,
) -> Run:
    """Run a session to its end. Waits are not waited out: the clock is moved on instead."""
    session = StreamSession(request, policy=policy, timeouts=timeouts or Timeouts())
    run, moved = Run(), 0.0
    # Whatever it is, it is closed: before it is dialled, and at every Close.
    sock = socket.socket()
    sock.close()

    def now() -> float:
        return time.monotonic() + moved

    run.events += session.start(now())
    while not isinstance(step := session.next_step(now()), Done):
        try:
            match step:
                case Authorize():
                    raise AssertionError("nothing here has to be authorized")
                case Connect():
                    sock = socket.create_connection((step.host, step.port), timeout=30)
                    run.events += session.connected(now())
                case StartTLS():
                    assert tls is not None
                    sock = tls.wrap_socket(sock, server_hostname=step.server_hostname)
                    run.events += session.tls_started(now())
                case Send():
                    sock.sendall(step.data)
                    run.events += session.sent(now())
                case Receive():
                    left = None if step.deadline is None else step.deadline - now()
                    sock.settimeout(None if left is None else max(left, 0.001))
                    data = sock.recv(65536)
                    run.events += (
                        session.receive_data(data, now()) if data else session.receive_eof(now())
                    )
                case Wait():
                    run.waits.append(step.until - now())
                    moved += max(0.0, step.until - now())
                    run.events += session.handle_timeout(now())
                case Close():
                    sock.close()
                    run.events += session.closed(now())
        except TimeoutError:
            run.events += session.handle_timeout(now())
        except OSError as error:
            run.events += session.connection_lost(error, now())
    sock.close()
    return run
