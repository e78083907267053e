"""Plain text: what is visible, and nothing that a reader would take for more."""

from __future__ import annotations

from sans_io_stream import RefusalDelta, StreamDecoder, StreamEnd, StreamStart, TextDelta
from sans_io_stream.encoding import Encoder

from .writing import CALLS, SAID, answer, body_of


def test_the_body_is_the_visible_text() -> None:
    events = answer(*SAID, *CALLS, RefusalDelta(" No."), TextDelta("other", 1))
    assert body_of(events, "text")[0] == b"Hello No."


def test_a_byte_order_mark_at_the_beginning_is_text() -> None:
    for first in ("\ufeff", "\ufeffdata: x"):
        events = answer(TextDelta(first), TextDelta("\ufeffb"))
        body, content_type = body_of(events, "text")
        decoder = StreamDecoder("text", content_type=content_type)
        found = decoder.receive_data(body) + decoder.receive_eof()
        text = "".join(event.text for event in found if isinstance(event, TextDelta))
        assert text == first + "\ufeffb"


def test_an_end_that_is_not_whole_is_the_transports_to_tell() -> None:
    encoder = Encoder("text")
    encoder.encode(StreamStart())
    encoder.encode(TextDelta("half"))
    assert not encoder.must_abort
    assert encoder.encode(StreamEnd("interrupted")) == b""
    assert encoder.must_abort
