"""An ASGI server for tests: requests as values in, responses as values out, no socket."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from sans_io_stream import Event, StreamDecoder
from sans_io_stream_adapters.relay.app import Relay

__all__ = ["Answer", "ask", "relay_of", "talk"]

Message = MutableMapping[str, Any]


@dataclass
class Answer:
    """One response, as far as it came. ``whole`` says that it ended in order."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    whole: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["x-stream-id"]

    def events(self, dialect: str) -> list[Event]:
        """What the body says in that dialect."""
        decoder = StreamDecoder(
            dialect, content_type=self.headers.get("content-type"), status=self.status
        )
        return decoder.receive_data(self.body) + decoder.receive_eof(truncated=not self.whole)

    @property
    def cursors(self) -> list[str]:
        """The ids of the events, in their order."""
        lines = self.body.decode().split("\n")
        return [line.partition(": ")[2] for line in lines if line.startswith("id: ")]


async def ask(
    relay: Relay,
    method: str,
    target: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    *,
    leave: Callable[[Answer], bool] | None = None,
) -> Answer:
    """One request. ``leave`` ends the connection from the client's side, as soon as it is true."""
    path, _, query = target.partition("?")
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = {"host": "localhost", **(headers or {})}
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
    }
    answer = Answer()
    gone = anyio.Event()
    asked = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> Message:
        if asked:
            return asked.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {n.decode(): v.decode() for n, v in message["headers"]}
        else:
            answer.body += message["body"]
            answer.whole = not message.get("more_body", False)
        if leave is not None and leave(answer):
            gone.set()

    await relay(scope, receive, send)
    return answer


@asynccontextmanager
async def relay_of(config: Any, **options: Any) -> AsyncGenerator[Relay]:
    """A relay that is started, and stopped in the end."""
    relay = Relay(config, **options)
    await relay.start()
    try:
        yield relay
    finally:
        with anyio.CancelScope(shield=True):
            await relay.stop()


def talk(text: str = "Hi", **fields: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"model": "test/m", "messages": [{"role": "user", "content": text}], **fields}
