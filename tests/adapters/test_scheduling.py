"""Who may run, against a model that remembers everything and decides by looking at all of it."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sans_io_stream_adapters.pool.scheduling import Schedule

ORIGINS = ["a", "b", "c"]
origins = st.sampled_from(ORIGINS)
limits = st.none() | st.integers(1, 3)


@dataclass
class Model:
    """What happened, in plain lists."""

    most: int
    per_origin: dict[str, int | None]
    queue: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    running: dict[int, str] = field(default_factory=dict[int, str])
    held: dict[str, float] = field(default_factory=dict[str, float])

    def may_begin(self, origin: str, now: float) -> bool:
        limit = self.per_origin[origin]
        below = limit is None or Counter(self.running.values())[origin] < limit
        return below and self.held.get(origin, 0.0) <= now

    def take(self, now: float) -> list[int]:
        begun: list[int] = []
        for ticket, origin in [*self.queue]:
            if len(self.running) < self.most and self.may_begin(origin, now):
                self.queue.remove((ticket, origin))
                self.running[ticket] = origin
                begun.append(ticket)
        return begun


class Scheduling(RuleBasedStateMachine):
    @initialize(most=st.integers(1, 4), limit=limits, of_each=st.none() | st.just({"a": 1, "b": 2}))
    def begin(self, most: int, limit: int | None, of_each: dict[str, int] | None) -> None:
        per_origin: int | dict[str, int] | None = limit if of_each is None else of_each
        self.schedule = Schedule(most, per_origin, max_waiting=5)
        known: dict[str, int | None] = {**(of_each or dict.fromkeys(ORIGINS, limit))}
        self.model = Model(most, {origin: known.get(origin) for origin in ORIGINS})
        self.now = 0.0
        self.settled = True
        """Nothing has happened since ``take``."""

    @rule(origin=origins)
    def add(self, origin: str) -> None:
        room = len(self.model.queue) < 5 or (
            len(self.model.running) < self.model.most and self.model.may_begin(origin, self.now)
        )
        assert self.schedule.has_room(origin, self.now) == room
        if room:
            self.model.queue.append((self.schedule.add(origin), origin))
            self.settled = False

    @rule()
    def take(self) -> None:
        assert self.schedule.take(self.now) == self.model.take(self.now)
        self.settled = True

    @rule(data=st.data())
    @precondition(lambda self: self.model.running or self.model.queue)
    def remove(self, data: st.DataObject) -> None:
        known = [*self.model.running, *(ticket for ticket, _ in self.model.queue)]
        ticket = data.draw(st.sampled_from(known))
        self.schedule.remove(ticket)
        self.schedule.remove(ticket)
        self.model.running.pop(ticket, None)
        self.model.queue = [one for one in self.model.queue if one[0] != ticket]
        self.settled = False

    @rule(origin=origins, seconds=st.integers(0, 10))
    def hold(self, origin: str, seconds: int) -> None:
        until = self.now + seconds
        self.schedule.hold(origin, until)
        self.model.held[origin] = max(until, self.model.held.get(origin, until))

    @rule(seconds=st.integers(1, 5))
    def pass_by(self, seconds: int) -> None:
        self.now += seconds
        self.settled = False

    @rule()
    @precondition(lambda self: self.settled)
    def nothing_is_found_before_the_next_time(self) -> None:
        time = self.schedule.next_time(self.now)
        if time is None:
            assert deepcopy(self.schedule).take(self.now + 1e9) == []
            return
        assert time > self.now
        assert self.schedule.take((self.now + time) / 2) == []
        self.now = time
        begun = self.schedule.take(time)
        assert begun
        assert begun == self.model.take(time)

    @invariant()
    def counts_agree_and_no_limit_is_exceeded(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.schedule.running == len(self.model.running) <= self.model.most
        assert self.schedule.waiting == len(self.model.queue)
        for origin, count in Counter(self.model.running.values()).items():
            limit = self.model.per_origin[origin]
            assert limit is None or count <= limit
        held = {origin: until for origin, until in self.model.held.items() if until > self.now}
        assert self.schedule.held(self.now) == held


TestScheduling = Scheduling.TestCase
TestScheduling.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@given(st.lists(origins, min_size=1, max_size=60), st.integers(1, 4), limits)
def test_everybody_gets_a_slot_in_the_order_of_its_origin(
    arrivals: list[str], most: int, limit: int | None
) -> None:
    schedule = Schedule(most, limit, max_waiting=len(arrivals))
    came = {schedule.add(origin): origin for origin in arrivals}
    order: list[int] = []
    running: list[int] = []
    for _ in range(len(arrivals) + 1):
        begun = schedule.take(0.0)
        order += begun
        running += begun
        if running:
            schedule.remove(running.pop(0))
    assert sorted(order) == sorted(came)
    for origin in ORIGINS:
        mine = [ticket for ticket in order if came[ticket] == origin]
        assert mine == sorted(mine)


def test_a_held_origin_does_not_hold_up_the_others() -> None:
    schedule = Schedule(1)
    schedule.hold("a", 5.0)
    first, second = schedule.add("a"), schedule.add("b")
    assert schedule.take(0.0) == [second]
    assert schedule.next_time(0.0) is None, "no slot is free then"
    schedule.remove(second)
    assert schedule.take(0.0) == []
    assert schedule.next_time(0.0) == 5.0
    assert schedule.held_until("a", 0.0) == 5.0
    assert schedule.take(5.0) == [first]
    assert schedule.held_until("a", 5.0) is None


@pytest.mark.parametrize(
    ("most", "per_origin", "waiting", "name"),
    [
        (0, None, 1, "max_concurrent"),
        (1, 0, 1, "per_origin"),
        (1, {"https://a": 0}, 1, "https://a"),
        (1, None, -1, "max_waiting"),
    ],
)
def test_limits_that_let_nothing_run_are_refused(
    most: int, per_origin: int | dict[str, int] | None, waiting: int, name: str
) -> None:
    with pytest.raises(ValueError, match=name):
        Schedule(most, per_origin, waiting)
