"""StreamSession: one answer over as many connections as it takes.

A driver asks ``next_step``, carries the step out, and tells what came of it; each call returns
the events that it caused. What is said out of step raises and changes nothing; what comes too
early does nothing. ``course`` judges what happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, Unpack

import msgspec

from ..errors import ErrorInfo, OutOfStepError, SnapshotError
from ..events import Event, Heartbeat, StreamEnd, TextDelta
from ..headers import Headers, header_items
from ..http import BodyEnd, Head
from ..request import HTTPRequest
from .checkpoint import SessionState, dump, left, load
from .course import Course
from .endings import continuable
from .lost import as_error, only_dialled, without_keys
from .steps import Close, Done, Receive, Step, Wait

if TYPE_CHECKING:
    from ..request import StreamRequest
    from .joined import JoinedDecoder
    from .options import SessionOptions
    from .wire import Wire

__all__ = ["StreamSession"]

BytesLike = bytes | bytearray | memoryview


class StreamSession(Course):
    """One answer. See docs/sessions.md for what each call is for.

    ``resume_from`` is the token of an earlier session's ``ResumePoint``, ``proxy`` an
    ``http://`` or ``https://`` URL. ``random`` gives the fraction of the jitter, from 0 to 1;
    without it delays are the policy's own. ``timeouts`` are by default those that suit the
    dialect. ``tap`` sees what each response is made of, before it is judged: its ``Head``, the
    pieces of its body, and how it ended.

    Raises ``ResumeTokenError`` for a token that is none, or is of another dialect, and
    ``ValueError`` for a proxy that cannot be spoken to.
    """

    # ---- what is next

    def start(self, now: float) -> list[Event]:
        """Begin. A second call does nothing.

        A token of an answer's end connects nowhere: its end is told at once.
        """
        if self._state != "idle":
            untold, self._untold = self._untold, []
            return untold
        self._clocks.start(now)
        if self._token is not None and self._token.ended:
            return self._finish_with(StreamEnd("complete"))
        if self._token is not None:
            return self._set_out(now)
        self._state = "waiting"
        self._wait = (now, "held back")
        if self._not_before <= now:
            self._connect(now)
        return []

    def next_step(self, now: float) -> Step:
        """What the driver is to do. It may be asked again: the answer stays the same until a
        call has told what happened.

        Of the state one thing changes: from when a ``Receive`` is first asked for, the idle
        and progress clocks run. Raises ``OutOfStepError`` before ``start``.
        """
        if self._state == "idle":
            raise OutOfStepError("next_step() before start(): call start(now) first")
        if self._wire is None:
            if self._end is not None:
                return Done(self._end)
            assert self._wait is not None
            until, reason = self._wait
            until, total = max(until, self._not_before), self._clocks.total
            return Wait(until if total is None else min(until, total), reason)
        if self._state != "running":
            return Close()
        if self._asking:
            return self._wire.step(self._clocks.total)
        return Receive(self._clocks.asked(now))

    # ---- what happened: the connection

    def authorized(self, request: HTTPRequest, now: float) -> list[Event]:
        """``request`` is what ``Authorize`` asked for: the same one, with what this attempt needs.

        Raises ``ValueError`` for a URL or a header that cannot be sent, ``TypeError`` for what
        is no ``HTTPRequest``.
        """
        if not isinstance(request, HTTPRequest):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(request).__name__
            raise TypeError(f"authorize returns the HTTPRequest that goes out, not {kind}")
        self._expect("authorized", "authorize").authorized(request, now)
        self._shown = (*self._shown, request)
        return []

    def connected(self, now: float) -> list[Event]:
        """What ``Connect`` asked for is done."""
        self._expect("connected", "connect").connected(now)
        self._by_socket = True
        return []

    def tls_started(self, now: float) -> list[Event]:
        """What ``StartTLS`` asked for is done."""
        self._expect("tls_started", "proxy_tls", "tls").tls_started(now)
        return []

    def sent(self, now: float) -> list[Event]:
        """All that ``Send`` gave is sent."""
        self._expect("sent", "ask", "send").sent(now)
        return []

    def receive_data(self, data: BytesLike, now: float) -> list[Event]:
        """What the connection gave. The empty read of a socket is ``receive_eof``."""
        decoder = self._steady
        if decoder is not None and type(data) is bytes:
            return self._go_on(decoder, data, now)
        if self._end is not None:
            return []
        wire = self._expect("receive_data", "tunnel", "look", "head", "body", "send")
        return self._take(wire.received(bytes(data), now), now)

    def _go_on(self, decoder: JoinedDecoder, data: bytes, now: float) -> list[Event]:
        """A read in the middle of a body: what ``_take`` does where nothing special comes."""
        assert self._wire is not None
        items = self._wire.body(data)
        if len(items) != 1 or type(items[0]) is not bytes:
            return self._take(items, now)
        events = decoder.receive_data(items[0])
        if events:
            self._answer.told_directly(events)
            last = type(events[-1])
            if last is not Heartbeat and last is not StreamEnd and not decoder.done:
                self._clocks.moved_on()
                return events
        self._clocks.heard(now, progress=any(type(e) is not Heartbeat for e in events))
        return self._judge(self._deliver(events), len(data), now)

    def receive_eof(self, now: float) -> list[Event]:
        """The connection ended in order: FIN, and with TLS its close_notify."""
        if self._end is not None:
            return []
        wire = self._expect("receive_eof", "tunnel", "look", "head", "body", "send")
        return self._take(wire.ended(now), now)

    def connection_lost(self, error: BaseException | ErrorInfo, now: float) -> list[Event]:
        """Dialling, a handshake, sending or receiving failed."""
        if self._end is not None or self._state == "closing":
            return []
        wire = self._expect("connection_lost")
        if wire.phase == "connect" and not wire.by_socket and not only_dialled(error):
            # It may have been a client's connection, with the request on it.
            wire.sent_any = True
        told = as_error(error, self._shown, self._proxy)
        return self._take(wire.lost(told, now), now)

    def closed(self, now: float) -> list[Event]:
        """What ``Close`` asked for is done."""
        if self._wire is None or self._state == "running":
            raise self._out_of_step("closed")
        self._wire = None
        if self._state == "closing":
            self._state = "waiting"
        return []

    # ---- what happened: the response, for drivers with an HTTP client of their own

    def request_sent(self, now: float) -> list[Event]:
        """``Connect.request`` is with the driver's client: the server may know of it from now
        on, and ``Timeouts.response`` runs. Optional, but without it the session has to guess
        from a failure whether anything was sent, and a snapshot taken now says that nothing
        was."""
        self._expect("request_sent", "connect").client_sends(now)
        return []

    def response_started(self, status: int, headers: Headers, now: float) -> list[Event]:
        """The response to ``Connect.request`` has begun."""
        self._expect("response_started", "connect", "client").client_answers()
        known = tuple((name.lower(), value) for name, value in header_items(headers))
        return self._take([Head(status, "", known)], now)

    def receive_body(self, data: BytesLike, now: float) -> list[Event]:
        """A piece of its body, without any transfer or content coding."""
        if self._end is not None:
            return []
        self._expect("receive_body", "client_body")
        return self._take([bytes(data)], now)

    def body_ended(self, now: float) -> list[Event]:
        """Its body ended in order. A broken one is ``connection_lost``."""
        if self._end is not None:
            return []
        self._expect("body_ended", "client_body")
        return self._take([BodyEnd("close")], now)

    # ---- what happened: time, and the user

    def handle_timeout(self, now: float) -> list[Event]:
        """The time that a step named has come. Called too early it does nothing."""
        if self._state == "idle":
            raise self._out_of_step("handle_timeout")
        if self._end is not None:
            return []
        if self._clocks.total is not None and now >= self._clocks.total:
            seconds = self.timeouts.total
            error = ErrorInfo("timeout", f"no whole answer within Timeouts.total ({seconds:g} s)")
            return self._give_up(error)
        wire = self._wire
        if wire is None:
            assert self._wait is not None
            if now >= max(self._wait[0], self._not_before):
                self._connect(now)
            return []
        if self._state != "running":
            return []
        if self._asking:
            items = wire.timed_out(now)
            return [] if items is None else self._take(items, now)
        return self._clock_ran_out(self._clocks.over(now), now)

    def cancel(self, reason: str | None, now: float) -> list[Event]:
        """The user wants no more: the stream ends as ``cancelled``. After its end, nothing."""
        if self._end is not None:
            return []
        error = None if reason is None else ErrorInfo("cancelled", reason)
        return self._finish_with(StreamEnd("cancelled", error))

    def reconnect(self, now: float) -> list[Event]:
        """Drop the connection and take the stream up on another one, at once. Behind the
        provider's last word there is nothing to take up: the stream ends."""
        if self._end is not None or self._wire is None or self._state != "running":
            return []
        if self._body == "answer" and self._late >= 0:
            return self._conclude(True, None)
        self._count.unanswered = self._count.unanswered or self._under_way
        events = self._pause_answer(truncated=True)
        error = ErrorInfo("connection", "reconnecting was asked for", retryable=True)
        return events + self._break(error, now, delay=0.0)

    def not_before(self, time: float, now: float) -> list[Event]:
        """No connection is begun before ``time``; one that is there goes on."""
        self._not_before = max(self._not_before, time)
        return []

    def stop_request(self) -> HTTPRequest | None:
        """The call that ends a generation which goes on without its reader; None where there
        is no such call, nothing to end, or an id of the server's that no URL may hold.

        It may be asked for after ``cancel``, and after any end but the provider's own. Whoever
        sends it calls ``authorize`` with it, where the request has one.
        """
        # After a break that nothing mended the decoder is done, the provider may not be.
        over = self._answer.done if self._end is None else self._end.outcome == "complete"
        if self._state == "idle" or over or self._answer.told is not None:
            return None
        try:
            return self._strategy.stop(self._first, self._answer.known())
        except ValueError:
            return None

    # ---- checkpoints

    def snapshot(self, now: float) -> bytes:
        """All that another process needs to go on, as plain data; the session goes on unchanged.

        It holds no header, body or credential: ``restore`` is given the request again.
        """
        count = msgspec.structs.replace(self._count)
        if self._under_way:
            # Whoever goes on knows of no answer to what is under way.
            count.unanswered = True
        if self._answer.told is not None:
            self._answer.told = without_keys(self._answer.told, self._shown, self._proxy)
        held = self._not_before
        return dump(
            SessionState(
                dialect=self.request.dialect,
                strategy=self._strategy.name,
                token=self._resume_from,
                started=self._state != "idle",
                total=left(self._clocks.total, now),
                wait=left(self._wait[0] if self._wait is not None else None, now),
                not_before=None if held == float("-inf") else held - now,
                count=count,
                answer=self._answer.save(),
                text=None if self._transcript is None else continuable(self._transcript),
                end=self._end,
            )
        )

    @classmethod
    def restore(
        cls, blob: bytes, request: StreamRequest, now: float, **options: Unpack[SessionOptions]
    ) -> Self:
        """The session that ``snapshot`` saw, in this process or another; it begins with
        ``Connect``.

        ``request`` and ``options`` are those of the first one. Where nothing can be asked for
        again the session has ended, and ``start`` tells so. Raises ``SnapshotError`` if
        ``blob`` is damaged, of another version, or of another dialect or strategy.
        """
        state = load(blob)
        session = cls(request, resume_from=state.token, **options)
        if (state.dialect, state.strategy) != (request.dialect, session._strategy.name):
            raise SnapshotError(
                f"snapshot is of a stream of dialect {state.dialect!r} with strategy "
                f"{state.strategy!r}; the request is of another"
            )
        session._revive(state, now)
        return session

    def _revive(self, state: SessionState, now: float) -> None:
        self._count = state.count
        self._answer.revive(state.answer)
        if state.not_before is not None:
            self._not_before = now + state.not_before
        if self._transcript is not None and state.text is not None:
            self._transcript.add(TextDelta(state.text))
        if state.end is not None:
            self._end, self._state = state.end, "ended"
            return
        if not state.started:
            return
        if state.total is not None:
            self._clocks.total = now + state.total
        if state.wait is not None:
            self._not_before = max(self._not_before, now + state.wait)
        if self._answer.done and self._answer.told is None:
            self._untold = self._conclude(True, None)
        elif self._count.connections or self._token is not None:
            self._untold = self._set_out(now)
        else:
            self._state, self._wait = "waiting", (now, "held back")
            if self._not_before <= now:
                self._connect(now)

    @property
    def end(self) -> StreamEnd | None:
        """The ``StreamEnd``, once it has been told."""
        return self._end

    @property
    def _asking(self) -> bool:
        """What is next is the connection's business: no body is there, or not all is asked."""
        return self._body == "none" or (self._wire is not None and self._wire.sending)

    @property
    def _under_way(self) -> bool:
        """A request is out, and nothing has said yet that it began no generation."""
        sent = self._wire is not None and self._wire.sent_any
        return sent and self._state == "running" and self._body in ("none", "answer")

    # ---- misuse

    def _expect(self, call: str, *phases: str) -> Wire:
        """The wire, if ``call`` is in step with it. Raises ``OutOfStepError``."""
        wire = self._wire
        if wire is None or self._state != "running" or (phases and wire.phase not in phases):
            raise self._out_of_step(call)
        return wire

    def _out_of_step(self, call: str) -> OutOfStepError:
        phase = self._wire.phase if self._wire is not None else "no connection"
        return OutOfStepError(
            f"{call}() is out of step: the session is {self._state} ({phase}); "
            "do what next_step() says"
        )
