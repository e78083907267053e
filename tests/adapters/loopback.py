"""A server on loopback that answers as the servers of ``tests.session`` do, and a proxy.

Each connection has a thread, which ends with it. How a connection ends is the reply's word:
in order (FIN, and close_notify where there is TLS) or lost (RST).
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from tests.session.peer import Asked, Server, parse

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest

__all__ = ["Loopback", "Place", "Proxying", "at"]

PIECE = 97
"""Bytes that are sent at once: records come in several reads, or several in one."""
RESET = struct.pack("ii", 1, 0)
PATIENCE = 20.0


@dataclass
class Place:
    """A listening socket, and the threads of its connections."""

    context: ssl.SSLContext | None = None
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    accepted: int = 0
    failures: list[BaseException] = field(default_factory=list[BaseException])

    def __post_init__(self) -> None:
        self.port: int = self.listening.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(PATIENCE)
        self.listening.close()
        for one in self._open:
            with suppress(OSError):
                # Not TLS' own, which takes the session away from the thread that uses it.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert not self.failures, self.failures

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._attend, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _attend(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.context is not None:
                inside = self.context.wrap_socket(connection, server_side=True)
                self._open.append(inside)
                connection = inside
            self.serve(connection)
        except OSError:
            pass  # the client has left
        except BaseException as error:
            self.failures.append(error)
        finally:
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


@dataclass
class Loopback(Place):
    """``answers`` says what each request gets."""

    answers: Server | None = None
    piece: int = PIECE
    asked: list[Asked] = field(default_factory=list[Asked])

    def serve(self, connection: socket.socket) -> None:
        received = b""
        while (asked := parse(received)) is None:
            data = connection.recv(65536)
            if not data:
                return
            received += data
        self.asked.append(asked)
        assert self.answers is not None
        reply = self.answers(asked)
        for start in range(0, len(reply.wire), self.piece):
            connection.sendall(reply.wire[start : start + self.piece])
        if reply.stalls:
            connection.recv(1)
        elif reply.lost:
            reset(connection)
        elif isinstance(connection, ssl.SSLSocket):
            self.end(connection)

    def end(self, connection: ssl.SSLSocket) -> None:
        """End TLS in order."""
        connection.unwrap()


@dataclass
class Proxying(Place):
    """A proxy that speaks ``CONNECT``, and goes to ``to`` whatever it is asked for."""

    to: int = 0
    answer: bytes = b"HTTP/1.1 200 Go on\r\n\r\n"
    heads: list[bytes] = field(default_factory=list[bytes])

    def serve(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(1)
            if not data:
                return
            head += data
        self.heads.append(head)
        connection.sendall(self.answer)
        if not self.answer.startswith(b"HTTP/1.1 2"):
            return
        with socket.create_connection(("127.0.0.1", self.to), PATIENCE) as behind:
            relay(connection, behind)


def relay(near: socket.socket, far: socket.socket) -> None:
    """Hand bytes on both ways until one side ends; a reset is handed on, too."""
    while True:
        kept = isinstance(near, ssl.SSLSocket) and near.pending()
        for source in [near] if kept else select.select([near, far], [], [], PATIENCE)[0]:
            sink = far if source is near else near
            try:
                data = source.recv(65536)
            except OSError:
                reset(sink)
                return
            if not data:
                return
            sink.sendall(data)


def reset(connection: socket.socket) -> None:
    """Let the close that follows be a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def at(
    request: StreamRequest, port: int, scheme: str = "http", host: str = "127.0.0.1"
) -> StreamRequest:
    """The same request, to that server."""
    path = request.url.split("/", 3)[3]
    return replace(request, url=f"{scheme}://{host}:{port}/{path}")
