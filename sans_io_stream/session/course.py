"""The course of one answer: attempts, what came of them, and what is tried next.

The judging half of a session; ``machine`` is the half that drivers call. States::

    idle ─start→ running ⇄ closing → waiting → running … → ended

*running* is one attempt on one ``Wire``; *closing* waits for the driver to close it. A break
is judged in ``_break``: what is tried next stands in ``ladder``, when in ``backoff`` and in
the policy. Nothing here reads a clock or a socket, and nothing that a peer does raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from ..capture.privacy import allowed_headers
from ..errors import ErrorInfo, LimitExceeded
from ..events import Connected, Disconnected, Event, Heartbeat, Reconnecting, StreamEnd
from ..http import BodyEnd, Head, Item
from ..policy import DEFAULT_LIMITS, DEFAULT_POLICY, Limits, ReconnectPolicy, Timeouts
from ..resume import decode_token
from ..transcript import Transcript
from .assembly import Assembly
from .clocks import Clocks
from .count import Count
from .document import SECONDS, Document
from .endings import LOST, continuable, exhausted, patience, too_late, used_up
from .ladder import EXACT, GENERATES, Attempt, Mode, Situation, next_attempt
from .lost import without_keys
from .onward import led_to
from .proxy import Proxy
from .wire import Wire

if TYPE_CHECKING:
    from ..request import HTTPRequest, StreamRequest
    from .joined import JoinedDecoder
    from .standing import BodyMode

__all__ = ["Course"]

LAST_LOOK_SECONDS, LAST_LOOK_BYTES = 1.0, 64 * 1024
"""How long, and how much, is read on behind the provider's last word."""
NO_CONTENT, NOT_FOUND = 204, 404
BETWEEN = frozenset({408, 500, 502, 504})
"""Statuses with which a generation may have begun behind whoever answers."""

BODY_MODES: dict[Mode, BodyMode] = {"continue": "continue", "replay": "replay", "repeat": "repeat"}
State = Literal["idle", "running", "closing", "waiting", "ended"]
Body = Literal["none", "answer", "error", "check"]


class Course:
    """See the module's text. ``StreamSession`` says what the arguments are."""

    def __init__(
        self,
        request: StreamRequest,
        *,
        resume_from: str | None = None,
        policy: ReconnectPolicy | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        proxy: str | Proxy | None = None,
        random: Callable[[], float] | None = None,
        tap: Callable[[HTTPRequest, Item], None] | None = None,
    ) -> None:
        self.request = request
        self.policy = policy if policy is not None else DEFAULT_POLICY
        self.timeouts = timeouts if timeouts is not None else patience(request.dialect)
        self.limits = limits if limits is not None else DEFAULT_LIMITS
        self._proxy = Proxy.from_url(proxy) if isinstance(proxy, str) else proxy
        self._random = random
        self._tap = tap
        self._strategy = request.strategy
        self._first = request.http()
        self._shown: tuple[HTTPRequest, ...] = (self._first,)
        token = None if resume_from is None else decode_token(resume_from, request.dialect)
        self._token, self._resume_from = token, resume_from
        self._clocks = Clocks(self.timeouts)
        self._count = Count()
        self._state: State = "idle"
        self._wire: Wire | None = None
        self._by_socket = False
        """The driver has told of a socket: it has no HTTP client of its own."""
        self._body: Body = "none"
        self._attempt = Attempt("first", self._first)
        self._head: Head | None = None
        self._document: Document | None = None
        """What the body is collected in, if it is no answer."""
        self._late = -1
        """Bytes that came behind the provider's last word; -1 before it."""
        self._wait: tuple[float, str] | None = None
        self._not_before = float("-inf")
        self._end: StreamEnd | None = None
        self._steady: JoinedDecoder | None = None
        """The decoder that the body goes to directly, while nothing but deltas comes."""
        self._untold: list[Event] = []
        """What a restored session has to say before anything else."""
        self._answer = Assembly(
            request.dialect if token is None else token.origin.dialect,
            self.limits,
            terminator=request.terminator,
            by_bytes=self._strategy.kind == "byte_offset",
            tracked=self._strategy.kind is not None or "replay" in self.policy.allow,
            token=token,
        )
        self._transcript = Transcript(self.limits) if "continuation" in self.policy.allow else None

    def _set_out(self, now: float) -> list[Event]:
        """Take an answer up that is not at hand: of a token, or of a snapshot."""
        attempt = self._plan()
        if attempt is None:
            why = "what was delivered cannot be asked for again"
            return self._give_up(ErrorInfo("cursor", f"{self._strategy.name}: {why}"))
        if self._count.connections >= self.policy.max_connections:
            return self._give_up(used_up(self.policy.max_connections))
        self._begin_generation(attempt)
        self._prepare(attempt)
        self._state, self._wait = "waiting", (now, "held back")
        if self._not_before <= now:
            self._connect(now)
        return []

    def _prepare(self, attempt: Attempt) -> None:
        """The next attempt is this one, after the check that its strategy asks for."""
        check = None
        if attempt.mode == "continue":
            check = self._strategy.check(self._first, self._answer.known())
        self._attempt = attempt if check is None else Attempt("check", check)

    # ---- one attempt

    def _connect(self, now: float) -> None:
        self._state, self._body, self._wait = "running", "none", None
        self._count.connections += 1
        self._count.row += 1
        asked, options = self._attempt.request, (self.timeouts, self.limits, self._proxy)
        self._shown, authorize = (self._first, asked), self.request.authorizes(asked)
        self._wire = Wire(asked, now, *options, by_socket=self._by_socket, authorize=authorize)

    def _take(self, items: list[Item], now: float) -> list[Event]:
        """What came of the connection, piece by piece."""
        events: list[Event] = []
        if self._tap is not None:
            # All that came, also behind what ends this attempt: the body of a redirect.
            for item in items:
                self._tap(self._shown[-1], item)
        for item in items:
            if self._end is not None or self._state != "running":
                break
            if isinstance(item, bytes):
                events += self._take_body(item, now)
            elif isinstance(item, Head):
                events += self._take_head(item, now)
            elif isinstance(item, BodyEnd):
                events += self._take_end(None, now)
            else:
                events += self._take_end(item.error, now)
        return events

    def _take_head(self, head: Head, now: float) -> list[Event]:
        assert self._wire is not None
        self._head, status = head, head.status
        shown = tuple(allowed_headers(head.headers).items())
        events: list[Event] = [Connected(status, shown)]
        onward = led_to(self.request, self._attempt.request, head, self._count, self.policy)
        if isinstance(onward, ErrorInfo):
            return events + self._give_up(onward)
        if onward is not None:
            self._attempt = Attempt(self._attempt.mode, onward)
            self._count.redirects += 1
            self._count.row -= 1
            self._close_and_wait(now, "redirected")
        elif self._attempt.mode == "check":
            self._body, self._document = "check", Document(head, self.limits)
            self._clocks.begin_body(now + SECONDS)
        elif 200 <= status < 300:
            self._count.begun, self._count.redirects = True, 0
            self._body, self._late = "answer", -1
            self._clocks.begin_body()
            mode, named = BODY_MODES.get(self._attempt.mode, "first"), self._strategy.stream_named
            self._answer.begin(mode, head.get("content-type"), status, named(head.headers))
        else:
            self._body, self._document = "error", Document(head, self.limits)
            if self._attempt.mode not in EXACT:
                # An error says that nothing was begun, but for one of those that stand between;
                # a refused look says nothing of it.
                self._count.unanswered = status in BETWEEN
            self._clocks.begin_body(now + SECONDS)
        return events

    def _take_body(self, data: bytes, now: float) -> list[Event]:
        if self._body in ("error", "check"):
            assert self._document is not None
            self._document.receive(data)
            # Of what is cut there is no end to wait for.
            return self._take_end(None, now) if self._document.full else []
        events = self._deliver(self._answer.receive(data))
        self._clocks.heard(now, progress=any(type(e) is not Heartbeat for e in events))
        events = self._judge(events, len(data), now)
        reads = self._wire is not None and self._wire.phase == "body"
        if reads and self._end is None and self._state == "running" and self._late < 0:
            looked_at = self._transcript is not None or self._tap is not None
            self._steady = None if looked_at else self._answer.steady
        return events

    def _judge(self, events: list[Event], size: int, now: float) -> list[Event]:
        """What the answer's state calls for, after ``size`` bytes that said ``events``."""
        if self._answer.refused:
            return events + self._refused(now)
        if self._answer.told is not None:
            return events + self._provider_failed(now)
        if self._end is not None:
            return events
        if self._answer.done:
            if self._late < 0:
                self._late, self._steady = 0, None
                if self._wire is not None and self._wire.sending:
                    self._wire.stop_sending()
                self._clocks.begin_body(now + LAST_LOOK_SECONDS)
            else:
                self._late += size
            if self._late > LAST_LOOK_BYTES:
                return events + self._conclude(False, None)
        return events

    def _take_end(self, error: ErrorInfo | None, now: float) -> list[Event]:
        """The body is over: in order, or with ``error``."""
        if self._body == "none":
            assert error is not None
            assert self._wire is not None
            if self._wire.sent_any:
                self._count.unanswered = True
            return self._fail_or_break(error, now)
        if self._body == "check":
            # A check that was cut off has said nothing of the cursor.
            return self._take_check(now) if error is None else self._break(error, now)
        if self._body == "error":
            return self._take_error(error, now)
        if self._late >= 0:
            return self._conclude(error is not None, None)
        self._count.unanswered = True
        events = self._pause_answer(truncated=error is not None)
        if self._answer.refused:
            return events + self._refused(now)
        if self._answer.told is not None:
            return events + self._provider_failed(now)
        if self._answer.said_all(error is not None) and not (error and self._more_to_get()):
            return events + self._conclude(error is not None, None)
        if error is not None and not error.retryable and error.kind not in LOST:
            return events + self._give_up(error)
        if error is None:
            if self._ends_here():
                return events + self._conclude(False, None)
            message = "the body ended before the provider said that the answer is complete"
            error = ErrorInfo("truncated", message, retryable=True)
        return events + self._break(error, now)

    def _take_check(self, now: float) -> list[Event]:
        """The answer to whether the cursor is still good."""
        assert self._head is not None
        assert self._document is not None
        if not self._strategy.valid(self._head.status, bytes(self._document.body)):
            why = "the server no longer knows the cursor"
            return self._refused(now, ErrorInfo("cursor", why, status=self._head.status))
        if self._count.connections >= self.policy.max_connections:
            return self._give_up(used_up(self.policy.max_connections))
        request = self._strategy.resume(self._first, self._answer.known())
        assert request is not None
        self._attempt = Attempt("continue", request)
        self._count.row -= 1
        self._close_and_wait(now, "the cursor was checked")
        return []

    def _take_error(self, missing: ErrorInfo | None, now: float) -> list[Event]:
        """An error document is whole, or as whole as it will be."""
        assert self._head is not None
        assert self._document is not None
        error = self._strategy.refusal(self._head.headers, self._document.error(missing))
        if self._attempt.mode in EXACT and self._strategy.refused(self._head.status, error):
            return self._refused(now, error)
        return self._fail_or_break(error, now)

    def _clock_ran_out(self, clock: str | None, now: float) -> list[Event]:
        """A body took too long."""
        if clock is None:
            return []
        if clock == "cap":
            late = ErrorInfo("timeout", f"it took more than {SECONDS:g} s", retryable=True)
            return self._take_end(None if self._body == "answer" else late, now)
        seconds = getattr(self.timeouts, clock)
        what = {"idle": "not a byte", "progress": "nothing but heartbeats"}[clock]
        message = f"{what} within Timeouts.{clock} ({seconds:g} s)"
        return self._take_end(ErrorInfo("timeout", message, retryable=True), now)

    # ---- when it breaks

    def _fail_or_break(self, error: ErrorInfo, now: float) -> list[Event]:
        """An attempt came to nothing before its body."""
        return self._break(error, now) if error.retryable else self._give_up(error)

    def _provider_failed(self, now: float) -> list[Event]:
        """The provider told an error in the stream: what it stored is that error."""
        error = self._answer.told
        assert error is not None
        if error.retryable:
            refused = {*self._count.refused, *EXACT}
            if self._plan(refused) is not None:
                return self._break(error, now, stored=True)
        return self._conclude(True, error)

    def _refused(self, now: float, error: ErrorInfo | None = None) -> list[Event]:
        """The server does not go on: that way is closed, another one may not be."""
        mode = self._attempt.mode
        error = error or self._answer.refusal or ErrorInfo("cursor", self._answer.refused)
        if mode in EXACT and error.retryable and error.kind != "cursor":
            return self._break(error, now)
        self._count.refused = (*self._count.refused, "continue" if mode == "check" else mode)
        if error.status == NOT_FOUND:
            # What is not there was not begun.
            self._count.unanswered = False
        told = msgspec.structs.replace(error, kind="cursor", retryable=False)
        return self._break(told, now, delay=0.0)

    def _break(
        self, error: ErrorInfo, now: float, delay: float | None = None, *, stored: bool = False
    ) -> list[Event]:
        """The connection is of no more use: try again, or end. ``stored`` says that asking
        for what there is would only bring the error again."""
        error = without_keys(error, self._shown, self._proxy)
        events: list[Event] = [Disconnected(error)]
        exact = self._attempt.mode in EXACT and self._body == "answer"
        if exact and self._answer.fresh and not self._answer.refused:
            self._count.row, self._count.refused = 1, ()
        if self._attempt.mode == "repeat" and self._answer.fresh:
            self._count.ask_anew()
        if stored:
            self._count.refused = tuple({*self._count.refused, *EXACT})
        attempt = self._plan()
        if attempt is None:
            return events + self._give_up(error)
        policy, count = self.policy, self._count
        spent = count.row >= policy.max_attempts or count.connections >= policy.max_connections
        if not count.begun:
            spent = spent or count.retries >= policy.max_retries
            count.retries += 1
        if spent:
            return events + self._give_up(exhausted(error, count.connections))
        if delay is None:
            fraction = 0.0 if self._random is None else self._random()
            delay = policy.delay(count.row + 1, fraction)
            delay = max(delay, self._answer.retry or 0.0, error.retry_after or 0.0)
        longest = max(policy.max_retry_after, policy.max_delay * (1 + policy.jitter))
        total = self._clocks.total
        if delay > longest or (total is not None and now + delay >= total):
            return events + self._give_up(too_late(error, delay))
        self._begin_generation(attempt)
        self._prepare(attempt)
        self._close_and_wait(now + delay, "backoff")
        return [*events, Reconnecting(count.row + 1, delay)]

    def _plan(self, refused: set[str] | None = None) -> Attempt | None:
        transcript = self._transcript
        return next_attempt(
            Situation(
                request=self.request,
                first=self._first,
                strategy=self._strategy,
                policy=self.policy,
                known=self._answer.known(),
                visible=self._answer.progress.visible,
                unanswered=self._count.unanswered,
                comparable=self._answer.comparable,
                placed=self._answer.placed,
                refused=frozenset(self._count.refused if refused is None else refused),
                text=None if transcript is None else continuable(transcript),
            )
        )

    def _begin_generation(self, attempt: Attempt) -> None:
        if attempt.mode == "restart":
            self._answer.restart()
        elif attempt.mode in GENERATES:
            inexact = attempt.mode in ("again", "continuation")
            self._answer.next_generation("continuation" if inexact else None)
        if attempt.mode == "retry":
            self._answer.forget()
        if attempt.mode in GENERATES and attempt.mode != "repeat":
            # One that is compared takes the place of the old one once it has caught up.
            self._count.ask_anew()

    def _close_and_wait(self, until: float, reason: str) -> None:
        self._state = "closing" if self._wire is not None else "waiting"
        self._steady = None
        self._body = "none"
        self._wait = (until, reason)

    # ---- the end

    def _pause_answer(self, truncated: bool) -> list[Event]:
        return self._deliver(self._answer.pause(truncated)) if self._body == "answer" else []

    def _more_to_get(self) -> bool:
        """Whether what a cut left out behind the answer, the final counts, can be had."""
        attempt = self._plan()
        return attempt is not None and attempt.mode in EXACT

    def _ends_here(self) -> bool:
        """Whether an orderly end is the end, though the provider said nothing of one."""
        assert self._head is not None
        return self._head.status == NO_CONTENT or (
            self.request.dialect == "records" and not self._strategy.after_end
        )

    def _give_up(self, error: ErrorInfo) -> list[Event]:
        """No more attempts: a provider's error fails the stream, a break interrupts it."""
        return self._conclude(True, error)

    def _conclude(self, truncated: bool, error: ErrorInfo | None) -> list[Event]:
        """The tail of the answer, and ``StreamEnd``."""
        tail = self._answer.finish(truncated)
        end = tail.pop()
        assert isinstance(end, StreamEnd)
        if error is not None and end.outcome != "complete":
            end = StreamEnd("interrupted" if error.kind in LOST else "failed", error)
        return self._deliver(tail) + self._finish_with(end)

    def _finish_with(self, end: StreamEnd) -> list[Event]:
        if end.error is not None:
            end = StreamEnd(end.outcome, without_keys(end.error, self._shown, self._proxy))
        self._end, self._steady = end, None
        self._state = "ended"
        return [end]

    def _deliver(self, events: list[Event]) -> list[Event]:
        if self._transcript is not None:
            try:
                for event in events:
                    self._transcript.add(event)
            except LimitExceeded:
                # What is not kept whole cannot be continued.
                self._transcript = None
        end = events[-1] if events else None
        if isinstance(end, StreamEnd):
            # A limit, or bytes that are none of the framing's.
            events[-1:] = self._finish_with(end)
        return events
