"""Other clients, one way to use them all: a request is made, and its response read as events.

A client is asked for by name and colour (``sync``, ``asyncio`` or ``trio``), and skipped where
its package is not installed. What the table opens is closed by it, as its users would.
"""

from __future__ import annotations

import http.client
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from sans_io_stream import Event, StreamEnd, Transcript
from sans_io_stream.errors import StreamEndError
from sans_io_stream_adapters.responses import aevents_from, events_from

from .colours import run

__all__ = ["CLIENTS", "Client", "Got", "read"]

BODY = {"model": "m", "stream": True}


class Client(NamedTuple):
    """How one client asks. ``open(package, url, limit)`` is a context of its response."""

    name: str
    colour: str
    open: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.name}-{self.colour}"


@dataclass
class Got:
    """What a consumer got."""

    events: list[Event] = field(default_factory=list[Event])
    raised: StreamEndError | None = None
    stream: Any = None
    response: Any = None

    @property
    def end(self) -> StreamEnd:
        """The one ``StreamEnd``, which came last."""
        assert [type(event) for event in self.events].count(StreamEnd) == 1
        last = self.events[-1]
        assert isinstance(last, StreamEnd)
        return last

    @property
    def text(self) -> str:
        return Transcript.of(self.events).text


Enough = Callable[[Event], bool]


def read(
    client: Client,
    url: str,
    *,
    limit: float | None = None,
    enough: Enough = lambda event: False,
    **options: Any,
) -> Got:
    """Read the answer at ``url``, to its end or until ``enough(event)``."""
    package = pytest.importorskip(client.name)
    got = Got()
    if client.colour == "sync":
        with client.open(package, url, limit) as got.response:
            consume(got, enough, options)
        return got

    async def main() -> None:
        async with client.open(package, url, limit) as got.response:
            await aconsume(got, enough, options)

    run(client.colour, main)
    return got


def consume(got: Got, enough: Enough, options: dict[str, Any]) -> None:
    with events_from(got.response, **options) as got.stream:
        try:
            for event in got.stream:
                got.events.append(event)
                if enough(event):
                    break
        except StreamEndError as error:
            got.raised = error


async def aconsume(got: Got, enough: Enough, options: dict[str, Any]) -> None:
    async with aevents_from(got.response, **options) as got.stream:
        try:
            async for event in got.stream:
                got.events.append(event)
                if enough(event):
                    break
        except StreamEndError as error:
            got.raised = error


# ---- one for each


@contextmanager
def by_httpx(package: Any, url: str, limit: float | None) -> Generator[Any]:
    with package.Client(timeout=limit) as client, client.stream("POST", url, json=BODY) as got:
        yield got


@asynccontextmanager
async def by_async_httpx(package: Any, url: str, limit: float | None) -> AsyncGenerator[Any]:
    async with (
        package.AsyncClient(timeout=limit) as client,
        client.stream("POST", url, json=BODY) as got,
    ):
        yield got


@asynccontextmanager
async def by_aiohttp(package: Any, url: str, limit: float | None) -> AsyncGenerator[Any]:
    timeout = package.ClientTimeout(sock_read=limit)
    async with (
        package.ClientSession(timeout=timeout) as session,
        session.post(url, json=BODY) as got,
    ):
        yield got


@contextmanager
def by_requests(package: Any, url: str, limit: float | None) -> Generator[Any]:
    with (
        package.Session() as session,
        session.post(url, json=BODY, stream=True, timeout=limit) as got,
    ):
        yield got


@asynccontextmanager
async def by_async_niquests(package: Any, url: str, limit: float | None) -> AsyncGenerator[Any]:
    async with package.AsyncSession() as session:
        got = await session.post(url, json=BODY, stream=True, timeout=limit)
        try:
            yield got
        finally:
            await got.close()


@contextmanager
def by_urllib3(package: Any, url: str, limit: float | None) -> Generator[Any]:
    # One connection that is waited for: a response that kept it would block the next request.
    with package.PoolManager(maxsize=1, block=True) as pool:
        asking = partial(
            pool.request, "POST", url, json=BODY, timeout=limit, retries=False, redirect=False
        )
        yield asking(preload_content=False)


@contextmanager
def by_http_client(package: Any, url: str, limit: float | None) -> Generator[Any]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=limit)
    try:
        connection.request("POST", where.path, b'{"model":"m","stream":true}')
        yield connection.getresponse()
    finally:
        connection.close()


CLIENTS = [
    Client("http.client", "sync", by_http_client),
    Client("urllib3", "sync", by_urllib3),
    Client("requests", "sync", by_requests),
    Client("httpx", "sync", by_httpx),
    Client("httpx", "asyncio", by_async_httpx),
    Client("httpx", "trio", by_async_httpx),
    Client("httpx2", "sync", by_httpx),
    Client("httpx2", "asyncio", by_async_httpx),
    Client("httpx2", "trio", by_async_httpx),
    Client("aiohttp", "asyncio", by_aiohttp),
    Client("niquests", "sync", by_requests),
    Client("niquests", "asyncio", by_async_niquests),
]
