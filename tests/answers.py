"""Whole answers as events, drawn by Hypothesis: what a decoder could have given.

``answers()`` draws an ``Answer``: a start, pieces of several channels and calls (their
fragments interleaved with everything else), counts on the way, and the tail that the outcome
calls for. The content is hostile: whatever could break out of a frame is in it. ``essence``
is what of a sequence of events must survive any way through bytes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from hypothesis import strategies as st

from sans_io_stream import (
    Annotation,
    ErrorInfo,
    Finish,
    FinishReason,
    Heartbeat,
    MediaDelta,
    ReasoningDelta,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    Usage,
)
from sans_io_stream.usage import COUNTS

if TYPE_CHECKING:
    from sans_io_stream.events import Event

__all__ = ["ERRORS", "HOSTILE", "Answer", "answers", "essence"]

HOSTILE = st.text(
    st.one_of(
        st.sampled_from('ab:{}[]",\\ \r\n\t\x00\x0b\x0c\x1c\x1e\x7f\x85\u2028\u2029\ufeff海😀'),
        st.characters(codec="utf-8"),
    ),
    min_size=1,
    max_size=10,
)
BREAKERS = st.sampled_from(
    [
        "\n\ndata: [DONE]\n\n",
        "\r\n\r\nevent: error\r\n",
        '"}]}\n{"done":true}\n',
        "\ufeffdata: x",
        "\x85\u2028id: 1\u2029",
        "]",
    ]
)
TEXTS = st.one_of(HOSTILE, HOSTILE, BREAKERS)

WORDS: dict[FinishReason, list[str | None]] = {
    "stop": ["stop", "end_turn", "STOP", "completed", None],
    "length": ["length", "max_tokens", "MAX_TOKENS", "incomplete:max_output_tokens", None],
    "tool_calls": ["tool_calls", "tool_use", "STOP", "completed", None],
    "content_filter": ["content_filter", "SAFETY", "promptFeedback:SAFETY", None],
    "refusal": ["refusal", None],
    "pause": ["pause_turn", None],
    "error": ["insufficient_system_resource", "MALFORMED_FUNCTION_CALL", None],
    "other": ["brand new", "\n\x00", None],
}
"""Words that a provider has for each reason, in several vocabularies."""

ERRORS = [
    ErrorInfo("provider", "it broke"),
    ErrorInfo("overloaded", "Overloaded\n\n", type="overloaded_error", retryable=True),
    ErrorInfo(
        "rate_limit", "slow", type="tokens", code="rate_limit_exceeded", status=429, retryable=True
    ),
    ErrorInfo("rate_limit", "slow", retryable=True, retry_after=2.5, request_id="req_1"),
    ErrorInfo("server", "", status=500, retryable=True),
    ErrorInfo("invalid_request", "no\u2028", type="invalid_request_error", code="x", status=400),
    ErrorInfo("quota", "broke"),
    ErrorInfo("truncated", "the body ended before the provider said so"),
    ErrorInfo("connection", "ConnectionResetError: reset", retryable=True),
    ErrorInfo("limit", "a record exceeds Limits.record_bytes (1)"),
]


class Answer(NamedTuple):
    """The events of one answer, ``StreamEnd`` last."""

    events: list[Event]

    @property
    def end(self) -> StreamEnd:
        last = self.events[-1]
        assert isinstance(last, StreamEnd)
        return last


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts of the normal form: parts are no more than their wholes."""
    cached, written, fresh = (draw(st.integers(0, 999)) for _ in range(3))
    thought, spoken = draw(st.integers(0, 999)), draw(st.integers(0, 999))
    prompt, completion = cached + written + fresh, thought + spoken
    counts: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    counts["total_tokens"] = prompt + completion
    parts = {"cached_tokens": cached, "cache_write_tokens": written, "reasoning_tokens": thought}
    counts |= {name: value for name, value in parts.items() if draw(st.booleans())}
    if draw(st.integers(0, 5)) == 0:
        counts.pop("completion_tokens")
        counts.pop("total_tokens")
        counts.pop("reasoning_tokens", None)
    return Usage(**counts)


def first_count(usage: Usage) -> Usage:
    """A snapshot from before anything was generated."""
    return msgspec.structs.replace(
        usage, completion_tokens=None, total_tokens=None, reasoning_tokens=None
    )


def prose(draw: st.DrawFn, choice: int) -> list[Event]:
    """Pieces of text, thinking and refusal, media and annotations, in their order."""
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(
            st.sampled_from(["text"] * 4 + ["reasoning"] * 3 + ["refusal", "media", "note"])
        )
        if kind == "text":
            events.append(TextDelta(draw(TEXTS), choice))
        elif kind == "reasoning":
            events.append(ReasoningDelta(draw(TEXTS), choice))
        elif kind == "refusal":
            events.append(RefusalDelta(draw(TEXTS), choice))
        elif kind == "media":
            mime = draw(st.sampled_from(["image/png", "audio/wav", None, "image/\r\n"]))
            events.append(MediaDelta(mime, draw(st.binary(min_size=1, max_size=8)), choice))
        else:
            name = draw(
                st.sampled_from(["citation", "logprobs", "signature", "extra", "grounding"])
            )
            data = draw(st.dictionaries(TEXTS, TEXTS | st.integers(0, 9), min_size=1, max_size=2))
            events.append(Annotation(name, data, choice))
    return events


def call(draw: st.DrawFn, number: int, choice: int, *, cut: bool, empty: bool) -> list[Event]:
    """The fragments of one call, and the call itself if it is not cut off. ``number`` stands
    for its index, which follows from the order in the end."""
    value = draw(st.dictionaries(TEXTS, st.integers() | TEXTS, min_size=1, max_size=3))
    text = json.dumps(
        value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))
    )
    if empty and draw(st.integers(0, 9)) == 0:
        text = ""
    said = text[: draw(st.integers(0, len(text) - 1))] if cut else text
    id_ = draw(st.one_of(st.just(None), TEXTS.map(lambda end: f"call_{choice}_{number}{end}")))
    name = draw(TEXTS.map(lambda end: f"f{number}{end}"))
    late = draw(st.booleans())
    events: list[Event] = [ToolCallDelta(number, None if late else id_, name, "", choice)]
    while said:
        size = draw(st.integers(1, 12))
        events.append(ToolCallDelta(number, id_, name, said[:size], choice))
        said = said[size:]
    if not cut:
        if late and not text and id_ is not None:
            events.append(ToolCallDelta(number, id_, name, "", choice))
        events.append(ToolCall(number, id_, name, text, choice))
    return events


def merged(draw: st.DrawFn, threads: list[list[Event]]) -> list[Event]:
    """The threads as one sequence, each in its own order."""
    rest = [thread for thread in threads if thread]
    events: list[Event] = []
    while rest:
        thread = rest[draw(st.integers(0, len(rest) - 1))]
        size = draw(st.integers(1, len(thread)))
        events += thread[:size]
        del thread[:size]
        rest = [thread for thread in rest if thread]
    return events


def numbered(events: list[Event]) -> list[Event]:
    """The calls numbered by their order of appearance within their choice."""
    numbers: dict[tuple[int, int], int] = {}
    done: list[Event] = []
    for event in events:
        if isinstance(event, ToolCallDelta | ToolCall):
            key = (event.choice, event.index)
            index = numbers.setdefault(key, sum(choice == event.choice for choice, _ in numbers))
            done.append(msgspec.structs.replace(event, index=index))
        else:
            done.append(event)
    return done


@st.composite
def answers(
    draw: st.DrawFn,
    outcomes: tuple[str, ...] = ("complete", "complete", "interrupted", "failed", "cancelled"),
    most_choices: int = 2,
) -> Answer:
    """One answer of up to ``most_choices`` alternatives that ends in one of ``outcomes``."""
    outcome: Any = draw(st.sampled_from(outcomes))
    names = (draw(st.none() | TEXTS), draw(st.none() | TEXTS))
    starts: list[Event] = [StreamStart(*names)]
    if draw(st.integers(0, 3)) == 0:
        starts = [StreamStart(None, None), StreamStart(*names)] if any(names) else starts
    threads: list[list[Event]] = []
    finishes: list[Finish] = []
    for choice in range(draw(st.integers(1, most_choices))):
        threads.append(prose(draw, choice))
        count = draw(st.sampled_from([0, 0, 1, 2, 3]))
        cuts = [count > 0 and draw(st.integers(0, 4)) == 0 for _ in range(count)]
        calls = [
            call(draw, number, choice, cut=cut, empty=not any(cuts))
            for number, cut in enumerate(cuts)
        ]
        threads += calls
        reasons = ["tool_calls"] if count else [r for r in WORDS if r != "tool_calls"]
        if any(cuts):
            reasons = ["length"]
        elif count and all(isinstance(c[-1], ToolCall) and c[-1].arguments for c in calls):
            reasons = ["tool_calls", "length", "stop"]
        reason: Any = draw(st.sampled_from(reasons))
        words = [w for w in WORDS[reason] if choice == 0 or not (w or "").startswith("prompt")]
        finishes.append(Finish(reason, draw(st.sampled_from(words)), choice))
    if draw(st.booleans()):
        # As in protocols without an end of a call.
        tail = [thread.pop() for thread in threads if thread and isinstance(thread[-1], ToolCall)]
    else:
        tail = []
    counted = draw(st.lists(usages(), max_size=1))
    threads.append([first_count(usage) for usage in counted if draw(st.booleans())])
    threads.append([Heartbeat(draw(TEXTS | st.just(""))) for _ in range(draw(st.integers(0, 2)))])
    events = numbered([*starts, *merged(draw, threads), *tail])
    if outcome == "complete":
        last = [msgspec.structs.replace(usage, final=True) for usage in counted[-1:]]
        return Answer([*events, *finishes, *last, StreamEnd("complete")])
    if outcome == "failed":
        failed = [msgspec.structs.replace(f, reason="error") for f in finishes if f.raw_reason]
        return Answer([*events, *failed, StreamEnd("failed", draw(st.sampled_from(ERRORS)))])
    early: list[Event] = [*finishes] if draw(st.booleans()) else []
    error = ErrorInfo("truncated", "cut off") if outcome == "interrupted" else None
    return Answer([*events, *early, StreamEnd(outcome, error)])


def essence(events: list[Event]) -> dict[str, Any]:
    """What of an answer must survive: joined content per choice, calls, counts, names, end."""
    transcript = Transcript.of(events)
    usage = transcript.usage
    counts = {name: getattr(usage, name) for name in COUNTS if usage is not None}
    return {
        "names": (transcript.response_id or None, transcript.model or None),
        "usage": {name: value for name, value in counts.items() if value is not None},
        "end": transcript.end,
        "choices": {
            index: {
                "text": choice.text,
                "reasoning": choice.reasoning,
                "refusal": choice.refusal,
                "calls": [
                    (call.id, call.name, call.arguments, call.complete)
                    for call in choice.tool_calls
                ],
                "media": [(media.mime_type, media.data) for media in choice.media],
                "finish": (choice.finish_reason, choice.raw_finish_reason),
            }
            for index, choice in sorted(transcript.choices.items())
        },
    }
