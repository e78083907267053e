"""Streams over blocking sockets: ``open_stream``, ``StreamPool``, and the primitives under them.

The sockets themselves do not block: every wait is a ``select`` on the socket and on a bell,
so that ``close`` and ``reconnect``, from another thread or from a signal handler, end it at
once, and so does Ctrl-C. Looking up a host name is the one thing that cannot be ended. TLS is
``tls.Layers``.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Unpack

from .calling import asked
from .loop_sync import Stream, answered
from .network import MOST, OutOfTime, left
from .pool.driver_sync import Pool
from .tls import Layers

if TYPE_CHECKING:
    from sans_io_stream import StreamRequest, Transcript

    from .pool.pooling import PoolOptions
    from .pool.scope import Endable
    from .stream import StreamOptions

__all__ = ["StreamPool", "SyncStream", "ask", "chat", "open_stream"]

LONGEST = 3600.0
"""Seconds of one ``poll``: its milliseconds are a C int."""
AGAIN = (BlockingIOError, InterruptedError)
UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""One without a descriptor of its own."""


def open_stream(request: StreamRequest, **options: Unpack[StreamOptions]) -> SyncStream:
    """The answer to ``request``, as events: ``with open_stream(request) as stream``.

    Nothing is sent before the first event is asked for. The options are those of
    ``StreamOptions``. ``close`` may be called from another thread. Raises
    ``ResumeTokenError`` and ``ValueError`` as ``StreamSession``.
    """
    return SyncStream(request, **options)


def chat(provider: str | StreamRequest, **fields: Any) -> SyncStream:
    """What a model answers, as a stream::

        with chat("anthropic", model=..., messages=[...]) as stream:

    ``provider`` is a name of ``sans_io_stream.providers.PROVIDERS``. ``fields`` are arguments of
    its ``chat``, fields of its API, and options of ``open_stream``; a key that is not among them
    is read from the provider's usual variable. Raises ``ValueError`` where it cannot be asked.
    """
    request, options = asked(provider, fields)
    return SyncStream(request, **options)


def ask(provider: str | StreamRequest, **fields: Any) -> Transcript:
    """The whole answer to what ``chat`` asks. Raises ``StreamInterrupted`` or ``StreamFailed``,
    with what there is of it, for any that is not complete."""
    # Not through chat: fields that are handed on are copied, and only the copy is hidden.
    request, options = asked(provider, fields)
    return answered(SyncStream(request, **options))


class SyncStream(Stream):
    """An open stream over blocking sockets."""

    def __init__(self, request: StreamRequest, **options: Unpack[StreamOptions]) -> None:
        super().__init__(request, **options)
        self._network = SyncNetwork()


def now() -> float:
    """The clock of the streams, and of pools."""
    return time.monotonic()


class Threads:
    """The threads of a pool. What a thread raises beyond ``Exception`` is raised by ``close``."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: list[threading.Thread] = []
        self._raised: BaseException | None = None

    def now(self) -> float:
        return now()

    def signal(self) -> ThreadSignal:
        return ThreadSignal()

    def open(self) -> None:
        pass

    def close(self, interrupted: Callable[[], None]) -> None:
        try:
            self._join()
        except BaseException:
            interrupted()
            self._join()
            raise
        if self._raised is not None:
            raise self._raised

    def _join(self) -> None:
        # A thread spawns before it ends: when the last one has ended none is to come.
        while self._alive:
            self._alive[0].join()
            with self._lock:
                self._alive = [thread for thread in self._alive if thread.is_alive()]

    def spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=(work,), name="stream-pool", daemon=True)
        with self._lock:
            self._alive = [thread for thread in self._alive if thread.is_alive()]
            thread.start()
            self._alive.append(thread)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised by close
            self._raised = error

    @contextmanager
    def scope(self, stream: Endable) -> Generator[StreamScope]:
        yield StreamScope(stream)


class StreamScope:
    """Nothing ends a thread: its stream is ended."""

    def __init__(self, stream: Endable) -> None:
        self._stream = stream

    def cancel(self, reason: str | None) -> None:
        self._stream.cancel(reason)


class ThreadSignal:
    """An event, and a deadline for the wait."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait_until(self, time: float | None) -> None:
        self._event.wait(left(time, now()))


class StreamPool(Pool):
    """Many streams in threads; see ``Pool``."""

    def __init__(self, max_concurrent: int = 10, **options: Unpack[PoolOptions]) -> None:
        super().__init__(Threads(), open_stream, max_concurrent, **options)


class SyncNetwork:
    """The primitives over blocking sockets."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._layers = Layers()
        # A signal handler may come in anywhere, and call close or reconnect: the flag is a
        # plain one, and the lock one that its own thread may take again.
        self._interrupted = False
        self._lock = threading.RLock()
        self._bell: tuple[socket.socket, socket.socket] | None = None
        """A pair; what is written to the second ends a wait at the first."""

    def now(self) -> float:
        return now()

    def begin(self) -> None:
        self._interrupted = False

    def interrupt(self) -> None:
        self._interrupted = True
        with self._lock:
            if self._bell is not None:
                self._bell[1].send(b"!")

    def connect(self, host: str, port: int, deadline: float | None) -> None:
        self.close()
        errors: list[OSError] = []
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            try:
                self._dial(socket.socket(family, kind, protocol), address, deadline)
            except OSError as error:
                self.close()
                errors.append(error)
            else:
                return
        raise errors[-1] if errors else OSError(f"no address for {host}")

    def start_tls(
        self, server_hostname: str, context: ssl.SSLContext, deadline: float | None
    ) -> None:
        self._layers.add(context, server_hostname)
        done = False
        while not done:
            done = self._layers.shake()
            if data := self._layers.pending():
                self._write(data, deadline)
            if not done:
                self._layers.feed(self._read(deadline))

    def send(self, data: bytes, deadline: float | None) -> None:
        if self._layers:
            self._layers.put(data)
            data = self._layers.pending()
        self._write(data, deadline)

    def receive(self, deadline: float | None) -> bytes:
        layers = self._layers
        if not layers:
            return self._read(deadline)
        while (data := layers.taken()) is None:
            layers.feed(self._read(deadline))
            if answer := layers.pending():
                self._write(answer, deadline)
        return data

    def wait_until(self, time: float) -> None:
        self._wait(None, 0, time)

    def close(self) -> None:
        self._layers = Layers()
        with self._lock:
            open_ones = [self._socket, *(self._bell or ())]
            self._socket = self._bell = None
        for one in open_ones:
            if one is not None:
                one.close()

    # ---- the bytes of the network

    def _dial(self, dialling: socket.socket, address: Any, deadline: float | None) -> None:
        self._socket = dialling
        dialling.setblocking(False)
        code = dialling.connect_ex(address)
        if code in UNDER_WAY:
            if not self._wait(dialling, WRITE, deadline):
                raise OutOfTime
            code = dialling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        dialling.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise ConnectionAbortedError("the connection was closed")
        return self._socket

    def _read(self, deadline: float | None) -> bytes:
        """What came; empty at the network's end, which within TLS is no end."""
        while True:
            opened = self._open()
            try:
                return opened.recv(MOST)
            except AGAIN:
                if not self._wait(opened, READ, deadline):
                    raise OutOfTime from None

    def _write(self, data: bytes, deadline: float | None) -> None:
        rest = memoryview(data)
        while rest:
            opened = self._open()
            try:
                rest = rest[opened.send(rest) :]
            except AGAIN:
                if not self._wait(opened, WRITE, deadline):
                    raise OutOfTime from None

    def _wait(self, waited: socket.socket | None, what: int, deadline: float | None) -> bool:
        """Whether the socket is ready before the deadline. Raises ``OutOfTime`` when
        interrupted."""
        with self._lock:
            if self._bell is None:
                self._bell = socket.socketpair()
            bell = self._bell[0]
        with Selector() as selector:
            selector.register(bell, READ)
            if waited is not None:
                selector.register(waited, what)
            ready = False
            while not ready:
                if self._interrupted:
                    raise OutOfTime
                seconds = left(deadline, self.now())
                found = selector.select(None if seconds is None else min(seconds, LONGEST))
                for key, _ in found:
                    if key.fileobj is bell:
                        bell.recv(64)
                    else:
                        ready = True
                if deadline is not None and not ready and self.now() >= deadline:
                    return False
        return True
