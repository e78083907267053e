"""One reader of a log: what it writes from a place on, and where it is refused or ended."""

from __future__ import annotations

import pytest

from sans_io_stream import Event, StreamDecoder, StreamEnd, TextDelta, Usage
from sans_io_stream.encoding import Encoder
from sans_io_stream.relay import START, CursorGone, LogReader, Place, Retention, StreamLog

ID = "0123456789abcdefABCDEF"
FORMATS = ["native", "openai-chat", "anthropic", "holysheep"]
each_format = pytest.mark.parametrize("format", FORMATS)


def log_of(*texts: str, end: bool = True, retention: Retention | None = None) -> StreamLog:
    log = StreamLog(ID, 0.0, retention)
    for text in texts:
        log.append([TextDelta(text), TextDelta("-")], 0.0)
    log.append([Usage(prompt_tokens=3, completion_tokens=1)], 0.0)
    if end:
        log.seal(StreamEnd("complete"), 0.0)
    log.written(len(texts) + 1 + end)
    return log


def all_of(reader: LogReader) -> bytes:
    body = b""
    while data := reader.read():
        body += data
    assert reader.over
    return body


def told(body: bytes, format: str) -> list[Event]:
    decoder = StreamDecoder(format, content_type="text/event-stream")
    return decoder.receive_data(body) + decoder.receive_eof()


@each_format
def test_a_body_goes_on_as_it_began(format: str) -> None:
    log = log_of("a", "b", "c")
    whole = all_of(LogReader(log, Encoder(format), START))
    assert "".join(e.text for e in told(whole, format) if isinstance(e, TextDelta)) == "a-b-c-"
    places = [place for place, _ in log.read(START)]
    for place in places[:-1]:
        rest = all_of(LogReader(log, Encoder(format), place))
        assert rest
        assert whole.endswith(rest)
    over = LogReader(log, Encoder(format), places[-1])
    assert over.over
    assert (over.read(), over.heartbeat()) == (b"", b"")


@each_format
def test_it_waits_for_what_is_not_there_yet(format: str) -> None:
    log = log_of("a", end=False)
    reader = LogReader(log, Encoder(format), START)
    assert reader.read()
    assert reader.read() == b""
    assert not reader.over
    assert reader.heartbeat()
    log.seal(StreamEnd("complete"), 1.0)
    assert reader.read() == b""
    log.written(3)
    assert reader.read()
    assert reader.over


@each_format
def test_without_counts_there_are_none(format: str) -> None:
    log = log_of("a")
    body = all_of(LogReader(log, Encoder(format), START, counts=False))
    usages = [event for event in told(body, format) if isinstance(event, Usage)]
    assert all(usage.prompt_tokens is None for usage in usages)


@each_format
def test_who_is_too_slow_is_told(format: str) -> None:
    log = log_of("a", "b", "c", retention=Retention(entries=2))
    reader = LogReader(log, Encoder(format), START)
    log.trim(0.0)
    body = reader.read()
    assert reader.over
    end = told(body, format)[-1]
    assert isinstance(end, StreamEnd)
    assert end.outcome == "failed"
    assert end.error is not None
    assert "too slow" in end.error.message


@each_format
def test_what_came_before_has_to_be_known_where_it_shows(format: str) -> None:
    log = log_of("a", "b", "c", retention=Retention(entries=2))
    log.trim(0.0)
    with pytest.raises(CursorGone):
        LogReader(log, Encoder(format), START)
    if format == "native":
        assert all_of(LogReader(log, Encoder(format), Place(4, 1)))
    else:
        with pytest.raises(CursorGone):
            LogReader(log, Encoder(format), Place(4, 1))
