"""The seam: each record after a reconnect is skipped, read in silence, taken, or the end of it.

Numbers as OpenAI's responses have them, names as plain event streams have them, and records
without a cursor, which are known by their number and digest.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from sans_io_stream.dialects.base import digest_with
from sans_io_stream.dialects.registry import dialect_class
from sans_io_stream.framing.items import WireRecord
from sans_io_stream.policy import Limits
from sans_io_stream.session.seam import Seam

NUMBERED = dialect_class("openai-responses")(limits=Limits())
NAMED = dialect_class("records")(limits=Limits())


def number(own: int | None, kind: str = "response.output_text.delta") -> WireRecord:
    value: dict[str, Any] = {"type": kind}
    if own is not None:
        value["sequence_number"] = own
    return WireRecord(json.dumps(value).encode())


def name(own: str | None, data: bytes = b"x") -> WireRecord:
    return WireRecord(data, "", own)


def state_of(seam: Seam) -> str:
    return seam.state


def numbers(seam: Seam, *own: int | None) -> list[str]:
    return [seam.judge(NUMBERED, number(one)) for one in own]


def names(seam: Seam, *own: str | None) -> list[str]:
    return [seam.judge(NAMED, name(one)) for one in own]


def digest_of(*records: WireRecord) -> int:
    digest = 0
    for record in records:
        digest = digest_with(record, digest)
    return digest


# ---- numbers


def test_the_next_number_goes_on() -> None:
    seam = Seam(asked=4, seen=4)
    assert numbers(seam, 5) == ["take"]
    assert state_of(seam) == "joined"


def test_an_overlap_is_skipped() -> None:
    seam = Seam(asked=4, seen=4)
    assert numbers(seam, 2, 3, 4) == ["skip", "skip", "skip"]
    assert state_of(seam) == "known"
    assert numbers(seam, 5) == ["take"]
    assert state_of(seam) == "joined"


@pytest.mark.parametrize("own", [(6,), (3, 4, 6), (3, 5)])
def test_a_gap_is_a_refusal(own: tuple[int, ...]) -> None:
    seam = Seam(asked=4, seen=4)
    told = numbers(seam, *own)
    if own == (3, 5):
        # The record that was asked from may be left out.
        assert told == ["skip", "take"]
        return
    assert told[-1] == "stop"
    assert state_of(seam) == "refused"
    assert "do not join" in seam.why


def test_a_gap_is_none_where_the_numbers_always_jumped() -> None:
    seam = Seam(asked=4, seen=4, contiguous=False)
    assert numbers(seam, 9) == ["take"]


@pytest.mark.parametrize("own", [(3, 3), (4, 3), (2, 2)])
def test_numbers_that_do_not_rise_are_a_refusal(own: tuple[int, ...]) -> None:
    seam = Seam(asked=4, seen=4)
    assert numbers(seam, *own)[-1] == "stop"
    assert "do not rise" in seam.why


def test_a_new_process_reads_in_silence_up_to_what_was_seen() -> None:
    seam = Seam(asked=2, seen=5)
    assert numbers(seam, 3, 4, 5) == ["silent"] * 3
    assert state_of(seam) == "known"
    assert numbers(seam, 6) == ["take"]
    assert state_of(seam) == "joined"
    missing = Seam(asked=2, seen=5)
    assert numbers(missing, 3, 5) == ["silent", "stop"]


def test_from_the_start_all_is_silent_up_to_what_was_seen() -> None:
    seam = Seam(asked=None, seen=2)
    assert numbers(seam, 0, 1, 2, 3) == ["silent", "silent", "silent", "take"]


@pytest.mark.parametrize("kind", ["response.created", "response.output_text.delta"])
def test_a_beginning_means_that_the_cursor_was_ignored(kind: str) -> None:
    seam = Seam(asked=4, seen=4)
    assert seam.judge(NUMBERED, number(0, kind)) == "stop"
    assert state_of(seam) == "beginning"


def test_a_beginning_is_one_only_at_the_beginning() -> None:
    seam = Seam(asked=4, seen=4)
    assert numbers(seam, 3, 0) == ["skip", "stop"]
    assert state_of(seam) == "refused"


@pytest.mark.parametrize("data", [b"", b": keepalive", b" \n"])
def test_heartbeats_claim_nothing(data: bytes) -> None:
    seam = Seam(asked=4, seen=4)
    assert seam.judge(NUMBERED, WireRecord(data)) == "take"
    assert state_of(seam) == "open"
    assert numbers(seam, 5) == ["take"]


def test_a_heartbeat_without_a_number_claims_nothing() -> None:
    seam = Seam(asked=4, seen=4)
    assert seam.judge(NUMBERED, number(None, "keepalive")) == "take"
    # Once it has joined nothing more is judged: an overlap behind it would come twice.
    assert state_of(seam) == "open"


def test_an_error_instead_of_going_on_is_a_refusal_that_says_so() -> None:
    seam = Seam(asked=4, seen=4)
    error = WireRecord(b'{"error":{"message":"too old","type":"invalid_request_error"}}')
    assert seam.judge(NUMBERED, error) == "stop"
    assert state_of(seam) == "refused"
    assert seam.error is not None
    assert seam.error.message == "too old"


# ---- names


def test_an_unknown_name_goes_on() -> None:
    seam = Seam(asked="b", seen="b", recent=("a", "b"))
    assert names(seam, "c") == ["take"]
    assert state_of(seam) == "joined"


def test_the_record_at_the_cursor_and_recent_ones_are_skipped() -> None:
    seam = Seam(asked="c", seen="c", recent=("a", "b", "c"))
    assert names(seam, "a", "b", "c", "d") == ["skip", "skip", "skip", "take"]


def test_a_stranger_among_what_was_delivered_is_a_refusal() -> None:
    seam = Seam(asked="c", seen="c", recent=("a", "b", "c"))
    assert names(seam, "a", "z") == ["skip", "stop"]
    assert "stands among" in seam.why


def test_names_between_what_was_asked_from_and_seen_are_silent() -> None:
    seam = Seam(asked="a", seen="c")
    assert names(seam, "b", "c", "d") == ["silent", "silent", "take"]


# ---- records without


def test_records_behind_the_cursor_are_known_again() -> None:
    behind = [name(None, b"one"), name(None, b"two")]
    seam = Seam(asked="a", seen="a", since=2, digest=digest_of(*behind))
    assert [seam.judge(NAMED, record) for record in behind] == ["skip", "skip"]
    assert state_of(seam) == "known"
    assert seam.judge(NAMED, name(None, b"three")) == "take"
    assert state_of(seam) == "joined"


def test_other_records_behind_the_cursor_are_a_refusal() -> None:
    seam = Seam(asked="a", seen="a", since=2, digest=digest_of(name(None, b"1"), name(None, b"2")))
    assert seam.judge(NAMED, name(None, b"1")) == "skip"
    assert seam.judge(NAMED, name(None, b"3")) == "stop"
    assert "not what followed" in seam.why


def test_missing_records_behind_the_cursor_are_a_refusal() -> None:
    seam = Seam(asked="a", seen="a", since=2, digest=1)
    assert names(seam, None, "b") == ["skip", "stop"]
    assert "missing" in seam.why


def test_a_known_record_before_the_cursor_counts_none_behind_it() -> None:
    behind = name(None, b"behind")
    seam = Seam(asked="b", seen="b", recent=("a", "b"), since=1, digest=digest_of(behind))
    verdicts = [
        seam.judge(NAMED, record)
        for record in (name("a"), name(None, b"before"), name("b"), behind, name("c"))
    ]
    assert verdicts == ["skip"] * 4 + ["take"]
    assert state_of(seam) == "joined"


def test_the_first_record_again_is_a_beginning() -> None:
    first = name(None, b"the very first")
    seam = Seam(asked="a", seen="a", first=digest_of(first))
    assert seam.judge(NAMED, first) == "stop"
    assert state_of(seam) == "beginning"
