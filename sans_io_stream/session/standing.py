"""Standing: where an answer stands, what is known of it and what may be asked for.

The state of an ``Assembly`` and all that only reads it. ``decoder`` has read what was
delivered; while an answer comes again, a rival reads it, and takes its place once it has
caught up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..strategies.base import Known
from .joined import JoinedDecoder
from .progress import AnswerState, Progress
from .replay import Delivered, Replay
from .seam import Seen

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..policy import Limits
    from ..resume import Cursor, ResumeToken
    from .probe import Probe

__all__ = ["BodyMode", "Standing"]

BodyMode = Literal["first", "continue", "replay", "repeat"]


class Standing:
    """See the module's text."""

    def __init__(
        self,
        dialect: str | None,
        limits: Limits,
        *,
        terminator: str | None = None,
        by_bytes: bool = False,
        tracked: bool = False,
        token: ResumeToken | None = None,
    ) -> None:
        self.dialect = dialect
        self.limits = limits
        self.terminator = terminator
        self.by_bytes = by_bytes
        self.tracked = tracked
        self.token = token
        self.decoder: JoinedDecoder | None = None
        """The one that has read what was delivered."""
        self.progress = Progress()
        if token is not None:
            self.progress.position = token.position
            self.progress.visible = token.position > 0
        elif tracked:
            self.progress.delivered = Delivered()
        self._why = ""
        self.refusal: ErrorInfo | None = None
        self.fresh = False
        """This body has delivered something new."""
        self._mode: BodyMode = "first"
        self._rival: JoinedDecoder | None = None
        self._replay: Replay | None = None
        self._seam_bytes: list[bytes] | None = None
        self._probe: Probe | None = None
        self._content: tuple[str | None, int] = (None, 200)

    def known(self) -> Known:
        """What a strategy may go on from."""
        token = self.token
        stream = self.progress.stream
        if self.decoder is None or self.decoder.known is None:
            if token is None:
                return Known(stream=stream)
            return Known(token.origin.response_id, token.origin.stored, token.base, stream)
        dialect = self.decoder.known
        trail = dialect.marked()
        cursor: Cursor | None = dialect.cursor
        if self.by_bytes:
            # Before the first record is whole there is nothing to know the body by.
            cursor = self.decoder.offset if trail.first is not None else None
        return Known(dialect.response_id, trail.stored, cursor, stream)

    @property
    def begun(self) -> bool:
        """This generation has begun: it may be billed."""
        return self.progress.begun == self.progress.generation

    @property
    def comparable(self) -> bool:
        """Whatever comes again can be compared with what was delivered."""
        return self.progress.delivered is not None

    @property
    def placed(self) -> bool:
        """In the same records, if they come again, the delivered part can be told."""
        return self._seen().cursor is not None

    @property
    def comparing(self) -> bool:
        """What comes is compared, and not all that was delivered has come again."""
        return self._replay is not None

    @property
    def done(self) -> bool:
        """The provider's last word is in."""
        reading = self._reading
        return reading is not None and reading.done

    @property
    def told(self) -> ErrorInfo | None:
        """The error that the provider told in the stream."""
        return None if self._reading is None else self._reading.told

    @told.setter
    def told(self, error: ErrorInfo) -> None:
        assert self._reading is not None
        self._reading.told = error

    @property
    def _reading(self) -> JoinedDecoder | None:
        return self._rival if self._rival is not None else self.decoder

    @property
    def retry(self) -> float | None:
        """The reconnection time that the stream asked for, in seconds."""
        told = None if self._reading is None else self._reading.retry
        return self.progress.retry if told is None else told

    @property
    def refused(self) -> str:
        """Why the body at hand is not the answer; empty if it may be."""
        if self._why or self.decoder is None or self._rival is not None:
            return self._why
        return self.decoder.doubt

    def said_all(self, truncated: bool) -> bool:
        """Whether the answer is complete, if this is the end of its body."""
        reading = self._reading
        if reading is None or self.refused or reading.catching_up:
            return False
        return reading.said_all(truncated)

    def _seen(self) -> Seen:
        """The last cursor that was delivered, and what is known of the records around it."""
        decoder, token = self.decoder, self.token
        known = decoder.known if decoder is not None else None
        if known is not None and decoder is not None:
            cursor = decoder.offset if self.by_bytes else known.cursor
            trail = known.marked()
            return Seen(cursor, trail.contiguous, trail.since, trail.digest)
        return Seen() if token is None else Seen(token.seen, token.origin.contiguous)

    @property
    def steady(self) -> JoinedDecoder | None:
        """The decoder, if all that it says can go out as it is.

        What goes out so is told with ``told_directly``, so that it is counted all the same.
        """
        decoder = self.decoder
        known = decoder.known if decoder is not None else None
        plain = (
            known is not None
            and self._rival is None
            and self._seam_bytes is None
            and not self.refused
            and self.fresh
            and self.progress.visible
            and self.progress.announced is None
        )
        return decoder if plain and not self.by_bytes else None

    def _count(self) -> None:
        """Take the position over from the decoder."""
        if self.decoder is not None and self._rival is None and self.decoder.known is not None:
            self.progress.position = self.decoder.known.position

    # ---- snapshots

    def save(self) -> AnswerState:
        """What is known of the answer, without the body that is being read."""
        if self.steady is not None:
            self._count()
        self.progress.retry = self.retry
        decoder = self.decoder
        kept = decoder is not None and decoder.known is not None
        if self.progress.delivered is not None:
            self.progress.delivered.settle()
        return AnswerState(
            progress=self.progress,
            decoder=decoder.snapshot() if kept and decoder is not None else None,
            offset=decoder.offset if kept and decoder is not None else None,
        )

    def revive(self, state: AnswerState) -> None:
        """Go on from a saved state, as after a break. Raises ``SnapshotError``."""
        self.progress = state.progress
        if state.decoder is not None:
            self.decoder = JoinedDecoder.revive(state.decoder, self.limits, state.offset)
