"""From a request and its faults to a response: which records, in which order, as which chunks.

Values in, a value out; what a fault does to records, status and headers stands here. Where a
response breaks is a matter of bytes, and of ``delivery``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from .faults import Busy, Fault, Forget, Heartbeats, Ignore, Jump, Lie, NoEnd, Repeat, Skip
from .http import Piece, Response, document
from .playing import Answer, Played
from .resuming import Behind, Mechanism, gone

__all__ = ["Shape", "answered", "found"]

F = TypeVar("F", bound=Fault)


@dataclass(frozen=True)
class Shape:
    """How responses are written: ``chunks`` is a size in bytes, True for a chunk per record
    (of a capture: per read), False for none, so that the end of the connection ends the body.
    ``headers`` stand beside the content type of every answer."""

    chunks: bool | int = True
    headers: tuple[tuple[str, str], ...] = ()


def found(faults: Iterable[Fault], kind: type[F]) -> F | None:
    """The first fault of that kind."""
    return next((fault for fault in faults if isinstance(fault, kind)), None)


def answered(
    mechanism: Mechanism, behind: Behind | None, faults: tuple[Fault, ...], shape: Shape
) -> Response:
    """The response to a request for the answer."""
    answer = mechanism.answer
    if (busy := found(faults, Busy)) is not None:
        return refusal(busy)
    if found(faults, Ignore) is not None:
        behind = None
    place: tuple[int, int] | None = (0, 0)
    if behind is not None:
        forgotten = found(faults, Forget)
        if forgotten is not None:
            return gone(forgotten.status)
        if behind.cursor is not None:
            place = mechanism.place(behind.cursor)
    if place is None:
        return gone()
    number, inside = place
    records = list(answer.records[number:])
    if inside:
        records[0] = records[0]._replace(data=records[0].data[inside:])
    told = edited(records, number, mechanism, faults)
    skipped = sum(len(record.data) for record in answer.records[:number]) + inside
    if answer.reads and told == records:
        body = reads_of(answer, skipped)
    else:
        body = [Piece(record.data, record.time) for record in told]
    ends = tuple(itertools.accumulate(len(record.data) for record in told))
    beats = found(faults, Heartbeats)
    lie = found(faults, Lie)
    content_type = lie.content_type if lie is not None else answer.content_type
    response = Response(
        answer.status,
        (("content-type", content_type), *answer.headers, *shape.headers),
        tuple(body if type(shape.chunks) is not int else resized(body, shape.chunks)),
        ends,
        chunked=shape.chunks is not False,
        whole=answer.end == "eof",
        reset=answer.end == "error",
    )
    if beats is None:
        return response
    # Not in the middle of a record, where it would be no heartbeat.
    after = min(max(beats.after, 1 if inside else 0), len(told))
    return with_heartbeats(response, told, after, beats, mechanism, number + after)


KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""The words of error documents, by their status."""


def refusal(busy: Busy) -> Response:
    """An error document of that status."""
    other = "server_error" if busy.status >= 500 else "invalid_request_error"
    kind = KINDS.get(busy.status, other)
    error = {"message": f"status {busy.status}, as asked for", "type": kind}
    wait = {} if busy.retry_after is None else {"retry_after": str(busy.retry_after)}
    return document(busy.status, {"error": error}, **wait)


def edited(
    records: list[Played], number: int, mechanism: Mechanism, faults: tuple[Fault, ...]
) -> list[Played]:
    """The records of a response that begins at record ``number``, after their faults."""
    whole = mechanism.answer.records
    told = list(records)
    if found(faults, NoEnd) is not None:
        del told[max(0, mechanism.answer.last_words - number) :]
    if (jump := found(faults, Jump)) is not None:
        for n, (data, cursor, time) in enumerate(told):
            if n >= jump.at and cursor is not None:
                told[n] = Played(mechanism.renumbered(data, cursor, jump.by), cursor, time)
    if (skip := found(faults, Skip)) is not None:
        del told[skip.at : skip.at + skip.count]
    if (repeat := found(faults, Repeat)) is not None:
        at = number + repeat.at
        told[repeat.at : repeat.at] = whole[max(0, at - repeat.count) : at]
    return told


def reads_of(answer: Answer, skipped: int) -> list[Piece]:
    """The reads of a capture, without the first bytes of its body."""
    body = b"".join(record.data for record in answer.records)
    pieces: list[Piece] = []
    start = skipped
    for end, time in answer.reads:
        if end > start:
            pieces.append(Piece(body[start:end], time))
            start = end
    return pieces


def resized(body: Iterable[Piece], size: int) -> Iterator[Piece]:
    """The same bytes in pieces of that size, each due when its last byte is."""
    left = b""
    time = 0.0
    for piece in body:
        left, time = left + piece.data, piece.time
        while len(left) >= size:
            yield Piece(left[:size], time)
            left = left[size:]
    if left:
        yield Piece(left, time)


def with_heartbeats(
    response: Response,
    told: list[Played],
    after: int,
    beats: Heartbeats,
    mechanism: Mechanism,
    place: int,
) -> Response:
    """The response with heartbeats behind ``after`` of its records, which is record ``place``
    of the answer."""
    beat = Piece(mechanism.answer.heartbeat, pause=beats.every)
    pieces = [Piece(record.data, record.time) for record in told]
    if beats.count is None:
        return replace(
            response,
            body=tuple(pieces[:after]),
            records=response.records[:after],
            beat=beat,
            beaten=lambda: mechanism.beaten(place),
        )
    for _ in range(beats.count):
        mechanism.beaten(place)
    body = (*pieces[:after], *[beat] * beats.count, *pieces[after:])
    ends = tuple(itertools.accumulate(len(piece.data) for piece in body))
    return replace(response, body=body, records=ends)
