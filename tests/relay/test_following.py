"""A log with several writers, one after the other: readers notice none of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import TextDelta
from sans_io_stream.relay import START, CursorGone, Entry, Place, Retention, StreamLog
from sans_io_stream.relay.entries import entry

from .test_log import COMPLETE, ID, append, log_of, text_of


def made(number: int, text: str, token: str | None = None) -> Entry:
    """An entry as another writer's log has it: a letter an event."""
    return entry(number, tuple(TextDelta(letter) for letter in text), float(number), token)


def seal_of(number: int) -> Entry:
    return entry(number, (COMPLETE,), float(number), None)


def test_what_another_one_writes_is_read_like_ones_own() -> None:
    log = log_of("ab")
    log.follow([made(2, "c"), made(3, "d")])
    assert text_of(log.read(START)) == "abcd"
    assert log.last == Place(3, 1)
    # It may be told twice, and in part.
    log.follow([made(3, "d"), made(4, "e")])
    log.follow([made(2, "c"), made(3, "d")])
    assert text_of(log.read(Place(1, 1))) == "bcde"
    log.follow([seal_of(5)])
    assert log.end == COMPLETE
    log.follow([made(4, "e"), seal_of(5)])
    assert log.last == Place(5, 1)
    with pytest.raises(ValueError, match="entry 6 stands behind the end"):
        log.follow([made(6, "f")])


def test_what_was_refused_was_never_there() -> None:
    log = log_of("a")
    size = log.size
    assert log.append([TextDelta("mine")], 1.0) is not None
    assert log.seal(COMPLETE, 1.0) is not None
    assert log.unwritten
    log.follow([])
    assert not log.unwritten
    assert not log.sealed
    assert (log.last, log.size) == (Place(1, 1), size)
    log.follow([made(2, "b")])
    assert text_of(log.read(START)) == "ab"
    with pytest.raises(ValueError, match="never appended"):
        log.written(3)


def test_so_is_one_of_which_nothing_was_written() -> None:
    log = StreamLog(ID, 0.0)
    log.append([TextDelta("mine")], 1.0)
    log.follow([made(1, "a")])
    assert text_of(log.read(START)) == "a"
    assert log.size == made(1, "a").size


def test_a_follower_who_missed_what_is_no_longer_kept() -> None:
    log = log_of("a", "b")
    log.follow([made(5, "e", token="t5"), made(6, "fg")])
    assert (log.first, log.token) == (5, "t5")
    for place in (START, Place(1, 1), Place(2, 1)):
        with pytest.raises(CursorGone):
            log.read(place)
    assert text_of(log.read(Place(5, 1))) == "fg"
    assert log.trim(0.0) == 5
    # Behind which token that is, nobody knows.
    log = StreamLog(ID, 0.0)
    append(log, "a", token="t1")
    log.follow([made(3, "c")])
    assert log.token is None


def test_what_a_writer_skips_is_refused() -> None:
    for numbers in ([2, 4], [3, 2], [2, 2]):
        log = log_of("a")
        with pytest.raises(ValueError, match="does not follow"):
            log.follow([made(number, "x") for number in numbers])
        # What came before is there, whole.
        assert log.last == Place(numbers[0], 1)
        assert not log.unwritten


def test_a_follower_goes_on_behind_the_writers_token() -> None:
    """Whoever takes a stream over leaves out what comes again, however often that happens."""
    log = StreamLog(ID, 0.0)
    log.follow([made(1, "a", token="t1"), made(2, "bc"), made(3, "d")])
    log.go_on()
    assert log.token == "t1"
    assert log.append([TextDelta("b")], 1.0) is None
    # Before all of it has come again, another one takes over, who knows no more.
    log.follow([])
    log.go_on()
    assert log.append([TextDelta(letter) for letter in "bcd"], 1.0, "t2") is None
    new = log.append([TextDelta("e")], 1.0)
    assert new is not None
    assert (new.number, log.token) == (4, "t1")
    log.follow([new, made(5, "f", token="t6"), made(6, "g")])
    log.go_on()
    assert log.token == "t6"
    last = log.append([TextDelta("g"), TextDelta("h")], 2.0)
    assert last is not None
    assert last.events == (TextDelta("h"),)


def test_a_followed_log_is_trimmed() -> None:
    log = StreamLog(ID, 0.0, Retention(entries=2))
    log.follow([made(number, "x") for number in range(1, 6)])
    assert log.trim(5.0) == 4
    log.follow([made(6, "y")])
    assert log.trim(6.0) == 5
    assert text_of(log.read(Place(5, 1))) == "y"


@given(
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.lists(st.integers(0, 12), max_size=12),
    st.data(),
)
def test_any_number_of_writers_write_what_one_would(
    tokens: list[bool], deaths: list[int], data: st.DataObject
) -> None:
    """A provider says a letter for each record, with or without a token behind it. Writers come
    and go at any moment, with things appended that were never written: the log is as from one."""
    said = "abcdefghijkl"[: len(tokens)]
    store: list[Entry] = []
    log = StreamLog(ID, 0.0)
    for death in [*deaths, len(tokens)]:
        begin = 0 if log.token is None else int(log.token)
        if log.token is None and store:
            return
        for at in range(begin, min(begin + death + 1, len(tokens))):
            one = log.append([TextDelta(said[at])], 0.0, str(at + 1) if tokens[at] else None)
            if one is not None and data.draw(st.booleans() if death < len(tokens) else st.just(1)):
                log.written(one.number)
                store.append(one)
            elif one is not None:
                break
        # The next one has read some of it meanwhile, and reads the rest now.
        log = StreamLog(ID, 0.0)
        log.follow(store[: data.draw(st.integers(0, len(store)))])
        log.follow(store)
        log.go_on()
    assert text_of(log.read(START)) == said
