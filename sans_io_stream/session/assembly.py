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

from ..errors import ErrorInfo
from ..events import Event, Heartbeat, Resumed, ResumePoint, StreamEnd
from .joined import JoinedDecoder
from .probe import Probe
from .progress import look, placed_behind, remember, renamed, unseen
from .replay import Delivered, Replay
from .seam import Seam
from .standing import BodyMode, Standing

if TYPE_CHECKING:
    from ..dialects.base import Dialect

__all__ = ["Assembly"]


PAGE = "an HTML page came instead of the answer"


class Assembly(Standing):
    """See the module's text."""

    # ---- one body

    def begin(self, mode: BodyMode, content_type: str | None, status: int) -> None:
        """A body begins, under a 2xx head."""
        self.progress.retry = self.retry
        self._mode, self._content = mode, (content_type, status)
        self._rival = self._replay = self._seam_bytes = self._probe = None
        self._why, self.refusal, self.fresh = "", None, False
        if mode != "first":
            self.progress.announced = None
        if mode == "first":
            self.decoder = self._new_decoder(self.progress.generation, self.progress.position)
        elif is_page(content_type):
            self._refuse(PAGE, ErrorInfo("connection", PAGE, retryable=True))
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

    def call(self, stream: str | None) -> None:
        """The head of a response named the answer, or did not."""
        self.progress.stream = stream or self.progress.stream

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
            marks=tuple(trail.names.values()),
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
        if decoder.doubt:
            return [StreamEnd("interrupted", ErrorInfo("cursor", decoder.doubt))]
        return decoder.receive_eof(truncated=truncated)

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
        if probe.found == "first again":
            # A record of that content may also be the next one. From the start all is known.
            self._refuse("the answer's first record came, which may be its beginning again")
            return []
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

    def told_directly(self, events: list[Event]) -> None:
        """The ``steady`` decoder said ``events``, and they went out."""
        pointed = len(events) > 1 or type(events[0]) is ResumePoint
        if pointed and self.decoder is not None and self.decoder.known is not None:
            remember(self.progress, self.decoder.known, events)
        if self.progress.delivered is not None:
            self.progress.delivered.note(events)

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
            remember(self.progress, known, events)
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
        if (
            self._mode == "replay"
            and rival.known is not None
            and renamed(self.progress, rival.known)
        ):
            self._refuse("the same words came, but under other ids")
            return alive
        new = unseen(new, self.known(), self.progress.recent)
        self.decoder, self._rival, self._replay = rival, None, None
        # Borders of deltas may have moved: the count goes on from what was delivered.
        told: list[Event] = [*alive, Resumed("replay")]
        told += placed_behind(self.progress, new)
        rival.move_to(self.progress.position)
        return told

    def _refuse(self, why: str, error: ErrorInfo | None = None) -> None:
        self._why, self.refusal = why, error
        self._rival = self._replay = self._seam_bytes = self._probe = None

    # ---- a new generation

    def restart(self) -> None:
        """What was delivered is void: the next body is another answer."""
        self.next_generation("restart")
        self.forget()
        self.progress.visible, self.progress.recent = False, []
        self.progress.delivered = Delivered() if self.tracked else None

    def forget(self) -> None:
        """Nothing that was known of the last generation is true of the next one."""
        self.decoder = self.token = self.progress.stream = None

    def next_generation(self, mode: Literal["restart", "continuation"] | None = None) -> None:
        """The next body is generated anew. If one was begun it may have been billed."""
        self.progress.retry = self.retry
        if self.begun:
            self.progress.generation += 1
        if mode is not None:
            self.progress.announced = mode


def is_page(content_type: str | None) -> bool:
    """Whether a body is made for people: a login, or a proxy's apology."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind in ("text/html", "application/xhtml+xml")
