"""What a request asks of the relay itself: from where to go on, in which format, and whose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from sans_io_stream import ErrorInfo, Event, StreamEnd, TextDelta, Transcript, Usage
from sans_io_stream.relay import Retention
from sans_io_stream_adapters.relay.config import ClientKey

from .asgi import Answer, ask, talk
from .scripted import BACKENDS, DONE, Scripted, said, saying
from .test_answering import relayed

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay

TEXT = "abcdef"
ONE_ENTRY: list[Event] = [*(TextDelta(letter) for letter in TEXT), *DONE]


def text_of(answer: Answer, dialect: str = "native") -> str:
    return Transcript.of(answer.events(dialect)).text


def ids_of(answer: Answer) -> list[str]:
    """The ids in the chunks themselves."""
    lines = [line[6:] for line in answer.body.splitlines() if line.startswith(b"data: {")]
    return [chunk["id"] for line in lines if "id" in (chunk := json.loads(line))]


# ---- cursors


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("format", ["native", "openai-chat", "anthropic", "holysheep"])
def test_an_entry_is_gone_on_with_from_within(
    backend: str, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever came in one record of the provider's, every event has a cursor of its own."""
    saying(monkeypatch, Scripted((0.0, list(ONE_ENTRY))))

    async def main(relay: Relay) -> None:
        whole = await ask(relay, "POST", f"/v1/streams?format={format}", talk(stream=True))
        assert {cursor.split(".")[1] for cursor in whole.cursors} == {"0000000001"}
        for seen, cursor in enumerate(whole.cursors[: len(TEXT)], 1):
            target = f"/v1/streams/{whole.id}?after={cursor}&format={format}"
            rest = await ask(relay, "GET", target)
            assert text_of(rest, format) == TEXT[seen:]
            assert rest.id == whole.id
            # What comes is what would have come.
            assert whole.body.endswith(rest.body)

    relayed(backend, main)


WAYS: list[tuple[str, str, str, dict[str, str]]] = [
    ("POST", "/v1/streams", "last-event-id", {}),
    ("POST", "/v1/streams", "x-stream-event-id", {"x-stream-resume": "true"}),
    ("POST", "/v1/streams", "x-stream-event-id", {"x-stream-resume": "True"}),
    ("GET", "/v1/streams/{id}", "last-event-id", {}),
    ("GET", "/v1/streams/{id}", "x-stream-event-id", {"x-stream-resume": "true"}),
    ("GET", "/v1/streams/{id}?after={other}", "last-event-id", {}),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("method", "path", "name", "more"), WAYS)
def test_every_way_back(
    backend: str,
    method: str,
    path: str,
    name: str,
    more: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    saying(monkeypatch, said(TEXT))

    async def main(relay: Relay) -> None:
        whole = await ask(relay, "POST", "/v1/streams", talk())
        # The header outranks the query.
        target = path.format(id=whole.id, other=whole.cursors[0])
        third = {name: whole.cursors[3], **more}
        rest = await ask(relay, method, target, None, third)
        assert text_of(rest) == "def"
        last = await ask(relay, method, target, None, {name: whole.cursors[-1], **more})
        assert last.id == whole.id
        if name == "last-event-id":
            assert (last.status, last.body) == (204, b"")
        else:
            assert last.status == 200
            assert last.events("native")[-1] == StreamEnd("complete")
            assert text_of(last) == ""

    relayed(backend, main)


OPTIONS: list[tuple[str, dict[str, Any] | None]] = [
    ("openai-chat", None),
    ("openai-chat", {"include_usage": True}),
    ("openai-chat", {"include_usage": False}),
    ("holysheep", {"include_model": True}),
    ("holysheep", {"include_model": True, "include_usage": False}),
]


@pytest.mark.parametrize(("format", "options"), OPTIONS)
def test_who_comes_back_need_not_say_again_how_it_is_told(
    format: str, options: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Usage(prompt_tokens=3, completion_tokens=2, final=True)
    saying(monkeypatch, Scripted((0.0, [TextDelta("a"), TextDelta("b"), counted, *DONE])))

    async def main(relay: Relay) -> None:
        body = talk(stream=True, stream_options=options)
        whole = await ask(relay, "POST", "/chat", body)
        cursor = f"{whole.id}.0000000001.000001"
        rest = whole.body.partition(cursor.encode())[2].partition(b"\n\n")[2]
        assert rest
        target = f"/v1/streams/{whole.id}?format={format}"
        back = {"last-event-id": cursor}
        for answer in [
            await ask(relay, "POST", "/chat", None, back),
            await ask(relay, "POST", "/chat", talk(stream=True), back),
            await ask(relay, "GET", f"{target}&after={cursor}"),
            await ask(relay, "GET", target, None, back),
        ]:
            assert answer.body == rest
        assert (await ask(relay, "GET", target)).body == whole.body
        told = b'"prompt_tokens"' in whole.body
        other = await ask(relay, "GET", f"{target}&include_usage={str(not told).lower()}")
        assert (b'"prompt_tokens"' in other.body) is not told

    relayed("asyncio", main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_event_id_without_the_word_for_resuming_begins_anew(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said(TEXT), said(TEXT))

    async def main(relay: Relay) -> None:
        whole = await ask(relay, "POST", "/v1/streams", talk())
        headers = {"x-stream-event-id": whole.cursors[3], "x-stream-resume": "false"}
        again = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert again.id != whole.id
        assert text_of(again) == TEXT

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("via", ["headers", "body"])
@pytest.mark.parametrize("option", ["include_model", "include_finish_reason"])
def test_as_holysheeps_clients_ask(
    backend: str, via: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said(TEXT))
    options: dict[str, Any] = {"include_usage": True, option: True}

    async def main(relay: Relay) -> None:
        whole = await ask(relay, "POST", "/chat", talk(stream=True, stream_options=options))
        cursors = ids_of(whole)
        assert cursors == sorted(set(cursors))
        assert all(cursor.startswith(whole.id) for cursor in cursors)
        assert text_of(whole, "holysheep") == TEXT
        for seen, cursor in enumerate(cursors[1 : len(TEXT)], 1):
            checked = await ask(relay, "POST", "/stream/check", None, {"x-event-id": cursor})
            assert checked.json == {"valid": True}
            if via == "headers":
                headers = {"x-stream-event-id": cursor, "x-stream-resume": "true"}
                body = talk(stream=True, stream_options=options)
                rest = await ask(relay, "POST", "/chat", body, headers)
            else:
                more = {**options, "resume_from_event_id": cursor}
                rest = await ask(relay, "POST", "/chat", talk(stream=True, stream_options=more))
            assert ids_of(rest)[: len(TEXT) - seen] == cursors[seen + 1 : len(TEXT) + 1]
            assert text_of(rest, "holysheep") == TEXT[seen:]
        lines = await ask(
            relay,
            "POST",
            "/chat",
            talk(stream=True, stream_options={**options, "resume_from_event_id": cursors[2]}),
            {"accept": "application/x-ndjson"},
        )
        assert text_of(lines, "holysheep") == TEXT[2:]
        assert cursors[3].encode() in lines.body

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("outcome", ["interrupted", "cancelled"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_where_nothing_but_an_untold_end_follows(
    backend: str, outcome: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format without a word for it breaks off once; a client that then comes back for the rest
    is told by a status that there is none, and not to try again."""
    why = ErrorInfo("truncated", "The line broke.", retryable=True, retry_after=1.0)
    saying(
        monkeypatch,
        Scripted((0.0, [TextDelta("a"), TextDelta("b")]), (1.0, [StreamEnd(outcome, why)])),
        said("never", first=9.0),
    )

    async def main(relay: Relay) -> None:
        body = talk(stream=True, max_tokens=9)
        whole = await ask(relay, "POST", path, body)
        assert (whole.status, whole.whole) == (200, False)
        first, last = whole.cursors[0], whole.cursors[-1]
        target = f"/v1/streams/{whole.id}"
        format = "anthropic" if "messages" in path else "openai-chat"
        back = {"x-stream-event-id": last, "x-stream-resume": "true"}
        for answer in [
            await ask(relay, "POST", path, body, {"last-event-id": last}),
            await ask(relay, "POST", path, None, back),
            await ask(relay, "GET", f"{target}?format={format}&after={last}"),
            await ask(relay, "GET", f"{target}?after={last}", None, {"accept": "text/plain"}),
        ]:
            assert (answer.status, answer.id, answer.whole) == (502, whole.id, True)
            assert answer.json["error"]["message"] == "The line broke."
            assert answer.headers["x-should-retry"] == "false"
            assert "retry-after" not in answer.headers
            assert answer.headers["x-stream-outcome"] == outcome
        # Where there is something, it comes, and is broken off.
        rest = await ask(relay, "POST", path, body, {"last-event-id": first})
        assert (rest.status, rest.whole, rest.cursors) == (200, False, whole.cursors[1:])
        told = await ask(relay, "GET", f"{target}?after={last}")
        assert told.events("native")[-1] == StreamEnd(outcome, why)

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_the_start_is_no_longer_kept(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events can be told from any place that is kept; chunks build on what came before."""
    saying(monkeypatch, said(TEXT))

    async def main(relay: Relay) -> None:
        relay.hub.retention = Retention(entries=4)
        whole = await ask(relay, "POST", "/v1/streams", talk())
        kept, gone = whole.cursors[4], whole.cursors[0]
        target = f"/v1/streams/{whole.id}"
        rest = await ask(relay, "GET", f"{target}?after={kept}")
        assert text_of(rest) == TEXT[4:]
        for refused in (
            await ask(relay, "GET", target),
            await ask(relay, "GET", f"{target}?after={gone}"),
            await ask(relay, "GET", f"{target}?after={kept}&format=openai-chat"),
            await ask(relay, "POST", "/chat", None, {"last-event-id": kept}),
        ):
            assert refused.status == 410
            assert refused.json["error"]["message"]
        checked = await ask(relay, "POST", "/v1/stream/check", None, {"x-event-id": kept})
        assert checked.json == {"valid": False}
        # A text has no cursors, and needs no past.
        plain = await ask(relay, "GET", f"{target}?after={kept}", None, {"accept": "text/plain"})
        assert plain.body.decode() == TEXT[4:]

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_end_of_a_stream_that_is_ended(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = said(TEXT, every=10.0)
    saying(monkeypatch, provider)

    async def main(relay: Relay) -> None:
        answers: list[Answer] = []
        id = ""

        async def begins() -> None:
            answers.append(await ask(relay, "POST", "/v1/streams", talk()))

        async with anyio.create_task_group() as group:
            group.start_soon(begins)
            await anyio.sleep(25.0)
            (id,) = relay.hub._streams  # pyright: ignore[reportPrivateUsage]
            ended = await ask(relay, "DELETE", f"/v1/streams/{id}")
            assert (ended.status, ended.body, ended.id) == (204, b"", id)
        end = answers[0].events("native")[-1]
        assert isinstance(end, StreamEnd)
        assert end.outcome == "cancelled"
        assert text_of(answers[0]) == "ab"
        assert provider.closed
        # What was said is still there; ending it again ends nothing.
        assert (await ask(relay, "DELETE", f"/v1/streams/{id}")).status == 204
        assert text_of(await ask(relay, "GET", f"/v1/streams/{id}")) == "ab"

    relayed(backend, main)


# ---- idempotency


@pytest.mark.parametrize("backend", BACKENDS)
def test_keys_are_their_owners(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = saying(monkeypatch, said("ann"), said("bob"))
    keys = (ClientKey.of("ann", "key-of-ann"), ClientKey.of("bob", "key-of-bob"))

    async def main(relay: Relay) -> None:
        texts: list[str] = []
        for key in ("key-of-ann", "key-of-bob", "key-of-ann", "key-of-bob"):
            headers = {"idempotency-key": "1", "authorization": f"Bearer {key}"}
            texts.append(text_of(await ask(relay, "POST", "/v1/streams", talk(), headers)))
        assert texts == ["ann", "bob", "ann", "bob"]
        headers = {"idempotency-key": "1", "authorization": "Bearer key-of-ann"}
        other = await ask(relay, "POST", "/v1/streams", talk("Other"), headers)
        assert other.status == 422
        # The same text means something else in another format.
        other = await ask(relay, "POST", "/v1/chat/completions", talk(), headers)
        assert other.status == 422
        assert left == []

    relayed(backend, main, keys=keys)


@pytest.mark.parametrize("backend", BACKENDS)
def test_joined_by_any_of_its_paths(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left = saying(monkeypatch, said(TEXT, every=5.0))
    headers = {"idempotency-key": "k"}

    async def main(relay: Relay) -> None:
        ids: list[str] = []

        async def asks(path: str) -> None:
            answer = await ask(relay, "POST", path, talk(stream=True), headers)
            assert text_of(answer, "openai-chat") == TEXT
            ids.append(answer.id)

        async with anyio.create_task_group() as group:
            for path in ("/v1/chat/completions", "/chat/completions", "/chat"):
                group.start_soon(asks, path)
        assert len(ids) == 3
        assert len(set(ids)) == 1
        assert left == []

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_before_any_answer_is_not_repeated(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = StreamEnd("failed", ErrorInfo("overloaded", "busy", retryable=True))
    left = saying(monkeypatch, Scripted((1.0, [failed])), said(TEXT))
    headers = {"idempotency-key": "k"}

    async def main(relay: Relay) -> None:
        first = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert first.events("native")[-1] == failed
        again = await ask(relay, "POST", "/v1/streams", talk(), headers)
        assert again.id != first.id
        assert text_of(again) == TEXT
        assert (await ask(relay, "POST", "/v1/streams", talk(), headers)).id == again.id
        assert left == []

    relayed(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_key_is_free_when_its_stream_has_expired(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("old"), said("new"))
    headers = {"idempotency-key": "k"}

    async def main(relay: Relay) -> None:
        old = await ask(relay, "POST", "/v1/streams", talk(), headers)
        await anyio.sleep(99.5)
        assert text_of(await ask(relay, "POST", "/v1/streams", talk(), headers)) == "old"
        await anyio.sleep(0.5)
        gone = await ask(relay, "GET", f"/v1/streams/{old.id}")
        assert gone.status == 410
        assert text_of(await ask(relay, "POST", "/v1/streams", talk(), headers)) == "new"

    relayed(backend, main, retention=100.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_empty_key_is_none(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saying(monkeypatch, said("a"), said("b"))

    async def main(relay: Relay) -> None:
        for text in "ab":
            answer = await ask(relay, "POST", "/v1/streams", talk(), {"idempotency-key": ""})
            assert text_of(answer) == text

    relayed(backend, main)
