"""Every token once: over snapshots, generations, streams that were cut, and threads."""

from __future__ import annotations

import gc
import json
import random
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sans_io_stream import (
    Disconnected,
    Event,
    Price,
    PriceTable,
    Resumed,
    ResumePoint,
    StreamDecoder,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    TokenTracker,
    Transcript,
    Usage,
)
from sans_io_stream.resume import ResumeOrigin
from sans_io_stream.tracking import REMEMBERED
from tests.expectations import recordings

REQUEST = StreamRequest(
    "POST", "http://api.test/", json={"model": "m"}, dialect="openai-chat", provider="acme"
)
CUT = StreamEnd("interrupted")
WHOLE = StreamEnd("complete")
PRICES = PriceTable({"m": Price(1_000_000, 2_000_000)})


def usage(prompt: int, completion: int, *, final: bool = False, generation: int = 0) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        final=final,
        generation=generation,
    )


def watched(
    tracker: TokenTracker, *events: Event, request: StreamRequest = REQUEST, close: bool = True
) -> None:
    """Let one stream tell these, one at a time."""
    watch = tracker.begin(request, 0.0)
    for event in events:
        watch.saw([event], 1.0)
    if close:
        watch.closed(2.0)


def tokens(counted: Usage) -> tuple[int | None, int | None]:
    return counted.prompt_tokens, counted.completion_tokens


# ---- streams that are watched


def test_the_last_snapshot_of_a_stream_counts_and_no_other() -> None:
    tracker = TokenTracker()
    snapshots = [usage(9, n) for n in range(1, 6)]
    watched(tracker, StreamStart("r", "m"), *snapshots, usage(9, 6, final=True), WHOLE)
    assert tokens(tracker.total) == (9, 6)
    assert tracker.total.final
    assert tokens(tracker.partial) == (None, None)
    assert tracker.account.streams == 1


@pytest.mark.parametrize("end", [[CUT], [StreamEnd("failed")], [StreamEnd("cancelled")], []])
def test_what_was_cut_cancelled_or_left_is_partial(end: list[Event]) -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 1), TextDelta("a"), usage(9, 3), *end)
    assert tokens(tracker.total) == (None, None)
    assert tokens(tracker.partial) == (9, 3)
    assert not tracker.partial.final


def test_a_final_count_counts_however_the_stream_ended() -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 3, final=True), CUT)
    assert tokens(tracker.total) == (9, 3)


def test_a_whole_answer_whose_count_was_never_final_is_partial() -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 3), WHOLE)
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((None, None), (9, 3))


def test_a_stream_counts_when_it_ends_and_not_again_when_it_is_closed() -> None:
    tracker = TokenTracker()
    watch = tracker.begin(REQUEST, 0.0)
    watch.saw([usage(9, 3, final=True), WHOLE], 1.0)
    assert tokens(tracker.total) == (9, 3)
    watch.closed(2.0)
    watch.closed(3.0)
    assert tokens(tracker.total) == (9, 3)
    assert tracker.account.streams == 1


def test_void_generations_were_billed_too() -> None:
    tracker = TokenTracker(PRICES)
    watched(
        tracker,
        StreamStart("r1", "m"),
        usage(9, 3),
        Disconnected(),
        Resumed("restart"),
        StreamStart("r2", "m", generation=1),
        usage(9, 7, final=True, generation=1),
        WHOLE,
    )
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((9, 7), (9, 3))
    account = tracker.account
    assert account.streams == 1
    assert (account.cost, account.partial_cost) == (Decimal(23), Decimal(15))


def test_streams_of_which_nothing_was_told_are_told_of() -> None:
    tracker = TokenTracker(PRICES)
    watched(tracker, StreamStart("r", "m"), TextDelta("a"), WHOLE)
    watched(tracker, StreamStart("s", "m"), usage(1, 1, final=True), WHOLE)
    assert (tracker.account.streams, tracker.account.uncounted) == (2, 1)


def test_a_stream_that_never_began_is_none() -> None:
    tracker = TokenTracker()
    tracker.begin(REQUEST, 0.0).closed(1.0)
    assert tracker.accounts == {}


def test_it_is_accounted_to_whom_the_request_names_and_else_to_who_answers() -> None:
    tracker = TokenTracker()
    answer: list[Event] = [StreamStart("r", "answering"), usage(1, 1, final=True), WHOLE]
    watched(tracker, *answer)
    unnamed = StreamRequest("POST", "http://api.test/", dialect="anthropic")
    watched(tracker, *answer, request=unnamed)
    watched(tracker, *answer, request=StreamRequest("POST", "http://api.test/", model="n"))
    assert sorted(tracker.accounts, key=str) == [
        ("acme", "m"),
        ("anthropic", "answering"),
        (None, "n"),
    ]


# ---- streams that are resumed


def point(response_id: str | None) -> ResumePoint:
    return ResumePoint(4, 4, ResumeOrigin("openai-responses", "sequence", response_id))


def test_a_stream_that_goes_on_with_another_one_counts_once() -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 3), point("r"), CUT)
    assert tokens(tracker.partial) == (9, 3)
    unnamed = StreamRequest("POST", "http://api.test/", provider="acme")
    watched(tracker, Resumed("continue"), TextDelta("b"), point("r"), usage(9, 7), request=unnamed)
    assert tokens(tracker.partial) == (9, 7)
    watched(tracker, Resumed("continue"), point("r"), usage(9, 8, final=True), WHOLE)
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((9, 8), (None, None))
    assert list(tracker.accounts) == [("acme", "m")]
    assert tracker.account.streams == 1


def test_one_that_went_on_and_told_nothing_leaves_what_was_known() -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 3), CUT)
    watched(tracker, Resumed("replay"), point("r"), CUT)
    assert tokens(tracker.partial) == (9, 3)
    assert (tracker.account.streams, tracker.account.uncounted) == (1, 0)


def test_two_streams_whose_ids_meet_are_two() -> None:
    tracker = TokenTracker()
    for _ in range(3):
        watched(tracker, StreamStart("r", "m"), usage(9, 3, final=True), WHOLE)
    assert (tokens(tracker.total), tracker.account.streams) == ((27, 9), 3)


def test_what_begins_here_and_reconnects_was_not_begun_elsewhere() -> None:
    tracker = TokenTracker()
    watched(tracker, StreamStart("r", "m"), usage(9, 3, final=True), WHOLE)
    watched(tracker, StreamStart("r", "m"), Resumed("continue"), usage(9, 4, final=True), WHOLE)
    assert tokens(tracker.total) == (18, 7)


def test_more_streams_than_are_remembered_still_count() -> None:
    tracker = TokenTracker(PRICES)
    for n in range(REMEMBERED + 50):
        watched(tracker, StreamStart(f"r{n}", "m"), usage(2, 1), CUT)
    assert tokens(tracker.partial) == (2 * (REMEMBERED + 50), REMEMBERED + 50)
    assert tracker.account.partial_cost == 4 * (REMEMBERED + 50)


# ---- what is added by hand


def test_transcripts_are_added() -> None:
    tracker = TokenTracker()
    whole = Transcript.of([StreamStart("r", "m"), usage(9, 1), usage(9, 3, final=True), WHOLE])
    cut = Transcript.of([StreamStart("r", "m"), usage(5, 1), usage(5, 2), CUT])
    tracker.add(whole, provider="openai")
    tracker.add(cut, provider="openai", model="n")
    accounts = tracker.accounts
    assert tokens(accounts["openai", "m"].total) == (9, 3)
    assert tokens(tracker.by_model["n"].partial) == (5, 2)
    assert tokens(tracker.by_provider["openai"].total) == (9, 3)


def test_a_transcript_that_is_added_again_takes_its_own_place() -> None:
    tracker = TokenTracker()
    transcript = Transcript.of([StreamStart("r", "m"), usage(9, 1)])
    tracker.add(transcript)
    transcript.extend([usage(9, 3, final=True), WHOLE])
    tracker.add(transcript)
    tracker.add(transcript)
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((9, 3), (None, None))
    del transcript
    gc.collect()
    tracker.add(Transcript.of([usage(1, 1, final=True)]))
    assert tokens(tracker.total) == (10, 4)


def test_a_transcripts_void_generations_count() -> None:
    events: Sequence[Event] = [
        StreamStart("a", "m"),
        usage(9, 3),
        Resumed("restart"),
        StreamStart("b", "m", generation=1),
        usage(9, 5, final=True, generation=1),
        WHOLE,
    ]
    added, observed = TokenTracker(), TokenTracker()
    added.add(Transcript.of(events), provider="acme")
    watched(observed, *events)
    assert added.report() == observed.report()
    assert (tokens(added.total), tokens(added.partial)) == ((9, 5), (9, 3))


def test_a_transcript_that_goes_on_with_another_one_counts_once() -> None:
    first = Transcript.of([StreamStart("r", "m"), usage(9, 3), point("r"), CUT])
    other = Transcript.of([StreamStart("s", "m"), usage(9, 3), point("s"), CUT])
    second = Transcript.of([Resumed("continue"), point("r"), usage(9, 7, final=True), WHOLE])
    tracker = TokenTracker()
    for _ in range(2):
        for transcript in (first, other, second):
            tracker.add(transcript, provider="acme")
        assert tokens(tracker.total) == (9, 7)
        assert list(tracker.accounts) == [("acme", "m")]
        tracker.reset()


def test_snapshots_of_a_stream_take_each_others_place() -> None:
    tracker = TokenTracker()
    for completion in (1, 2, 3):
        tracker.add(usage(9, completion), provider="google", model="g")
    assert tokens(tracker.partial) == (9, 3)
    tracker.add(usage(9, 4, final=True), provider="google", model="g")
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((9, 4), (None, None))
    tracker.add(usage(9, 4, final=True), provider="google", model="g")
    assert tokens(tracker.total) == (18, 8)
    assert tracker.account.streams == 2


def test_streams_with_names_are_told_apart() -> None:
    tracker = TokenTracker()
    for stream in ("one", "two"):
        for completion in (1, 2):
            tracker.add(usage(9, completion), model="g", stream=stream)
    assert tokens(tracker.partial) == (18, 4)
    for _ in range(2):
        tracker.add(usage(9, 5, final=True), model="g", stream="one")
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((9, 5), (9, 2))


def test_a_providers_own_object_is_added() -> None:
    tracker = TokenTracker()
    tracker.add(
        {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 4}, provider="anthropic"
    )
    assert tokens(tracker.total) == (9, 2)
    assert tracker.total.cached_tokens == 4
    tracker.add(usage(3, 1), provider="anthropic")
    tracker.add({"input_tokens": 1, "output_tokens": 1}, provider="anthropic")
    assert (tokens(tracker.total), tokens(tracker.partial)) == ((10, 3), (3, 1))
    with pytest.raises(ValueError, match="needs provider="):
        tracker.add({"prompt_tokens": 1})
    with pytest.raises(ValueError, match="no provider is called 'acme'"):
        tracker.add({"prompt_tokens": 1}, provider="acme")
    with pytest.raises(TypeError):
        tracker.add("12 tokens", provider="openai")
    assert tracker.account.streams == 3


# ---- what is read


def test_nobody_told_is_none_and_not_zero() -> None:
    tracker = TokenTracker(PRICES)
    assert (tokens(tracker.total), tracker.cost, tracker.reported_cost) == (
        (None, None),
        None,
        None,
    )
    tracker.add(Usage(prompt_tokens=3, final=True), model="m")
    assert (tokens(tracker.total), tracker.cost) == ((3, None), None)
    assert tracker.account.unpriced == 1


def test_costs_are_known_or_none() -> None:
    tracker = TokenTracker(PRICES)
    tracker.add(usage(1, 2, final=True), model="m")
    assert tracker.cost == 5
    tracker.add(usage(1, 2, final=True), model="unheard-of")
    assert tracker.cost is None
    by_model = tracker.by_model
    assert (by_model["m"].cost, by_model["unheard-of"].cost) == (5, None)
    assert tracker.account.unpriced == 1
    assert TokenTracker().cost is None


def test_costs_are_those_of_the_day() -> None:
    prices = PriceTable({"m": [Price(1_000_000, 0), Price(2_000_000, 0, valid_from="2026-06-01")]})
    for at, cost in ((None, 2), (date(2026, 5, 1), 1), (date(2026, 6, 1), 2)):
        tracker = TokenTracker(prices, at)
        tracker.add(usage(1, 0, final=True), model="m")
        assert tracker.cost == cost


def test_what_a_provider_says_it_charged_stands_apart() -> None:
    tracker = TokenTracker(PRICES)
    for _ in range(3):
        tracker.add(
            {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.1},
            provider="openrouter",
            model="m",
        )
    tracker.add(usage(1, 1, final=True), model="m")
    assert tracker.reported_cost == Decimal("0.3")
    assert tracker.cost == 12


def test_a_report_is_plain_data() -> None:
    tracker = TokenTracker(PRICES)
    tracker.add(usage(1, 2, final=True), provider="b", model="m")
    tracker.add(usage(3, 4), provider="a", model="m")
    report = json.loads(json.dumps(tracker.report()))
    assert [(row["provider"], row["model"]) for row in report["accounts"]] == [
        ("a", "m"),
        ("b", "m"),
    ]
    assert report["all"]["total"]["prompt_tokens"] == 1
    assert report["all"]["partial"]["completion_tokens"] == 4
    assert (report["all"]["cost"], report["all"]["partial_cost"]) == ("5", "11")
    assert report["all"]["total"]["cached_tokens"] is None


def test_reset_forgets() -> None:
    tracker = TokenTracker(PRICES)
    watch = tracker.begin(REQUEST, 0.0)
    watch.saw([StreamStart("r", "m")], 0.0)
    tracker.add(usage(1, 2, final=True), model="m")
    tracker.add(usage(1, 2), model="m")
    tracker.reset()
    assert tracker.accounts == {}
    watch.saw([usage(5, 5, final=True), WHOLE], 1.0)
    assert tokens(tracker.total) == (5, 5)


# ---- laws


STREAM = st.tuples(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=5),
    st.booleans(),
)


@given(st.lists(STREAM, max_size=8), st.randoms(use_true_random=False))
def test_totals_are_the_last_counts_added_whatever_the_order(
    streams: list[tuple[list[tuple[int, int]], bool]], drawn: random.Random
) -> None:
    """Snapshots of many streams in any order: each stream adds its last one, once."""
    tracker = TokenTracker()
    queues: list[Iterator[Event]] = []
    for snapshots, whole in streams:
        events: list[Event] = [usage(*counts) for counts in snapshots]
        if whole:
            events += [usage(*snapshots[-1], final=True), WHOLE]
        queues.append(iter(events))
    watches = [tracker.begin(REQUEST, 0.0) for _ in queues]
    left = list(range(len(queues)))
    while left:
        one = drawn.choice(left)
        event = next(queues[one], None)
        if event is None:
            watches[one].closed(0.0)
            left.remove(one)
        else:
            watches[one].saw([event], 0.0)
    for whole, counted in ((True, tracker.total), (False, tracker.partial)):
        ends = [snapshots[-1] for snapshots, is_whole in streams if is_whole is whole]
        expected = tuple(map(sum, zip(*ends, strict=True))) if ends else (None, None)
        assert tokens(counted) == expected


@pytest.mark.skipif(not recordings(), reason="../shared/captures is missing")
def test_all_captures_add_up_to_their_transcripts() -> None:
    tracker, sums = TokenTracker(), {True: [0, 0], False: [0, 0]}
    for recording in recordings():
        decoder = StreamDecoder(
            recording.dialect, content_type=recording.content_type, status=recording.status
        )
        request = StreamRequest("POST", "http://api.test/", dialect=recording.dialect)
        watch = tracker.begin(request, 0.0)
        events: list[Event] = []
        for at in range(0, len(recording.body), 1000):
            events += (told := decoder.receive_data(recording.body[at : at + 1000]))
            watch.saw(told, 0.0)
        events += (told := decoder.receive_eof())
        watch.saw(told, 0.0)
        watch.closed(0.0)
        for one in Transcript.of(events).billed:
            sums[one.final][0] += one.prompt_tokens or 0
            sums[one.final][1] += one.completion_tokens or 0
    assert tokens(tracker.total) == tuple(sums[True])
    assert tokens(tracker.partial) == tuple(sums[False])
    assert tracker.account.streams == len(recordings())


# ---- threads


def test_no_token_is_lost_between_threads() -> None:
    tracker = TokenTracker(PRICES)
    threads, rounds = 8, 400
    start = threading.Barrier(threads)

    def hammer(number: int) -> None:
        start.wait()
        for n in range(rounds):
            watched(
                tracker,
                StreamStart(f"{number}.{n}", "m"),
                usage(1, 1),
                usage(2, 1, final=True),
                WHOLE,
            )
            tracker.add(usage(3, 1), model="m", stream=(number, n))
            tracker.add({"prompt_tokens": 4, "completion_tokens": 1}, provider="openai", model="m")
            if n % 50 == 0:
                tracker.report()

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=hammer, args=(n,)) for n in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(before)
    times = threads * rounds
    assert tokens(tracker.total) == (6 * times, 2 * times)
    assert tokens(tracker.partial) == (3 * times, times)
    assert tracker.cost == 10 * times
    assert tracker.account.streams == 3 * times
