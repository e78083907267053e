"""What becomes of the streams of a worker that dies, or is taken for dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import Event, ResumePoint, StreamEnd, TextDelta
from sans_io_stream.resume import ResumeOrigin
from sans_io_stream_adapters.relay.hub import Hub, Open, Running
from sans_io_stream_adapters.relay.stores.protocol import Meta, News, StoreError

from .scripted import DONE, Scripted, meta_of, now, said, virtually
from .shared import LEASE, Common, View
from .test_hub import ended, read, text_of, why
from .test_sharing import ID, both, found, nothing_again, started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sans_io_stream.relay import Entry

POINT = ResumePoint(1, 1, ResumeOrigin("openai-responses", "sequence"))


def letters(text: str) -> list[Event]:
    return [TextDelta(letter) for letter in text]


@both
def test_a_dead_workers_stream_goes_on_where_its_provider_does(backend: str) -> None:
    """Behind its last token, without what was written behind that. Readers notice nothing, at the
    new writer or anywhere."""
    asked: list[tuple[str, str]] = []

    def again(meta: Meta, token: str) -> Open | None:
        asked.append((meta.id, token))
        return lambda: Scripted((0.0, letters("bcd")), (1.0, letters("e")), (1.0, [*DONE]))

    async def main() -> None:
        common = Common()
        one, dies = await started(common, "one")
        first = Scripted((1.0, [*letters("a"), POINT]), (1.0, letters("bc")), (100.0, letters("d")))
        await one.begin(meta_of(), lambda: first)
        two, _ = await started(common, "two", again)
        three, _ = await started(common, "three", again)
        texts = list[str]()

        async def reads(hub: Hub) -> None:
            events = await read(await found(hub))
            assert events[-1] == StreamEnd("complete")
            texts.append(text_of(events))

        async with anyio.create_task_group() as group:
            group.start_soon(reads, two)
            group.start_soon(reads, three)
            await anyio.sleep(3.0)
            dies.stop()
        assert texts == ["abcde"] * 2
        # One of them has taken it.
        assert asked == [(ID, POINT.token)]
        assert common.written[ID][:2] == ["one"] * 2
        assert len(set(common.written[ID][2:])) == 1
        common.over.set()
        for hub in (three, two, one):
            await hub.close(1.0)

    virtually(backend, main)


class Sticky(Scripted):
    """A provider that takes its time to be left."""

    async def __aexit__(self, *_: object) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(3.0)


def sticky() -> Scripted:
    return Sticky(*said("abcdef", every=1.0).words)


@both
@pytest.mark.parametrize("told", ["before", "behind"])
def test_what_was_ended_is_cancelled_by_whoever_takes_it(backend: str, told: str) -> None:
    """Whether its writer dies before it hears of that, or has answered the client itself."""

    async def main() -> None:
        common = Common()
        (one, dies), (two, _) = await started(common, "one"), await started(common, "two")
        # Its provider is slow to be left: that is when its writer dies.
        mine = await one.begin(meta_of(), sticky)
        theirs = await found(two)
        await anyio.sleep(2.5)
        if told == "before":
            dies.stop()
            await two.end(theirs)
        else:
            await one.end(mine)
            dies.stop()
        assert (await ended(theirs)).outcome == "cancelled"
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_a_dead_workers_stream_is_sealed_within_the_lease(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, dies), (two, _) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=2.0))
        theirs = await found(two)
        await anyio.sleep(5.0)
        dies.stop()
        died = now()
        end = await ended(theirs)
        assert end.outcome == "interrupted"
        assert LEASE <= now() - died <= LEASE * 4 / 3 + 0.1
        assert text_of(await read(theirs)) == "ab"
        assert common.written[ID][-1] == "two"
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_a_stopped_worker_that_comes_back_shows_nothing_that_was_refused(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, stops), (two, _) = await started(common, "one"), await started(common, "two")
        provider = said("abcdef", every=2.0)
        mine = await one.begin(meta_of(), lambda: provider)
        seen = dict[str, Any]()

        async def reads(name: str, running: Running) -> None:
            seen[name] = await read(running)

        async with anyio.create_task_group() as group:
            group.start_soon(reads, "mine", mine)
            await anyio.sleep(5.0)
            group.start_soon(reads, "theirs", await found(two))
            stops.stop()
            await anyio.sleep(3 * LEASE)
            stops.come_back()
        assert common.refused == [("one", ID)]
        assert text_of(seen["mine"]) == text_of(seen["theirs"]) == "ab"
        assert seen["mine"][-1] == seen["theirs"][-1] == mine.end
        # Where somebody goes on with it the provider must not end it.
        assert provider.closed
        assert provider.handed_over
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_who_was_taken_for_dead_notices_though_its_provider_is_silent(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, stops), (two, _) = await started(common, "one"), await started(common, "two")
        provider = said("ab", first=1.0, every=10_000.0)
        mine = await one.begin(meta_of(), lambda: provider)
        await anyio.sleep(5.0)
        stops.stop()
        await anyio.sleep(3 * LEASE)
        stops.come_back()
        with anyio.fail_after(LEASE):
            assert (await ended(mine)).outcome == "interrupted"
        assert common.refused == []
        await anyio.sleep(0.1)
        assert provider.closed
        assert provider.handed_over
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_whose_stream_was_taken_by_one_that_died_takes_it_back(backend: str) -> None:
    """Nothing was written meanwhile, and its provider is silent: that it has lost the stream is
    told by the store alone."""

    class Dying(View):
        async def take(self, id: str) -> bool:
            took = await super().take(id)
            self.stop()
            return took

    async def main() -> None:
        common = Common()
        one, stops = await started(common, "one")
        two = Hub(common.views.setdefault("two", Dying(common, "two")), clock=now)
        await two.open()
        await two.recover(nothing_again)
        provider = said("ab", first=1.0, every=10_000.0)
        mine = await one.begin(meta_of(), lambda: provider)
        await anyio.sleep(5.0)
        stops.stop()
        await anyio.sleep(3 * LEASE)
        stops.come_back()
        assert common.owners[ID] == "two"
        with anyio.fail_after(2 * LEASE):
            assert (await ended(mine)).outcome == "interrupted"
        assert common.refused == []
        assert provider.handed_over
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_could_not_be_kept_gets_an_end_from_its_writer(backend: str) -> None:
    """Nobody else can give it one while that lives."""

    async def main() -> None:
        common = Common()
        (one, view), (two, _) = await started(common, "one"), await started(common, "two")
        mine = await one.begin(meta_of(), lambda: said("abcdef", every=2.0))
        theirs = await found(two)
        await anyio.sleep(5.0)
        view.away = True
        end = await ended(mine)
        assert end.outcome == "failed"
        await anyio.sleep(20.0)
        assert theirs.end is None
        view.away = False
        end = await ended(theirs)
        assert end.outcome == "interrupted"
        assert "lost the stream" in why(end)
        assert (await found(one)).end == end
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
@pytest.mark.parametrize("arrives", [True, False])
def test_a_stream_of_which_nobody_knows_whether_it_began_gets_an_end(
    backend: str, arrives: bool
) -> None:
    class Unclear(View):
        async def create(self, meta: Meta, most: int | None = None) -> None:
            if arrives:
                await super().create(meta, most)
            raise StoreError("the connection broke")

    async def main() -> None:
        common = Common()
        view = common.views["one"] = Unclear(common, "one")
        one = Hub(view, clock=now)
        await one.open()
        await one.recover(nothing_again)
        with pytest.raises(StoreError):
            await one.begin(meta_of(key="k"), lambda: said("never"))
        await anyio.sleep(LEASE)
        assert common.unsealed == []
        assert not one._recovery.owes(ID)  # pyright: ignore[reportPrivateUsage]
        running = await one.find(ID)
        assert (running is not None and running.in_vain) is arrives
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_was_taken_and_could_not_be_read_is_tried_again(backend: str) -> None:
    class Hiccup(View):
        fails = 2

        async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
            if self.fails:
                self.fails -= 1
                raise StoreError("the store hiccups")
            return await super().read(id, after, most)

    async def main() -> None:
        common = Common()
        one, dies = await started(common, "one")
        await one.begin(meta_of(), lambda: said("abcdef", every=1.0))
        await anyio.sleep(2.5)
        dies.stop()
        view = common.views["two"] = Hiccup(common, "two")
        two = Hub(view, clock=now)
        await two.open()
        await two.recover(nothing_again)
        await anyio.sleep(4 * LEASE)
        assert view.fails == 0
        assert common.unsealed == []
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_was_ended_before_it_could_be_read_is_cancelled(backend: str) -> None:
    class Unreadable(View):
        away_for = 1

        async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
            if self.away_for:
                raise StoreError("the store does not read")
            return await super().read(id, after, most)

    async def main() -> None:
        common = Common()
        one, dies = await started(common, "one")
        await one.begin(meta_of(), lambda: said("abcdef", every=1.0))
        await anyio.sleep(2.5)
        dies.stop()
        view = common.views["two"] = Unreadable(common, "two")
        two = Hub(view, clock=now)
        await two.open()
        await two.recover(nothing_again)
        three = Hub(common.view("three"), clock=now)
        await three.open()
        await anyio.sleep(2 * LEASE)
        assert common.owners[ID] == "two"
        theirs = await found(three)
        await three.end(theirs)
        await anyio.sleep(LEASE)
        view.away_for = 0
        assert (await ended(theirs)).outcome == "cancelled"
        common.over.set()
        for hub in (three, two, one):
            await hub.close(1.0)

    virtually(backend, main)


class Deaf(View):
    """A worker that hears no news."""

    async def news(self) -> list[News]:
        await anyio.sleep_forever()
        raise AssertionError


@both
def test_who_takes_over_has_all_that_was_written(backend: str) -> None:
    """Also what the news would have told him later."""

    async def main() -> None:
        common = Common()
        one, dies = await started(common, "one")
        await one.begin(meta_of(), lambda: said("abcdef", every=2.0))
        common.views["two"] = Deaf(common, "two")
        two = Hub(common.views["two"], clock=now)
        await two.open()
        await two.recover(nothing_again)
        theirs = await found(two)
        await anyio.sleep(5.0)
        assert theirs.log.last.entry < 3
        dies.stop()
        assert (await ended(theirs)).outcome == "interrupted"
        assert text_of(await read(theirs)) == "ab"
        kept = await common.store.read(ID)
        assert [entry.number for entry in kept] == [1, 2, 3, 4]
        assert not two.metrics.store_errors
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_words_that_come_late_still_come_before_the_end(backend: str) -> None:
    class Late(View):
        async def news(self) -> list[News]:
            found = await super().news()
            await anyio.sleep(2.0)
            return found

    async def main() -> None:
        common = Common()
        one, dies = await started(common, "one")
        (three, _) = await started(common, "three")
        await one.begin(meta_of(), lambda: said("abcdef", every=1.0))
        await anyio.sleep(2.5)
        dies.stop()
        await three.end(await found(three))
        await three.close(0.0)
        common.views["two"] = Late(common, "two")
        two = Hub(common.views["two"], clock=now)
        await two.open()
        await two.recover(nothing_again)
        assert (await ended(await found(two))).outcome == "cancelled"
        common.over.set()
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_was_written_as_its_writer_was_overtaken_is_news(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The answer to an append comes when the log is another one's already."""

    class Slow(Deaf):
        async def append(self, id: str, entries: Sequence[Entry]) -> None:
            await super().append(id, entries)
            await anyio.sleep(1.0)

    async def main() -> None:
        common = Common()
        common.views["one"] = Slow(common, "one")
        one = Hub(common.views["one"], clock=now)
        await one.open()
        mine = await one.begin(meta_of(), lambda: said("abcdef", every=5.0))
        writing = mine.writing
        assert writing is not None
        await anyio.sleep(0.5)
        await one.overtaken(mine, writing)
        await anyio.sleep(5.0)
        assert mine.log.last.entry == 0
        # What is there can be had.
        assert (await found(one, entry=1)).log.last.entry == 1
        await one.close(0.0)

    virtually(backend, main)
    assert "ends" not in caplog.text


@both
def test_a_closing_worker_hands_over_what_goes_on_exactly(backend: str) -> None:
    """Once its time to end is over: at once, and its provider has not been told to end."""

    def again(meta: Meta, token: str) -> Open | None:
        if meta.id != ID:
            return None
        # What stands behind the token comes again.
        return lambda: Scripted((0.0, letters("b")), (1.0, letters("c")), (1.0, [*DONE]))

    async def main() -> None:
        common = Common()
        told = list[tuple[str, bool]]()

        async def over(running: Running, *, kept: bool) -> None:
            told.append((running.meta.id, kept))

        one, _ = await started(common, "one", again)
        one.over = over
        ready = Scripted((1.0, [*letters("a"), POINT]), (1.0, letters("b")), (9.0, letters("c")))
        other = Scripted((1.0, [*letters("a"), POINT]), (9.0, letters("b")))
        cancelled = Scripted((1.0, [*letters("a"), POINT]), (9.0, letters("b")))
        mine = await one.begin(meta_of(), lambda: ready)
        cannot = await one.begin(meta_of(2), lambda: other)
        two, _ = await started(common, "two", again)
        theirs = await found(two)
        await anyio.sleep(2.5)
        began = now()
        ends = await one.begin(meta_of(3), lambda: cancelled)
        async with anyio.create_task_group() as group:
            group.start_soon(one.close, 3.0)
            await anyio.sleep(2.99)
            assert (mine.end, cannot.end) == (None, None)
            await one.end(ends)
        assert now() - began == pytest.approx(3.0)
        assert ready.closed
        assert (ready.handed_over, other.handed_over) == (True, False)
        # It is read elsewhere from now on.
        assert mine.gone
        assert mine.end is None
        assert why(await ended(cannot)) == "the relay is shutting down"
        assert (await ended(ends)).outcome == "cancelled"
        assert set(told) == {(ID, False), (meta_of(2).id, True), (meta_of(3).id, True)}
        events = await read(theirs)
        assert text_of(events) == "abc"
        assert events[-1] == StreamEnd("complete")
        # It was there for the other one with the next look, and not when a lease was over.
        assert now() - began < 3.0 + LEASE / 3 + 2.1
        await two.close(1.0)

    virtually(backend, main)
