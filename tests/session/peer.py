"""Servers as functions, and a driver that runs a session against one on a virtual clock.

A server is a function from a request to a ``Reply``. ``drive`` does what an adapter does, and
nothing sleeps: a wait is an addition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h11

from sans_io_stream import Event
from sans_io_stream.request import HTTPRequest
from sans_io_stream.session import (
    Authorize,
    Close,
    Connect,
    Done,
    Receive,
    Send,
    StartTLS,
    Step,
    StreamSession,
    Wait,
)

STEPS = 20_000


@dataclass
class Asked:
    """One request as a server sees it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass
class Reply:
    """One response: its bytes on the wire, and how the connection ends behind them."""

    wire: bytes
    lost: bool = False
    """The connection fails instead of ending in order."""
    stalls: bool = False
    """It stays open, silent."""


Server = Callable[[Asked], Reply]


def response(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = "text/event-stream",
    headers: dict[str, str] | None = None,
    pieces: list[bytes] | None = None,
) -> bytes:
    """A response on the wire, chunked: one chunk per piece, or all in one."""
    head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: {content_type}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    if status == 204:
        return f"{head}\r\n".encode()
    chunks = pieces if pieces is not None else [body]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in chunks if piece)
    return f"{head}transfer-encoding: chunked\r\n\r\n".encode() + coded + b"0\r\n\r\n"


def cut(wire: bytes, at: int | None, *, lost: bool = True) -> Reply:
    """The first bytes of a response, and then the end of the connection."""
    return Reply(wire if at is None else wire[:at], lost=lost and at is not None)


@dataclass
class Run:
    """What a session did and said."""

    events: list[Event] = field(default_factory=list[Event])
    asked: list[Asked] = field(default_factory=list[Asked])
    waits: list[float] = field(default_factory=list[float])
    steps: list[Step] = field(default_factory=list[Step])
    now: float = 0.0

    @property
    def end(self) -> Any:
        return self.events[-1]


def drive(
    session: StreamSession,
    server: Server,
    *,
    size: int = 1 << 20,
    now: float = 0.0,
    stop: Callable[[Run], bool] | None = None,
) -> Run:
    """Run ``session`` to its end, or until ``stop``; reads have at most ``size`` bytes."""
    run = Run(now=now)
    run.events += session.start(now)
    sent = bytearray()
    incoming: Iterator[bytes] | None = None
    reply = Reply(b"")
    for _ in range(STEPS):
        if stop is not None and stop(run):
            return run
        step = session.next_step(run.now)
        assert session.next_step(run.now) == step
        run.steps.append(step)
        match step:
            case Done():
                assert run.events
                assert run.events[-1] == step.end
                return run
            case Authorize():
                authorize = session.request.authorize
                assert authorize is not None
                request = authorize(step.request)
                assert isinstance(request, HTTPRequest)
                run.events += session.authorized(request, run.now)
            case Connect():
                sent, incoming = bytearray(), None
                run.events += session.connected(run.now)
            case StartTLS():
                run.events += session.tls_started(run.now)
            case Send():
                sent += step.data
                run.events += session.sent(run.now)
            case Receive():
                if incoming is None:
                    asked = parse(bytes(sent))
                    if asked is None:
                        run.events += session.handle_timeout(max(run.now, step.deadline or 0.0))
                        continue
                    run.asked.append(asked)
                    reply = server(asked)
                    wire = reply.wire
                    incoming = iter([wire[i : i + size] for i in range(0, len(wire), size)])
                data = next(incoming, None)
                if data is not None:
                    run.events += session.receive_data(data, run.now)
                elif reply.stalls:
                    assert step.deadline is not None
                    run.now = max(run.now, step.deadline)
                    run.events += session.handle_timeout(run.now)
                elif reply.lost:
                    run.events += session.connection_lost(ConnectionResetError("reset"), run.now)
                else:
                    run.events += session.receive_eof(run.now)
            case Wait():
                run.waits.append(max(0.0, step.until - run.now))
                run.now = max(run.now, step.until)
                run.events += session.handle_timeout(run.now)
            case Close():
                run.events += session.closed(run.now)
    raise AssertionError("the session does not come to an end")


@cache
def parse(sent: bytes) -> Asked | None:
    """The request in ``sent``, None while it is not whole."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(sent)
    request = connection.next_event()
    if not isinstance(request, h11.Request):
        return None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers}
    return Asked(request.method.decode(), request.target.decode("ascii"), headers, body)
