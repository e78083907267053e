"""A client that knows nothing: what a socket receives, and how its connection ended."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sans_io_stream_adapters.testing import FaultServer

__all__ = ["Got", "ask", "opened"]

GET = "GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n"


class Got(NamedTuple):
    """All bytes, and whether a reset ended them."""

    wire: bytes
    reset: bool

    @property
    def head(self) -> bytes:
        return self.wire.partition(b"\r\n\r\n")[0] + b"\r\n"

    @property
    def chunks(self) -> list[bytes]:
        """The body's chunks, as far as they came."""
        rest = self.wire.partition(b"\r\n\r\n")[2]
        found: list[bytes] = []
        while b"\r\n" in rest:
            size, _, rest = rest.partition(b"\r\n")
            found.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return found

    @property
    def records(self) -> list[bytes]:
        """The chunks but the last one, which has to be there."""
        assert self.wire.endswith(b"\r\n0\r\n\r\n")
        return self.chunks[:-1]


def opened(server: FaultServer, target: str = "/", **headers: str) -> socket.socket:
    """A connection on which that was asked."""
    sock = socket.create_connection((server.host, server.port), timeout=30)
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    sock.sendall(GET.format(target, lines).encode())
    return sock


def ask(server: FaultServer, target: str = "/", **headers: str) -> Got:
    """Ask, and read to the end."""
    got = b""
    try:
        with opened(server, target, **headers) as sock:
            while data := sock.recv(65536):
                got += data
    except (ConnectionResetError, BrokenPipeError):
        return Got(got, True)
    return Got(got, False)
