"""The plain delta's short way writes what the format writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import (
    Event,
    Finish,
    Heartbeat,
    ReasoningDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream.encoding.frames import Comment, Out
from sans_io_stream.encoding.plain import learnt
from sans_io_stream.encoding.registry import FORMATS

PAIRS = [(name, framing) for name, cls in FORMATS.items() for framing in cls.framings]

texts = st.sampled_from(
    ["a", "content", "text", ":", ",", '"', '","', "\\", "\n", "\u2028", "\ud800", "é", "🦜", ""]
) | st.text(max_size=5)
deltas = st.builds(TextDelta, texts, choice=st.sampled_from([0, 0, 0, 1]))
others: st.SearchStrategy[Event] = st.sampled_from(
    [
        Heartbeat(),
        ReasoningDelta("r"),
        StreamStart("id", "model"),
        StreamStart("id2", "model2"),
        ToolCallDelta(index=0, arguments="{}", id="call", name="f"),
        Usage(prompt_tokens=1),
        Finish("stop"),
    ]
)


@given(st.lists(st.tuples(deltas | deltas | deltas | others, st.sampled_from([None, "c1", "c2"]))))
def test_it_is_the_same_as_record_by_record(told: list[tuple[Event, str | None]]) -> None:
    for format, framing in PAIRS:
        short, long = Encoder(format, framing), Encoder(format, framing)
        for event, id in [*told, (StreamEnd("complete"), "c3")]:
            written = b"".join(long.records(event, id=id))
            assert short.encode(event, id=id) == written, (format, framing)


@pytest.mark.parametrize("format", ["openai-chat", "anthropic", "native"])
def test_the_third_piece_of_text_takes_it(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(format)
    for text in ("one", "two"):
        encoder.encode(TextDelta(text))
    monkeypatch.delattr(Encoder, "records")
    assert b"three" in encoder.encode(TextDelta("three"))
    with pytest.raises(AttributeError):
        encoder.encode(Heartbeat())


def test_what_is_learnt_is_where_the_text_stands_and_nowhere_else() -> None:
    plain = learnt("b", 0, [Out({"a": "b"}, "name")])
    assert plain is not None
    assert plain.record('"\n') == Out(b'{"a":"\\"\\n"}', "name")
    assert learnt("a", 0, [Out({"a": "a"})]) is None
    assert learnt(":", 0, [Out({"a": ":"})]) is None
    assert learnt("b", 0, [Out({"a": "c"})]) is None
    assert learnt("b", 0, [Comment("b")]) is None
    assert learnt("b", 0, [Out({"a": "b"}), Out({"a": "b"})]) is None
