"""What a recorder keeps of what passes: the answer, and no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sans_io_stream.capture import Capture
from sans_io_stream.http import BodyEnd, Head
from sans_io_stream.request import HTTPRequest
from sans_io_stream_adapters.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-0123456789-secret"
REQUEST = HTTPRequest(
    "POST",
    "http://api.test/v1?deployment=one-that-is-long-too",
    (("authorization", f"Bearer {KEY}"), ("x-harmless", "visible-as-it-is")),
)
HEAD = Head(401, "", (("content-type", "application/json"), ("set-cookie", "a=b")))


def recorded(path: Path, body: bytes) -> bytes:
    """What a capture of that body holds of it."""
    recorder = Recorder(path, None)
    for item in (HEAD, body, BodyEnd("close")):
        recorder(REQUEST, item)
    recorder.close()
    assert KEY not in path.read_text("utf-8")
    return Capture.open(path).body


def test_a_key_that_a_server_quotes_is_not_kept(tmp_path: Path) -> None:
    body = recorded(tmp_path / "a.jsonl", b'{"error":{"message":"Bad key: %s."}}' % KEY.encode())
    assert body == b'{"error":{"message":"Bad key: %s."}}' % (b"*" * len(KEY))


def test_all_else_is_kept_as_it_came(tmp_path: Path) -> None:
    body = b"one-that-is-long-too, visible-as-it-is, \xff\x00"
    assert recorded(tmp_path / "a.jsonl", body) == body
