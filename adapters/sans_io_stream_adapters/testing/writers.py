"""What no encoder writes, for the two mechanisms that need it: Interactions and plain records.

Only what a test server plays is here: text, thinking, calls and the end. Both take events and
give records with their cursors, as an encoder would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sans_io_stream.encoding.frames import Frames, Out
from sans_io_stream.events import (
    Event,
    Heartbeat,
    ReasoningDelta,
    Record,
    RefusalDelta,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

__all__ = ["TERMINATOR", "Written", "interaction", "plain"]

Written = tuple[bytes, str | None]
"""A record and its cursor, None where it has none of its own."""

TERMINATOR = "[END]"
"""The data of the record that ends a plain event stream here."""
LINE_END = re.compile("\r\n|\r|\n")


def plain(events: list[Event]) -> Iterator[Written]:
    """Plain records: each piece of text is one, with an id; ``Record`` events as they are."""
    number = 1
    for event in events:
        own = str(number)
        match event:
            case Record():
                own = event.id or own
                yield block(event.data, own, event.type), own
            case TextDelta():
                yield block(event.text, own), own
            case StreamEnd(outcome="complete"):
                yield block(TERMINATOR, own), own
            case Heartbeat():
                yield Frames("sse").comment(event.text or ""), None
                continue
            case _:
                continue
        number += 1


def block(data: str, id: str, type: str | None = None) -> bytes:
    """One block of an event stream; text of several lines has several fields."""
    name = f"event: {type}\n" if type and type != "message" else ""
    lines = "".join(f"data: {line}\n" for line in LINE_END.split(data))
    return f"{name}id: {id}\n{lines}\n".encode()


def interaction(events: list[Event], response_id: str) -> Iterator[Written]:
    """One Gemini interaction. As the protocol allows, not every record has an id: each third
    has none, so that what goes on behind a cursor may have to be told by its content."""
    frames, steps = Frames("sse"), Steps(response_id)
    number = 0
    for event in events:
        if isinstance(event, Heartbeat):
            yield frames.comment(event.text or ""), None
        for value in steps.told(event):
            own = f"ev/{number}" if number % 3 != 2 else None
            number += 1
            beside = {} if own is None else {"event_id": own}
            yield frames.frame(Out({**value, **beside}, value["event_type"]), None), own
        if isinstance(event, StreamEnd) and event.outcome == "complete":
            yield frames.frame(Out(b"[DONE]", "done"), None), None


class Steps:
    """Events as those of an interaction: a step for each stretch of one kind."""

    def __init__(self, response_id: str) -> None:
        self.about: dict[str, Any] = {"id": response_id}
        self.index = -1
        self.open: object = None
        self.usage: Usage | None = None

    def told(self, event: Event) -> Iterator[dict[str, Any]]:
        """The records of one event."""
        match event:
            case StreamStart():
                self.about |= {"model": event.model or "test", "object": "interaction"}
                about = {**self.about, "status": "in_progress"}
                yield {"event_type": "interaction.created", "interaction": about}
            case TextDelta() | RefusalDelta():
                yield from self.step("text", {"type": "model_output"})
                yield self.delta({"type": "text", "text": event.text})
            case ReasoningDelta():
                yield from self.step("thought", {"type": "thought"})
                content = {"type": "text", "text": event.text}
                yield self.delta({"type": "thought_summary", "content": content})
            case ToolCallDelta():
                step = {"type": "function_call", "id": event.id, "name": event.name}
                yield from self.step(event.index, step)
                if event.arguments:
                    yield self.delta({"type": "arguments_delta", "arguments": event.arguments})
            case ToolCall():
                if self.open == event.index:
                    yield from self.stop()
                else:
                    whole = ToolCallDelta(event.index, event.id, event.name, event.arguments)
                    yield from self.told(whole)
                    yield from self.stop()
            case Usage():
                self.usage = event
            case StreamEnd(outcome="complete"):
                yield from self.stop()
                about = {**self.about, "status": "completed", **self.counts()}
                yield {"event_type": "interaction.completed", "interaction": about}
            case StreamEnd(outcome="failed"):
                message = event.error.message if event.error else "failed"
                error = {"code": "internal", "message": message}
                yield {"event_type": "error", "error": error}
            case _:
                pass

    def step(self, kind: object, step: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Begin a step unless one of that kind is open."""
        if self.open != kind:
            yield from self.stop()
            self.index += 1
            self.open = kind
            yield {"event_type": "step.start", "index": self.index, "step": step}

    def stop(self) -> Iterator[dict[str, Any]]:
        """End the step that is open."""
        if self.open is not None:
            self.open = None
            yield {"event_type": "step.stop", "index": self.index}

    def delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        """A piece of the step that is open."""
        return {"event_type": "step.delta", "index": self.index, "delta": delta}

    def counts(self) -> dict[str, Any]:
        """The usage, as far as it is known."""
        if self.usage is None:
            return {}
        counts = {
            "total_input_tokens": self.usage.prompt_tokens,
            "total_output_tokens": self.usage.completion_tokens,
            "total_tokens": self.usage.total_tokens,
        }
        return {"usage": {name: n for name, n in counts.items() if n is not None}}
