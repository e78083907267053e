"""How an answer goes out: the format by the path, the framing by ``Accept``, piece by piece.

Every answer names its stream in ``X-Stream-Id``, and its cursors stand in the ``id`` of its
events. What cannot be told in a format, an interruption in one without a word for it, is told by
breaking the response off: an orderly end would say that the answer is whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from sans_io_stream import ErrorInfo, StreamEnd, Transcript
from sans_io_stream.encoding import Encoder, error_document, whole_answer
from sans_io_stream.relay import START, Place

from .http import begin, send_whole
from .reading import AT_ONCE, Reader

if TYPE_CHECKING:
    from .http import Receive, Request, Send
    from .hub import Running

__all__ = ["BrokenOff", "framing_of", "send_collected", "send_refusal", "send_stream"]

BY_TYPE = {
    "text/event-stream": "sse",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/plain": "text",
}
NOT_KEPT = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""No proxy keeps a stream, or collects it before it hands it on."""


class BrokenOff(Exception):
    """A response that must not end in order; the server closes its connection."""


def framing_of(request: Request) -> str:
    """The framing that a request accepts: that of the first type that is one."""
    for one in (request.header("accept") or "").split(","):
        kind = one.partition(";")[0].strip().lower()
        if kind in BY_TYPE:
            return BY_TYPE[kind]
    return "sse"


async def send_stream(
    running: Running,
    place: Place,
    format: str,
    framing: str,
    receive: Receive,
    send: Send,
) -> None:
    """What comes behind ``place``, until the stream or the client's connection ends.

    Raises ``CursorGone`` before anything is sent, ``BrokenOff`` behind it.
    """
    text = framing == "text"
    encoder = Encoder(
        "text" if text else format, None if text else framing, created=int(running.meta.created)
    )
    reader = Reader(running, encoder, place)
    kind = ("content-type", encoder.content_type)
    await begin(send, 200, [kind, ("x-stream-id", running.meta.id), *NOT_KEPT])
    running.readers += 1
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(left, receive, group.cancel_scope)
            while data := await reader.next():
                message = {"type": "http.response.body", "body": data, "more_body": True}
                await send(message)
            if encoder.must_abort:
                raise BrokenOff
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            group.cancel_scope.cancel()
    except* BrokenOff:
        raise BrokenOff from None
    finally:
        running.readers -= 1


async def left(receive: Receive, scope: anyio.CancelScope) -> None:
    """Stop reading for a client that has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def send_collected(running: Running, format: str, send: Send) -> None:
    """The whole answer as one document, when it is there; or the error that it ended with.

    A client that goes meanwhile is answered in vain: the stream goes on, and is kept.
    """
    transcript = Transcript()
    place = START
    running.readers += 1
    try:
        while transcript.end is None:
            found = running.log.read(place, AT_ONCE)
            if found:
                place = found[-1][0]
                transcript.extend(event for _, event in found)
            elif running.lost is not None:
                transcript.add(running.lost)
            else:
                await running.changed()
    finally:
        running.readers -= 1
    named = [("x-stream-id", running.meta.id)]
    if transcript.end.outcome != "complete":
        await send_refusal(send, format, error_of(transcript.end), named)
        return
    body = whole_answer(transcript, format, created=int(running.meta.created))
    await send_whole(send, 200, body, named)


def error_of(end: StreamEnd) -> ErrorInfo:
    """The error of an end that is not a good one."""
    return end.error or ErrorInfo("truncated", f"the stream ended as {end.outcome}", retryable=True)


async def send_refusal(
    send: Send,
    format: str,
    error: ErrorInfo,
    headers: list[tuple[str, str]] | None = None,
    status: int | None = None,
) -> None:
    """An error document in the format in use. ``status`` outranks the one that its kind has."""
    own, body = error_document(format, error)
    more = list(headers or ())
    if error.retry_after is not None:
        more.append(("retry-after", str(max(1, round(error.retry_after)))))
    await send_whole(send, status or own, body, more)
