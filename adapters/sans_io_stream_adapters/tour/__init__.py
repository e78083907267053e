"""The tour: one answer, as eight protocols stream it, and what becomes of it here.

The captures beside this file were written after the protocols: the same text, the same token
counts (however the provider splits them up) and the same finish, cut into reads that end
inside characters, between CR and LF, or after every byte. The tour decodes them as they were
cut, and again whole, byte by byte and inside every character; it agrees when nothing differs.
"""

from __future__ import annotations

import importlib.resources
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from sans_io_stream.capture import Capture
from sans_io_stream.transcript import Transcript

__all__ = ["DIALECTS", "Stop", "agree", "load", "table", "visit"]

DIALECTS = (
    "openai-chat",
    "openai-responses",
    "anthropic",
    "gemini",
    "bedrock-converse",
    "cohere",
    "ollama",
    "holysheep",
)
FRAMINGS = {
    "text/event-stream": "sse",
    "application/json": "json array",
    "application/x-ndjson": "json lines",
    "application/vnd.amazon.eventstream": "eventstream",
}
HEADER = "  dialect          framing     bytes  reads  events  cuts  text  tokens   finish"
GREEN, RED, DIM, RESET = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"


class Stop(NamedTuple):
    """One capture, decoded. ``stable`` says that every cut gave the same events."""

    dialect: str
    framing: str
    bytes: int
    reads: int
    events: int
    stable: bool
    outcome: str
    text: str
    tokens: tuple[int | None, int | None, int | None]
    finish: str | None

    def said(self) -> tuple[object, ...]:
        """What has to be the same at every stop."""
        return (self.outcome, self.text, self.tokens, self.finish)

    def row(self) -> dict[str, Any]:
        """The stop as plain data."""
        prompt, completion, total = self.tokens
        row = self._asdict() | {
            "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total
        }  # fmt: skip
        del row["tokens"]
        return row


def load(dialect: str) -> Capture:
    """The capture of that dialect."""
    file = importlib.resources.files(__name__) / f"{dialect}.jsonl"
    return Capture.parse(file.read_bytes().split(b"\n"))


def visit() -> list[Stop]:
    """Decode every capture."""
    return [_stop(load(dialect)) for dialect in DIALECTS]


def _stop(capture: Capture) -> Stop:
    events = capture.events()
    transcript = Transcript.of(events)
    usage, end = transcript.usage, transcript.end
    media_type = (capture.content_type or "").partition(";")[0]
    return Stop(
        dialect=capture.dialect or "",
        framing=FRAMINGS.get(media_type, media_type),
        bytes=len(capture.body),
        reads=len(capture.reads()),
        events=len(events),
        stable=all(capture.resplit(seed).events() == events for seed in (0, 1, 2)),
        outcome=end.outcome if end is not None else "",
        text=transcript.text,
        tokens=(
            (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
            if usage is not None
            else (None, None, None)
        ),
        finish=transcript.finish_reason,
    )


def agree(stops: Sequence[Stop]) -> bool:
    """Whether every stream was complete, and all of them said the same at every cut."""
    first = stops[0]
    return all(
        stop.stable and stop.outcome == "complete" and stop.said() == first.said() for stop in stops
    )


def table(stops: Sequence[Stop], *, colours: bool = False) -> str:
    """The tour for people: a line for each stop, and the answer once."""

    def painted(text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if colours else text

    def mark(good: bool) -> str:
        return painted("✓", GREEN) if good else painted("✗", RED)

    first = stops[0]
    lines = ["", "  One answer, as eight protocols stream it, cut into awkward reads:", ""]
    lines.append(painted(HEADER, DIM))
    for stop in stops:
        prompt, completion, total = ("?" if count is None else count for count in stop.tokens)
        tokens = f"{prompt}+{completion}={total}"
        lines.append(
            f"  {stop.dialect:<16} {stop.framing:<11}{stop.bytes:>6,} {stop.reads:>6,} "
            f"{stop.events:>7}   {mark(stop.stable)}     {mark(stop.text == first.text)}    "
            f"{tokens:<8} {stop.finish or stop.outcome}"
        )
    answer = textwrap.wrap(f"“{first.text}”", 60)
    lines += ["", *(f"  {line}" for line in answer), ""]
    if agree(stops):
        verdict = "All agree: recorded, whole, byte by byte, and cut inside every character."
        lines.append(f"  {painted('✓', GREEN)} {verdict}")
    else:
        odd = [s.dialect for s in stops if not agree([s]) or s.said() != first.said()]
        lines.append(f"  {painted('✗', RED)} They do not agree; look at: {', '.join(odd)}")
    return "\n".join([*lines, ""]) + "\n"
