"""How an answer goes out: the format by the path, the framing by ``Accept``, piece by piece.

Every answer names its stream in ``X-Stream-Id``, and its cursors stand in the ``id`` of its
events. What cannot be told in a format, an interruption in one without a word for it, is told by
breaking the response off: an orderly end would say that the answer is whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import anyio
import msgspec

from sans_io_stream import ErrorInfo, StreamEnd, Transcript
from sans_io_stream.encoding import Encoder, error_document, error_headers, whole_answer
from sans_io_stream.relay import START, CursorGone, Place
from sans_io_stream.relay.reader import BEHIND
from sans_io_stream.strategies.relay import OUTCOME

from .http import ELSEWHERE, begin, send_whole
from .reading import Reader
from .runtimes import Watch

if TYPE_CHECKING:
    from .http import Receive, Request, Send
    from .hub import Running

__all__ = ["BrokenOff", "Shape", "framing_of", "send_collected", "send_refusal", "send_stream"]

BY_TYPE = {
    "text/event-stream": "sse",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/plain": "text",
}
WEIGHT = re.compile(r"q=([01](?:\.[0-9]{0,3})?)")
NOT_KEPT = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""No proxy keeps a stream, or collects it before it hands it on."""


TELLING = frozenset({"native"})
"""Formats with a word for every end. The others stop where a stream was interrupted, or ended by
somebody."""


class BrokenOff(Exception):
    """A response that must not end in order; the server closes its connection."""


def framing_of(request: Request) -> str:
    """The framing that a request accepts most: that of the first type that is one, among those
    with the highest weight (RFC 9110, 12.4.2)."""
    best, found = 0.0, "sse"
    for one in (request.header("accept") or "").split(","):
        kind, *parameters = one.lower().split(";")
        weight = weight_in(parameters)
        if kind.strip() in BY_TYPE and weight > best:
            best, found = weight, BY_TYPE[kind.strip()]
    return found


def weight_in(parameters: list[str]) -> float:
    """The weight among the parameters of a type; 1 where none is."""
    for one in parameters:
        found = WEIGHT.fullmatch(one.strip())
        if found is not None:
            return float(found[1])
    return 1.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How a stream is written: ``format`` and ``framing``; without token counts, if ``counts``
    is False."""

    format: str
    framing: str = "sse"
    counts: bool = True


async def send_stream(
    running: Running,
    place: Place,
    shape: Shape,
    receive: Receive,
    send: Send,
    *,
    patience: float = 0.0,
) -> None:
    """What comes behind ``place``, until the stream or the client's connection ends.

    For so many seconds of ``patience`` the head waits for a first word: what fails before there
    is any is told by its status. Raises ``CursorGone`` before anything is sent, ``BrokenOff``
    behind it.
    """
    text = shape.framing == "text"
    encoder = Encoder(
        "text" if text else shape.format,
        None if text else shape.framing,
        created=int(running.meta.created),
    )
    reader = Reader(running, encoder, place, counts=shape.counts)
    await reader.ready()

    async with Attended(running, receive):
        if patience and await failed_at_once(running, patience):
            await send_end(send, running, shape.format)
            return
        data = b"" if running.end is None else reader.read()
        if not data and untold(running, encoder):
            # There is nothing to read, and will not be: whoever came back need not do so again.
            await send_end(send, running, shape.format, final=True)
            return
        named = [("content-type", encoder.content_type), ("x-stream-id", running.meta.id)]
        await begin(send, 200, [*named, *NOT_KEPT])
        while data := data or await reader.next():
            await send({"type": "http.response.body", "body": data, "more_body": True})
            data = b""
        if not unfinished(reader):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    if unfinished(reader):
        raise BrokenOff


async def failed_at_once(running: Running, patience: float) -> bool:
    """Whether the stream ends within so many seconds, and nothing of an answer has come."""
    with anyio.move_on_after(patience):
        while running.end is None and running.log.last == START and not running.gone:
            await running.changed()
    return running.in_vain


class Attended:
    """A client that reads: what is within goes on for as long as it is there, and is broken off
    without an error when it leaves.

    Raises ``ConnectionError`` where the server says by an error that the client has gone.
    """

    __slots__ = ("_running", "_watch")

    def __init__(self, running: Running, receive: Receive) -> None:
        self._running = running
        self._watch = Watch(receive)

    async def __aenter__(self) -> None:
        self._running.readers += 1
        await self._watch.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._running.readers -= 1
        try:
            broken_off = await self._watch.__aexit__(kind, error, trace)
        except* OSError:
            pass
        else:
            if not isinstance(error, OSError):
                return broken_off
        raise ConnectionAbortedError("the client left") from None


def unfinished(reader: Reader) -> bool:
    """Whether what was written is to be broken off: it does not say how the stream ended, or that
    goes on elsewhere."""
    running = reader.running
    return (running.gone and not reader.over) or untold(running, reader.encoder)


def untold(running: Running, encoder: Encoder) -> bool:
    """Whether what was written does not say how the stream ended."""
    end = running.end
    short = end is not None and end.outcome in ("interrupted", "cancelled")
    return encoder.must_abort or (encoder.ended and short and encoder.format not in TELLING)


async def send_collected(running: Running, format: str, receive: Receive, send: Send) -> None:
    """The whole answer as one document, when it is there; or the error that it ended with."""
    async with Attended(running, receive):
        transcript = await collected(running)
        if transcript.end is None:
            await send_refusal(send, format, ELSEWHERE, [("x-stream-id", running.meta.id)])
            return
        if transcript.end.outcome != "complete":
            await send_end(send, running, format, transcript.end)
            return
        body = whole_answer(transcript, format, created=int(running.meta.created))
        await send_whole(send, 200, body, [("x-stream-id", running.meta.id)])


async def collected(running: Running) -> Transcript:
    """The whole answer, waiting for its end; without one where this process is left first."""
    transcript = Transcript()
    place = START
    while transcript.end is None:
        try:
            found = running.log.read(place)
        except CursorGone:
            transcript.add(BEHIND)
            break
        if found:
            place = found[-1][0]
            transcript.extend(event for _, event in found)
        elif running.lost is not None:
            transcript.add(running.lost)
        elif running.gone:
            break
        else:
            await running.changed()
    return transcript


def error_of(end: StreamEnd) -> ErrorInfo:
    """The error of an end that is not a good one."""
    return end.error or ErrorInfo("truncated", f"the stream ended as {end.outcome}", retryable=True)


async def send_end(
    send: Send,
    running: Running,
    format: str,
    end: StreamEnd | None = None,
    *,
    final: bool = False,
) -> None:
    """An end that is not a good one, by its status; ``end`` is that of the stream unless it is
    the reader's own. ``final`` says that the same request never gets anything else."""
    end = end or running.end
    assert end is not None
    error = error_of(end)
    if final:
        error = msgspec.structs.replace(error, retryable=False, retry_after=None)
    named = [("x-stream-id", running.meta.id), (OUTCOME, end.outcome)]
    await send_refusal(send, format, error, named)


async def send_refusal(
    send: Send,
    format: str,
    error: ErrorInfo,
    headers: list[tuple[str, str]] | None = None,
    status: int | None = None,
) -> None:
    """An error document in the format in use. ``status`` outranks the one that its kind has."""
    own, body = error_document(format, error)
    more = [pair for pair in error_headers(error) if pair[0] != "content-type"]
    await send_whole(send, status or own, body, [*(headers or ()), *more])
