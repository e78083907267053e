"""A session as plain data: what ``snapshot`` writes and ``restore`` reads.

Durations that remain, what has been tried, the decoder, cursors and digests; never a header, a
body that was sent, a credential or the text that was delivered (but where the policy allows a
continuation, which is made of it). A restored session begins with a connection of its own, as
after a break, so nothing of the one that was there is kept.
"""

from __future__ import annotations

from functools import cache

import msgspec

from ..errors import SnapshotError
from ..events import StreamEnd
from ..snapshot import sealed, unsealed
from .count import Count
from .progress import AnswerState

__all__ = ["SessionState", "dump", "left", "load"]

MAGIC = b"sioS"


class SessionState(msgspec.Struct, kw_only=True):
    """What a ``StreamSession`` holds. Times are seconds from the snapshot on."""

    dialect: str | None
    strategy: str
    token: str | None
    started: bool
    total: float | None
    wait: float | None
    not_before: float | None
    count: Count
    answer: AnswerState
    text: str | None
    """The text delivered, where a continuation may be made of it."""
    end: StreamEnd | None


_encode = msgspec.msgpack.Encoder().encode


@cache
def _decoder() -> msgspec.msgpack.Decoder[SessionState]:
    """Made when it is first needed."""
    return msgspec.msgpack.Decoder(SessionState)


def dump(state: SessionState) -> bytes:
    """The state as bytes."""
    return sealed(_encode(state), MAGIC)


def load(blob: bytes) -> SessionState:
    """The state in ``blob``. Raises ``SnapshotError`` if it is damaged or of another version."""
    encoded = unsealed(blob, MAGIC, "a session")
    try:
        return _decoder().decode(encoded)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SnapshotError(f"snapshot is damaged: {error}") from None


def left(until: float | None, now: float) -> float | None:
    """The seconds from ``now`` until then; None is never."""
    return None if until is None else until - now
