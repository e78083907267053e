"""HTTP as ASGI 3 has it: requests as values, responses whole or piece by piece.

Limits are checked here: a head or a body that is too large is refused before anything looks at
it. Source: the ASGI specification, version 3, "HTTP & WebSocket ASGI Message Format".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sans_io_stream import ErrorInfo
from sans_io_stream.dialects.shapes import is_object

__all__ = [
    "ELSEWHERE",
    "Receive",
    "Refused",
    "Request",
    "Scope",
    "Send",
    "bad",
    "begin",
    "head_of",
    "header_bytes",
    "send_whole",
    "with_body",
    "within",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pairs = Iterable[tuple[str, str]]


class Refused(Exception):
    """A request that is not answered with what it asks for."""

    def __init__(self, status: int, error: ErrorInfo, headers: Pairs = ()) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = tuple(headers)


def bad(message: str, *, status: int = 400, code: str | None = None) -> Refused:
    """A request that is wrong."""
    return Refused(status, ErrorInfo("invalid_request", message, code=code, status=status))


ELSEWHERE = ErrorInfo("overloaded", "the relay is shutting down", status=503, retryable=True)
"""What is to be had at another worker, or after the restart."""
SINGLE = frozenset(
    {"host", "origin", "authorization", "x-api-key", "api-key", "content-length", "last-event-id"}
) | {"x-stream-event-id", "x-stream-resume", "x-event-id", "idempotency-key"}
"""Headers that say one thing. Where two of them say two, nobody knows who reads which."""
LISTS = frozenset({"accept", "access-control-request-headers"})
"""Headers that are one list however many there are (RFC 9110, 5.3)."""
LONGEST_NUMBER = 18
"""Digits of a number that is still looked at."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names of headers are in lower case; of several with one name the first,
    unless they are a list. ``path`` is that within ``root``, where the relay is mounted. What may
    hold a key is not shown."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    query: dict[str, str] = field(repr=False)
    root: str = ""
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The header of that name."""
        return self.headers.get(name)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ``Refused`` for any other."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise bad("the body is no JSON") from None
        if not is_object(value):
            raise bad("the body is no JSON object")
        return value


def head_of(scope: Scope, most: int) -> Request:
    """A request without its body. Raises ``Refused`` with 431 for too much of it."""
    size = len(scope.get("query_string", b"")) + len(scope.get("raw_path") or b"")
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        size += len(name) + len(value) + 4
        if size > most:
            raise bad(f"the head is larger than {most} bytes", status=431)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = headers.setdefault(key, text)
        if known is not text and key in LISTS:
            headers[key] = f"{known}, {text}"
        elif known != text and key in SINGLE:
            raise bad(f"the header {key} is there twice, and says two things")
    if size > most:
        raise bad(f"the head is larger than {most} bytes", status=431)
    root = scope.get("root_path", "")
    path = within(scope["path"], root)
    query = dict(
        parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    )
    return Request(scope["method"], path, headers, query, root.rstrip("/"))


def within(path: str, root: str) -> str:
    """A path without that of the application which this one is mounted in."""
    root = root.rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    return path


def too_long(announced: str | None, most: int) -> bool:
    """Whether a ``Content-Length`` says more than that."""
    if announced is None or not (announced.isascii() and announced.isdecimal()):
        return False
    digits = announced.lstrip("0")
    return len(digits) > LONGEST_NUMBER or int(digits or "0") > most


async def with_body(head: Request, receive: Receive, most: int) -> Request:
    """The whole request. Raises ``Refused`` for a body that is too large, ``ConnectionError``
    where the client left before it was whole."""
    if too_long(head.header("content-length"), most):
        raise bad(f"the body is larger than {most} bytes", status=413)
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError("the client left")
        piece = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise bad(f"the body is larger than {most} bytes", status=413)
        pieces.append(piece)
        more = message.get("more_body", False)
    return replace(head, body=b"".join(pieces))


def header_bytes(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


async def begin(send: Send, status: int, headers: Pairs) -> None:
    """The head of a response."""
    message = {"type": "http.response.start", "status": status, "headers": header_bytes(headers)}
    await send(message)


async def send_whole(
    send: Send, status: int, body: bytes = b"", headers: Pairs = (), kind: str = "application/json"
) -> None:
    """A whole response."""
    own = [("content-length", str(len(body)))] if status != 204 else []
    if body:
        own.append(("content-type", kind))
    await begin(send, status, [*own, *headers])
    await send({"type": "http.response.body", "body": body})
