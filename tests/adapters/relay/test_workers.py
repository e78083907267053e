"""Two relays on one store, from outside: what their clients notice of each other, and of an end."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import StreamEnd, Transcript
from sans_io_stream_adapters.relay.app import Relay

from .asgi import Answer, ask, talk
from .scripted import BACKENDS, config, now, said, saying, virtually
from .shared import Common

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

both = pytest.mark.parametrize("backend", BACKENDS)


@asynccontextmanager
async def relays(common: Common, **fields: Any) -> AsyncGenerator[tuple[Relay, Relay]]:
    """Two workers."""
    made = [Relay(config(**fields), store=common.view(name), clock=now) for name in ("one", "two")]
    for relay in made:
        await relay.start()
    yield made[0], made[1]
    for relay in made:
        await relay.stop()


async def began(relay: Relay) -> str:
    """The id of a stream that was begun there, by a client who left."""
    body = talk(stream=True)
    return (await ask(relay, "POST", "/v1/streams", body, leave=lambda answer: True)).id


@both
def test_any_worker_answers_a_cursor(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("abcdef", every=1.0))

    async def main() -> None:
        async with relays(Common()) as (one, two):
            first = await ask(
                one, "POST", "/v1/chat/completions", talk(stream=True), leave=came_to(3)
            )
            assert not first.whole
            # It is there before any news: the cursor says how far.
            headers = {"last-event-id": first.cursors[-1]}
            rest = await ask(
                two, "GET", f"/v1/streams/{first.id}?format=openai-chat", None, headers
            )
            assert (rest.status, rest.whole) == (200, True)
            parts = first.body + rest.body
            whole = Answer(200, first.headers, parts, whole=True)
            assert Transcript.of(whole.events("openai-chat")).text == "abcdef"
            assert len({*first.cursors, *rest.cursors}) == len(first.cursors) + len(rest.cursors)

    virtually(backend, main)


def came_to(count: int) -> Callable[[Answer], bool]:
    return lambda answer: len(answer.cursors) >= count


@both
def test_a_key_is_one_streams_at_all_workers(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = saying(monkeypatch, said("abcdef", every=1.0), said("never"))

    async def main() -> None:
        async with relays(Common()) as (one, two):
            headers = {"idempotency-key": "once"}
            answers = list[Answer]()

            async def asks(relay: Relay) -> None:
                body = talk(stream=True)
                answers.append(await ask(relay, "POST", "/v1/streams", body, headers))

            async with anyio.create_task_group() as group:
                for relay in (one, two):
                    group.start_soon(asks, relay)
            assert answers[0].id == answers[1].id
            assert answers[0].cursors == answers[1].cursors
            assert {Transcript.of(one.events("native")).text for one in answers} == {"abcdef"}
            collected = await ask(two, "POST", "/v1/streams", talk(stream=True), headers)
            assert collected.id == answers[0].id

    virtually(backend, main)
    assert len(left) == 1


@both
def test_any_worker_ends_a_stream(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = said("abcdef", every=1.0)
    saying(monkeypatch, provider)

    async def main() -> None:
        async with relays(Common()) as (one, two):
            id = await began(one)
            await anyio.sleep(2.5)
            assert (await ask(two, "DELETE", f"/v1/streams/{id}")).status == 204
            read = (await ask(two, "GET", f"/v1/streams/{id}")).events("native")
            assert Transcript.of(read).text == "ab"
            assert isinstance(read[-1], StreamEnd)
            assert read[-1].outcome == "cancelled"
            assert provider.closed

    virtually(backend, main)


@both
def test_a_worker_that_ends_breaks_off_what_goes_on_elsewhere(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamed answers are broken off, for their clients to come back; collected ones refused."""
    saying(monkeypatch, said("abcdef", every=2.0))
    answers = dict[str, Answer]()

    async def main() -> None:
        async with relays(Common()) as (one, two):
            headers = {"idempotency-key": "once"}
            collects = talk(stream=False)

            async def asks(name: str, relay: Relay, method: str, path: str, body: Any) -> None:
                given = headers if body else None
                answers[name] = await ask(relay, method, path, body, given)

            async with anyio.create_task_group() as group:
                group.start_soon(asks, "begins", one, "POST", "/v1/chat/completions", collects)
                await anyio.sleep(1.0)
                group.start_soon(asks, "collects", two, "POST", "/v1/chat/completions", collects)
                await anyio.sleep(1.5)
                (id,) = one.hub._streams  # pyright: ignore[reportPrivateUsage]
                group.start_soon(asks, "reads", two, "GET", f"/v1/streams/{id}", None)
                await anyio.sleep(3.0)
                await two.stop()
                await anyio.sleep(0.1)
                assert (answers["reads"].status, answers["reads"].whole) == (200, False)
                events = answers["reads"].events("native")
                assert Transcript.of(events).text == "ab"
                assert answers["collects"].status == 503
                assert answers["collects"].json["error"]["message"] == "the relay is shutting down"
                # What was read there is gone on with here.
                headers_ = {"last-event-id": answers["reads"].cursors[-1]}
                rest = await ask(one, "GET", f"/v1/streams/{id}", None, headers_)
                assert Transcript.of(rest.events("native")).text == "cdef"
            assert answers["begins"].json["choices"][0]["message"]["content"] == "abcdef"

    virtually(backend, main)


@both
def test_a_cursor_of_nowhere_is_refused_as_ever(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("abc", every=1.0))

    async def main() -> None:
        async with relays(Common()) as (one, two):
            id = await began(one)
            for cursor in (f"{id}.00000000ff.000001", f"{'A' * 22}.0000000001.000001", "x"):
                headers = {"last-event-id": cursor}
                answer = await ask(two, "GET", f"/v1/streams/{id}", None, headers)
                assert answer.status == 410

    virtually(backend, main)
