"""Events from the responses of other clients: the real ones, on every runtime that they have."""

from __future__ import annotations

import gc
import gzip
import io
import subprocess
import sys
import urllib.error
import urllib.request
import zlib
from typing import Any

import anyio
import httpx
import pytest

from sans_io_stream import (
    AuthenticationFailed,
    Disconnected,
    Event,
    Finish,
    LimitExceeded,
    Limits,
    RateLimited,
    Record,
    ResumePoint,
    StreamEnd,
    StreamInterrupted,
    StreamRequest,
    TextDelta,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream_adapters.responses import AsyncEvents, aevents_from, events_from
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer, NoEnd, Reset, Stall
from tests.sources import REPO

from .clients import CLIENTS, Client, Got, read
from .coded import serving
from .colours import run

TEXT = "Zeilen\u2028trennen \u2029 hier\x85nicht: wörter 🦜, 漢字"
CHAT = "/v1/chat/completions"

each_client = pytest.mark.parametrize("client", CLIENTS, ids=str)


def body_of(text: str) -> bytes:
    """A whole answer in the form of OpenAI's chat completions."""
    encoder = Encoder("openai-chat")
    told: list[Event] = [TextDelta(piece) for piece in text.split(" ")]
    told += [Finish("stop"), StreamEnd("complete")]
    return b"".join(encoder.encode(event) for event in told)


# ---- the whole answer


@each_client
@pytest.mark.parametrize("chunks", [True, 3, False], ids=["records", "bytes", "no-chunks"])
def test_all_of_it_comes(client: Client, chunks: bool | int) -> None:
    with FaultServer("openai-chat", text=TEXT, pieces=30, chunks=chunks) as server:
        got = read(client, server.url + CHAT)
    assert got.text == TEXT
    assert got.end == StreamEnd("complete")
    assert got.raised is None
    assert got.stream.transcript.text == got.stream.whole.text == TEXT
    assert server.seen.connections == 1


@each_client
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_answer_is_decoded_once(client: Client, coding: str) -> None:
    body = body_of(TEXT)
    data = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    headers = {"content-type": "text/event-stream", "content-encoding": coding}
    with serving(pieces, headers) as url:
        got = read(client, url)
    assert got.text == TEXT.replace(" ", "")
    assert got.end == StreamEnd("complete")


@each_client
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_what_has_come_is_handed_out_at_once(client: Client, coding: str) -> None:
    # The server says nothing more until the client is through: who waited for it would hang.
    body = body_of("Hello, you")
    first = body[: body.index(b"\n\n", body.index(b"Hello")) + 22]
    if coding == "gzip":
        packer = zlib.compressobj(wbits=31)
        first = packer.compress(first) + packer.flush(zlib.Z_SYNC_FLUSH)
    headers = {"content-type": "text/event-stream", "content-encoding": coding}
    for chunked in (True, False):
        with serving([first], headers, hold=True, chunked=chunked) as url:
            got = read(client, url, dialect="openai-chat", enough=is_text, limit=4)
        assert got.text == "Hello,"


def is_text(event: Event) -> bool:
    return isinstance(event, TextDelta)


@each_client
def test_raw_records_and_a_dialect_are_passed_on(client: Client) -> None:
    with FaultServer("openai-chat", text="Hi") as server:
        got = read(client, server.url + CHAT, dialect="openai-chat", raw=True)
    assert any(isinstance(event, Record) for event in got.events)
    assert got.text == "Hi"


@each_client
def test_the_resume_point_is_the_last_one_handed_out(client: Client) -> None:
    with FaultServer("openai-responses", pieces=6, faults=[Cut(at=0.7)]) as server:
        got = read(client, server.url + "/v1/responses", on_error="event")
    points = [event for event in got.events if isinstance(event, ResumePoint)]
    assert got.stream.resume_point == points[-1]


# ---- errors


@each_client
@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationFailed), (429, RateLimited)], ids=["401", "429"]
)
def test_an_error_document_is_told_as_open_stream_does(
    client: Client, status: int, kind: type[Exception]
) -> None:
    with FaultServer("openai-chat", faults=[Busy(status, retry_after=7)]) as server:
        got = read(client, server.url + CHAT)
    assert type(got.raised) is kind
    error = got.end.error
    assert error is not None
    assert error.status == status
    assert error.message == f"status {status}, as asked for"
    assert error.retry_after == 7.0
    assert error.retryable is (status == 429)


@each_client
@pytest.mark.parametrize("chunks", [True, False], ids=["chunks", "no-chunks"])
@pytest.mark.parametrize("fault", [Cut.in_character(1), Cut(at=0.6), Reset(at=0.6)], ids=repr)
def test_a_cut_answer_cannot_be_taken_for_a_whole_one(
    client: Client, fault: Cut | Reset, chunks: bool
) -> None:
    faults = [fault]
    with FaultServer("openai-chat", text=TEXT, pieces=9, faults=faults, chunks=chunks) as server:
        got = read(client, server.url + CHAT)
    assert isinstance(got.raised, StreamInterrupted)
    assert got.raised.end == got.end
    assert TEXT.startswith(got.text)
    assert 0 < len(got.text) < len(TEXT)
    told = [event for event in got.events if isinstance(event, Disconnected)]
    if chunks:
        assert len(told) == 1, "a body of chunks says that it has not ended"
        assert told[0].error == got.end.error


@each_client
def test_an_end_without_the_providers_word_is_none(client: Client) -> None:
    with FaultServer("openai-chat", text="Hi", faults=[NoEnd()]) as server:
        got = read(client, server.url + CHAT, dialect="openai-chat", on_error="event")
    assert got.raised is None
    assert got.end.outcome == "interrupted"
    assert got.end.error is not None
    assert got.end.error.kind == "truncated"


@each_client
def test_a_length_that_is_not_kept_is_a_cut(client: Client) -> None:
    body = body_of("Hello, you")
    headers = {"content-type": "text/event-stream", "content-length": str(len(body))}
    with serving([body[:-30]], headers, chunked=False) as url:
        got = read(client, url, on_error="event")
    assert any(isinstance(event, Disconnected) for event in got.events)
    assert got.end.outcome == "interrupted"


@each_client
def test_a_length_that_is_kept_is_not_read_beyond(client: Client) -> None:
    body = body_of("Hello, you")
    headers = {"content-type": "text/event-stream", "content-length": str(len(body))}
    with serving([body], headers, chunked=False, hold=True) as url:
        got = read(client, url, limit=4)
    assert got.end == StreamEnd("complete")


@each_client
def test_silence_ends_by_the_clients_own_timeout(client: Client) -> None:
    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        got = read(client, server.url + CHAT, limit=0.3)
    assert isinstance(got.raised, StreamInterrupted)
    assert any(isinstance(event, Disconnected) for event in got.events)
    assert got.text


# ---- leaving early


@each_client
def test_leaving_closes_the_response(client: Client) -> None:
    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        got = read(client, server.url + CHAT, enough=is_text)
        server.wait_until(lambda seen: seen.open == 0)
        gc.collect()
    assert got.stream.transcript.end == StreamEnd("cancelled")
    assert got.raised is None


async def take(stream: AsyncEvents, got: list[Event]) -> None:
    async for event in stream:
        got.append(event)  # noqa: PERF401 - what comes before an exception is kept


@pytest.mark.parametrize("client", [one for one in CLIENTS if one.colour != "sync"], ids=str)
def test_cancellation_passes_through_and_closes(client: Client) -> None:
    package = pytest.importorskip(client.name)
    got: list[Event] = []

    def closed() -> None:
        server.wait_until(lambda seen: seen.open == 0)

    async def main() -> None:
        async with client.open(package, server.url + CHAT, None) as response:
            stream = aevents_from(response)
            with anyio.move_on_after(0.3) as scope:
                await take(stream, got)
            assert scope.cancelled_caught
            # Before the client itself is closed.
            await anyio.to_thread.run_sync(closed)
            with pytest.raises(StreamInterrupted):
                await take(stream, got)
            gc.collect()

    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        run(client.colour, main)
    last = got[-1]
    assert isinstance(last, StreamEnd)
    assert last.outcome == "interrupted"


# A read of niquests is not woken by the closing of its response.
WAKING = [one for one in CLIENTS if one.colour != "sync" and one.name != "niquests"]


@pytest.mark.parametrize("client", WAKING, ids=str)
def test_another_task_may_close_it(client: Client) -> None:
    package = pytest.importorskip(client.name)
    got: list[Event] = []

    def closed() -> None:
        server.wait_until(lambda seen: seen.open == 0)

    async def main() -> None:
        async with client.open(package, server.url + CHAT, None) as response:
            stream = aevents_from(response)
            async with anyio.create_task_group() as group:
                group.start_soon(take, stream, got)
                await anyio.sleep(0.3)
                await stream.aclose()
            await anyio.to_thread.run_sync(closed)
        assert stream.transcript.end == StreamEnd("cancelled")

    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server:
        run(client.colour, main)
    assert got
    assert not any(isinstance(event, StreamEnd) for event in got)


def test_a_pool_has_its_connection_back() -> None:
    urllib3 = pytest.importorskip("urllib3")
    with (
        FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.6)]) as server,
        urllib3.PoolManager(maxsize=1, block=True) as pool,
    ):
        for enough in (True, False):
            response = pool.request("POST", server.url + CHAT, json={}, preload_content=False)
            with events_from(response) as stream:
                for event in stream:
                    if enough and is_text(event):
                        break
    assert server.seen.connections == 2


# ---- limits and observers


@each_client
def test_what_the_transcript_cannot_keep_ends_the_stream(client: Client) -> None:
    with FaultServer("openai-chat", pieces=400) as server:
        got = read(client, server.url + CHAT, limits=Limits(transcript_bytes=300))
        server.wait_until(lambda seen: seen.open == 0)
    assert isinstance(got.raised, LimitExceeded)
    assert got.end.outcome == "failed"


class Watching:
    """An observer that wants an end after so many events."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen: list[Event] = []
        self.requests: list[StreamRequest] = []
        self.closes = 0

    def begin(self, request: StreamRequest, now: float) -> Watching:
        self.requests.append(request)
        return self

    def saw(self, events: Any, now: float) -> str | None:
        self.seen += events
        return "that is enough" if len(self.seen) >= self.most else None

    def closed(self, now: float) -> None:
        self.closes += 1


@each_client
def test_an_observer_may_end_it(client: Client) -> None:
    watching = Watching(3)
    with FaultServer("openai-chat", pieces=9, faults=[Stall(at=0.8)]) as server:
        request = server.request()
        got = read(client, server.url + CHAT, observers=[watching], request=request, limit=4)
    assert got.end.outcome == "cancelled"
    assert got.end.error is not None
    assert got.end.error.message == "that is enough"
    assert watching.seen == got.events
    assert watching.requests == [request]
    assert watching.closes == 1


# ---- what can be handed in


def answered(body: bytes, status: int = 200) -> Any:
    """A response of httpx whose body is there."""
    httpx = pytest.importorskip("httpx")
    return httpx.Response(status, content=body, headers={"content-type": "text/event-stream"})


def test_a_body_that_was_read_and_kept_is_good_in_either_colour() -> None:
    got = Got()
    response = answered(body_of("Hello"))
    got.events = list(events_from(response))
    assert got.text == "Hello"

    async def main() -> list[Event]:
        return [event async for event in aevents_from(response)]

    assert run("trio", main) == got.events


def test_each_client_that_keeps_what_it_read() -> None:
    requests = pytest.importorskip("requests")
    urllib3 = pytest.importorskip("urllib3")
    with FaultServer("openai-chat", text="Hello") as server:
        for response in (
            requests.post(server.url + CHAT, json={}),
            urllib3.request("POST", server.url + CHAT, json={}),
        ):
            got = Got(list(events_from(response)))
            assert got.text == "Hello"


def test_a_response_of_requests_over_any_file() -> None:
    requests = pytest.importorskip("requests")
    response = requests.Response()
    response.status_code, response.raw = 200, io.BytesIO(body_of("Hello"))
    assert Got(list(events_from(response))).text == "Hello"


@each_client
def test_a_body_that_was_read_and_not_kept_is_refused(client: Client) -> None:
    package = pytest.importorskip(client.name)
    with FaultServer("openai-chat", text="Hello") as server:
        if client.colour == "sync":
            with client.open(package, server.url + CHAT, None) as response:
                list(events_from(response))
                with pytest.raises(ValueError, match="has been read, and is not kept"):
                    events_from(response)
            return

        async def main() -> None:
            async with client.open(package, server.url + CHAT, None) as response:
                async for _ in aevents_from(response):
                    pass
                with pytest.raises(ValueError, match="has been read, and is not kept"):
                    aevents_from(response)

        run(client.colour, main)


@each_client
def test_the_other_colour_is_named(client: Client) -> None:
    package = pytest.importorskip(client.name)
    with FaultServer("openai-chat", text="Hello") as server:
        if client.colour == "sync":
            with (
                client.open(package, server.url + CHAT, None) as response,
                pytest.raises(TypeError, match=r"is not asynchronous: use events_from\(\)"),
            ):
                aevents_from(response)
            return

        async def main() -> None:
            async with client.open(package, server.url + CHAT, None) as response:
                with pytest.raises(TypeError, match=r"asynchronous: use aevents_from\(\)"):
                    events_from(response)

        run(client.colour, main)


@pytest.mark.parametrize(
    "wrong", [None, b"data: {}", [b"data: {}"], io.BytesIO()], ids=["None", "bytes", "list", "file"]
)
def test_what_is_no_response_is_refused(wrong: object) -> None:
    known = "httpx, httpx2, aiohttp, requests, niquests, urllib3 or http.client"
    with pytest.raises(TypeError, match=known):
        events_from(wrong)
    with pytest.raises(TypeError, match=known):
        aevents_from(wrong)


def test_what_was_meant_is_said() -> None:
    httpx = pytest.importorskip("httpx")
    with httpx.Client() as client, pytest.raises(TypeError, match="what its with block gives"):
        events_from(client.stream("POST", "http://localhost/"))
    with pytest.raises(TypeError, match="there are decode"):
        events_from([b""])


def test_a_coding_that_http_client_leaves_undone_is_refused() -> None:
    with (
        serving([b"..."], {"content-encoding": "br"}) as url,
        urllib.request.urlopen(url, b"{}") as response,
        pytest.raises(ValueError, match="content coding 'br'"),
    ):
        events_from(response)


def test_observers_need_the_request() -> None:
    with pytest.raises(ValueError, match="give request="):
        events_from(answered(b""), observers=[Watching(1)])


def test_urllib_request_and_its_errors_are_http_clients() -> None:
    with FaultServer("openai-chat", text="Hello", faults=[Busy(429, retry_after=3)]) as server:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server.url + CHAT, b"{}")
        with pytest.raises(RateLimited) as told, events_from(refused.value) as stream:
            list(stream)
        with urllib.request.urlopen(server.url + CHAT, b"{}") as response:
            assert Got(list(events_from(response))).text == "Hello"
    assert told.value.end.error is not None
    assert told.value.end.error.retry_after == 3.0


def test_a_clients_error_shows_no_credential() -> None:
    secret = "sk-1234567890abcdef"

    class Response:
        status = 200
        length = None
        headers: dict[str, str] = {}  # noqa: RUF012

        def isclosed(self) -> bool:
            return False

        def getheaders(self) -> list[tuple[str, str]]:
            return []

        def read1(self, most: int) -> bytes:
            raise OSError(f"no route for https://api.test/v1?api_key={secret} of {secret}")

        def close(self) -> None:
            pass

    request = StreamRequest(
        "POST", "https://api.test/", headers={"authorization": f"Bearer {secret}"}
    )
    with pytest.raises(StreamInterrupted) as told:
        list(events_from(Response(), request=request))
    assert "no route" in str(told.value)
    assert secret not in str(told.value)


@pytest.mark.parametrize("status", [200, 401])
def test_nor_does_what_a_server_quotes(status: int) -> None:
    secret = "sk-1234567890abcdef"
    document = b'{"error":{"code":401,"message":"bad key: %s"}}' % secret.encode()
    request = StreamRequest(
        "POST",
        "https://api.test/",
        headers={"authorization": f"Bearer {secret}"},
        dialect="openai-chat",
    )
    sent = document if status != 200 else b"data: " + document + b"\n\n"
    response = httpx.Response(status, content=sent)
    with pytest.raises(AuthenticationFailed, match=r"bad key: \*\*\*"):
        list(events_from(response, request=request))


def test_no_client_is_imported() -> None:
    code = (
        "import sys; import sans_io_stream_adapters.responses; "
        "print(*sorted(sys.modules.keys() & {'httpx', 'httpx2', 'aiohttp', 'requests', 'niquests', "
        "'urllib3', 'openai', 'anthropic', 'groq', 'trio', 'anyio', 'yarl'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPO / "adapters", env={"PYTHONPATH": str(REPO)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.split() == []
