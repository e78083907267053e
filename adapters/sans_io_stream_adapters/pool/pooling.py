"""The state of a pool without its runtime: who runs, who waits, what is held, what was told.

``driver`` and ``driver_sync`` are thin: they spawn what ``take`` gives, and wait for
the signals. Every method may be called from any thread; the lock costs an asynchronous runtime
nothing worth naming.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from sans_io_stream import ReconnectPolicy, StreamRequest
from sans_io_stream.tally import AccountKey, Pricing
from sans_io_stream.timings import Timings
from sans_io_stream.url import parse_url
from sans_io_stream.usage import add_usage

from ..stream import StreamOptions
from .bell import Bell, Ringer
from .errors import PoolCancelled
from .scheduling import Schedule
from .stats import Eye, PoolStats, Priced, SessionStats

if TYPE_CHECKING:
    from sans_io_stream.pricing import Prices

    from .pooled import Pooled

__all__ = ["PoolOptions", "Pooling", "Requests", "of_streams", "pairs"]

S = TypeVar("S", bound=Ringer)

Requests = (
    Mapping[Any, StreamRequest] | Iterable[StreamRequest] | Iterable[tuple[Hashable, StreamRequest]]
)
"""Requests, pairs of key and request, or a mapping of such."""

FAILURES = 100
"""Failures that are remembered until somebody is told of them."""


class PoolOptions(StreamOptions, total=False):
    """The keyword options of every ``StreamPool``: those of its streams, and its own.

    ``per_origin`` is the most streams of one origin, or a mapping of such limits by a URL of
    each; ``max_waiting`` the most streams that wait for a slot. ``buffer`` is the most
    events of a stream that are kept unread. ``on_failure="cancel"`` has the first failure
    cancel all others. ``prices`` (a ``PriceTable``, or whatever has its ``cost``) gives
    ``stats()`` its costs, ``retain`` is how many ended
    streams are kept in it. ``open`` takes the place of ``open_stream``.
    """

    per_origin: int | Mapping[str, int] | None
    max_waiting: int
    buffer: int
    on_failure: Literal["keep", "cancel"]
    prices: Prices | None
    retain: int
    open: Callable[..., Any] | None


class Pooling(Generic[S]):
    """See the module. Raises ``ValueError`` for options that make no sense, ``TypeError`` for
    those that there are not."""

    def __init__(
        self,
        now: Callable[[], float],
        signal: Callable[[], S],
        max_concurrent: int,
        options: PoolOptions,
    ) -> None:
        refuse_unknown(options, PoolOptions, "a StreamPool")
        self.buffer = options.get("buffer", 64)
        self._retain = options.get("retain", 1000)
        self._on_failure = options.get("on_failure", "keep")
        if self.buffer < 1 or self._retain < 0:
            raise ValueError(f"buffer={self.buffer!r} or retain={self._retain!r} is too few")
        if self._on_failure not in ("keep", "cancel"):
            raise ValueError(f"on_failure is 'keep' or 'cancel', not {self._on_failure!r}")
        for name in ("capture", "resume_from"):
            if options.get(name) is not None:
                raise ValueError(f"{name} is of one stream: give it to start(), not to the pool")
        self._pricing = Pricing(options.get("prices"))
        per_origin = options.get("per_origin")
        if isinstance(per_origin, Mapping):
            per_origin = {parse_url(url).origin: limit for url, limit in per_origin.items()}
        self._schedule = Schedule(max_concurrent, per_origin, options.get("max_waiting", 1000))
        self.max_concurrent = max_concurrent
        self.max_waiting = self._schedule.max_waiting
        self.lock = threading.RLock()
        self.now = now
        self._signal = signal
        self._timings = Timings()
        self._room = Bell(signal)
        self._clock = Bell(signal)
        self._timed = False
        """Somebody looks after the time."""
        self._state: Literal["new", "open", "leaving", "shut"] = "new"
        self._stopped: float | None = None
        """When nothing ran any more."""
        self._failed = False
        """A failure has ended all, as ``on_failure="cancel"`` wants."""
        self._failure: Exception | None = None
        self._number = 0
        self._streams: dict[int, Pooled[Any, S]] = {}
        """Those that wait or run, by ticket."""
        self._keys: dict[Hashable, Pooled[Any, S]] = {}
        self._ended: dict[Hashable, Priced] = {}
        self._failures: list[Pooled[Any, S]] = []

    def bell(self) -> Bell[S]:
        """One more bell."""
        return Bell(self._signal)

    # ---- who comes

    def prepare(self, stream: Pooled[Any, S]) -> None:
        """Have the pool look at it, and let its observers do. Raises ``TypeError`` for what is
        no request, and for options that there are not."""
        refuse_unknown(stream.options, StreamOptions, "a stream")
        stream.origin = origin = origin_of(stream.request)
        policy = stream.options.get("policy") or ReconnectPolicy()
        stream.eye = Eye(partial(self.hold, origin), policy.max_retry_after)
        theirs = stream.options.get("observers", ())
        stream.options = stream.options.copy()
        stream.options["observers"] = (stream.eye, self._timings, *theirs)
        stream.withdraw = partial(self.end, stream)

    def has_room(self, request: StreamRequest) -> bool:
        """Whether a stream of that request need not wait to wait."""
        with self.lock:
            return self._schedule.has_room(origin_of(request), self.now())

    def admit(self, stream: Pooled[Any, S], key: Hashable | None) -> S | None:
        """Let it wait for a slot. A signal says that there is no room even for that.

        Raises ``RuntimeError`` outside of the pool's block, ``PoolCancelled`` after a failure
        that has ended all, ``ValueError`` for the key of another stream that has not ended.
        """
        with self.lock:
            if self._failed:
                raise PoolCancelled("a stream of this pool has failed") from self._failure
            if self._state in ("new", "shut"):
                raise RuntimeError("a pool starts streams between entering and leaving its block")
            if key is not None and key in self._keys:
                raise ValueError(f"a stream with the key {key!r} has not ended yet")
            if not self._schedule.has_room(stream.origin, self.now()):
                return self._room.listen()
            while key is None or key in self._keys:
                key, self._number = self._number, self._number + 1
            stream.key = key
            stream.ticket = self._schedule.add(stream.origin)
            self._streams[stream.ticket] = self._keys[key] = stream
            if self._state == "leaving":
                stream.lift()
            return None

    def take(self) -> list[Pooled[Any, S]]:
        """The streams that begin now."""
        with self.lock:
            now = self.now()
            begun = [self._streams[ticket] for ticket in self._schedule.take(now)]
            for stream in begun:
                stream.run(now)
            if begun:
                self._room.ring()
            return begun

    def enter_hold(self, stream: Pooled[Any, S]) -> None:
        """A stream that has just been opened is held like the others of its origin."""
        with self.lock:
            until = self._schedule.held_until(stream.origin, self.now())
            if until is not None:
                stream.hold(until)

    def end(self, stream: Pooled[Any, S]) -> None:
        """A stream is over, or has left the queue."""
        with self.lock:
            if stream.ended is not None:
                return
            stream.finish(self.now())
            del self._streams[stream.ticket], self._keys[stream.key]
            self._schedule.remove(stream.ticket)
            self._keep(stream)
            if stream.standing == "failed":
                self._note_failure(stream)
            self._room.ring()
            self._clock.ring()

    def _keep(self, stream: Pooled[Any, S]) -> None:
        self._ended.pop(stream.key, None)
        self._ended[stream.key] = self._priced(stream)
        while len(self._ended) > self._retain:
            del self._ended[next(iter(self._ended))]

    def _note_failure(self, stream: Pooled[Any, S]) -> None:
        if len(self._failures) >= FAILURES:
            self._failures = [one for one in self._failures if not one.told]
        if len(self._failures) < FAILURES:
            self._failures.append(stream)
        if self._on_failure == "cancel" and not self._failed:
            self._failed, self._failure = True, stream.failure
            self.cancel("another stream of the pool failed")

    # ---- the time

    def hold(self, origin: str, until: float) -> None:
        """No stream of that origin begins a connection before that time."""
        with self.lock:
            self._schedule.hold(origin, until)
            for stream in self._streams.values():
                if stream.origin == origin:
                    stream.hold(until)
            self._clock.ring()

    def wants_clock(self) -> bool:
        """Whether somebody has to look after the time from now on."""
        with self.lock:
            wants = not self._timed and self._schedule.next_time(self.now()) is not None
            self._timed = self._timed or wants
            return wants

    def tick(self) -> tuple[S, float] | None:
        """What to wait for, and until when; None if nobody needs to look any more."""
        with self.lock:
            time = self._schedule.next_time(self.now())
            self._timed = time is not None
            return None if time is None else (self._clock.listen(), time)

    # ---- the end

    def cancel(self, reason: str | None) -> None:
        """Cancel all that wait or run."""
        with self.lock:
            # Those that wait first: nobody is to take a slot that becomes free.
            for stream in sorted(self._streams.values(), key=lambda one: -one.ticket):
                stream.cancel(reason)

    def open(self) -> None:
        """The block is entered. Raises ``RuntimeError`` the second time."""
        if self._state != "new":
            raise RuntimeError("a pool is entered once")
        self._state = "open"

    def leave(self) -> None:
        """The block has come to its end: nobody makes room any more."""
        with self.lock:
            if self._state == "open":
                self._state = "leaving"
            for stream in self._streams.values():
                stream.lift()

    def shut(self) -> None:
        """End all, and begin nothing more."""
        with self.lock:
            self._state = "shut"
            self.cancel("the pool was left")
            self._room.ring()
            self._clock.ring()

    def close(self) -> None:
        """Nothing runs any more."""
        with self.lock:
            self.shut()
            self._stopped = self.now()
            for stream in list(self._streams.values()):
                self.end(stream)

    def raise_untold(self) -> None:
        """Raise the failures that nobody has asked about."""
        untold = [one.failure for one in self._failures if one.failure is not None and not one.told]
        if untold:
            raise ExceptionGroup("streams of the pool failed, and nobody asked", untold)

    # ---- what is told

    def stats(self) -> PoolStats:
        """The pool at this moment."""
        with self.lock:
            now = self._moment()
            told = {**self._ended}
            for stream in self._streams.values():
                told[stream.key] = self._priced(stream)
            schedule = self._schedule
            active, waiting = schedule.running, schedule.waiting
            held = {origin: until - now for origin, until in schedule.held(now).items()}
        # Not under the lock: prices are somebody else's code.
        priced = {key: one.stats(self._pricing) for key, one in told.items()}
        latencies = self._timings.latencies
        return PoolStats(schedule.max_concurrent, active, waiting, priced, held, latencies)

    def _moment(self) -> float:
        """Now, while there is a clock: a runtime's may be gone with the pool."""
        if self._state == "new":
            return 0.0
        return self.now() if self._stopped is None else self._stopped

    def _priced(self, stream: Pooled[Any, S]) -> Priced:
        until = self._moment() if stream.ended is None else stream.ended
        eye = stream.eye
        told = SessionStats(
            key=stream.key,
            provider=stream.request.provider,
            model=eye.model or stream.request.model,
            state=stream.standing,
            duration=0.0 if stream.begun is None else until - stream.begun,
            attempts=eye.attempts,
            usage=add_usage(eye.usages),
            error=stream.why,
        )
        return Priced(told, AccountKey.of(stream.request, eye.model), eye.usages)


def pairs(requests: Requests) -> Iterator[tuple[Hashable | None, StreamRequest]]:
    """Each request with its key, None where it has none."""
    if isinstance(requests, Mapping):
        yield from requests.items()
        return
    for one in requests:
        key, request = (None, one) if isinstance(one, StreamRequest) else one
        yield key, request


def origin_of(request: object) -> str:
    """The origin of a request. Raises ``TypeError`` for what is none."""
    if not isinstance(request, StreamRequest):
        raise TypeError(f"a pool streams StreamRequests, not {type(request).__name__}")
    return parse_url(request.url).origin


def refuse_unknown(options: StreamOptions, known: type, whose: str) -> None:
    """Raise ``TypeError`` for an option that is not among the ``known``."""
    unknown = options.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"{whose} has no option {', '.join(sorted(unknown))}")


def of_streams(options: PoolOptions) -> StreamOptions:
    """Those of the options that each stream gets."""
    known = StreamOptions.__annotations__
    return cast("StreamOptions", {name: value for name, value in options.items() if name in known})
