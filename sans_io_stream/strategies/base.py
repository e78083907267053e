"""What every resume strategy shares: which calls a provider has for going on after a break.

A strategy is an immutable value that builds requests from the first one and from what is
known of the answer. It says nothing of when to try and judges no records: those are the
session's. A call that a provider does not have is None.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import msgspec

from ..resume import Cursor, CursorKind

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..headers import HeaderPairs
    from ..request import HTTPRequest

__all__ = ["Known", "Strategy", "call"]

OF_THE_BODY = frozenset({"content-type", "content-length", "idempotency-key", "x-idempotency-key"})
"""Headers that describe or guard the body of the first request."""

NOT_A_REFUSAL = frozenset({401, 403, 407, 408, 409, 425, 429})
"""Statuses below 500 that say nothing of the cursor: they are about the caller, or the hour."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """What is known of an answer when it breaks off."""

    response_id: str | None = None
    stored: bool = False
    """The provider said that the answer goes on without its reader, and can be asked for."""
    cursor: Cursor | None = None
    """Where to go on; None for the start."""
    stream: str | None = None
    """What the head of the response calls the answer, where a strategy knows it by that."""


class Strategy(msgspec.Struct, frozen=True):
    """No way to go on: the strategy of everybody who has none."""

    name: ClassVar[str] = "none"
    kind: ClassVar[CursorKind | None] = None
    """The kind of cursor that it asks with."""
    inclusive: ClassVar[bool] = False
    """Whether the record at the cursor comes again."""
    after_end: ClassVar[bool] = False
    """Whether an orderly end before the provider's last word is a break like any other."""
    inexact: ClassVar[bool] = False
    """Whether it goes on without a cursor, too, at whatever the server sends next."""

    def resume(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        """The call for what follows ``known.cursor``."""
        return None

    def replay(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        """The call for the stored answer from its start; it generates nothing."""
        return None

    def check(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        """The call that asks whether a cursor is still good, to be made before ``resume``."""
        return None

    def stop(self, first: HTTPRequest, known: Known) -> HTTPRequest | None:
        """The call that ends a generation which goes on without its reader."""
        return None

    def stores(self, first: HTTPRequest) -> bool:
        """Whether the first request may begin a generation that goes on without its reader:
        a blind second one would be billed beside it."""
        return False

    def stream_named(self, headers: HeaderPairs) -> str | None:
        """What the head of a response calls the answer that follows, names in lower case."""
        return None

    def refused(self, status: int, error: ErrorInfo | None) -> bool:
        """Whether this answer to ``resume`` or ``replay`` says that there is no going on."""
        return 400 <= status < 500 and status not in NOT_A_REFUSAL

    def refusal(self, headers: HeaderPairs, error: ErrorInfo) -> ErrorInfo:
        """The error that such a response tells, names of headers in lower case."""
        return error

    def valid(self, status: int, body: bytes) -> bool:
        """Whether this answer to ``check`` says that the cursor is good."""
        return 200 <= status < 300


def plain_headers(first: HTTPRequest) -> tuple[tuple[str, str], ...]:
    """The headers of the first request for a call without a body."""
    return tuple(pair for pair in first.headers if pair[0] not in OF_THE_BODY)


def call(first: HTTPRequest, url: str, method: str = "GET") -> HTTPRequest:
    """A call without a body, with the first request's headers."""
    return replace(first, method=method, url=url, headers=plain_headers(first), body=b"")
