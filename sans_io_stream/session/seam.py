"""The seam: what the first records after a reconnect are.

Each is already seen and suppressed, or read in silence (a new process, which asked from before
what was committed, has to read what it does not tell again), or new. A beginning, where
something else was asked for, means that the server ignored the cursor. Only the first new
record proves that the stream goes on; until then nothing is claimed. Numbers that do not join,
records that are not those that came before: the server has refused, whatever it says.

Records without a cursor of their own are known by their number since the last one that had
one, and by their digest. All fields are state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from ..dialects.base import digest_with, mark_of
from ..dialects.detection import error_told
from ..errors import ErrorInfo
from ..resume import Cursor

if TYPE_CHECKING:
    from ..dialects.base import Dialect
    from ..framing.items import WireRecord

__all__ = ["Seam", "SeamState", "Seen", "Verdict"]

SeamState = Literal["open", "known", "joined", "beginning", "refused"]
"""``open``: nothing but heartbeats came; ``known``: what came was seen before."""
Verdict = Literal["skip", "silent", "take", "stop"]
Place = Literal["before", "between", "behind"]
"""Where a record stands: up to what was asked from, from there to what was seen, behind."""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What was delivered last: its cursor, whether the numbers went up by one until then, and
    the records behind it that had no cursor of their own."""

    cursor: Cursor | None = None
    contiguous: bool = True
    since: int = 0
    digest: int = 0


class Seam(msgspec.Struct, kw_only=True, gc=False):
    """One seam. ``asked`` is the cursor that was asked from (None: the start), ``seen`` the
    last one that was delivered."""

    asked: Cursor | None
    seen: Cursor | None
    first: int | None = None
    """The mark of the answer's first record."""
    recent: tuple[Cursor, ...] = ()
    """Opaque cursors delivered lately, which a server may repeat."""
    marks: tuple[int, ...] | None = None
    """The marks of those records; None where they are not known, in a new process."""
    contiguous: bool = True
    """The numbers went up by one so far."""
    since: int = 0
    """How many records without a cursor of their own came behind ``seen``."""
    digest: int = 0
    """Of those records, one after the other."""

    state: SeamState = "open"
    why: str = ""
    error: ErrorInfo | None = None
    """What the server told instead of going on."""
    place: Place = "behind"
    last: int | None = None
    """The last number on this connection."""
    named: str | None = None
    """The last name on this connection."""
    again: int = 0
    again_digest: int = 0

    def __post_init__(self) -> None:
        if self.state == "open" and self.asked != self.seen:
            self.place = "between"

    def judge(self, dialect: Dialect, record: WireRecord) -> Verdict:
        """What to do with the next record. After "take" of the first new one the state is
        ``joined``, and nothing more is to be judged; after "stop" nothing more is to be read."""
        own = dialect.peek(record)
        if own is None and dialect.pings(record):
            return "take"
        if self.state == "open" and self.asked is not None and self._begins(dialect, record, own):
            self.state = "beginning"
            return "stop"
        if own is None:
            if self.state == "open" and (error := error_told(record.data, dialect.limits.depth)):
                self.error = error
                return self._refuse(str(error))
            return self._judge_nameless(record)
        return self._judge_number(own) if isinstance(own, int) else self._judge_name(own, record)

    def _begins(self, dialect: Dialect, record: WireRecord, own: Cursor | None) -> bool:
        # Number 0 has nothing before it.
        return (
            dialect.begins(record)
            or (own == 0 and self.asked != 0)
            or (self.first is not None and mark_of(record) == self.first)
        )

    # ---- records with a cursor

    def _judge_number(self, own: int) -> Verdict:
        before, self.last = self.last, own
        asked = self.asked if isinstance(self.asked, int) else None
        seen = self.seen if isinstance(self.seen, int) else -1
        if before is not None and own <= before:
            return self._refuse(f"its numbers do not rise: {own} follows {before}")
        if asked is not None and own <= asked:
            return self._known(self._behind_asked() if own == asked else "before", "skip")
        expected = None if before is None and asked is None else max(before or 0, asked or 0) + 1
        if self.contiguous and expected is not None and own != expected:
            return self._refuse(f"its numbers do not join: {own} where {expected} is due")
        if own <= seen:
            return self._known("behind" if own == seen else "between", "silent")
        return self._join()

    def _judge_name(self, own: str, record: WireRecord) -> Verdict:
        before, self.named = self.named, own
        known = own in (self.asked, self.seen) or own in self.recent
        other = known and self.marks is not None and mark_of(record) not in self.marks
        if own == before or other:
            # Whether it is the same once more, or the next one, cannot be told.
            return self._refuse(f"its cursors come again: more than one record has {own!r}")
        if own == self.asked:
            return self._known(self._behind_asked(), "skip")
        if own == self.seen:
            return self._known("behind", "silent" if self.place == "between" else "skip")
        if own in self.recent:
            return self._known("before", "skip")
        if self.place == "between":
            return self._known("between", "silent")
        if self.place == "before":
            return self._refuse(f"{own!r} stands among what was delivered")
        return self._join()

    def _behind_asked(self) -> Place:
        return "behind" if self.asked == self.seen else "between"

    # ---- records without

    def _judge_nameless(self, record: WireRecord) -> Verdict:
        if self.place == "before":
            return self._known("before", "skip")
        if self.place == "between":
            return self._known("between", "silent")
        if self.again == self.since:
            return self._join()
        self.again += 1
        self.again_digest = digest_with(record, self.again_digest)
        if self.again == self.since and self.again_digest != self.digest:
            return self._refuse("what follows the cursor is not what followed it before")
        # Who asked from before has a decoder that has not read them yet.
        return self._known("behind", "skip" if self.asked == self.seen else "silent")

    # ---- the states

    def _known(self, place: Place, verdict: Verdict) -> Verdict:
        self.state = "known"
        if place != self.place:
            self.again = self.again_digest = 0
        self.place = place
        return verdict

    def _join(self) -> Verdict:
        if self.again < self.since:
            return self._refuse("records that followed the cursor are missing")
        self.state = "joined"
        return "take"

    def decides(self, dialect: Dialect, record: WireRecord) -> bool:
        """Whether a record without a cursor has decided what the body is: it goes on, or is
        not what was asked for."""
        decided = self.state == "joined" or (self.state == "refused" and self.error is None)
        return decided and dialect.peek(record) is None

    def refuse_foreign(self) -> None:
        """Something else came instead of the answer, which may be there the next time."""
        self._refuse("what came instead is no part of the answer")
        self.error = ErrorInfo("connection", self.why, retryable=True)

    def _refuse(self, why: str) -> Verdict:
        self.state, self.why = "refused", why
        return "stop"
