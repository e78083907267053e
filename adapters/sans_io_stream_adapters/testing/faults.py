"""The faults: what happens to one request for the answer, as values.

A ``FaultServer`` takes one for each such request, in their order, and answers well when none
is left. A tuple of faults happens to one request together. Nothing here does anything: what
becomes of a response stands in ``answering``, of a connection in ``delivery``.

Places count bytes of the response on the wire, its head and its chunk headers included, or
records of the body, from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

__all__ = [
    "Break",
    "Busy",
    "Cut",
    "Fault",
    "Forget",
    "Heartbeats",
    "Ignore",
    "Jump",
    "Lie",
    "NoEnd",
    "Refuse",
    "Repeat",
    "Reset",
    "Skip",
    "Stall",
    "Well",
]

Place = Literal["byte", "character", "event", "chunk-header"]


@dataclass(frozen=True)
class Fault:
    """The base of all faults."""


@dataclass(frozen=True)
class Well(Fault):
    """Nothing: this request is answered well."""


# ---- the connection


@dataclass(frozen=True)
class Refuse(Fault):
    """The connection is taken and ended before anything is read, with a reset or in order.

    For a port that nobody listens at see ``FaultServer.refusing``.
    """

    reset: bool = True


@dataclass(frozen=True, repr=False)
class Break(Fault):
    """The base of what breaks a response in the middle.

    ``at`` is how many bytes of the response are sent: an int counts them (a negative one from
    the end), a float is a part of the response. With another ``place`` than ``"byte"`` it says
    which of them, from 1. A response that has no such place is sent whole, and well.
    """

    at: int | float = 0
    place: Place = "byte"

    def __post_init__(self) -> None:
        if self.place != "byte" and (not isinstance(self.at, int) or self.at < 1):
            raise ValueError(f"places of the kind {self.place!r} count from 1, not {self.at!r}")

    def __repr__(self) -> str:
        """As it is written in a test."""
        name = type(self).__name__
        way = f"in_{self.place.replace('-', '_')}"
        return f"{name}(at={self.at})" if self.place == "byte" else f"{name}.{way}({self.at})"

    @classmethod
    def in_character(cls, nth: int = 1) -> Self:
        """Inside the nth character of the body that has more than one byte."""
        return cls(nth, "character")

    @classmethod
    def in_event(cls, nth: int = 1) -> Self:
        """In the middle of the nth record of the body."""
        return cls(nth, "event")

    @classmethod
    def in_chunk_header(cls, nth: int = 1) -> Self:
        """Inside the header of the nth chunk. The last chunk, which is empty, counts too."""
        return cls(nth, "chunk-header")


@dataclass(frozen=True, repr=False)
class Cut(Break):
    """The connection ends in order (FIN; under TLS without a close_notify)."""


@dataclass(frozen=True, repr=False)
class Reset(Break):
    """The connection is reset (RST); by default behind the request, before any byte.

    A reset discards what the client's side had no room for yet: of a response of megabytes
    that is read slowly, fewer bytes may arrive.
    """


@dataclass(frozen=True, repr=False)
class Stall(Break):
    """The connection stays open and silent until the client goes or the server closes."""


@dataclass(frozen=True)
class Heartbeats(Fault):
    """Behind ``after`` records only heartbeats come, ``every`` so many seconds.

    With a ``count`` the answer goes on after so many. Plain text knows no heartbeats: there it
    is silence.
    """

    after: int = 0
    count: int | None = None
    every: float = 0.01

    def __post_init__(self) -> None:
        if self.after < 0 or self.every < 0 or (self.count is not None and self.count < 0):
            raise ValueError(f"a number or time below 0: {self!r}")


# ---- the status


@dataclass(frozen=True)
class Busy(Fault):
    """An error document instead of the stream: 429, 503, or any other status.

    ``retry_after`` is the header's value: seconds, or text as it is; None for no header.
    """

    status: int = 429
    retry_after: int | str | None = None

    def __post_init__(self) -> None:
        if not 300 <= self.status <= 999:
            raise ValueError(f"{self.status} is not the status of an error")


@dataclass(frozen=True)
class Lie(Fault):
    """A content type that is not that of the body."""

    content_type: str = "application/json"


# ---- the cursor


@dataclass(frozen=True)
class Ignore(Fault):
    """The cursor is ignored: the answer comes from its start."""


@dataclass(frozen=True)
class Forget(Fault):
    """The cursor is not known any more, nor the stored answer. A request that begins one is
    answered well."""

    status: int = 404

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 499:
            raise ValueError(f"a cursor is forgotten with a status from 400 to 499: {self.status}")


# ---- the records


@dataclass(frozen=True)
class Placed(Fault):
    """The base of what happens to ``count`` records at record ``at`` of a response."""

    count: int = 1
    at: int = 0

    def __post_init__(self) -> None:
        if self.count < 0 or self.at < 0:
            raise ValueError(f"a number below 0: {self!r}")


@dataclass(frozen=True)
class Repeat(Placed):
    """At record ``at`` of this response, the ``count`` records before it come again.

    With ``at=0`` those are the last ones up to the cursor, so that it is a fault of an answer
    that is taken up; at the start of the answer there are none.
    """


@dataclass(frozen=True)
class Skip(Placed):
    """At record ``at`` of this response, ``count`` records are left out."""


@dataclass(frozen=True)
class Jump(Fault):
    """From record ``at`` of this response on, cursors are higher by ``by``; lower, if it is
    negative. No record is missing. Cursors that are bytes stand in no record, and do not jump."""

    by: int = 10
    at: int = 0

    def __post_init__(self) -> None:
        if self.at < 0:
            raise ValueError(f"a number below 0: {self!r}")


@dataclass(frozen=True)
class NoEnd(Fault):
    """What says that the answer is whole is left out; the response ends in order.

    Plain text has no such record, and is sent whole.
    """
