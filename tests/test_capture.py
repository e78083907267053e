"""Captures: what is written is read again, byte for byte, and no credential is in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream.capture import Capture, CaptureReader, CaptureWriter, Read, is_capture
from sans_io_stream.errors import CaptureError, ErrorInfo, StreamClosedError, StreamError
from sans_io_stream.events import Disconnected, StreamEnd, TextDelta, join_deltas

CHUNK = (
    'data: {{"id":"c","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,'
    '"delta":{{"content":"{}"}},"finish_reason":{}}}]}}\r\n\r\n'
)
BODY = "".join(
    [CHUNK.format("Grüße ", "null"), CHUNK.format("🦜", '"stop"'), "data: [DONE]\r\n\r\n"]
).encode()
HEAD = '{"format":"sans-io-stream capture","version":1,"dialect":"openai-chat"}'

reads = st.lists(st.binary(max_size=30) | st.text(max_size=10).map(str.encode))


def ticking(*times: float) -> Iterator[float]:
    yield from times


def say(events: list[object]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


# ---- the format


@given(reads, st.booleans())
def test_what_is_written_is_read_again(chunks: list[bytes], whole: bool) -> None:
    capture = Capture.of(chunks, dialect="text", end="eof" if whole else "truncated")
    lines = capture.lines()
    assert Capture.parse(lines) == capture
    assert Capture.parse(f"{line}\n".encode() for line in lines) == capture
    assert [read.data for read in Capture.parse(lines).reads()] == chunks
    assert all(len(line.splitlines()) == 1 for line in lines)


@given(st.text(), st.data())
def test_text_stays_readable_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    body = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    edges = [0, *cuts, len(body)]
    capture = Capture.of([body[start:end] for start, end in pairwise(edges)])
    assert not any("base64" in json.loads(line) for line in capture.lines())
    assert Capture.parse(capture.lines()).body == body


def test_a_read_cut_inside_a_character_keeps_its_bytes_beside_the_text() -> None:
    body = "Grüße 🦜!".encode()
    lines = Capture.of([body[:3], body[3:11], body[11:]], times=[5.0, 5.25, 7.0]).lines()
    assert lines == [
        '{"format":"sans-io-stream capture","version":1,"status":200}',
        '{"t":0,"data":"Gr","ends":"c3"}',
        '{"t":0.25,"begins":"bc","data":"ße ","ends":"f09fa6"}',
        '{"t":2,"begins":"9c","data":"!"}',
        '{"t":2,"end":"eof"}',
    ]


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", {"data": ""}),
        (b"\x98", {"begins": "98"}),
        (b"\xf0\x9f", {"ends": "f09f"}),
        (b"a\xff", {"base64": "Yf8="}),
        (b"a\xf5", {"base64": "YfU="}),
        (b"a\xe9b", {"base64": "Yeli"}),
        (b"\x00\x00\x00v", {"data": "\x00\x00\x00v"}),
        ("\u2028\x9b\u202e\x7f".encode(), {"data": "\u2028\x9b\u202e\x7f"}),
    ],
)
def test_each_read_has_its_form(data: bytes, shown: dict[str, str]) -> None:
    line = Capture.of(data).lines()[1]
    assert json.loads(line) == {"t": 0, **shown}
    assert line.isascii()
    assert Capture.parse([HEAD, line]).body == data


def test_times_never_run_backwards() -> None:
    capture = Capture.of([b"a", b"b", b"c"], times=[3.0, 2.0, 4.5])
    assert [read.time for read in capture.reads()] == [0.0, 0.0, 1.5]
    lines = [HEAD, '{"t":2,"data":"a"}', '{"t":1,"data":"b"}']
    assert Capture.parse(lines).reads() == (Read(2.0, b"a"), Read(2.0, b"b"))


@pytest.mark.parametrize("torn", [[], ['{"t":0.5,"data":"x'], ['{"t":0.5,"base64":"QQ'], [""]])
def test_a_recording_without_its_last_line_is_truncated(torn: list[str]) -> None:
    capture = Capture.parse([HEAD, '{"t":0,"data":"data: "}', *torn])
    assert capture.end == "truncated"
    assert capture.body == b"data: "


def test_what_a_later_release_adds_is_ignored() -> None:
    capture = Capture.parse(
        [
            '{"format":"sans-io-stream capture","version":1,"place":"here"}',
            '{"note":"not a read"}',
            '{"t":0,"data":"a","size":1}',
            '{"t":1,"end":"eof","by":"peer"}',
        ]
    )
    assert (capture.body, capture.end) == (b"a", "eof")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "first line is missing"),
        (["", " "], "first line is missing"),
        ([b"\x00\xff\xfe"], "not its head"),
        (["data: {}"], "not its head"),
        (['{"format":"else"}'], "names no 'sans-io-stream capture'"),
        (['{"format":"sans-io-stream capture"}'], "names no version"),
        (['{"format":"sans-io-stream capture","version":2,"status":"x"}'], "a newer release"),
        (['{"format":"sans-io-stream capture","version":1,"status":"x"}'], "not its head"),
        ([HEAD, '{"t":0,"da', '{"t":1,"data":""}'], "line 2 is damaged"),
        ([HEAD, '{"t":0,"begins":"zz"}', "{}"], "line 2 is damaged"),
        ([HEAD, '{"t":0,"end":"eof"}', '{"t":1,"data":""}'], "follows the end"),
        ([HEAD, '{"t":0,"end":"done"}'], "an end is one of"),
    ],
)
def test_anything_else_is_refused(lines: list[str | bytes], why: str) -> None:
    with pytest.raises(CaptureError, match=why) as caught:
        Capture.parse(lines)
    assert isinstance(caught.value, StreamError | ValueError)


def test_a_capture_is_known_by_its_first_bytes() -> None:
    head = HEAD.encode()
    assert [is_capture(head[:size]) for size in (0, 1, 20, 33)] == [None] * 4
    assert is_capture(head) is True
    assert is_capture(json.dumps(json.loads(head)).encode()) is True
    assert is_capture(b'{"format":"other"}') is False
    assert is_capture(b"data: {}") is False


# ---- privacy


@pytest.mark.parametrize(
    ("request_line", "kept"),
    [
        ("post https://u:pw@h.example/v1?key=S3CRET#S3CRET", "POST https://h.example/v1?key=***"),
        (("GET", "https://h/x?alt=sse&S3CRET"), "GET https://h/x?alt=sse&***"),
        (("GET", "https://h/x?alt=sse;key=S3CRET"), "GET https://h/x?alt=***"),
        (("GET", "/v1?X-Amz-Signature=S3CRET&api-version=2024-10-21"),
         "GET /v1?X-Amz-Signature=***&api-version=2024-10-21"),
        ("GET me:S3CRET@h/x", "GET h/x"),
        ("https://me:S3CRET@h/x", "https://h/x"),
        ("GET https://[S3CRET/x", "GET (unreadable URL)"),
        ("GET https://h/v1/sk-S3CRET/chat", "GET https://h/v1/***/chat"),
        ("GET https://h/bot17:S3CRETs3cretS3CRETs3cretS3CRET/x", "GET https://h/***/x"),
        ("GET https://h/x;key=S3CRET/y", "GET https://h/***/y"),
        ("GET https://h/x%3Fkey%3DS3CRET", "GET https://h/***"),
        ("GET https://h/v1?model=gsk_S3CRET&stream=true", "GET https://h/v1?model=***&stream=true"),
        (None, None),
    ],
)  # fmt: skip
def test_no_credential_of_a_url_is_kept(
    request_line: str | tuple[str, str] | None, kept: str
) -> None:
    capture = Capture.of(BODY, request=request_line)
    assert capture.request == kept
    assert "S3CRET" not in repr(capture) + "".join(capture.lines())
    assert Capture.parse(capture.lines()).request == kept


@pytest.mark.parametrize(
    "url",
    [
        "https://h/v1beta/models/gemini-2.5-pro-preview-05-06:streamGenerateContent?alt=sse",
        "https://h/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        "https://h/model/us.anthropic.claude-3-7-sonnet-20250219-v1%3A0/converse-stream",
        "https://h/v1/projects/p-1/locations/europe-west1/publishers/google/models/gemini-2.5-flash",
        "https://h/accounts/fireworks/models/llama-v3p1-405b-instruct?model=qwen3-235b-a22b",
    ],
)
def test_what_a_url_says_of_the_model_is_kept(url: str) -> None:
    assert Capture.of(BODY, request=("POST", url)).request == f"POST {url}"


def test_headers_are_kept_by_name() -> None:
    kept = [
        ("Content-Type", "text/event-stream"), ("x-request-id", "r"), ("Request-Id", "r"),
        ("x-ratelimit-remaining-tokens", "9"), ("anthropic-ratelimit-tokens-reset", "z"),
        ("Retry-After", "3"), ("Date", "now"), ("transfer-encoding", "chunked"), ("server", "s"),
    ]  # fmt: skip
    gone = [
        ("set-cookie", "S3CRET"), ("authorization", "S3CRET"), ("x-api-key", "S3CRET"),
        ("api-key", "S3CRET"), ("openai-organization", "S3CRET"), ("x-goog-api-key", "S3CRET"),
        ("content-typed", "S3CRET"),
    ]  # fmt: skip
    capture = Capture.of(BODY, headers=[*kept, *gone])
    assert capture.headers == {name.lower(): value for name, value in kept}
    assert "S3CRET" not in "".join(capture.lines())
    raw = Capture.of(BODY, headers=[(b"Date", b"one"), (b"date", b"two"), (b"Cookie", b"S3CRET")])
    assert raw.headers == {"date": "one, two"}


def test_a_head_that_someone_wrote_by_hand_is_cleaned_too() -> None:
    head = {
        "format": "sans-io-stream capture",
        "version": 1,
        "request": "GET https://h/?key=S3CRET",
        "headers": {"authorization": "S3CRET"},
    }
    assert "S3CRET" not in "".join(Capture.parse([json.dumps(head)]).lines())


# ---- replaying


def test_replays_with_what_was_recorded() -> None:
    capture = Capture.of(
        [BODY[:100], BODY[100:]], dialect="openai-chat", content_type="text/event-stream"
    )
    events = capture.events()
    assert say([*events]) == "Grüße 🦜"
    assert events[-1] == StreamEnd("complete")
    assert Capture.of(b'{"error":{"message":"no"}}', status=401).events()[-1].outcome == "failed"  # type: ignore[union-attr]


def test_options_outweigh_what_was_recorded() -> None:
    events = Capture.of(b"data: x\n\n", dialect="openai-chat").events(dialect="text")
    assert say([*events]) == "data: x\n\n"


def test_an_end_is_replayed_as_it_was() -> None:
    lines = [HEAD, '{"t":0,"data":"data: "}', '{"t":9,"end":"error","error":"ReadTimeout"}']
    failed = Capture.parse(lines)
    error = ErrorInfo("connection", "ReadTimeout", retryable=True)
    assert failed.events()[-2:] == [Disconnected(error), StreamEnd("interrupted", error)]
    cut = Capture.parse(lines[:2]).events()[-1]
    assert isinstance(cut, StreamEnd)
    assert cut.outcome == "interrupted"


@given(st.integers(-(2**70), 2**70) | st.integers(0, 40), st.sampled_from([BODY, b"", b"a"]))
def test_other_reads_are_the_same_bytes(seed: int, body: bytes) -> None:
    capture = Capture.of(body, dialect="openai-chat", request="GET /x", end="truncated")
    other = capture.resplit(seed)
    assert other.body == body
    assert other == capture.resplit(seed)
    assert (other.dialect, other.request, other.end) == ("openai-chat", "GET /x", "truncated")
    assert other.events() == capture.events()


def test_the_first_seeds_have_a_meaning() -> None:
    capture = Capture.of([BODY[:10], BODY[10:]])
    assert [read.data for read in capture.resplit(0).reads()] == [BODY]
    assert [read.data for read in capture.resplit(1).reads()] == [bytes([byte]) for byte in BODY]
    inside = [read.data for read in capture.resplit(2).reads()]
    assert inside[0].endswith(b"Gr\xc3")
    assert all(data[0] == 10 or 0x80 <= data[0] < 0xC0 for data in inside[1:])
    sizes = [
        max(len(r.data) for r in Capture.of(b"x" * 9999).resplit(s).reads()) for s in range(7, 14)
    ]
    assert sizes[:4] == [2, 5, 16, 64]
    assert 64 < sizes[4] <= 256 < sizes[5] <= 1024 < sizes[6]


def test_a_split_is_the_same_on_every_machine() -> None:
    found = [len(read.data) for read in Capture.of(b"x" * 40).resplit(9).reads()]
    assert found == [2, 9, 5, 4, 4, 13, 3]


def test_reads_keep_the_time_at_which_their_last_byte_was_there() -> None:
    capture = Capture.of([b"ab", b"", b"cd"], times=[0, 1, 2])
    assert capture.resplit(1).reads() == ((0, b"a"), (0, b"b"), (2, b"c"), (2, b"d"))
    assert capture.resplit_at(3, 99, 3).reads() == ((2, b"abc"), (2, b"d"))
    assert capture.resplit(0).reads() == ((2, b"abcd"),)


@given(st.integers(0, 12))
def test_a_cut_breaks_off_after_so_many_bytes(at: int) -> None:
    cut = Capture.of([b"abc", b"", b"defgh"]).cut(at)
    assert cut.body == b"abcdefgh"[:at]
    assert cut.end == "truncated"


def test_a_cut_before_the_beginning_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Capture.of(BODY).cut(-1)


def test_captures_are_values() -> None:
    capture = Capture.of([BODY], dialect="openai-chat", request="POST https://h/x?key=1")
    assert {capture, Capture.parse(capture.lines())} == {capture}
    assert capture != capture.cut(len(BODY))
    assert repr(capture) == (
        f"<Capture openai-chat, POST https://h/x?key=***, 200, eof, {len(BODY)} bytes, reads: 1>"
    )


# ---- recording


def test_records_what_passes_through(tmp_path: Path) -> None:
    path = tmp_path / "answer.jsonl"
    chunks: list[bytes | bytearray | memoryview] = [
        BODY[:40],
        bytearray(BODY[40:41]),
        memoryview(BODY)[41:],
    ]
    clock = ticking(100.0, 100.5, 101.25, 102.0).__next__
    writer = CaptureWriter(
        path, dialect="openai-chat", request=("POST", "https://h/?key=S3CRET"), clock=clock,
        headers={"content-type": "text/event-stream", "set-cookie": "S3CRET"},
    )  # fmt: skip
    passed = list(writer.tee(chunks))
    assert all(one is other for one, other in zip(passed, chunks, strict=True))
    capture = Capture.open(path)
    assert [read.time for read in capture.reads()] == [0.0, 0.5, 1.25]
    assert capture.body == BODY
    assert (capture.end, capture.content_type) == ("eof", "text/event-stream")
    assert path.read_text("utf-8").splitlines()[-1] == '{"t":2,"end":"eof"}'
    assert "S3CRET" not in path.read_text("utf-8")
    assert capture.events()[-1] == StreamEnd("complete")


def test_every_line_is_there_before_the_chunk_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "answer.jsonl"
    with CaptureWriter(path) as writer:
        for number, _ in enumerate(writer.tee([b"a", b"b"]), 1):
            assert len(Capture.open(path).reads()) == number
            assert Capture.open(path).end == "truncated"
    assert Capture.open(path).end == "eof"


def test_a_failure_is_recorded_by_its_type_and_raised(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionResetError("https://h/?key=S3CRET")

    writer = CaptureWriter(tmp_path / "x")
    with pytest.raises(ConnectionResetError):
        list(writer.tee(chunks()))
    capture = Capture.open(tmp_path / "x")
    assert (capture.body, capture.end, capture.error) == (b"a", "error", "ConnectionResetError")
    assert "S3CRET" not in (tmp_path / "x").read_text()


def test_closing_early_is_recorded_and_passed_on(tmp_path: Path) -> None:
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    tee = CaptureWriter(tmp_path / "x").tee(chunks())
    assert next(tee) == b"a"
    tee.close()
    assert closed == [True]
    capture = Capture.open(tmp_path / "x")
    assert (capture.body, capture.end) == (b"a", "truncated")


def test_interrupting_is_no_failure_of_the_transport(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(CaptureWriter(tmp_path / "x").tee(chunks()))
    assert Capture.open(tmp_path / "x").end == "truncated"


def test_a_dropped_recorder_leaves_what_it_has(tmp_path: Path) -> None:
    for _ in CaptureWriter(tmp_path / "x").tee([b"a", b"b"]):
        break
    capture = Capture.open(tmp_path / "x")
    assert (capture.body, capture.end) == (b"a", "truncated")


def test_records_asynchronous_chunks(tmp_path: Path) -> None:
    async def chunks(error: BaseException | None = None) -> AsyncIterator[bytes]:
        yield b"a"
        if error is not None:
            raise error
        yield b"b"

    async def run() -> None:
        assert [chunk async for chunk in CaptureWriter(tmp_path / "1").atee(chunks())] == [
            b"a",
            b"b",
        ]
        with pytest.raises(OSError, match="reset"):
            async for _ in CaptureWriter(tmp_path / "2").atee(chunks(OSError("reset"))):
                pass
        with pytest.raises(asyncio.CancelledError):
            async for _ in CaptureWriter(tmp_path / "3").atee(chunks(asyncio.CancelledError())):
                pass
        tee = CaptureWriter(tmp_path / "4").atee(chunks())
        assert await anext(tee) == b"a"
        await tee.aclose()

    asyncio.run(run())
    captures = [Capture.open(tmp_path / str(number)) for number in (1, 2, 3, 4)]
    assert [c.end for c in captures] == ["eof", "error", "truncated", "truncated"]
    assert [c.body for c in captures] == [b"ab", b"a", b"a", b"a"]


def test_nothing_is_recorded_after_the_end(tmp_path: Path) -> None:
    writer = CaptureWriter(tmp_path / "x")
    writer.finish()
    writer.finish("error")
    with pytest.raises(StreamClosedError, match="another CaptureWriter"):
        writer.write(b"late")
    assert Capture.open(tmp_path / "x").end == "eof"


def test_text_is_a_mistake(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "x") as writer, pytest.raises(TypeError):
        writer.write("text")  # type: ignore[arg-type]


def test_a_full_disk_ends_the_recording_and_not_the_stream() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.warns(RuntimeWarning, match="breaks off"):
        writer = CaptureWriter(full)
    assert list(writer.tee([b"a", b"b"])) == [b"a", b"b"]
    assert isinstance(writer.failed, OSError)


def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CaptureWriter(tmp_path / "none" / "x")
    with pytest.raises(FileNotFoundError):
        Capture.open(tmp_path / "none")


def test_a_capture_can_be_read_while_it_is_written() -> None:
    reader = CaptureReader()
    with pytest.raises(CaptureError, match="first line"):
        _ = reader.head
    found = [reader.line(line) for line in Capture.of([b"a"], dialect="text").lines()[:2]]
    assert found == [[], [Read(0.0, b"a")]]
    assert (reader.head.dialect, reader.ended, reader.end) == ("text", False, "truncated")
    reader.line('{"t":1,"end":"eof"}')
    assert (reader.ended, reader.end) == (True, "eof")


def test_replays_every_recording(shared: Path) -> None:
    for body in sorted((shared / "captures").glob("*/body.bin"))[::10]:
        capture = Capture.of(body.read_bytes()).resplit(4)
        again = Capture.parse(capture.lines())
        assert again == capture, body.parent.name
        assert join_deltas(again.events()) == join_deltas(capture.resplit(0).events())
