"""Clients that send requests for a session: httpx and httpx2 in both colours, aiohttp.

Each is the user's, and stays open; what is opened and closed here is one response at a time.
Deadlines are kept by cancelling the call that is under way, which closes its response, and in
blocking code by the client's own read timeout. What a client raises for the network becomes
``ConnectionLost``; all else is the caller's mistake, and is raised to it.
"""

from __future__ import annotations

import io
import math
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, TypeVar

from sans_io_stream.session import Receive, Wait

from ..libraries import OnAsyncio, OnTrio, running
from ..network import AsyncBasics, Basics, OutOfTime, left
from .bodies import AsyncBody, AsyncChunks, AsyncReads, Chunks

if TYPE_CHECKING:
    from _typeshed import StrPath

    from sans_io_stream import Limits, ReconnectPolicy, Timeouts
    from sans_io_stream.headers import HeaderPairs
    from sans_io_stream.observing import Observer
    from sans_io_stream.request import HTTPRequest
    from sans_io_stream.session import Step

__all__ = [
    "AsyncClient",
    "Client",
    "ClientOptions",
    "ConnectionLost",
    "OverAiohttp",
    "OverAsyncHttpx",
    "OverHttpx",
]

T = TypeVar("T")

FAILURES = frozenset({"HTTPError", "ClientError", "TimeoutError", "OSError"})
"""The bases of what httpx and aiohttp raise for what the network does."""
IN_VAIN = frozenset({"ReadTimeout", "WriteTimeout"})
"""What httpx raises when its own timeouts have run out, which here are the session's."""
EVER = 1_000_000
"""Seconds of a read that nothing bounds: the system's timers take no endless ones."""


class ClientOptions(TypedDict, total=False):
    """The keyword options of ``resumable``: those of ``StreamOptions`` that do not speak of
    connections, which are the client's."""

    resume_from: str | None
    policy: ReconnectPolicy | None
    timeouts: Timeouts | None
    limits: Limits | None
    capture: StrPath | None
    on_reconnect: Callable[[int, float], object] | None
    on_error: Literal["raise", "event"]
    observers: Sequence[Observer]


class ConnectionLost(Exception):
    """What the client raised for the network."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class AsyncClient(AsyncBasics, Protocol):
    """What ``driving`` needs of an asynchronous client. One response is open at a time. Both
    calls raise ``ConnectionLost``, and ``OutOfTime`` at the last deadline or when interrupted."""

    calm: tuple[type[Step], ...]
    """Steps that a consumer may cancel without harm to the connection."""

    async def ask(
        self, request: HTTPRequest, connect_by: float | None, answer_by: float | None
    ) -> tuple[int, HeaderPairs]:
        """Send the request; status and headers of the response."""
        ...

    async def receive(self, deadline: float | None) -> bytes:
        """What has come of its body; empty at an orderly end."""
        ...


class Client(Basics, Protocol):
    """The same, blocking."""

    calm: tuple[type[Step], ...]

    def ask(
        self, request: HTTPRequest, connect_by: float | None, answer_by: float | None
    ) -> tuple[int, HeaderPairs]: ...
    def receive(self, deadline: float | None) -> bytes: ...


def is_failure(error: Exception) -> bool:
    return any(kind.__name__ in FAILURES for kind in type(error).__mro__)


def pairs_of(headers: Any) -> HeaderPairs:
    return tuple((name.lower(), value) for name, value in headers.items())


def httpx_request(client: Any, request: HTTPRequest, timeout: dict[str, object]) -> Any:
    """The client's own request: with its headers, cookies and proxies, and these timeouts."""
    return client.build_request(
        request.method,
        request.url,
        headers=list(request.headers),
        content=request.body or None,
        extensions={"timeout": timeout},
    )


# ---- asynchronous


class Asynchronous:
    """What both asynchronous clients have in common."""

    calm: tuple[type[Step], ...] = (Wait,)

    def __init__(self, client: Any) -> None:
        self._client = client
        self._library: OnAsyncio | OnTrio | None = None
        self._body: AsyncBody | None = None

    @property
    def _on(self) -> OnAsyncio | OnTrio:
        if self._library is None:
            self._library = running()
        return self._library

    def now(self) -> float:
        return self._on.now()

    def begin(self) -> None:
        """Each call has a scope of its own, so that there is nothing to forget."""

    def interrupt(self) -> None:
        self._on.interrupt()

    async def wait_until(self, time: float) -> None:
        await self._on.bounded(None, lambda: self._on.sleep(max(0.0, time - self.now())))

    async def receive(self, deadline: float | None) -> bytes:
        if self._body is None:
            raise ConnectionLost(ConnectionAbortedError("the response was closed"))
        return await self._call(deadline, self._body.read)

    async def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            with suppress(Exception):
                await body.aclose()

    async def _call(self, deadline: float | None, call: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._on.bounded(deadline, call)
        except OutOfTime:
            raise
        except Exception as error:
            if is_failure(error):
                raise ConnectionLost(error) from error
            raise


class OverAsyncHttpx(Asynchronous):
    """The AsyncClient of httpx or httpx2, on asyncio and on trio."""

    async def ask(
        self, request: HTTPRequest, connect_by: float | None, answer_by: float | None
    ) -> tuple[int, HeaderPairs]:
        await self.close()
        dialling = left(connect_by, self.now())
        timeout = {"connect": dialling, "pool": dialling, "read": None, "write": None}
        asked = httpx_request(self._client, request, {**timeout})
        response = await self._call(
            answer_by, lambda: self._client.send(asked, stream=True, follow_redirects=False)
        )
        chunks: AsyncIterator[bytes] = response.aiter_bytes()
        self._body = AsyncChunks(chunks, response.aclose)
        return response.status_code, pairs_of(response.headers)


class OverAiohttp(Asynchronous):
    """The ClientSession of aiohttp. A read that is cancelled has taken nothing."""

    calm: tuple[type[Step], ...] = (Receive, Wait)

    async def ask(
        self, request: HTTPRequest, connect_by: float | None, answer_by: float | None
    ) -> tuple[int, HeaderPairs]:
        from aiohttp import ClientTimeout
        from yarl import URL

        await self.close()
        options: dict[str, Any] = {
            "headers": list(request.headers),
            # Bytes of more than a megabyte are warned of, a file is sent piece by piece.
            "data": io.BytesIO(request.body) if request.body else None,
            "allow_redirects": False,
            "raise_for_status": False,
            "timeout": ClientTimeout(connect=left(connect_by, self.now())),
        }
        url = URL(request.url, encoded=True)
        response = await self._call(
            answer_by, lambda: self._client.request(request.method, url, **options)
        )
        self._body = AsyncReads(response.content.readany, response.close)
        return response.status, pairs_of(response.headers)


# ---- blocking


class Remaining:
    """The seconds that are left until ``until``, as a number that is read when it is used.

    A client takes one read timeout for a whole response, and hands it to ``socket.settimeout``
    before each read, which takes whatever has an ``__index__``: whole seconds, one at least.
    """

    def __init__(self) -> None:
        self.until: float | None = None

    def __index__(self) -> int:
        if self.until is None:
            return EVER
        return min(EVER, max(1, math.ceil(self.until - time.monotonic())))

    def passed(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until


class OverHttpx:
    """The Client of httpx or httpx2. Deadlines are kept to the second.

    An interruption from another thread ends a wait at once, and a read of HTTP/1.1, whose
    connection is this response's alone; any other at its next piece or deadline.
    """

    calm: tuple[type[Step], ...] = (Wait,)

    def __init__(self, client: Any) -> None:
        self._client = client
        self._remaining = Remaining()
        self._interrupted = threading.Event()
        self._response: Any = None
        self._body: Chunks | None = None

    def now(self) -> float:
        return time.monotonic()

    def begin(self) -> None:
        self._interrupted.clear()

    def interrupt(self) -> None:
        self._interrupted.set()
        response = self._response
        if response is not None and response.http_version.startswith("HTTP/1"):
            connection = response.extensions.get("network_stream")
            opened = connection and connection.get_extra_info("socket")
            if opened is not None:
                with suppress(OSError):
                    opened.shutdown(2)

    def wait_until(self, time: float) -> None:
        if self._interrupted.wait(max(0.0, time - self.now())):
            raise OutOfTime

    def ask(
        self, request: HTTPRequest, connect_by: float | None, answer_by: float | None
    ) -> tuple[int, HeaderPairs]:
        self.close()
        now = self.now()
        dialling, sending = left(connect_by, now), left(answer_by, now)
        self._remaining = Remaining()
        timeout = {"connect": dialling, "pool": dialling, "write": sending, "read": self._remaining}
        asked = httpx_request(self._client, request, {**timeout})
        response = self._call(
            answer_by, lambda: self._client.send(asked, stream=True, follow_redirects=False)
        )
        chunks: Iterator[bytes] = response.iter_bytes()
        self._response, self._body = response, Chunks(chunks, response.close)
        return response.status_code, pairs_of(response.headers)

    def receive(self, deadline: float | None) -> bytes:
        if self._body is None:
            raise ConnectionLost(ConnectionAbortedError("the response was closed"))
        return self._call(deadline, self._body.read)

    def close(self) -> None:
        body, self._body, self._response = self._body, None, None
        if body is not None:
            with suppress(Exception):
                body.close()

    def _call(self, deadline: float | None, call: Callable[[], T]) -> T:
        self._remaining.until = deadline
        # A read takes a second at least, and heartbeats may come in each.
        if self._interrupted.is_set() or self._remaining.passed():
            raise OutOfTime
        try:
            return call()
        except Exception as error:
            late = type(error).__name__ in IN_VAIN and self._remaining.passed()
            if late or self._interrupted.is_set():
                raise OutOfTime from None
            if is_failure(error):
                raise ConnectionLost(error) from error
            raise
