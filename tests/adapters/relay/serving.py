"""A relay on a real socket, and a wire in front of it that is cut: for tests of its clients."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Generator, Iterable
from functools import partial
from typing import Any, Self

import uvicorn

from sans_io_stream_adapters.relay.app import Relay

__all__ = ["Wire", "relay_served"]

LINGER = struct.pack("ii", 1, 0)
"""A socket that is closed with it says RST."""


@contextlib.contextmanager
def relay_served(config: Any, **given: Any) -> Generator[str]:
    """A relay behind uvicorn, in a thread of its own; gives its address. ``given`` is what
    ``Relay`` is made with beside."""
    listening = socket.create_server(("127.0.0.1", 0))
    make = partial(Relay, config, **given)
    options = uvicorn.Config(make, factory=True, log_level="error", lifespan="on", ws="none")
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


class Wire:
    """A TCP proxy. Of its nth connection the server's bytes pass up to the nth of ``cuts``, and
    then it breaks off: in order, or with RST; when there are no more cuts, all of them pass.
    ``url`` is where it listens; ``connections`` counts what came. ``cut`` breaks off those that
    are there."""

    def __init__(self, to: str, cuts: Iterable[int] = (), *, lost: bool = False) -> None:
        host, _, port = to.rpartition("/")[2].rpartition(":")
        self._to = (host, int(port))
        self._cuts = list(cuts)
        self._lost = lost
        self._servers: list[socket.socket] = []
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        # What a client keeps open for a next request is in nobody's way.
        self.cut()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def cut(self) -> None:
        """Break off the connections that are there."""
        for server in self._servers:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            left = self._cuts.pop(0) if self._cuts else None
            server = socket.create_connection(self._to, timeout=30)
            self._servers.append(server)
            asking = threading.Thread(target=self._ask, args=(client, server))
            answering = threading.Thread(target=self._answer, args=(client, server, left, asking))
            self._threads.append(answering)
            asking.start()
            answering.start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """What the client says, as it is."""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _answer(
        self,
        client: socket.socket,
        server: socket.socket,
        left: int | None,
        asking: threading.Thread,
    ) -> None:
        """What the server says, as far as the cut."""
        with client, server:
            with contextlib.suppress(OSError):
                while left != 0 and (data := server.recv(65536)):
                    passed = data if left is None else data[:left]
                    left = None if left is None else left - len(passed)
                    client.sendall(passed)
            lost = left == 0 and self._lost
            if lost:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD if lost else socket.SHUT_RDWR)
            # A socket is not closed while somebody receives from it.
            asking.join()
