"""An ASGI server for tests: requests as values in, responses as values out, no socket."""

from __future__ import annotations

import json
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from sans_io_stream import Event, StreamDecoder
from sans_io_stream_adapters.relay.app import Relay

__all__ = ["Answer", "ask", "relay_of", "talk"]

Message = MutableMapping[str, Any]
Headers = Mapping[str, str] | Sequence[tuple[str, str]]
GONE = "http.disconnect"


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
    headers: Headers | None = None,
    *,
    leave: Callable[[Answer], bool] | None = None,
    pause: Callable[[Answer], Awaitable[None]] | None = None,
    pieces: int = 1,
    root: str = "",
) -> Answer:
    """One request. ``leave`` ends the connection from the client's side, as soon as it is true;
    ``pause`` is waited for before the client takes a message; ``pieces`` is how many the body
    comes in, 0 for a client that leaves in its middle; ``root`` is where the relay is mounted.
    ``headers`` may be pairs."""
    path, _, query = target.partition("?")
    sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    given = list(headers.items() if isinstance(headers, Mapping) else headers or ())
    if not any(name == "host" for name, _ in given):
        given.append(("host", "localhost"))
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": root + path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query.encode(),
        "root_path": root,
        "headers": [(name.encode(), value.encode()) for name, value in given],
    }
    answer = Answer()
    gone = anyio.Event()
    asked = messages_of(sent, pieces)

    async def receive() -> Message:
        if asked:
            return asked.pop(0)
        await gone.wait()
        return {"type": GONE}

    async def send(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        if pause is not None:
            await pause(answer)
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


def messages_of(body: bytes, pieces: int) -> list[Message]:
    """The body in so many messages of ASGI's; in 0 pieces it is never whole."""
    if not pieces:
        return [{"type": "http.request", "body": body[:1], "more_body": True}, {"type": GONE}]
    size = -(-len(body) // pieces) or 1
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]


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
