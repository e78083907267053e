"""How answers go out: formats and framings, signs of life, counts and costs, errors."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sans_io_stream import (
    ErrorInfo,
    Heartbeat,
    Price,
    PriceTable,
    StreamEnd,
    StreamStart,
    TextDelta,
    Transcript,
    Usage,
)
from sans_io_stream.relay import Retention
from sans_io_stream_adapters.relay.app import Relay
from sans_io_stream_adapters.relay.config import ClientKey, RelayLimits, Route
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .asgi import Answer, ask, relay_of, talk
from .scripted import BACKENDS, DONE, Scripted, config, now, said, saying, virtually
from .test_app import config_of, run

PATHS = {
    "openai-chat": ["/v1/chat/completions", "/chat/completions", "/chat"],
    "anthropic": ["/v1/messages", "/messages"],
    "native": ["/v1/streams"],
}
TEXT = "Grüße, 🦜!"


def relayed(backend: str, main: Callable[[Relay], Awaitable[None]], **fields: Any) -> None:
    """``main`` with a relay on a clock that jumps."""

    async def within() -> None:
        async with relay_of(config(**fields), clock=now) as relay:
            await main(relay)

    virtually(backend, within)


# ---- formats and framings


ACCEPTED = {
    "text/event-stream": ("text/event-stream", None),
    "application/json, text/event-stream;q=0.9": ("text/event-stream", None),
    "*/*": ("text/event-stream", None),
    "application/x-ndjson": ("application/x-ndjson", None),
    "application/jsonl": ("application/x-ndjson", None),
    "text/plain;q=0.5, application/json, text/event-stream;q=0.9": ("text/event-stream", None),
    "text/event-stream;q=0, text/plain;q=0.001": ("text/plain; charset=utf-8", "text"),
    "text/plain; charset=utf-8": ("text/plain; charset=utf-8", "text"),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("accept", ACCEPTED)
def test_formats_by_path_and_framings_by_accept(
    backend: str, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, reader = ACCEPTED[accept]
    paths = [(format, path) for format, paths in PATHS.items() for path in paths]
    saying(monkeypatch, *(said(TEXT) for _ in paths))

    async def main(relay: Relay) -> None:
        for format, path in paths:
            answer = await ask(relay, "POST", path, talk(stream=True), {"accept": accept})
            assert (answer.status, answer.whole) == (200, True)
            assert answer.headers["content-type"] == kind
            assert answer.headers["cache-control"] == "no-cache"
            assert len(answer.id) == 22
            transcript = Transcript.of(answer.events(reader or format))
            assert transcript.text == TEXT
            assert transcript.end == StreamEnd("complete")

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_plain_text_that_is_not_whole_is_broken_off(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[Any] = [(0.0, [TextDelta("half")]), (1.0, [StreamEnd("interrupted")])]
    saying(monkeypatch, Scripted(*cut))

    async def main(relay: Relay) -> None:
        answer = await ask(relay, "POST", "/chat", talk(stream=True), {"accept": "text/plain"})
        assert answer.body == b"half"
        assert not answer.whole

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_collected(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = StreamEnd("failed", ErrorInfo("rate_limit", "Slow down.", retry_after=7.0))
    saying(
        monkeypatch,
        *(said(TEXT, every=1.0) for _ in range(3)),
        *(Scripted((1.0, [TextDelta("half"), failed])) for _ in range(3)),
    )

    async def main(relay: Relay) -> None:
        documents: list[Any] = []
        for path in ("/chat", "/v1/messages", "/v1/streams"):
            answer = await ask(relay, "POST", path, talk(stream=False))
            assert answer.status == 200
            assert answer.headers["content-type"] == "application/json"
            assert len(answer.id) == 22
            documents.append(answer.json)
        chat, message, native = documents
        assert chat["choices"][0]["message"]["content"] == TEXT
        assert message["content"] == [{"type": "text", "text": TEXT, "citations": None}]
        assert native["choices"][0]["text"] == TEXT
        for path, kind in [
            ("/chat", ("type", "rate_limit_error")),
            ("/v1/messages", ("type", "rate_limit_error")),
            ("/v1/streams", ("kind", "rate_limit")),
        ]:
            answer = await ask(relay, "POST", path, talk(stream=False))
            assert answer.status == 429
            assert answer.headers["retry-after"] == "7"
            assert kind in answer.json["error"].items()
            assert answer.json["error"]["message"] == "Slow down."
            assert len(answer.id) == 22

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_models_that_a_key_may_ask_for(backend: str) -> None:
    async def main() -> None:
        relay = Relay(
            config(
                routes=(Route("fast", "test", "m"), Route("slow", "test"), Route("x-*", "test")),
                keys=(ClientKey.of("all", "k-all"), ClientKey.of("one", "k-one", ("fast",))),
            )
        )
        for key, names in [("k-all", ["fast", "slow"]), ("k-one", ["fast"])]:
            for path in ("/v1/models", "/models"):
                answer = await ask(relay, "GET", path, None, {"authorization": f"bearer {key}"})
                assert [model["id"] for model in answer.json["data"]] == names
                assert answer.json["object"] == "list"
        refused = await ask(relay, "POST", "/chat", talk(), {"api-key": "k-one"})
        assert refused.status == 404
        assert refused.json["error"]["code"] == "model_not_found"
        await relay.stop()

    virtually(backend, main)


# ---- readers


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("interval", [15.0, 4.0])
@pytest.mark.parametrize("path", ["/chat", "/v1/messages", "/v1/streams"])
def test_a_silent_reader_hears_something(
    backend: str, path: str, interval: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("ab", every=61.0, first=61.0))

    async def main(relay: Relay) -> None:
        heard: list[float] = []

        async def hear(answer: Answer) -> None:
            heard.append(now())

        began = now()
        answer = await ask(relay, "POST", path, talk(stream=True), pause=hear)
        gaps = [after - before for before, after in zip([began, *heard], heard, strict=False)]
        assert max(gaps) == pytest.approx(interval)
        dialect = {"/chat": "openai-chat", "/v1/messages": "anthropic"}.get(path, "native")
        events = answer.events(dialect)
        beats = [event for event in events if isinstance(event, Heartbeat)]
        # The head waits for a first word, as long as anybody waits for a sign of life.
        assert len(beats) == 4 * (61 // interval) - (dialect != "native")
        assert Transcript.of(events).text == "ab"

    relayed(backend, main, heartbeat=interval)


@pytest.mark.parametrize("backend", BACKENDS)
def test_readers_at_different_places_at_once(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("abcdef", every=10.0))

    async def main(relay: Relay) -> None:
        began = now()
        took: dict[str, float] = {}
        first: list[Answer] = []

        async def reads(name: str, target: str, pause: float) -> None:
            async def take(answer: Answer) -> None:
                await anyio.sleep(pause)

            answer = await ask(relay, "GET", target, pause=take)
            took[name] = now() - began
            assert Transcript.of(answer.events("native")).text == name
            assert answer.whole

        async def begins() -> None:
            first.append(await ask(relay, "POST", "/v1/streams", talk()))
            took["first"] = now() - began

        async with anyio.create_task_group() as group:
            group.start_soon(begins)
            await anyio.sleep(25.0)
            (id,) = relay.hub._streams  # pyright: ignore[reportPrivateUsage]
            running = relay.hub._streams[id]  # pyright: ignore[reportPrivateUsage]
            after = running.log.cursor(running.log.last)
            target = f"/v1/streams/{id}"
            group.start_soon(reads, "abcdef", target, 0.0)
            group.start_soon(reads, "cdef", f"{target}?after={after}", 50.0)
        assert took["first"] == pytest.approx(70.0)
        assert took["abcdef"] == pytest.approx(70.0)
        assert took["cdef"] > 100.0
        assert Transcript.of(first[0].events("native")).text == "abcdef"

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("format", ["native", "openai-chat", "anthropic", "holysheep"])
@pytest.mark.parametrize("framing", ["text/event-stream", "application/jsonl"])
def test_who_falls_behind_is_told_in_every_format(
    backend: str, format: str, framing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("abcdefghij", every=1.0))

    async def main(relay: Relay) -> None:
        relay.hub.retention = Retention(entries=3)

        async def take(answer: Answer) -> None:
            await anyio.sleep(8.0 if answer.body else 0.0)

        target = f"/v1/streams?format={format}"
        answer = await ask(relay, "POST", target, talk(), {"accept": framing}, pause=take)
        events = answer.events(format)
        end = events[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "failed"
        assert end.error is not None
        assert "too slow" in end.error.message
        # An error, and then an end in order: nobody waits for more.
        assert answer.whole
        assert "abcdefghij".startswith(Transcript.of(events).text)

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stream", [True, False])
def test_who_has_left_is_no_reader(
    backend: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("abc", every=1000.0))
    limits = RelayLimits(away_seconds=60.0)

    async def main(relay: Relay) -> None:
        began = now()
        with anyio.move_on_after(2000.0) as waiting:
            async with anyio.create_task_group() as group:
                gone = anyio.Event()

                async def asks() -> None:
                    await leaving(relay, gone, talk(stream=stream))

                group.start_soon(asks)
                await anyio.sleep(500.0)
                gone.set()
            (running,) = relay.hub._streams.values()  # pyright: ignore[reportPrivateUsage]
            while running.end is None:
                await running.changed()
        assert not waiting.cancelled_caught
        assert 560.0 <= now() - began <= 566.0

    relayed(backend, main, limits=limits)


async def leaving(relay: Relay, gone: anyio.Event, body: dict[str, Any]) -> None:
    """A client that leaves at that moment, whatever it has by then."""
    sent = [{"type": "http.request", "body": json.dumps(body).encode()}]

    async def receive() -> Any:
        if sent:
            return sent.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await anyio.lowlevel.checkpoint()

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/chat",
        "headers": [(b"host", b"localhost")],
    }
    await relay(scope, receive, send)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_server_that_tells_by_an_error_that_a_client_has_gone(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("abc", every=1.0))

    async def main(relay: Relay) -> None:
        async def gone(answer: Answer) -> None:
            if answer.status:
                raise BrokenPipeError

        answer = await ask(relay, "POST", "/v1/streams", talk(), pause=gone)
        assert not answer.whole
        whole = await ask(relay, "GET", f"/v1/streams/{answer.id}")
        assert Transcript.of(whole.events("native")).text == "abc"

    relayed(backend, main)


# ---- counts and costs


def counted(final: bool = True, **counts: Any) -> Usage:
    return Usage(prompt_tokens=1000, completion_tokens=500, final=final, **counts)


OWN = PriceTable({"m": Price(1, 1)}, providers={"test": {"m": Price("2.00", 10)}})
PRICES = PriceTable({"m": Price("2.00", "10.00")}, providers={"other": {"m": Price(9, 9)}})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (PRICES, counted(), 0.007),
        (PRICES, counted(cost=0.5), 0.5),
        (PRICES, Usage(prompt_tokens=1000, final=True), None),
        (PriceTable({}), counted(), None),
        (None, counted(), None),
        (OWN, counted(), 0.007),
    ],
)  # fmt: skip
def test_what_it_cost(
    backend: str,
    prices: PriceTable | None,
    usage: Usage,
    cost: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words: list[Any] = [(0.0, [StreamStart("r", "m-1"), TextDelta("a"), DONE[0], usage, DONE[1]])]
    saying(monkeypatch, *(Scripted(*words) for _ in range(6)))

    async def main(relay: Relay) -> None:
        for path, dialect in [("/chat", "openai-chat"), ("/v1/streams", "native")]:
            body = talk(stream=True, stream_options={"include_usage": True})
            answer = await ask(relay, "POST", path, body)
            told = Transcript.of(answer.events(dialect)).usage
            assert told is not None
            assert (told.prompt_tokens, told.cost) == (1000, cost)
            document = await ask(relay, "POST", path, talk(stream=False))
            assert document.json["usage"].get("cost") == cost
        body = talk(stream=True, stream_options={"include_model": True})
        answer = await ask(relay, "POST", "/chat", body)
        told = Transcript.of(answer.events("holysheep")).usage
        assert told is not None
        assert told.cost == cost
        # Anthropic's format has no word for it.
        message = await ask(relay, "POST", "/v1/messages", talk(stream=False))
        assert message.json["usage"].keys() <= {"input_tokens", "output_tokens"}

    relayed(backend, main, prices=prices)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
def test_who_does_not_ask_for_counts_gets_no_chunk_without_choices(
    backend: str, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[Any] = [(0.0, [TextDelta("a"), DONE[0], counted(), DONE[1]])]
    saying(monkeypatch, Scripted(*words))

    async def main(relay: Relay) -> None:
        body = talk(stream=True, stream_options=options)
        answer = await ask(relay, "POST", "/v1/chat/completions", body)
        chunks = [line for line in answer.body.splitlines() if line.startswith(b"data: {")]
        assert len(chunks) >= 2
        assert all(json.loads(chunk[6:])["choices"] for chunk in chunks)
        assert answer.events("openai-chat")[-1] == StreamEnd("complete")

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama", "gemini"])
def test_counts_of_every_provider_in_every_format(backend: str, provider: str) -> None:
    dialect = {"openai": "openai-chat"}.get(provider, provider)

    async def main(relay: Relay, server: FaultServer) -> None:
        body = talk(max_tokens=10)
        chat = (await ask(relay, "POST", "/chat", body)).json["usage"]
        message = (await ask(relay, "POST", "/v1/messages", body)).json["usage"]
        native = (await ask(relay, "POST", "/v1/streams", talk(stream=False))).json["usage"]
        assert chat["prompt_tokens"] == native["prompt_tokens"] > 0
        assert chat["completion_tokens"] == native["completion_tokens"] > 0
        assert message["output_tokens"] == chat["completion_tokens"]
        into = sum(message.get(f"{name}input_tokens") or 0 for name in INTO)
        assert into == chat["prompt_tokens"]

    with FaultServer(dialect, text=TEXT) as server:
        run(backend, main, server, provider=provider)


INTO = ("", "cache_creation_", "cache_read_")


# ---- errors


THREE = ("/v1/chat/completions", "/v1/messages", "/v1/streams")
ERRORS: list[tuple[int, int, str | None]] = [
    (400, 400, None),
    (401, 502, None),
    (403, 502, None),
    (404, 404, None),
    (429, 429, "30"),
    (503, 503, "30"),
]
"""What the provider answers, what the client is told, and when to come back."""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stream", [True, False])
def test_a_providers_refusal_is_told_by_its_status(backend: str, stream: bool) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        for status, told, after in ERRORS:
            for path in THREE:
                answer = await ask(relay, "POST", path, talk(stream=stream, max_tokens=9))
                if stream and path == "/v1/streams":
                    # Our own events say all of it, and the stream's id is told at once.
                    end = answer.events("native")[-1]
                    assert isinstance(end, StreamEnd)
                    assert end.error is not None
                    assert (end.outcome, end.error.kind == "provider") == ("failed", told == 502)
                    continue
                assert answer.status == told, (status, path, answer.body)
                assert answer.headers.get("retry-after") == after
                assert answer.json["error"]["message"]
                assert len(answer.id) == 22
                assert b"upstream-key" not in answer.body
                assert answer.json["error"].get("type") != "authentication_error"
                assert answer.json["error"].get("code") != "invalid_api_key"

    faults = [Busy(status=status, retry_after=after) for status, _, after in ERRORS for _ in THREE]
    with FaultServer("openai-chat", faults=faults) as server:
        run(backend, main, server)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_provider_that_is_not_there(backend: str) -> None:
    with FaultServer("openai-chat") as server:
        config = config_of(server)
    port = server.url.rpartition(":")[2]

    async def main() -> None:
        async with relay_of(config) as relay:
            answer = await ask(relay, "POST", "/chat", talk())
            assert answer.status == 502
            assert port not in answer.body.decode()
            assert "could not be reached" in answer.json["error"]["message"]

    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_fails_in_the_middle_is_told_in_the_stream(backend: str) -> None:
    async def main(relay: Relay, server: FaultServer) -> None:
        answer = await ask(relay, "POST", "/chat", talk(stream=True))
        assert answer.status == 200
        end = answer.events("openai-chat")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome != "complete"
        # A document cannot be half of one.
        refused = await ask(relay, "POST", "/chat", talk(stream=False))
        assert refused.status == 502
        assert refused.headers["x-should-retry"] == "true"

    with FaultServer("openai-chat", text="x" * 99, pieces=9, faults=[Cut(at=0.5)] * 2) as server:
        run(backend, main, server)
