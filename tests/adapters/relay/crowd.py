"""Many readers of a relay at once, each of which remembers all that it saw: for tests.

Some are clients of this library, the others read bytes and know nothing but server-sent events
and ``Last-Event-ID``. ``Pace`` is how a test waits for what they see, instead of for time.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Literal
from urllib.parse import urlsplit

import anyio

from sans_io_stream import Event, ReconnectPolicy, Resumed, ResumePoint, StreamEnd
from sans_io_stream.providers import relay
from sans_io_stream_adapters.asyncio import open_stream

from .asgi import talk

__all__ = ["Client", "Format", "Pace", "Raw", "Seen", "fields_of"]

Format = Literal["native", "openai-chat"]
PATHS = {"native": "/v1/streams", "openai-chat": "/v1/chat/completions"}
PATIENT = ReconnectPolicy(
    initial_delay=0.01, max_delay=0.1, max_attempts=10**4, max_retries=10**4, max_connections=10**5
)
COMPLETE = {"native": b'"stream_end"', "openai-chat": b"[DONE]"}
"""What stands in the last event of a format, if that has a word for the end."""


class Pace:
    """How far all readers are."""

    def __init__(self) -> None:
        self._count = 0
        self._due: list[tuple[int, anyio.Event]] = []
        self._reading: set[Seen] = set()
        self._behind: set[Seen] = set()
        self._none_behind = anyio.Event()

    def begins(self, reader: Seen) -> None:
        self._reading.add(reader)

    def saw(self, reader: Seen) -> None:
        """It has got another event."""
        self._count += 1
        for due, event in self._due:
            if self._count >= due:
                event.set()
        self._goes_on(reader)

    def ends(self, reader: Seen) -> None:
        self._reading.discard(reader)
        self._goes_on(reader)

    def _goes_on(self, reader: Seen) -> None:
        self._behind.discard(reader)
        if not self._behind:
            self._none_behind.set()

    async def more(self, events: int) -> None:
        """So many more have come, at all readers together."""
        one = (self._count + events, anyio.Event())
        self._due.append(one)
        await one[1].wait()
        self._due.remove(one)

    async def all(self) -> None:
        """Each reader that reads now has got another one, or its end."""
        self._behind, self._none_behind = set(self._reading), anyio.Event()
        if self._behind:
            await self._none_behind.wait()


class Seen:
    """What one reader has seen of one stream."""

    def __init__(self, pace: Pace, format: Format) -> None:
        self.pace = pace
        self.format: Format = format
        self.end: StreamEnd | None = None
        """As a client of this library has it."""
        self.cursors: list[str] = []
        self.id = ""
        self.named = anyio.Event()
        """Its id is known, by a cursor."""
        self.breaks = 0

    def came_to(self, cursor: str) -> None:
        self.cursors.append(cursor)
        self.id = cursor.partition(".")[0]
        self.named.set()
        self.pace.saw(self)


class Client(Seen):
    """A client of this library."""

    def __init__(self, pace: Pace, format: Format) -> None:
        super().__init__(pace, format)
        self.events: list[Event] = []
        self.resumed: list[str] = []

    async def read(self, url: str, model: str, key: str) -> None:
        """Begin a stream, and read it to its end."""
        asked = relay.chat(
            model=model,
            messages=[{"role": "user", "content": "Hi"}],
            format=self.format,
            base_url=url,
            idempotency_key=key,
        )
        self.pace.begins(self)
        async with open_stream(asked, policy=PATIENT, on_error="event") as stream:
            async for event in stream:
                self.events.append(event)
                if isinstance(event, ResumePoint):
                    self.came_to(str(event.cursor))
                elif isinstance(event, Resumed):
                    self.resumed.append(event.mode)
                    self.breaks += 1
                elif isinstance(event, StreamEnd):
                    self.end = event
        self.pace.ends(self)
        self.named.set()


class Raw(Seen):
    """One that reads bytes. ``blocks`` are its events' cursors and data."""

    def __init__(self, pace: Pace, format: Format) -> None:
        super().__init__(pace, format)
        self.blocks: list[tuple[str, bytes]] = []
        self.outcome = ""
        """How the stream ended, as the relay said without a word of the format's."""
        self._over = False

    async def begin(self, url: str, model: str, key: str) -> None:
        """Begin a stream, and read it to its end."""
        self.pace.begins(self)
        body = json.dumps(talk(model=model, stream=True)).encode()
        while not self.cursors and not self._over:
            headers = {"idempotency-key": key, "content-length": str(len(body))}
            await self._ask(url, "POST", PATHS[self.format], headers, body)
        await self.go_on(url)

    async def join(self, url: str, id: str) -> None:
        """Read a stream that is there from its start to its end."""
        self.pace.begins(self)
        self.id = id
        await self.go_on(url)

    async def go_on(self, url: str) -> None:
        """Come back until it is over."""
        while not self._over:
            self.breaks += 1
            headers = {"last-event-id": self.cursors[-1]} if self.cursors else {}
            path = f"/v1/streams/{self.id}?format={self.format}"
            await self._ask(url, "GET", path, headers)
        self.pace.ends(self)
        self.named.set()

    async def _ask(
        self, url: str, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> None:
        """One request, and what comes of its response. HTTP/1.0: the body is as it is."""
        told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.0\r\nhost: localhost\r\n{told}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            status = int(answer.split(" ", 2)[1])
            if status == 200:
                while not self._over:
                    self._block(await reader.readuntil(b"\n\n"))
            else:
                self._ended(status, answer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _ended(self, status: int, answer: str) -> None:
        _, told, outcome = answer.partition("x-stream-outcome: ")
        self.outcome = outcome.partition("\r\n")[0]
        self._over = status == 204 or bool(told)
        # Anything else is a worker that has no time: it is asked again.
        assert self._over or status == 503, answer

    def _block(self, block: bytes) -> None:
        fields = fields_of(block)
        if b"id" in fields:
            self.blocks.append((fields[b"id"].decode(), fields.get(b"data", b"")))
            self.came_to(fields[b"id"].decode())
        self._over = COMPLETE[self.format] in fields.get(b"data", b"")


def fields_of(block: bytes) -> dict[bytes, bytes]:
    """The fields of one server-sent event. The relay's have one line each."""
    found: dict[bytes, bytes] = {}
    for line in block.splitlines():
        name, _, value = line.partition(b": ")
        found[name] = value
    return found
