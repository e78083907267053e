"""What can go wrong, as types.

Two families, never mixed. ``ErrorInfo`` is a value: what a peer or the network did, told
in events. The exceptions are for callers: ``raise_for_outcome`` turns the end of a stream
into one, and misuse raises one at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from .events import ResumePoint, StreamEnd
    from .transcript import Transcript

__all__ = [
    "AuthenticationFailed",
    "BudgetSpent",
    "CaptureError",
    "ErrorInfo",
    "ErrorKind",
    "LimitExceeded",
    "OutOfStepError",
    "Outcome",
    "RateLimited",
    "ReconnectingExhausted",
    "ResumeTokenError",
    "SnapshotError",
    "StreamClosedError",
    "StreamError",
    "StreamFailed",
    "StreamInterrupted",
    "UnknownDialectError",
    "UnknownPriceError",
    "raise_for_end",
]

Outcome = Literal["complete", "interrupted", "failed", "cancelled"]

ErrorKind = Literal[
    "authentication",
    "permission",
    "not_found",
    "invalid_request",
    "rate_limit",
    "quota",
    "overloaded",
    "timeout",
    "content_filter",
    "server",
    "provider",
    "limit",
    "framing",
    "truncated",
    "connection",
    "exhausted",
    "cursor",
    "cancelled",
]
"""What happened, whoever says it. ``provider`` is an error that fits no other kind;
``limit`` is one of our own ``Limits``; ``framing`` bytes that break the wire format;
``truncated`` a stream that ended before the provider's word; ``connection`` a failure of
the network; ``exhausted`` the end of all reconnecting; ``cursor`` a refused resume;
``cancelled`` the user's own wish."""


class ErrorInfo(msgspec.Struct, frozen=True, gc=False):
    """One error, told by the provider, the network or our own limits.

    ``type``, ``code`` and ``message`` are the provider's own words; ``status`` is the HTTP
    status (of the response, or as named in the stream); ``retry_after`` is in seconds;
    ``retryable`` says that the same request may succeed later.
    """

    kind: ErrorKind
    message: str = ""
    type: str | None = None
    code: str | int | None = None
    status: int | None = None
    retryable: bool = False
    retry_after: float | None = None
    request_id: str | None = None

    def __str__(self) -> str:
        words: list[str] = [self.kind]
        if self.status is not None:
            words.append(f"HTTP {self.status}")
        words.extend(str(word) for word in (self.type, self.code) if word not in (None, ""))
        head = ", ".join(dict.fromkeys(words))
        return f"{self.message} ({head})" if self.message else head


class StreamError(Exception):
    """The base class of all that this library raises."""


class StreamEndError(StreamError):
    """A stream did not end well.

    ``end`` is its ``StreamEnd``, ``transcript`` and ``resume_point`` what was delivered
    until then and from where it can go on; both are None where nothing kept them.
    """

    def __init__(
        self,
        end: StreamEnd,
        transcript: Transcript | None = None,
        resume_point: ResumePoint | None = None,
    ) -> None:
        what = str(end.error) if end.error is not None else "the body ended before its end"
        super().__init__(f"stream {end.outcome}: {what}")
        self.end = end
        self.transcript = transcript
        self.resume_point = resume_point


class StreamInterrupted(StreamEndError):
    """The body ended, or the connection was lost, before the provider's last word."""


class StreamFailed(StreamEndError):
    """The provider told an error, or the stream broke the wire format or a limit."""


class AuthenticationFailed(StreamFailed):
    """The provider does not accept the credentials (401, 403)."""


class RateLimited(StreamFailed):
    """The provider asks to come back later (429); ``end.error.retry_after`` says when."""


class LimitExceeded(StreamFailed):
    """One of the ``Limits`` was exceeded; the message names it."""


class ReconnectingExhausted(StreamInterrupted):
    """The stream was lost and every attempt to take it up again failed."""


class ResumeTokenError(StreamError, ValueError):
    """A resume token that is damaged, of another version, or for another dialect."""


class SnapshotError(StreamError, ValueError):
    """A snapshot that is damaged or of another version."""


class CaptureError(StreamError, ValueError):
    """A file that is no capture, a damaged one, or one of a newer version."""


class StreamClosedError(StreamError, RuntimeError):
    """Data was handed in after one's own ``receive_eof``."""


class OutOfStepError(StreamError, RuntimeError):
    """A session was told something that it had not asked for. Its state is as before."""


class UnknownDialectError(StreamError, ValueError):
    """A dialect, framing or format of that name does not exist."""


class UnknownPriceError(StreamError, ValueError):
    """Dollars are limited, and nobody knows what the model of a request costs."""


class BudgetSpent(StreamError):
    """A budget is spent: the stream was not begun."""


_FAILED: dict[str, type[StreamFailed]] = {
    "authentication": AuthenticationFailed,
    "permission": AuthenticationFailed,
    "rate_limit": RateLimited,
    "limit": LimitExceeded,
}


def raise_for_end(
    end: StreamEnd,
    transcript: Transcript | None = None,
    resume_point: ResumePoint | None = None,
) -> None:
    """Raise what the outcome of a stream calls for; return for ``complete`` and ``cancelled``."""
    kind = end.error.kind if end.error is not None else ""
    if end.outcome == "failed":
        raise _FAILED.get(kind, StreamFailed)(end, transcript, resume_point)
    if end.outcome == "interrupted":
        lost = ReconnectingExhausted if kind == "exhausted" else StreamInterrupted
        raise lost(end, transcript, resume_point)
