"""TokenTracker: what many streams used, by provider and by model.

Events tell snapshots, so of each generation the last one counts, and only once. Final counts
are added to ``total``. What never came to its final counts (a stream that was cut, cancelled
or left, a generation that a restart made void) was used and billed all the same: its last known
counts are added to ``partial``, apart.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Hashable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING
from weakref import ref

import msgspec

from .events import Event, Resumed, ResumePoint, StreamEnd, StreamStart, TextDelta, Usage
from .normalize import normalize
from .tally import Account, AccountKey, Entry, Pricing, Sums
from .transcript import Transcript

if TYPE_CHECKING:
    from .pricing import Prices
    from .request import StreamRequest

__all__ = ["TokenTracker"]

REMEMBERED = 1024
"""Streams that may still be corrected: by their final counts, or by being resumed."""
NOTHING = msgspec.Raw(b"null")


class TokenTracker:
    """Token counts over any number of streams, from any number of threads and tasks.

    Hand it to streams as an observer, or ``add`` what they gave. With ``prices`` (a
    ``PriceTable``, or whatever has its ``cost``) it knows what they cost, at the prices of the
    day ``at`` (None: the newest).
    """

    normalize = staticmethod(normalize)

    def __init__(self, prices: Prices | None = None, at: date | None = None) -> None:
        self._pricing = Pricing(prices, at)
        self._lock = allocate_lock()
        self._settled: dict[AccountKey, Sums] = {}
        self._open: dict[Hashable, Entry] = {}

    # ---- what is fed

    def begin(self, request: StreamRequest, now: float) -> TrackedStream:
        """Watch one stream: an ``Observer`` does so. It is accounted to the provider and the
        model that ``request`` names; else to its dialect, and the model that answers."""
        del now
        return TrackedStream(self, *AccountKey.of(request))

    def add(
        self,
        told: object,
        *,
        provider: str | None = None,
        model: str | None = None,
        stream: Hashable = None,
    ) -> None:
        """Count a ``Transcript``, a ``Usage``, or a provider's own usage object.

        A transcript counts every generation that was billed, and once: handed in again, it takes
        the place of what it was. It knows its own model, if none is named.

        A ``Usage`` that is not final is a snapshot: the next one of the same ``stream`` takes
        its place. Any hashable value names a stream; without one the stream is that of the
        provider and the model, and a final count ends it.

        Anything else is read by ``normalize`` with ``provider``, and is taken as final. Raises
        ``ValueError`` for a provider that is not known, ``TypeError`` for what counts nothing.
        """
        if isinstance(told, Transcript):
            self._add_transcript(told, AccountKey(provider, model or told.model))
            return
        key = AccountKey(provider, model)
        if isinstance(told, Usage):
            self._add_usage(told, key, stream)
            return
        if provider is None:
            raise ValueError(
                "add(usage object) needs provider=: each provider counts in its own way"
            )
        usage = normalize(told, provider)
        if stream is not None:
            self._add_usage(usage, key, stream)
            return
        entry = self._entry(key, (usage,))
        with self._lock:
            self._post(entry)

    def _add_transcript(self, told: Transcript, key: AccountKey) -> None:
        place = ("transcript", ref(told))
        point = told.resume_point
        response_id = told.response_id or (None if point is None else point.origin.response_id)
        entry = self._entry(key, told.billed, response_id)
        with self._lock:
            if told.response_id is None and response_id is not None:
                # It begins by going on: with which of the others?
                for other, before in self._open.items():
                    if other != place and before.is_of(key.provider, response_id):
                        entry = self._instead(entry, self._open.pop(other))
                        break
            self._keep(place, entry)

    def _add_usage(self, usage: Usage, key: AccountKey, stream: Hashable) -> None:
        place = ("usage", key if stream is None else stream)
        with self._lock:
            before = self._open.pop(place, None)
            usages = {one.generation: one for one in (before.usages if before else ())}
            usages[usage.generation] = usage
            entry = self._entry(key, usages.values())
            if usage.final and stream is None:
                self._post(entry)
            else:
                self._keep(place, entry)

    def settle(
        self, key: AccountKey, usages: Sequence[Usage], response_id: str | None, resumed: bool
    ) -> None:
        """A watched stream is over: the last of ``usages`` is its answer's, those before it are
        void. One that was ``resumed`` takes the place of the one that it went on with."""
        void, last = self._entry(key, usages[:-1]), self._entry(key, usages[-1:], response_id)
        place: Hashable = ("response", key.provider, response_id)
        with self._lock:
            before = self._open.pop(place, None) if response_id is not None else None
            if before is not None and resumed:
                last = self._instead(last, before)
            elif before is not None:
                self._post(before)
            self._sums(last.key).add(void)
            if response_id is None:
                self._post(last)
            else:
                self._keep(place, last)

    def reset(self) -> None:
        """Forget all that was counted. Streams that still run are counted when they end."""
        with self._lock:
            self._settled.clear()
            self._open.clear()

    def _entry(
        self, key: AccountKey, usages: Iterable[Usage], response_id: str | None = None
    ) -> Entry:
        kept = tuple(bare(usage) for usage in usages)
        costs = tuple(self._pricing.cost(usage, key) for usage in kept)
        return Entry(key, kept, costs, response_id)

    def _instead(self, entry: Entry, before: Entry) -> Entry:
        """What takes the place of ``before``, with which it went on: it may not say again which
        model it is, nor its counts."""
        key = AccountKey(entry.key.provider, entry.key.model or before.key.model)
        return self._entry(key, entry.usages or before.usages, entry.response_id)

    # ---- under the lock

    def _sums(self, key: AccountKey) -> Sums:
        sums = self._settled.get(key)
        if sums is None:
            sums = self._settled[key] = Sums()
        return sums

    def _post(self, entry: Entry) -> None:
        self._sums(entry.key).post(entry)

    def _keep(self, place: Hashable, entry: Entry) -> None:
        self._open.pop(place, None)
        self._open[place] = entry
        if len(self._open) > REMEMBERED:
            self._post(self._open.pop(next(iter(self._open))))

    # ---- what is read

    def _all(self) -> dict[AccountKey, Sums]:
        """Every account as it stands at this moment."""
        found: dict[AccountKey, Sums] = {}
        with self._lock:
            for key, sums in self._settled.items():
                found.setdefault(key, Sums()).merge(sums)
            entries = list(self._open.values())
        for entry in entries:
            found.setdefault(entry.key, Sums()).post(entry)
        return found

    @property
    def accounts(self) -> dict[tuple[str | None, str | None], Account]:
        """By (provider, model)."""
        return {key: sums.account() for key, sums in self._all().items()}

    @property
    def by_provider(self) -> dict[str | None, Account]:
        """By provider; None are the streams whose provider nobody named."""
        return together((key.provider, sums) for key, sums in self._all().items())

    @property
    def by_model(self) -> dict[str | None, Account]:
        """By model, whoever runs it; None are the streams whose model nobody named."""
        return together((key.model, sums) for key, sums in self._all().items())

    @property
    def account(self) -> Account:
        """Everything together."""
        sums = Sums()
        for one in self._all().values():
            sums.merge(one)
        return sums.account()

    @property
    def total(self) -> Usage:
        """The final counts, added. A count that nobody told is None."""
        return self.account.total

    @property
    def partial(self) -> Usage:
        """The last known counts of what never told its final ones, added."""
        return self.account.partial

    @property
    def cost(self) -> Decimal | None:
        """What ``total`` costs, in dollars; None if any of it has no price."""
        return self.account.cost

    @property
    def reported_cost(self) -> Decimal | None:
        """What providers themselves said they charged; None if none did."""
        return self.account.reported_cost

    def report(self) -> dict[str, object]:
        """All of it as plain data, which JSON can hold: ``all``, and a list of ``accounts``."""
        found = self._all()
        together_ = Sums()
        for sums in found.values():
            together_.merge(sums)
        rows = [
            {"provider": key.provider, "model": key.model, **sums.account().report()}
            for key, sums in sorted(found.items(), key=lambda item: sortable(item[0]))
        ]
        return {"all": together_.account().report(), "accounts": rows}

    def __repr__(self) -> str:
        total = self.total
        prompt, completion = total.prompt_tokens, total.completion_tokens
        return f"<TokenTracker prompt_tokens={prompt} completion_tokens={completion}>"


def bare(usage: Usage) -> Usage:
    """The counts alone, without the record in which they stood."""
    return msgspec.structs.replace(usage, source=NOTHING, path="")


def together(sums: Iterable[tuple[str | None, Sums]]) -> dict[str | None, Account]:
    """The accounts of the same name as one."""
    found: dict[str | None, Sums] = {}
    for name, one in sums:
        found.setdefault(name, Sums()).merge(one)
    return {name: one.account() for name, one in found.items()}


def sortable(key: AccountKey) -> tuple[str, str]:
    return key.provider or "", key.model or ""


class TrackedStream:
    """A tracker's eye on one stream."""

    __slots__ = (
        "_begun", "_model", "_named", "_over", "_provider", "_response_id", "_resumed", "_saw",
        "_tracker", "_usages",
    )  # fmt: skip

    def __init__(self, tracker: TokenTracker, provider: str | None, model: str | None) -> None:
        self._tracker = tracker
        self._provider = provider
        self._named = self._model = model
        self._usages: dict[int, Usage] = {}
        self._response_id: str | None = None
        self._begun = self._resumed = self._saw = self._over = False

    def saw(self, events: Sequence[Event], now: float) -> None:
        """Keep the last counts of each generation."""
        self._saw = True
        for event in events:
            kind = type(event)
            if kind is TextDelta:
                continue
            if isinstance(event, Usage):
                self._usages[event.generation] = event
            elif isinstance(event, StreamStart):
                self._begun = True
                self._response_id = event.response_id or self._response_id
                if self._named is None:
                    self._model = event.model or self._model
            elif isinstance(event, ResumePoint):
                self._response_id = self._response_id or event.origin.response_id
            elif isinstance(event, Resumed):
                # An answer that goes on, and did not begin here, was begun by another stream.
                if event.mode in ("continue", "replay") and not self._begun:
                    self._resumed = True
            elif isinstance(event, StreamEnd):
                self.closed(now)

    def closed(self, now: float) -> None:
        """Count the stream, once, if it was begun."""
        del now
        if self._over or not self._saw:
            return
        self._over = True
        usages = [usage for _, usage in sorted(self._usages.items())]
        key = AccountKey(self._provider, self._model)
        self._tracker.settle(key, usages, self._response_id, self._resumed)
