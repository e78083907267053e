"""Law 9: decoding what an encoder wrote gives the answer again; no prefix of it looks whole;
no content breaks out of its frame.

Generated answers with hostile content, in every format and framing, and recorded streams of
real providers written anew in every format. What a format cannot carry is taken out of the
expectation by ``expected``, which says the same as the tables of docs/encoding.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sans_io_stream import (
    RefusalDelta,
    StreamDecoder,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    Usage,
)
from sans_io_stream.encoding import Encoder
from sans_io_stream.encoding.registry import FORMATS
from sans_io_stream.encoding.words import OURS
from sans_io_stream.events import Event, join_deltas
from tests.answers import Answer, answers, essence
from tests.expectations import Recording, recordings

PAIRS = [(name, framing) for name, cls in FORMATS.items() for framing in cls.framings]
PLACES = st.lists(st.integers(0, 6000), max_size=8)
slow = settings(suppress_health_check=[HealthCheck.too_slow])
"""Each example is thirteen: it is held to the law in every format and framing."""

CHAT = ("openai-chat", "holysheep")
WHOLE_CALLS = ("gemini", "ollama")
FOLDED = ("anthropic", "gemini", "ollama", "text")
"""Formats in which a refusal is text."""
ONE_CHOICE = ("anthropic", "openai-responses", "ollama", "text")
READ_AS = {
    "openai-chat": {"pause": "other"},
    "holysheep": {},
    "anthropic": {"content_filter": "refusal", "error": "other"},
    "openai-responses": {"refusal": "content_filter", "pause": "other", "error": "other"},
    "gemini": {"refusal": "content_filter", "pause": "other"},
    "ollama": dict.fromkeys(["content_filter", "refusal", "pause", "error"], "other"),
    "text": {},
}
"""Format → finish reasons that become others there."""
INFERS = ("openai-responses", "gemini", "ollama", "holysheep")
"""Formats whose ``tool_calls`` follows from the calls."""
TOTALS = {"prompt_tokens", "completion_tokens", "total_tokens"}
PARTS = {"cached_tokens", "cache_write_tokens", "reasoning_tokens"}
AUDIO = {"audio_prompt_tokens", "audio_completion_tokens"}
COUNTED = {
    "native": None,
    "openai-chat": {*TOTALS, *PARTS, *AUDIO, "cost"},
    "holysheep": {*TOTALS, *PARTS, *AUDIO, "cost"},
    "openai-responses": {*TOTALS, *PARTS, *AUDIO, "cost"},
    "anthropic": {*TOTALS, *PARTS},
    "gemini": {*TOTALS, *PARTS, *AUDIO, "tool_prompt_tokens"} - {"cache_write_tokens"},
    "ollama": TOTALS,
    "text": set[str](),
}
"""The counts that a format carries; None for all."""


class Written(NamedTuple):
    """A body, and how many of its records were there before the ``StreamEnd``."""

    records: list[bytes]
    before_end: int
    content_type: str
    must_abort: bool

    @property
    def body(self) -> bytes:
        return b"".join(self.records)


def write(events: list[Event], format: str, framing: str, **options: Any) -> Written:
    encoder = Encoder(format, framing, **options)
    records: list[bytes] = []
    before = 0
    for event in events:
        if isinstance(event, StreamEnd):
            before = len(records)
        records += encoder.records(event)
    return Written(records, before, encoder.content_type, encoder.must_abort)


def read(
    body: bytes, format: str, content_type: str, places: list[int] | None = None, **how: Any
) -> list[Event]:
    decoder = StreamDecoder(format, content_type=content_type)
    inside = sorted(min(place, len(body)) for place in places or ())
    cuts = [body[a:b] for a, b in pairwise((0, *inside, len(body)))]
    events = [event for data in cuts for event in decoder.receive_data(data)]
    return events + decoder.receive_eof(**how)


def ends(events: list[Event]) -> StreamEnd:
    last = events[-1]
    assert isinstance(last, StreamEnd)
    return last


# ---- what is expected


def expected(events: list[Event], format: str) -> dict[str, Any]:
    """The essence of ``events`` as that format carries it."""
    if format in FOLDED:
        events = [TextDelta(e.text, e.choice) if isinstance(e, RefusalDelta) else e for e in events]
    want = essence(events)
    if format in ONE_CHOICE:
        want["choices"] = {0: want["choices"].get(0, EMPTY)}
    elif format != "native":
        want["choices"] = {0: EMPTY, **want["choices"]}
    id_, model = want["names"]
    if format not in ("native", "anthropic"):
        # Elsewhere the first name stands; Anthropic has a block for another model.
        starts = [event.model for event in events if isinstance(event, StreamStart)]
        model = next((name for name in starts if name), None)
    want["names"] = {"ollama": (None, model), "text": (None, None)}.get(format, (id_, model))
    known = COUNTED[format]
    if known is not None:
        counts = {name: value for name, value in want["usage"].items() if name in known}
        if format in ("anthropic", "ollama") and counts.keys() >= TOTALS:
            counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]
        if format in ("anthropic", "gemini") and {"reasoning_tokens", *TOTALS} <= counts.keys():
            counts["reasoning_tokens"] = min(
                counts["reasoning_tokens"], counts["completion_tokens"]
            )
        want["usage"] = counts
    want["choices"] = {
        index: expected_choice(choice, format, whole=want["end"].outcome == "complete")
        for index, choice in want["choices"].items()
    }
    if want["end"].outcome != "complete" and format != "native":
        want["choices"] = spoken(want["choices"])
    return want


EMPTY: dict[str, Any] = {
    "text": "", "reasoning": "", "refusal": "", "calls": [], "media": [], "finish": (None, None),
}  # fmt: skip


def expected_choice(choice: dict[str, Any], format: str, *, whole: bool) -> dict[str, Any]:
    want = {**choice}
    if format == "text":
        want |= {"reasoning": "", "calls": [], "media": []}
    want["calls"] = sorted_calls(choice["calls"], format)
    want["media"] = [kept for media in want["media"] if (kept := expected_media(media, format))]
    reason, _ = choice["finish"]
    if format == "native":
        return want
    if format == "text":
        reason = "other" if want["text"] else None
    else:
        reason = READ_AS[format].get(reason or "stop", reason or "stop")
        if format in INFERS and reason in ("stop", "tool_calls"):
            reason = "tool_calls" if want["calls"] else "stop"
    if format in CHAT and reason in ("stop", "tool_calls"):
        # Only so a call that was cut off is not taken for a whole one.
        reason = reason if all(call[3] for call in want["calls"]) else "length"
    want["finish"] = reason if whole else None
    return want


def sorted_calls(calls: list[Any], format: str) -> list[Any]:
    """Calls without their order, which may change where one of them is whole first."""
    if format == "text":
        return []
    if format in WHOLE_CALLS:
        nothing: Any = {} if format == "ollama" else ""
        calls = [
            (id_, name, value_of(arguments) if arguments else nothing, True)
            for id_, name, arguments, complete in calls
            if complete
        ]
    return sorted(calls, key=repr)


def value_of(arguments: str) -> Any:
    """Arguments as JSON; what is none (the input of a custom tool) stays text."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def expected_media(media: tuple[str | None, bytes], format: str) -> Any:
    mime, data = media
    if format in ("anthropic", "text"):
        return None
    if format == "ollama":
        return (None, data)
    if format in ("openai-chat", "holysheep"):
        return (mime if mime == "image/png" else None, data)
    if format == "openai-responses":
        return (None if mime == "audio/wav" else mime, data)
    return media


def found(events: list[Event], format: str, *, whole: bool) -> dict[str, Any]:
    """The essence of what was decoded, in the form of ``expected``."""
    got = essence(events)
    for choice in got["choices"].values():
        choice["calls"] = sorted_calls(choice["calls"], format)
        if format != "native":
            choice["finish"] = choice["finish"][0] if whole else None
    if format != "native":
        silent = {0: {**EMPTY, "finish": None}}
        got["choices"] = silent | got["choices"] if whole else spoken(got["choices"])
    return got


def spoken(choices: dict[int, Any]) -> dict[int, Any]:
    """The choices that had content: a finish reason alone tells of none."""
    content = {n: {**choice, "finish": None} for n, choice in choices.items()}
    silent = {**EMPTY, "finish": None}
    return {0: silent, **{n: choice for n, choice in content.items() if choice != silent}}


def without_completeness(essence: dict[str, Any]) -> None:
    """In a stream that is not whole, a call is whole by the rules of its protocol."""
    for choice in essence["choices"].values():
        choice["calls"] = sorted((call[:3] for call in choice["calls"]), key=repr)


# ---- the law


def in_every_format(law: Callable[..., None]) -> Callable[..., None]:
    """Hold each drawn answer to ``law`` in all formats: to draw one takes longer than that."""

    def every(**drawn: Any) -> None:
        for format, framing in PAIRS:
            try:
                law(format, framing, **drawn)
            except Exception as error:
                error.add_note(f"as {format} in {framing}")
                raise

    every.__name__, every.__doc__ = law.__name__, law.__doc__
    return every


@slow
@given(answer=answers(("complete",)), places=PLACES)
@in_every_format
def test_a_complete_answer_comes_back(
    format: str, framing: str, answer: Answer, places: list[int]
) -> None:
    written = write(answer.events, format, framing)
    events = read(written.body, format, written.content_type)
    assert join_deltas(read(written.body, format, written.content_type, places)) == join_deltas(
        events
    )
    assert found(events, format, whole=True) == expected(answer.events, format)
    assert ends(events) == StreamEnd("complete")
    assert not written.must_abort


@slow
@given(answer=answers(("failed",)))
@in_every_format
def test_a_failed_answer_comes_back(format: str, framing: str, answer: Answer) -> None:
    written = write(answer.events, format, framing)
    events = read(written.body, format, written.content_type, truncated=written.must_abort)
    got, want = found(events, format, whole=False), expected(answer.events, format)
    if format != "native":
        without_completeness(got)
        without_completeness(want)
        # A failed response is said to have failed.
        got["choices"] = {n: {**choice, "finish": None} for n, choice in got["choices"].items()}
    end, told = got.pop("end"), want.pop("end").error
    lost = {"ollama": (), "text": (), "openai-responses": ()}
    if format in lost and format != "openai-responses":
        got["usage"] = want["usage"] = {}
    assert got == want
    if format == "text":
        assert end.outcome == "interrupted"
        assert written.must_abort
        return
    assert end.outcome == "failed"
    error = end.error
    assert error is not None
    assert error.kind == (told.kind if format == "native" or told.kind not in OURS else "provider")
    assert error.message == (told.message or (error.message if format == "ollama" else ""))
    if format == "gemini":
        # The code is a status there, and the word for it one that says the kind.
        assert isinstance(error.code, int)
        assert error.type in (told.type, told.code) or told.type is None
    else:
        assert error.type == told.type or told.type is None
        assert error.code == told.code or told.code is None
        assert error.status in (told.status, told.code)
    assert (error.retry_after, error.request_id) == (told.retry_after, told.request_id)


@slow
@given(answer=answers(("interrupted", "cancelled")), places=PLACES)
@in_every_format
def test_an_answer_that_breaks_off_is_never_complete(
    format: str, framing: str, answer: Answer, places: list[int]
) -> None:
    written = write(answer.events, format, framing)
    events = read(written.body, format, written.content_type, places, truncated=written.must_abort)
    got, want = found(events, format, whole=False), expected(answer.events, format)
    if format != "native":
        without_completeness(got)
        without_completeness(want)
    end = got.pop("end")
    want.pop("end")
    if format in ("openai-responses", "ollama"):
        got["usage"] = want["usage"] = {}
    if format != "native":
        for choice in got["choices"].values():
            choice["finish"] = None
    assert got == want
    if format == "native":
        assert end == answer.end
    elif format == "openai-responses" and answer.end.outcome == "cancelled":
        assert (end.outcome, end.error.type) == ("failed", "cancelled")
    else:
        assert end.outcome == "interrupted"


@settings(slow, max_examples=40)
@given(answer=answers(), places=PLACES)
@in_every_format
def test_no_prefix_of_records_is_complete(
    format: str, framing: str, answer: Answer, places: list[int]
) -> None:
    written = write(answer.events, format, framing)
    last = len(written.records)
    complete = answer.end.outcome == "complete"
    for count in {*range(0, last, max(1, last // 8)), written.before_end, max(0, last - 1), last}:
        body = b"".join(written.records[:count])
        for truncated in (True, False):
            if format == "text" and not truncated:
                continue
            events = read(body, format, written.content_type, places, truncated=truncated)
            if count <= written.before_end or not complete:
                assert ends(events).outcome != "complete"
            for event in events:
                # A call that was cut off is never reported.
                if isinstance(event, ToolCall) and event.arguments:
                    json.loads(event.arguments)


@slow
@given(answer=answers())
@in_every_format
def test_nothing_breaks_out_of_its_frame(format: str, framing: str, answer: Answer) -> None:
    encoder = Encoder(format, framing)
    lines: list[str] = []
    for number, event in enumerate(answer.events):
        for record in encoder.records(event, id=f"n{number}"):
            if framing == "text":
                continue
            # Whatever some language takes for the end of a line is none here.
            lines += record.decode().replace("\r\n", "\n").splitlines()
    if framing == "json-array":
        closed = answer.end.outcome in ("complete", "failed")
        json.loads("\n".join(lines) + ("" if closed else "]")) if lines else None
        return
    for line in lines:
        if framing == "jsonl":
            assert not line or isinstance(json.loads(line), dict)
        elif line.startswith("data: "):
            assert line == "data: [DONE]" or isinstance(json.loads(line[6:]), dict)
        else:
            assert line == "" or line.startswith((":", "id: n", "event: "))


@slow
@given(answer=answers(), place=st.integers(0, 40))
@in_every_format
def test_a_copy_goes_on_like_the_original(
    format: str, framing: str, answer: Answer, place: int
) -> None:
    encoder = Encoder(format, framing)
    first, rest = answer.events[:place], answer.events[place:]
    for event in first:
        encoder.encode(event)
    twin = encoder.copy()
    again = Encoder(format, framing)
    for event in first:
        again.encode(event)
    written = [encoder.encode(event) for event in rest]
    assert [twin.encode(event) for event in rest] == written
    assert [again.encode(event) for event in rest] == written


@given(answer=answers())
@settings(max_examples=50)
def test_native_gives_every_event_again(answer: Answer) -> None:
    written = write(answer.events, "native", "sse")
    events = read(written.body, "native", written.content_type)
    assert [plain(event) for event in events] == [plain(event) for event in answer.events]


def plain(event: Event) -> Any:
    """An event such that it can be compared: the bytes of a usage object have no identity."""
    if isinstance(event, Usage):
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        return {**fields, "source": None, "raw": event.raw}
    return event


# ---- recorded streams

RECORDINGS = recordings()


@pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.id)
def test_a_recorded_stream_comes_back_in_every_format(recording: Recording) -> None:
    decoder = StreamDecoder(
        recording.dialect, content_type=recording.content_type, status=recording.status
    )
    source = decoder.receive_data(recording.body) + decoder.receive_eof()
    whole = ends(source).outcome == "complete"
    for format, framing in PAIRS:
        written = write(source, format, framing)
        events = read(written.body, format, written.content_type, truncated=written.must_abort)
        got, want = found(events, format, whole=whole), expected(source, format)
        end, told = got.pop("end"), want.pop("end")
        if not whole:
            continue
        assert end.outcome == told.outcome
        assert got == want, (format, framing)
