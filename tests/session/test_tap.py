"""The tap sees what each response is made of, whatever becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sans_io_stream import StreamEnd, StreamRequest, StreamSession
from sans_io_stream.http import BodyEnd, Broken, Head, Item
from tests.session.peer import Asked, Reply, drive, response

if TYPE_CHECKING:
    from sans_io_stream.request import HTTPRequest

REQUEST = StreamRequest("POST", "http://api.test/a", dialect="text", redirects=True)
MOVED = b"HTTP/1.1 307 Moved\r\nlocation: /b\r\ncontent-length: 2\r\n\r\nhi"


def serve(asked: Asked) -> Reply:
    if asked.path == "/a":
        return Reply(MOVED)
    return Reply(response(b"all of it", content_type="text/plain"))


@pytest.mark.parametrize("size", [1 << 20, 1])
def test_the_tap_sees_every_response(size: int) -> None:
    tapped: list[tuple[str, Item]] = []

    def tap(request: HTTPRequest, item: Item) -> None:
        tapped.append((request.url, item))

    run = drive(StreamSession(REQUEST, tap=tap), serve, size=size)
    assert run.end == StreamEnd("complete")
    first = [item for url, item in tapped if url.endswith("/a")]
    second = [item for url, item in tapped if url.endswith("/b")]
    assert [type(item) for item in (first[0], second[0], second[-1])] == [Head, Head, BodyEnd]
    assert b"".join(item for item in second if isinstance(item, bytes)) == b"all of it"
    if size > 1:
        # All of it had come when the head was judged.
        assert first[1:] == [b"hi", BodyEnd("length")]


def test_the_tap_sees_how_a_response_broke() -> None:
    tapped: list[Item] = []

    def broken(asked: Asked) -> Reply:
        return Reply(response(b"half", content_type="text/plain")[:-5])

    def tap(_: HTTPRequest, item: Item) -> None:
        tapped.append(item)

    drive(StreamSession(REQUEST, tap=tap), broken)
    assert any(isinstance(item, Broken) for item in tapped)


def test_a_tap_changes_nothing() -> None:
    def tap(_: HTTPRequest, __: Item) -> None: ...

    plain = drive(StreamSession(REQUEST), serve)
    assert drive(StreamSession(REQUEST, tap=tap), serve).events == plain.events
