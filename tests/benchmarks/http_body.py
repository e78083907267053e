"""What a chunk costs to read, beside h11, which would read it otherwise; and what a session adds.

Chunks of 331 bytes, each an OpenAI chunk of the streams in ``bodies``, in one read each: what
providers send. h11 and the project's reader take turns in one run; of each the best round
counts for the absolute figures, and the median of the ratios of neighbours for the rest. The
limits in µs are those of a quiet machine, the ratios hold on any.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import cache
from time import process_time_ns
from typing import TYPE_CHECKING, NamedTuple

import h11

from sans_io_stream import StreamDecoder, StreamRequest, StreamSession
from sans_io_stream.http import Exchange

from .bodies import chat

if TYPE_CHECKING:
    from .singles import Result, Single

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Costs(NamedTuple):
    """In µs per chunk, but for the ratios."""

    chunk: float
    event: float
    chunk_to_h11: float
    event_to_h11: float
    session_to_event: float


def ours(chunks: list[bytes]) -> None:
    exchange = Exchange("POST")
    receive = exchange.receive_data
    receive(HEAD)
    for data in chunks:
        receive(data)


def ours_decoded(chunks: list[bytes]) -> None:
    exchange = Exchange("POST")
    receive = exchange.receive_data
    receive(HEAD)
    decoder = StreamDecoder("openai-chat", content_type="text/event-stream")
    decode = decoder.receive_data
    for data in chunks:
        for item in receive(data):
            if type(item) is bytes:
                decode(item)
    decoder.receive_eof()


def by_session(chunks: list[bytes]) -> None:
    request = StreamRequest("POST", "http://h/v1/chat/completions", dialect="openai-chat")
    session = StreamSession(request)
    session.start(0.0)
    session.connected(0.0)
    session.sent(0.0)
    receive = session.receive_data
    receive(HEAD, 0.0)
    for data in chunks:
        receive(data, 0.0)


def by_h11(chunks: list[bytes], decode: Callable[[bytes], object] | None = None) -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "h")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD)
    connection.next_event()
    for data in chunks:
        connection.receive_data(data)
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if decode is not None and isinstance(event, h11.Data):
                decode(event.data)


def by_h11_decoded(chunks: list[bytes]) -> None:
    decoder = StreamDecoder("openai-chat", content_type="text/event-stream")
    by_h11(chunks, decoder.receive_data)
    decoder.receive_eof()


@cache
def costs(quick: bool) -> Costs:
    chunks = [b"%x\r\n%b\r\n" % (len(record), record) for record in chat("text").records]
    runs = (ours, by_h11, ours_decoded, by_h11_decoded, by_session)
    spent: list[list[float]] = [[] for _ in runs]
    for _ in range(9 if quick else 31):
        for times, run in zip(spent, runs, strict=True):
            begin = process_time_ns()
            run(chunks)
            times.append((process_time_ns() - begin) / len(chunks) / 1000)
    return Costs(
        min(spent[0]),
        min(spent[2]),
        ratio(spent[0], spent[1]),
        ratio(spent[2], spent[3]),
        ratio(spent[4], spent[2]),
    )


def ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def chunk(quick: bool) -> Result:
    """A chunk in a read of its own, out of its framing."""
    return "a chunk of an HTTP body, one per read", costs(quick).chunk, 0.9, "µs"


def event(quick: bool) -> Result:
    """The same, and decoded."""
    return "an event of openai-chat, with its chunk", costs(quick).event, 2.2, "µs"


def chunk_to_h11(quick: bool) -> Result:
    """A chunk, over what h11 takes for it."""
    return "a chunk of an HTTP body, over h11", costs(quick).chunk_to_h11, 1 / 6, "times"


def event_to_h11(quick: bool) -> Result:
    """An event, over h11 and the same decoder."""
    return (
        "an event with its chunk, over h11 and decoding",
        costs(quick).event_to_h11,
        0.35,
        "times",
    )


def session_to_event(quick: bool) -> Result:
    """An event through a whole session, over the exchange and the decoder alone."""
    name = "an event through a session, over exchange and decoder"
    return name, costs(quick).session_to_event, 1.5, "times"


ALL: tuple[Single, ...] = (chunk, event, chunk_to_h11, event_to_h11, session_to_event)
