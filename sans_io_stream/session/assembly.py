"""Assembly: the one answer, put together from the bodies of as many responses as it takes.

It knows neither sockets nor times. A body begins in a mode and says what became of it:

- ``first``: a new generation, read from its start (a first request, a retry, a restart, a
  continuation);
- ``continue``: what follows a cursor, judged at a ``Seam``, or the next byte;
- ``replay``: the stored answer from its start, compared with what was delivered;
- ``repeat``: a second one, to be compared in the same way.

A server that answers a cursor with a beginning is taken at its word: its body is a replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..events import (
    Event,
    Heartbeat,
    Resumed,
    ResumePoint,
    StreamEnd,
)
from ..strategies.base import Known
from .joined import JoinedDecoder
from .probe import Probe
from .progress import RECENT, AnswerState, Progress, look, placed_behind
from .replay import Delivered, Replay
from .seam import Seam, Seen

if TYPE_CHECKING:
    from ..dialects.base import Dialect
    from ..errors import ErrorInfo
    from ..policy import Limits
    from ..resume import Cursor, ResumeToken

__all__ = ["Assembly", "BodyMode"]

BodyMode = Literal["first", "continue", "replay", "repeat"]


class Assembly:
    """See the module's text. ``refused`` says why the body at hand is not the answer."""

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
        self.refused = ""
        self.refusal: ErrorInfo | None = None
        self.fresh = False
        """This body has delivered something new."""
        self._mode: BodyMode = "first"
        self._rival: JoinedDecoder | None = None
        self._replay: Replay | None = None
        self._seam_bytes: list[bytes] | None = None
        self._probe: Probe | None = None
        self._content: tuple[str | None, int] = (None, 200)

    # ---- what is known

    def known(self) -> Known:
        """What a strategy may go on from."""
        token = self.token
        if self.decoder is None or self.decoder.known is None:
            if token is None:
                return Known()
            return Known(token.origin.response_id, token.origin.stored, token.base)
        dialect = self.decoder.known
        trail = dialect.marked()
        cursor: Cursor | None = dialect.cursor
        if self.by_bytes:
            # Before the first record is whole there is nothing to know the body by.
            cursor = self.decoder.offset if trail.first is not None else None
        return Known(dialect.response_id, trail.stored, cursor)

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

    @property
    def _reading(self) -> JoinedDecoder | None:
        return self._rival if self._rival is not None else self.decoder

    @property
    def retry(self) -> float | None:
        """The reconnection time that the stream asked for, in seconds."""
        return None if self._reading is None else self._reading.retry

    # ---- one body

    def begin(self, mode: BodyMode, content_type: str | None, status: int) -> None:
        """A body begins, under a 2xx head."""
        self._mode, self._content = mode, (content_type, status)
        self._rival = self._replay = self._seam_bytes = self._probe = None
        self.refused, self.refusal, self.fresh = "", None, False
        if mode != "first":
            self.progress.announced = None
        if mode == "first":
            self.decoder = self._new_decoder(self.progress.generation, self.progress.position)
        elif mode in ("replay", "repeat"):
            self._begin_replay()
        elif self.decoder is None or self.decoder.known is None:
            # A new process: until it has caught up, what it knows is what the token says.
            self._rival = self._from_token()
            self._begin_probe(self._rival)
        elif self.by_bytes:
            self._begin_probe(self.decoder)
        else:
            self._begin_seam(self.decoder, self.decoder.known)

    def _new_decoder(self, generation: int, position: int) -> JoinedDecoder:
        content_type, status = self._content
        return JoinedDecoder(
            self.dialect,
            content_type=content_type,
            status=status,
            limits=self.limits,
            terminator=self.terminator,
            generation=generation,
            position=position,
            offset=0 if self.by_bytes else None,
        )

    def _from_token(self) -> JoinedDecoder:
        assert self.token is not None
        return JoinedDecoder.from_token(self.token, self.limits, *self._content)

    def _begin_probe(self, decoder: JoinedDecoder) -> None:
        if not self.by_bytes:
            self._seam_bytes = []
        elif decoder.expected is not None:
            framing, whole = decoder.framing_anew(), decoder.at_rest
            self._probe = Probe(decoder.expected, framing, *self._content, whole=whole)

    def _begin_seam(self, decoder: JoinedDecoder, known: Dialect) -> None:
        self._seam_bytes = []
        trail = known.marked()
        seam = Seam(
            asked=known.cursor,
            seen=known.cursor,
            first=trail.first,
            recent=tuple(self.progress.recent),
            contiguous=trail.contiguous,
            since=trail.since,
            digest=trail.digest,
        )
        decoder.rejoin(*self._content, seam)

    def _begin_replay(self) -> None:
        if self.progress.delivered is not None:
            self._rival = self._new_decoder(self.progress.generation, 0)
            begun = self.progress.begun >= 0
            limit = self.limits.transcript_bytes
            self._replay = Replay(self.progress.delivered, limit, begun)
            return
        # A new process has nothing to compare but cursors: up to the one that was committed
        # all is silent.
        self._rival = self._new_decoder(self.progress.generation, self.progress.position)
        self._rival.skip_to(self._seen())

    def _seen(self) -> Seen:
        """The last cursor that was delivered, and what is known of the records around it."""
        decoder, token = self.decoder, self.token
        known = decoder.known if decoder is not None else None
        if known is not None and decoder is not None:
            cursor = decoder.offset if self.by_bytes else known.cursor
            trail = known.marked()
            return Seen(cursor, trail.contiguous, trail.since, trail.digest)
        return Seen() if token is None else Seen(token.seen, token.origin.contiguous)

    def receive(self, data: bytes) -> list[Event]:
        """The events that ``data`` adds to the answer. Once ``refused`` is set, none."""
        if self.refused:
            return []
        if self._probe is not None:
            self._probe.feed(data)
            return self._take_probed(self._probe)
        if self._seam_bytes is not None:
            return self._receive_at_seam(data)
        reading = self._reading
        assert reading is not None
        events = self._deliver(reading.receive_data(data))
        self._check_caught_up(reading)
        return events

    def pause(self, truncated: bool) -> list[Event]:
        """The body has ended: what its last record adds, if that lacks only its terminator."""
        if self.steady is not None:
            self._count()
        if self.refused or self._reading is None:
            return []
        events: list[Event] = []
        if self._probe is not None:
            # What cannot be told apart yet is asked for once more.
            self._probe.end(truncated)
            events = self._take_probed(self._probe)
            if self.refused:
                return events
        reading = self._reading
        events += self._deliver(reading.pause(truncated))
        if self._replay is not None and not self._replay.caught_up and not self.refused:
            if not truncated or self.done:
                self._refuse("the answer that came again ended before what was delivered")
            self._rival = self._replay = None
        self._check_caught_up(reading)
        return events

    def _is_another(self) -> bool:
        """Whether what comes again, and is not generated anew, has the id of another answer."""
        if self._rival is None or (self._replay is not None and self._mode != "replay"):
            return False
        ids = {self.known().response_id, self._rival.response_id}
        return None not in ids and len(ids) > 1

    def _check_caught_up(self, reading: JoinedDecoder) -> None:
        """An answer that is over before what was delivered has come again is another one."""
        behind = reading.catching_up or (self.comparing and reading.told is None)
        if behind and reading.done and not self.refused:
            self._refuse("the stream ended before what was delivered came again")

    def finish(self, truncated: bool) -> list[Event]:
        """No more of the answer is to come: the tail, and ``StreamEnd``."""
        decoder = self.decoder
        if decoder is None:
            decoder = self._new_decoder(self.progress.generation, self.progress.position)
        return decoder.receive_eof(truncated=truncated)

    def said_all(self, truncated: bool) -> bool:
        """Whether the answer is complete, if this is the end of its body."""
        reading = self._reading
        if reading is None or self.refused or reading.catching_up:
            return False
        return reading.said_all(truncated)

    # ---- between the decoder and the consumer

    def _receive_at_seam(self, data: bytes) -> list[Event]:
        reading = self._reading
        assert self._seam_bytes is not None
        assert reading is not None
        self._seam_bytes.append(data)
        events = self._deliver(reading.receive_data(data))
        seam = reading.seam
        self._check_caught_up(reading)
        if self.refused:
            return events
        if seam is None or seam.state == "known":
            self._seam_bytes = None
        elif seam.state == "refused":
            self._refuse(seam.why, seam.error)
        elif seam.state == "beginning":
            events += self._take_for_replay(b"".join(self._seam_bytes))
        return events

    def _take_probed(self, probe: Probe) -> list[Event]:
        """The next bytes of a row, unless they are its first ones again."""
        if probe.found is None:
            return []
        self._probe = None
        if probe.found == "beginning":
            return self._take_for_replay(probe.held())
        if probe.error is not None:
            self._refuse(str(probe.error), probe.error)
            return []
        told: list[Event] = [Resumed("continue")] if self._rival is None else []
        return told + self.receive(probe.held())

    def _take_for_replay(self, data: bytes) -> list[Event]:
        """The server ignored the cursor and begins anew."""
        self._seam_bytes = None
        if self.progress.delivered is None and self.token is None:
            self._refuse("the server ignored the cursor and began anew")
            return []
        self._mode = "replay"
        self._begin_replay()
        return self.receive(data)

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
            and (known.cursor is None or known.cursor_kind == "sequence")
        )
        return decoder if plain and not self.by_bytes else None

    def told_directly(self, events: list[Event]) -> None:
        """The ``steady`` decoder said ``events``, and they went out."""
        if self.progress.delivered is not None:
            self.progress.delivered.note(events)

    def _count(self) -> None:
        """Take the position over from the decoder."""
        if self.decoder is not None and self._rival is None and self.decoder.known is not None:
            self.progress.position = self.decoder.known.position

    def _deliver(self, events: list[Event]) -> list[Event]:
        """Count what goes out, and say once what it is."""
        if self._is_another():
            self._refuse("another answer came: its id is not that of the one that was asked for")
            return []
        reading = self._reading
        if reading is not None and reading.known is not None and reading.known.started:
            self.progress.begun = self.progress.generation
        if self._replay is not None:
            events = self._admit(self._replay, events)
        elif self._rival is not None and not self._rival.catching_up:
            self.decoder, self._rival = self._rival, None
            if self.by_bytes:
                events = [Resumed("continue" if self._mode == "continue" else "replay"), *events]
        if not events:
            return events
        decoder = self.decoder
        known = decoder.known if decoder is not None and self._rival is None else None
        if known is not None:
            self.progress.position = known.position
            if known.cursor_kind != "sequence" and known.cursor is not None:
                points = [event.cursor for event in events if type(event) is ResumePoint]
                self.progress.recent = (self.progress.recent + points)[-RECENT:]
        if not (self.fresh and self.progress.visible and self.progress.announced is None):
            events, new = look(self.progress, events)
            self.fresh = self.fresh or new
        if self.progress.delivered is not None:
            self.progress.delivered.note(events)
        return events

    def _admit(self, replay: Replay, events: list[Event]) -> list[Event]:
        """What is new in an answer that comes again."""
        alive: list[Event] = [event for event in events if type(event) is Heartbeat]
        new = replay.admit([event for event in events if type(event) is not Heartbeat])
        end = events[-1] if events else None
        if isinstance(end, StreamEnd) and not replay.why:
            replay.why = str(end.error)
        if replay.why:
            self._refuse(replay.why)
            return alive
        if not replay.caught_up:
            return alive
        rival = self._rival
        assert rival is not None
        self.decoder, self._rival, self._replay = rival, None, None
        # Borders of deltas may have moved: the count goes on from what was delivered.
        told: list[Event] = [*alive, Resumed("replay")]
        told += placed_behind(self.progress, new)
        rival.move_to(self.progress.position)
        return told

    def _refuse(self, why: str, error: ErrorInfo | None = None) -> None:
        self.refused, self.refusal = why, error
        self._rival = self._replay = self._seam_bytes = self._probe = None

    # ---- a new generation

    def restart(self) -> None:
        """What was delivered is void: the next body is another answer."""
        self.next_generation("restart")
        self.decoder = self.token = None
        self.progress.visible, self.progress.recent = False, []
        self.progress.delivered = Delivered() if self.tracked else None

    def next_generation(self, mode: Literal["restart", "continuation"] | None = None) -> None:
        """The next body is generated anew. If one was begun it may have been billed."""
        if self.begun:
            self.progress.generation += 1
        if mode is not None:
            self.progress.announced = mode

    # ---- snapshots

    def save(self) -> AnswerState:
        """What is known of the answer, without the body that is being read."""
        if self.steady is not None:
            self._count()
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
