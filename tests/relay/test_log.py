"""The log of one stream: what is written is seen once by everybody, in order; nothing else is."""

from __future__ import annotations

import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import (
    Connected,
    Disconnected,
    Event,
    Heartbeat,
    Reconnecting,
    Resumed,
    ResumePoint,
    StreamClosedError,
    StreamEnd,
    TextDelta,
)
from sans_io_stream.events import encode_event
from sans_io_stream.relay import (
    START,
    CursorGone,
    Entry,
    Place,
    Retention,
    StreamLog,
    cursor_of,
    decode_entry,
    encode_entry,
    entries_of,
    place_of,
    stream_id,
)
from sans_io_stream.resume import ResumeOrigin

ID = stream_id(bytes(range(16)))
OTHER = stream_id(bytes(16))
COMPLETE = StreamEnd("complete")


def log_of(*texts: str, retention: Retention | None = None) -> StreamLog:
    """A log with an entry for each text: its characters, one event each."""
    log = StreamLog(ID, 0.0, retention)
    for text in texts:
        append(log, text)
    return log


def append(log: StreamLog, text: str, now: float = 0.0, token: str | None = None) -> Entry:
    made = log.append([TextDelta(letter) for letter in text], now, token)
    assert made is not None
    log.written(made.number)
    return made


def text_of(found: list[tuple[Place, Event]]) -> str:
    return "".join(event.text for _, event in found if isinstance(event, TextDelta))


# ---- order, and what readers may have


def test_nobody_sees_what_is_not_written() -> None:
    log = StreamLog(ID, 0.0)
    made = log.append([TextDelta("a")], 0.0, "token-1")
    assert made is not None
    assert log.read(START) == []
    assert log.last == START
    assert log.token is None
    log.written(made.number)
    assert log.read(START) == [(Place(1, 1), TextDelta("a"))]
    assert log.token == "token-1"
    sealed = log.seal(COMPLETE, 0.0)
    assert sealed is not None
    assert sealed.seals
    assert log.sealed
    assert log.end is None
    log.written(sealed.number)
    assert log.end == COMPLETE
    assert log.read(Place(1, 1)) == [(Place(2, 1), COMPLETE)]
    assert log.read(Place(2, 1)) == []


def test_an_entry_is_read_from_within() -> None:
    log = log_of("abc", "d")
    assert text_of(log.read(Place(1, 2))) == "cd"
    assert [place for place, _ in log.read(Place(1, 1))] == [Place(1, 2), Place(1, 3), Place(2, 1)]
    assert text_of(log.read(START, most=1)) == "abc"
    assert text_of(log.read(START, most=3)) == "abc"


def test_a_sealed_log_takes_nothing_more() -> None:
    log = log_of("a")
    with pytest.raises(ValueError, match="seal"):
        log.append([COMPLETE], 0.0)
    assert log.interrupt("nobody is there", 1.0) is not None
    assert log.seal(COMPLETE, 2.0) is None
    with pytest.raises(StreamClosedError):
        log.append([TextDelta("b")], 3.0)


def test_what_was_never_appended_is_not_written() -> None:
    with pytest.raises(ValueError, match="never appended"):
        log_of("a").written(2)


CONNECTION: list[Event] = [
    Connected(200),
    Heartbeat(""),
    Disconnected(),
    Reconnecting(2, 1.0),
    Resumed("continue"),
    ResumePoint(1, 1, ResumeOrigin("openai-responses", "sequence")),
]


def test_the_connection_to_the_provider_is_nobody_elses_business() -> None:
    log = StreamLog(ID, 0.0)
    assert log.append(CONNECTION, 0.0) is None
    made = log.append([*CONNECTION, TextDelta("a"), *CONNECTION], 0.0)
    assert made is not None
    assert made.events == (TextDelta("a"),)
    assert made.size == len(encode_event(TextDelta("a"))) + 1


def test_a_read_is_taken_apart_into_records() -> None:
    def point(n: int) -> ResumePoint:
        return ResumePoint(n, n, ResumeOrigin("openai-responses", "sequence"))

    a, b, c = TextDelta("a"), TextDelta("b"), TextDelta("c")
    assert entries_of([Connected(200), a, b, point(1), point(2), c]) == [
        ((a, b), point(2).token),
        ((c,), None),
    ]
    assert entries_of([Connected(200), point(1)]) == []


# ---- cursors


def test_cursors_grow_and_say_whose_they_are() -> None:
    log = log_of("abc", *["d"] * 300)
    cursors = [log.cursor(place) for place, _ in log.read(START, most=1000)]
    assert len(cursors) == 303
    assert cursors == sorted(set(cursors))
    assert [place_of(cursor) for cursor in cursors[:2]] == [(ID, Place(1, 1)), (ID, Place(1, 2))]
    assert all(log.place(cursor) for cursor in cursors)


FIRST = cursor_of(ID, Place(1, 1))
GONE = [
    "", "x", ID, f"{ID}.1.1", FIRST.upper(), f"{FIRST}\n", f"é{FIRST}", FIRST.replace(ID, OTHER),
    *(cursor_of(ID, Place(*place)) for place in [(4, 1), (1, 4), (1, 0), (0, 1), (2, 0), (3, 1)]),
]  # fmt: skip


@pytest.mark.parametrize("cursor", GONE)
def test_every_bad_cursor_gets_the_same_refusal(cursor: str) -> None:
    log = log_of("abc", "d")
    log.append([TextDelta("not written")], 0.0)
    messages: set[str] = set()
    for bad in (cursor, "nonsense"):
        with pytest.raises(CursorGone) as refused:
            log.place(bad)
        messages.add(str(refused.value))
    assert len(messages) == 1
    assert ID not in messages.pop()


def test_an_id_needs_its_bits() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        stream_id(bytes(15))
    assert len(ID) == 22


# ---- what is kept


def test_the_oldest_go_first() -> None:
    log = log_of("ab", "c", "d", "e", retention=Retention(entries=2))
    assert log.trim(0.0) == 3
    assert text_of(log.read(Place(2, 1))) == "de"
    for place in (START, Place(1, 1), Place(1, 2)):
        with pytest.raises(CursorGone):
            log.read(place)
    with pytest.raises(CursorGone):
        log.place(None)


def test_by_bytes_and_by_age() -> None:
    one = append(log_of(), "x").size
    log = log_of("a", "b", "c", retention=Retention(bytes=2 * one, seconds=10.0))
    assert log.trim(0.0) == 2
    assert log.size == 2 * one
    append(log, "d", now=5.0)
    assert log.trim(9.9) == 3
    assert log.trim(10.0) == 4
    # The last one stays while the stream is not over.
    assert log.trim(1e9) == 4
    assert not log.expired(1e9)


def test_what_is_not_written_is_not_dropped() -> None:
    log = log_of("a", retention=Retention(entries=1))
    log.append([TextDelta("b")], 0.0)
    log.append([TextDelta("c")], 0.0)
    assert log.trim(0.0) == 2
    assert log.read(Place(1, 1)) == []


def test_a_finished_stream_stays_for_its_time() -> None:
    log = log_of("a", retention=Retention(seconds=60.0))
    sealed = log.seal(COMPLETE, 100.0)
    assert sealed is not None
    log.written(sealed.number)
    assert not log.expired(159.9)
    assert log.expired(160.0)
    log.trim(160.0)
    assert log.size == 0
    with pytest.raises(CursorGone):
        log.place(None)
    # Whoever has read all of it is told no less than before.
    assert log.read(Place(2, 1)) == []


def test_a_finished_stream_loses_its_start_to_no_age_of_its_own() -> None:
    log = log_of("a", retention=Retention(seconds=60.0))
    append(log, "b", now=50.0)
    sealed = log.seal(COMPLETE, 55.0)
    assert sealed is not None
    log.written(sealed.number)
    assert log.trim(114.9) == 1
    assert text_of(log.read(START)) == "ab"
    assert log.trim(115.0) == 4


@pytest.mark.parametrize("field", ["seconds", "bytes", "entries"])
def test_nothing_is_kept_for_nothing(field: str) -> None:
    with pytest.raises(ValueError, match=f"Retention.{field}"):
        Retention(**{field: 0})
    with pytest.raises(ValueError, match="heartbeat"):
        StreamLog(ID, 0.0, heartbeat=0)


def test_a_silent_reader_hears_something() -> None:
    assert StreamLog(ID, 0.0, heartbeat=15.0).heartbeat_due(100.0) == 115.0
    assert StreamLog(ID, 0.0, heartbeat=0.5).heartbeat_due(100.0) == 100.5


def test_what_is_dropped_is_not_held() -> None:
    log = log_of(retention=Retention(entries=3))
    event = TextDelta("the first one")
    made = log.append([event], 0.0)
    assert made is not None
    log.written(made.number)
    del made
    held = sys.getrefcount(event)
    for number in range(20):
        append(log, f"{number}")
        log.trim(0.0)
    assert sys.getrefcount(event) == held - 1


# ---- what was written down


def test_a_log_is_made_again_from_its_entries() -> None:
    log = log_of("ab", "c")
    entries = [append(log, "d", token="t-3"), log.seal(COMPLETE, 1.0)]
    whole = [entry for entry in entries if entry is not None]
    again = StreamLog.of(ID, whole, 0.0)
    assert again.sealed
    assert again.end == COMPLETE
    assert again.token == "t-3"
    assert text_of(again.read(Place(3, 1))) == ""
    for place in (START, Place(1, 1), Place(2, 1), Place(2, 0)):
        with pytest.raises(CursorGone):
            again.place(cursor_of(ID, place))
    with pytest.raises(ValueError, match="does not follow"):
        StreamLog.of(ID, [whole[1], whole[0]], 0.0)


# ---- the law


@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans()), max_size=30),
    st.lists(st.integers(0, 40), max_size=20),
    st.integers(1, 8),
    st.integers(1, 5),
)
def test_every_reader_gets_all_of_it_or_is_told(
    appended: list[tuple[int, bool]], reads: list[int], kept: int, most: int
) -> None:
    """Entries of some events, some trimmed behind; a reader that reads when it pleases has the
    events in order without a gap until it is told that it has fallen behind."""
    log = StreamLog(ID, 0.0, Retention(entries=kept))
    said: list[Event] = []
    got: list[Event] = []
    place, told = START, False
    pending = list(reads)
    for number, (size, trims) in enumerate(appended):
        events: list[Event] = [TextDelta(f"{number}.{part} ") for part in range(size)]
        entry = log.append(events, float(number))
        assert entry is not None
        assert log.read(log.last) == []
        log.written(entry.number)
        said += events
        if trims:
            log.trim(float(number))
            assert log.read(log.last) == []
        if pending and pending.pop(0) % 2 and not told:
            try:
                found = log.read(place, most)
                got += [event for _, event in found]
                place = found[-1][0] if found else place
            except CursorGone:
                told = True
                assert place.entry < log.trim(float(number))
        assert got == said[: len(got)]
    if not told:
        try:
            while found := log.read(place, most):
                got += [event for _, event in found]
                place = found[-1][0]
            assert got == said
            assert place == log.last
        except CursorGone:
            assert place.entry < log.trim(0.0)


# ---- entries as bytes


def test_an_entry_comes_back_from_its_bytes() -> None:
    made = append(log_of(), "aé🦜", token="t")
    assert decode_entry(encode_entry(made)) == made


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x94\x01\xcb", encode_entry(append(log_of(), "a"))[:-1]]
)
def test_bytes_that_are_no_entry(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_entry(data)


def test_an_entry_without_events_is_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_entry(msgspec.msgpack.encode([1, 0.0, None, []]))


def test_behind_the_sealed_end_nothing_is_told_twice_to_who_wants_it_quiet() -> None:
    log = StreamLog(ID, 0.0)
    log.append([TextDelta("a")], 0.0)
    log.written(1)
    cursor = log.cursor(Place(1, 1))
    assert log.asked(None) == START
    assert log.asked(cursor, quiet=True) == log.asked(cursor) == Place(1, 1)
    log.seal(StreamEnd("complete"), 0.0)
    log.written(2)
    assert log.asked(cursor, quiet=True) == Place(1, 1)
    last = log.cursor(Place(2, 1))
    assert log.asked(last, quiet=True) is None
    assert log.asked(last) == Place(1, 1)
    with pytest.raises(CursorGone):
        log.asked(log.cursor(Place(3, 1)))


def test_the_end_alone_is_told_again() -> None:
    log = log_of("ab", retention=Retention(entries=1))
    sealed = log.seal(COMPLETE, 0.0, [TextDelta("c")])
    assert sealed is not None
    log.written(sealed.number)
    for _ in range(2):
        place = log.asked(log.cursor(Place(2, 2)))
        assert place is not None
        assert place == Place(2, 1)
        assert log.read(place) == [(Place(2, 2), COMPLETE)]
        # And nothing changes where the start is gone.
        log.trim(0.0)


def test_the_end_is_told_again_where_nothing_else_is_kept() -> None:
    log = log_of("a", "bc", retention=Retention(entries=1))
    sealed = log.seal(COMPLETE, 0.0)
    assert sealed is not None
    log.written(sealed.number)
    place = log.asked(log.cursor(Place(3, 1)))
    assert place is not None
    assert place == Place(2, 2)
    assert log.trim(0.0) == 3
    assert log.asked(log.cursor(Place(3, 1))) == place
    assert log.read(place) == [(Place(3, 1), COMPLETE)]


def test_without_a_token_all_comes_again() -> None:
    made = log_of().append([TextDelta("a"), TextDelta("b")], 0.0)
    assert made is not None
    again = StreamLog.of(ID, [made], 0.0)
    assert again.token is None
    new = again.append([TextDelta("a"), TextDelta("b"), TextDelta("c")], 1.0)
    assert new is not None
    assert (new.number, new.events) == (2, (TextDelta("c"),))


def test_of_a_log_without_its_first_entry_no_start_is_read() -> None:
    log = log_of("a")
    again = StreamLog.of(ID, [append(log, "b"), append(log, "c")], 0.0)
    assert again.first == 2
    assert text_of(again.read(Place(2, 1))) == "c"
    for place in (START, Place(1, 1)):
        with pytest.raises(CursorGone):
            again.read(place)


def test_what_comes_again_behind_the_token_is_left_out() -> None:
    log = StreamLog(ID, 0.0)
    entries = [
        log.append([TextDelta("a")], 0.0, "token"),
        log.append([TextDelta("b"), TextDelta("c")], 0.0),
        log.append([TextDelta("d")], 0.0),
    ]
    again = StreamLog.of(ID, [one for one in entries if one is not None], 0.0)
    assert again.token == "token"
    assert again.append([TextDelta("b"), TextDelta("c")], 1.0, "later") is None
    new = again.append([TextDelta("d"), TextDelta("e")], 1.0)
    assert new is not None
    assert (new.number, new.events) == (4, (TextDelta("e"),))
    end = again.seal(StreamEnd("complete"), 1.0, [TextDelta("f")])
    assert end is not None
    assert end.events == (TextDelta("f"), StreamEnd("complete"))
