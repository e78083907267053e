"""Several workers on one store: any of them serves any stream, whoever writes it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import StreamEnd
from sans_io_stream_adapters.relay.hub import Hub, Open, Running
from sans_io_stream_adapters.relay.sharing import MOST
from sans_io_stream_adapters.relay.stores.protocol import Meta, News, StoreError

from .scripted import BACKENDS, meta_of, now, said, virtually
from .shared import Common, View
from .test_hub import ended, read, text_of, why

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.recovering import Again


ID = meta_of().id
both = pytest.mark.parametrize("backend", BACKENDS)


def nothing_again(meta: Meta, token: str) -> Open | None:
    return None


async def started(
    common: Common, name: str, again: Again = nothing_again, **options: Any
) -> tuple[Hub, View]:
    """Another worker, whose providers are asked ``again`` for what was left."""
    view = common.view(name)
    hub = Hub(view, clock=now, **options)
    await hub.open()
    await hub.recover(again)
    return hub, view


async def found(hub: Hub, id: str = ID, entry: int = 0) -> Running:
    running = await hub.find(id, entry)
    assert running is not None
    return running


@both
def test_a_reader_at_another_worker_notices_no_difference(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, _) = await started(common, "one"), await started(common, "two")
        mine = await one.begin(meta_of(), lambda: said("abcdef", every=2.0))
        began = now()
        texts = list[str]()

        async def reads(running: Running) -> None:
            texts.append(text_of(await read(running)))
            assert now() - began == pytest.approx(14.0)

        async with anyio.create_task_group() as group:
            group.start_soon(reads, mine)
            group.start_soon(reads, await found(two))
            await anyio.sleep(5.0)
            theirs = await found(two)
            assert theirs.writing is None
            group.start_soon(reads, theirs)
        assert texts == ["abcdef"] * 3
        assert common.written[ID] == ["one"] * len(common.written[ID])
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_nobody_reads_here_is_left_after_a_while(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, view) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=100.0))
        await found(two)
        await anyio.sleep(50.0)
        assert ID in view.followed
        await anyio.sleep(20.0)
        assert view.followed == {}
        # Asked for again it is there as before.
        assert text_of(await read(await found(two))) == "abcdef"
        # What has ended is followed no longer.
        await anyio.sleep(6.0)
        assert view.followed == {}
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_reading_elsewhere_is_reading(backend: str) -> None:
    async def main() -> None:
        common = Common()
        one, _ = await started(common, "one", away_seconds=4.0, away_bytes=300)
        two, _ = await started(common, "two")
        await one.begin(meta_of(), lambda: said("x" * 60, every=2.0))
        assert text_of(await read(await found(two))) == "x" * 60
        provider = said("x" * 60, every=2.0)
        await one.begin(meta_of(2), lambda: provider)
        theirs = await found(two, meta_of(2).id)
        theirs.readers += 1
        await anyio.sleep(40.0)
        theirs.readers -= 1
        left = now()
        end = await ended(theirs)
        assert end.outcome == "interrupted"
        assert "nobody read it" in why(end) or "while nobody" in why(end)
        assert now() - left < 30.0
        assert provider.closed
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_so_it_is_where_many_are_read(backend: str) -> None:
    """The words for all of them come before those of before count no longer."""

    async def main() -> None:
        common = Common()
        one, _ = await started(common, "one", away_seconds=4.0)
        two, _ = await started(common, "two")
        read = list[Running]()
        for number in range(1, 601):
            meta = meta_of(number)
            await one.begin(meta, lambda: said("ab", every=30.0))
            read.append(await found(two, meta.id))
            read[-1].readers += 1
        common.delay = lambda: 0.05
        with anyio.fail_after(120.0):
            outcomes = {(await ended(running)).outcome for running in read}
        assert outcomes == {"complete"}
        for hub in (two, one):
            await hub.close(1.0)

    virtually(backend, main)


@both
def test_any_worker_ends_a_generation(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, _) = await started(common, "one"), await started(common, "two")
        provider = said("abcdef", every=10.0)
        await one.begin(meta_of(), lambda: provider)
        await anyio.sleep(25.0)
        theirs = await found(two)
        await two.end(theirs)
        assert (await ended(theirs)).outcome == "cancelled"
        assert provider.closed
        assert not provider.handed_over
        assert text_of(await read(theirs)) == "ab"
        # What has ended is not ended again.
        await two.end(theirs)
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_a_cursor_from_another_worker_is_never_ahead(backend: str) -> None:
    """A client comes back sooner than the news; and to a worker that does not know that it was
    overtaken."""

    async def main() -> None:
        common = Common()
        (one, stops), (two, view) = await started(common, "one"), await started(common, "two")
        mine = await one.begin(meta_of(), lambda: said("abcdef", every=1.0))
        theirs = await found(two)
        await anyio.sleep(0.5)
        view.stop()
        await anyio.sleep(4.0)
        view.come_back()
        last = mine.log.last
        assert theirs.log.last < last
        assert (await found(two, entry=last.entry)).log.last == last
        # One that was never there asks once, and no more.
        assert (await found(two, entry=1000)).log.last.entry < 1000
        stops.stop()
        end = await ended(theirs)
        stops.come_back()
        entry = theirs.log.last.entry
        assert (await found(one, entry=entry)).log.place(theirs.log.cursor(theirs.log.last))
        assert mine.end == end
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_while_the_store_is_away_readers_wait(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, view) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=100.0))
        theirs = await found(two)
        async with anyio.create_task_group() as group:
            group.start_soon(ends_with, theirs, "abcdef")
            await anyio.sleep(50.0)
            view.away = True
            before = view.asked_for_news
            view.rings.set()
            await anyio.sleep(300.0)
            # Seldom, and again and again.
            assert 300.0 / MOST <= view.asked_for_news - before < 300.0 / MOST + 10
            view.away = False
        await two.close(1.0)
        await one.close(1.0)

    with caplog.at_level(logging.WARNING):
        virtually(backend, main)
    assert "tells nothing" in caplog.text


async def ends_with(running: Running, text: str) -> None:
    events = await read(running)
    assert text_of(events) == text
    assert events[-1] == StreamEnd("complete")


@both
def test_what_could_not_be_followed_at_once_is_followed_later(backend: str) -> None:
    class Reluctant(View):
        refuses = True

        async def follow(self, id: str, after: int) -> None:
            if self.refuses:
                raise StoreError("the store is busy")
            await super().follow(id, after)

    async def main() -> None:
        common = Common()
        one, _ = await started(common, "one")
        view = common.views["two"] = Reluctant(common, "two")
        two = Hub(view, clock=now)
        await two.open()
        await one.begin(meta_of(), lambda: said("abcdef", every=10.0))
        theirs = await found(two)
        async with anyio.create_task_group() as group:
            group.start_soon(ends_with, theirs, "abcdef")
            await anyio.sleep(30.0)
            assert theirs.log.last.entry <= 1
            view.refuses = False
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_a_closing_worker_leaves_what_others_write(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, view) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=10.0))
        own = await two.begin(meta_of(2), lambda: said("ab", every=10.0))
        theirs = await found(two)
        async with anyio.create_task_group() as group:
            group.start_soon(two.close, 60.0)
            # It is followed for as long as this worker's own ones go on.
            await anyio.sleep(25.0)
            assert theirs.log.last.entry == 3
            assert not theirs.gone
        assert own.end == StreamEnd("complete")
        assert theirs.gone
        assert theirs.end is None
        assert view.closed
        assert text_of(await read(await found(one))) == "abcdef"
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_was_dropped_while_nobody_told_is_gone(backend: str) -> None:
    async def main() -> None:
        common = Common()
        (one, _), (two, view) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=1.0))
        theirs = await found(two)
        view.followed.clear()
        await anyio.sleep(20.0)
        await one.forget(ID)
        theirs.readers += 1
        end = await ended(theirs)
        assert end.outcome == "interrupted"
        assert "no longer kept" in why(end)
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_the_store_has_lost_is_gone(backend: str) -> None:
    """It is there still, and shorter than it was: of what comes behind there is no news."""

    async def main() -> None:
        common = Common()
        (one, _), (two, _) = await started(common, "one"), await started(common, "two")
        await one.begin(meta_of(), lambda: said("abcdef", every=1000.0))
        await anyio.sleep(2500.0)
        theirs = await found(two)
        theirs.readers += 1
        await anyio.sleep(200.0)
        assert theirs.end is None
        kept = common.store._kept[ID]  # pyright: ignore[reportPrivateUsage]
        kept._last = kept._entries.pop().number - 1  # pyright: ignore[reportPrivateUsage]
        with anyio.fail_after(70.0):
            end = await ended(theirs)
        assert end.outcome == "interrupted"
        assert "no longer kept" in why(end)
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)


@both
def test_what_is_damaged_ends_for_its_readers(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Damaged(View):
        async def news(self) -> list[News]:
            found = await super().news()
            if any(news.entries for news in found):
                del self.followed[ID]
                return [News(ID, damaged=True)]
            return found

    async def main() -> None:
        common = Common()
        one, _ = await started(common, "one")
        two = Hub(common.views.setdefault("two", Damaged(common, "two")), clock=now)
        await two.open()
        await one.begin(meta_of(), lambda: said("abcdef", every=10.0))
        theirs = await found(two)
        with anyio.fail_after(20.0):
            assert (await ended(theirs)).outcome == "failed"
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)
    assert "damaged" in caplog.text


@both
def test_what_is_followed_again_while_it_is_left_is_followed(backend: str) -> None:
    class Crossing(View):
        async def leave(self, id: str) -> None:
            await anyio.sleep(1.0)
            await super().leave(id)

    async def main() -> None:
        common = Common()
        one, _ = await started(common, "one")
        view = common.views["two"] = Crossing(common, "two")
        two = Hub(view, clock=now)
        await two.open()
        await one.begin(meta_of(), lambda: said("abcdef", every=5.0))
        theirs = await found(two)
        assert two.sharing is not None
        async with anyio.create_task_group() as group:
            group.start_soon(two.sharing.leave, ID)
            await anyio.sleep(0.5)
            await two.sharing.follow(theirs)
        assert ID in view.followed
        await ends_with(theirs, "abcdef")
        await two.close(1.0)
        await one.close(1.0)

    virtually(backend, main)
