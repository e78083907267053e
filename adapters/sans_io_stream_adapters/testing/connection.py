"""The sockets: a listener on the loopback, one thread for each connection.

Nothing here sleeps or polls. A thread that waits, waits on its socket, for the time or for
the client to go; ``Listener.close`` shuts every socket down, which ends every wait, read and
write at once, and then joins every thread.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

__all__ = ["HOST", "Connection", "Listener"]

HOST = "127.0.0.1"
READ = 64 * 1024
BACKLOG = 128
ON_CLOSE_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time at all: close sends RST instead of FIN."""


class Connection:
    """One accepted connection. What came while nobody read waits in ``buffer``."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.buffer = b""

    def handshake(self) -> bool:
        """Shake hands if this is TLS; False if that failed."""
        try:
            if isinstance(self.socket, ssl.SSLSocket):
                self.socket.do_handshake()
        except OSError:
            return False
        return True

    def read(self) -> bytes:
        """What comes next; empty when the client has gone."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        try:
            return self.socket.recv(READ)
        except OSError:
            return b""

    def send(self, data: bytes) -> bool:
        """Send all of it; False if the client has gone."""
        try:
            self.socket.sendall(data)
        except OSError:
            return False
        return True

    def wait(self, seconds: float | None) -> bool:
        """Let so much time pass, None for all there is; False as soon as the client has gone.

        A client that only stops sending counts as gone: nothing else tells one that went.
        """
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while True:
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return True
                self.socket.settimeout(left)
                data = self.socket.recv(READ)
                if not data:
                    return False
                self.buffer += data
        except TimeoutError:
            return True
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                self.socket.settimeout(None)

    def reset(self) -> None:
        """Have the connection end with a reset when it is closed."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ON_CLOSE_RESET)

    def farewell(self) -> None:
        """Say under TLS that nothing more will come; the client's answer is not waited for."""
        if isinstance(self.socket, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.socket.settimeout(0.0)
                self.socket.unwrap()

    def shut(self) -> None:
        """End it from another thread."""
        # Not the method of SSLSocket: that takes TLS away from under the thread that reads.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Listener:
    """Accepts connections, and has each served by ``serve`` in a thread of its own."""

    def __init__(
        self,
        serve: Callable[[Connection], None],
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        opened: Callable[[], None] = lambda: None,
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._serve = serve
        self._tls = tls
        self._opened = opened
        self._closed = closed
        self._lock = threading.Lock()
        self._open: dict[Connection, threading.Thread] = {}
        self._accepting: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._wake: socket.socket | None = None
        self.port = port
        self.listen()

    def listen(self) -> None:
        """Listen at ``port``, chosen by the system the first time. Raises ``OSError``."""
        if self._accepting is not None:
            return
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((HOST, self.port))
            listening.listen(BACKLOG)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        self.port = listening.getsockname()[1]
        self._socket = listening
        self._wake, woken = socket.socketpair()
        self._accepting = threading.Thread(
            target=self._accept, args=(listening, woken), name="fault-server", daemon=True
        )
        self._accepting.start()

    def deafen(self) -> None:
        """Stop listening: the system refuses every connection from now on."""
        accepting, self._accepting = self._accepting, None
        if accepting is None or self._wake is None or self._socket is None:
            return
        self._wake.close()
        accepting.join()
        self._socket.close()

    def close(self) -> None:
        """Stop listening, end every connection, and wait for every thread."""
        self.deafen()
        with self._lock:
            threads = list(self._open.values())
            for connection in self._open:
                connection.shut()
        for thread in threads:
            thread.join()

    def _accept(self, listening: socket.socket, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as selector:
            selector.register(listening, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while all(key.fileobj is not woken for key, _ in selector.select()):
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    continue
                self._take(accepted)

    def _take(self, accepted: socket.socket) -> None:
        self._opened()
        try:
            accepted.setblocking(True)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                accepted = self._tls.wrap_socket(
                    accepted, server_side=True, do_handshake_on_connect=False
                )
        except OSError:
            accepted.close()
            self._closed()
            return
        connection = Connection(accepted)
        thread = threading.Thread(
            target=self._run, args=(connection,), name="fault-server-connection", daemon=True
        )
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _run(self, connection: Connection) -> None:
        try:
            if connection.handshake():
                self._serve(connection)
        finally:
            with self._lock:
                # Under the lock: a closed socket's number may soon be another's.
                connection.socket.close()
                del self._open[connection]
            self._closed()
