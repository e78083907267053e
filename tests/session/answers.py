"""What an answer is, for comparisons: its events, its joined content, and what is a part of it.

``events_of`` leaves out what a session says of its connections. ``joined`` gives the content
per channel, for replays: the borders of deltas are not the answer's there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from sans_io_stream import (
    Event,
    MediaDelta,
    ReasoningDelta,
    Record,
    RefusalDelta,
    ResumePoint,
    StreamEnd,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    Usage,
)
from sans_io_stream.events import ANSWER_EVENTS
from sans_io_stream.policy import Allowance, ReconnectPolicy
from sans_io_stream.session import StreamSession
from tests.session.peer import Run, drive
from tests.session.stories import STORIES, Story

REPLAYED = frozenset({"interactions-without-ids", "chat"})
"""Stories without a cursor: what comes again is compared by its content."""


def policy_of(story: Story, **options: Any) -> ReconnectPolicy:
    """A policy under which the story can be taken up again."""
    allowed: list[Allowance] = ["replay"] if story.name == "chat" else []
    return ReconnectPolicy(allow=frozenset(allowed), **options)


def session_of(story: Story, token: str | None = None, **options: Any) -> StreamSession:
    return StreamSession(
        story.request, resume_from=token, policy=policy_of(story, **options), random=lambda: 0.5
    )


@cache
def whole(name: str) -> Run:
    """The story told without a break."""
    story = STORIES[name]
    run = drive(session_of(story), story.serve)
    assert run.end == StreamEnd("complete")
    assert not run.waits
    return run


def events_of(events: Iterable[Event]) -> list[Event]:
    """What belongs to the answer, and where it can be taken up again."""
    return [event for event in events if type(event) in ANSWER_EVENTS | {ResumePoint}]


def tokens_of(events: Iterable[Event]) -> list[str]:
    return [event.token for event in events if isinstance(event, ResumePoint)]


def transcript_of(events: Iterable[Event]) -> tuple[Any, ...]:
    """All that a transcript holds, in a form that compares."""
    told = Transcript.of(events)
    choices = [
        (
            index,
            choice.text,
            choice.reasoning,
            choice.refusal,
            [(c.index, c.id, c.name, c.arguments, c.complete) for c in choice.tool_calls],
            choice.annotations,
            choice.media,
            choice.finish_reason,
            choice.raw_finish_reason,
        )
        for index, choice in sorted(told.choices.items())
    ]
    return choices, told.model, told.response_id, counts_of(told.usage)


def counts_of(usage: Usage | None) -> dict[str, Any] | None:
    """The token counts alone: not from which record or generation they are, nor whether they are
    the last."""
    if usage is None:
        return None
    beside = ("source", "path", "final", "generation")
    return {
        name: value for name, value in msgspec.structs.asdict(usage).items() if name not in beside
    }


def joined(events: Iterable[Event]) -> dict[str, str]:
    """The content of each channel, its deltas joined; whole events one after the other."""
    channels: dict[str, str] = {}
    for event in events:
        match event:
            case TextDelta() | ReasoningDelta() | RefusalDelta():
                channel, content = f"{type(event).__name__} {event.choice}", event.text
            case ToolCallDelta():
                channel, content = f"call {event.choice} {event.index}", event.arguments
                if event.name:
                    channels[f"{channel} name"] = event.name
            case ToolCall():
                channel, content = "called", f"{event.index} {event.name}({event.arguments})\n"
            case MediaDelta():
                channel, content = "media", event.data.hex()
            case Record():
                channel, content = "records", f"{event}\n"
            case _:
                continue
        channels[channel] = channels.get(channel, "") + content
    return channels


def is_part(events: Iterable[Event], of: Iterable[Event]) -> bool:
    """Whether each channel's content is a prefix of the other's."""
    every = joined(of)
    return all(every.get(name, "").startswith(part) for name, part in joined(events).items())


def only_end(run: Run) -> StreamEnd:
    """The one ``StreamEnd``, which is the last event."""
    ends = [event for event in run.events if isinstance(event, StreamEnd)]
    assert len(ends) == 1
    assert run.events[-1] is ends[0]
    return ends[0]
