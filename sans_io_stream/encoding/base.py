"""What every format shares: how an event becomes records.

A format turns events into records with its hooks (``begin``, ``say``, ``call_piece`` …); its
fields are its whole state. The rules are the same for all but ``native``:

- ``StreamStart`` is written at once, or with the first record where the protocol's own first
  record cannot be corrected (``begins_late``).
- ``Finish`` is held until ``StreamEnd``: it is the protocol's word for a whole answer, so an
  answer that is interrupted, cancelled or fails does not get it. A choice without one gets
  ``stop`` if the answer is complete.
- Snapshots of ``Usage`` are merged, and written where the protocol has its place for them.
- A ``ToolCall`` closes what its deltas said; without any it says all by itself.
- What a format has no place for is dropped; so are the events of a connection. Only a restart
  after something was delivered cannot pass unsaid, and raises.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, assert_never

import msgspec

from ..dialects.shapes import is_array, is_object
from ..errors import ErrorInfo
from ..events import (
    Annotation,
    Connected,
    Disconnected,
    Event,
    Finish,
    Heartbeat,
    MediaDelta,
    ReasoningDelta,
    Reconnecting,
    Record,
    RefusalDelta,
    Resumed,
    ResumePoint,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Unrecognized,
    Usage,
)
from ..usage import merge_usage
from .frames import Comment, Framing, Item, Out, as_json

__all__ = ["Call", "Channel", "Format", "StreamOptions", "first_list"]

Channel = Literal["text", "reasoning", "refusal"]


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream says that no event does. ``created`` is in seconds since 1970 (UTC)."""

    created: int = 0
    background: bool = False
    sequence: int = 0


class Call(msgspec.Struct):
    """One tool call, as far as it was told."""

    choice: int
    index: int
    id: str | None = None
    name: str | None = None
    pieces: list[str] = []
    """Fragments of its arguments: those not yet written, or all, as the format needs them."""
    place: int = -1
    """Its number on the wire; -1 while it is not there."""
    whole: bool = False
    told_id: bool = False
    told_name: bool = False


class Format(msgspec.Struct, kw_only=True):
    """One body in one protocol. See the module's text for the rules of subclasses."""

    name: ClassVar[str]
    """The dialect that reads it."""
    framings: ClassVar[tuple[Framing, ...]] = ("sse",)
    """The framings that the protocol has, the usual one first."""
    has_choices: ClassVar[bool] = False
    begins_late: ClassVar[bool] = False
    steady: ClassVar[bool] = False
    """A piece of text behind another of the same choice is one record, differs in the text alone,
    and changes nothing."""
    tells_end: ClassVar[bool] = True
    """False where the transport alone tells whether the body is whole."""

    framing: Framing
    options: StreamOptions = StreamOptions()
    response_id: str | None = None
    model: str | None = None
    told: bool = False
    """Something of the answer was told."""
    begun: bool = False
    """The beginning of the answer is written."""
    delivered: bool = False
    """Content of the answer was told, which nothing takes back."""
    choices: list[int] = msgspec.field(default_factory=list[int])
    finishes: dict[int, Finish] = msgspec.field(default_factory=dict[int, Finish])
    calls: dict[tuple[int, int], Call] = msgspec.field(default_factory=dict[tuple[int, int], Call])
    usage: Usage | None = None

    # ---- what a format defines

    def begin(self, out: list[Item]) -> None:
        """The first record of the answer."""
        raise NotImplementedError

    def rename(self, out: list[Item]) -> None:
        """The id or the model of the answer is known only now."""

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        """A piece of text; never empty."""
        raise NotImplementedError

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        """A fragment of a call; ``news`` says that the call, its id or its name is new."""

    def call_whole(self, call: Call, out: list[Item]) -> None:
        """A call is complete."""

    def media(self, event: MediaDelta, out: list[Item]) -> None:
        """A piece of image or audio."""

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        """Something else that belongs to the answer."""

    def count(self, out: list[Item]) -> None:
        """``usage`` has changed."""

    def heartbeat(self, text: str, out: list[Item]) -> None:
        """A sign of life."""
        out.append(Comment(text))

    def complete(self, out: list[Item]) -> None:
        """The answer is whole."""
        raise NotImplementedError

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        """The answer failed."""
        raise NotImplementedError

    def interrupt(self, out: list[Item]) -> None:
        """The answer breaks off: what may still be said without ending it."""

    def cancel(self, out: list[Item]) -> None:
        """The answer was cancelled."""
        self.interrupt(out)

    def stamp(self, record: Out, id: str) -> Out:
        """``record`` with a cursor of its own, where the protocol has one."""
        return record

    def next_sequence(self) -> int | None:
        """The sequence number of the next record, where records have one."""
        return None

    # ---- the events

    def check(self, event: Event) -> None:
        """Raise for an event that cannot be written, before anything changes."""
        if isinstance(event, Resumed) and event.mode == "restart" and self.delivered:
            raise ValueError(
                f"{self.name} cannot take back what was sent: "
                "a restart ends this body, or needs the native format"
            )
        if isinstance(event, Annotation):
            as_json(event.data)

    def write(self, event: Event, out: list[Item]) -> None:
        """Append the records of one event."""
        match event:
            case TextDelta():
                self.piece("text", event, out)
            case ReasoningDelta():
                self.piece("reasoning", event, out)
            case RefusalDelta():
                self.piece("refusal", event, out)
            case ToolCallDelta():
                if self.admits(event.choice):
                    self.fragment(event, event.arguments, out)
            case ToolCall():
                if self.admits(event.choice):
                    self.close_call(event, out)
            case StreamStart():
                self.start(event, out)
            case MediaDelta():
                if self.admits(event.choice):
                    self.media(event, out)
            case Annotation():
                if self.has_choices or event.choice == 0:
                    self.annotate(event, out)
            case Usage():
                known = self.usage
                if known is not None and known.generation != event.generation:
                    known = None
                self.usage = merge_usage(known, event)
                self.count(out)
            case Finish():
                if self.has_choices or event.choice == 0:
                    self.finishes[event.choice] = event
            case Heartbeat():
                self.heartbeat(event.text, out)
            case StreamEnd():
                self.end(event, out)
            case ResumePoint() | Record() | Unrecognized():
                pass
            case Connected() | Disconnected() | Reconnecting() | Resumed():
                pass
            case _:
                assert_never(event)

    def start(self, event: StreamStart, out: list[Item]) -> None:
        """The answer begins, or is named."""
        known = (self.response_id, self.model)
        self.response_id = self.response_id or event.response_id
        self.model = self.model or event.model
        self.told = True
        if not self.begun:
            if not self.begins_late:
                self.ready(out)
        elif known != (self.response_id, self.model):
            self.rename(out)

    def ready(self, out: list[Item]) -> None:
        """Write the beginning of the answer if it is still owed."""
        self.told = True
        if not self.begun:
            self.begun = True
            self.begin(out)

    def admits(self, choice: int) -> bool:
        """Whether content of that choice has a place; it is known from now on."""
        if choice and not self.has_choices:
            return False
        if choice not in self.choices:
            self.choices.append(choice)
        self.delivered = True
        return True

    def piece(
        self, channel: Channel, event: TextDelta | ReasoningDelta | RefusalDelta, out: list[Item]
    ) -> None:
        """A piece of text."""
        if event.text and self.admits(event.choice):
            self.say(channel, event.text, event.choice, out)

    def fragment(self, event: ToolCallDelta | ToolCall, text: str, out: list[Item]) -> Call:
        """A fragment of a call, which may be its first."""
        key = (event.choice, event.index)
        call = self.calls.get(key)
        news = call is None
        if call is None:
            call = self.calls[key] = Call(event.choice, event.index)
        news = news or bool((event.id and not call.id) or (event.name and not call.name))
        call.id = call.id or event.id
        call.name = call.name or event.name
        if text or news:
            self.call_piece(call, text, news, out)
        return call

    def close_call(self, event: ToolCall, out: list[Item]) -> None:
        """A call is whole."""
        untold = (event.choice, event.index) not in self.calls
        call = self.fragment(event, event.arguments if untold else "", out)
        if not call.whole:
            self.call_whole(call, out)
            call.whole = True

    def end(self, event: StreamEnd, out: list[Item]) -> None:
        """The last word."""
        if self.told and not self.begun:
            self.ready(out)
        if event.outcome == "complete":
            self.ready(out)
            self.complete(out)
        elif event.outcome == "failed":
            self.fail(event.error or ErrorInfo("provider"), out)
        elif event.outcome == "cancelled":
            self.cancel(out)
        else:
            self.interrupt(out)

    def finish_of(self, choice: int) -> Finish:
        """How a choice of a complete answer ended."""
        return self.finishes.get(choice) or Finish("stop", None, choice)

    def all_choices(self) -> list[int]:
        """Every choice that was mentioned, in order; 0 is always there."""
        return sorted({0, *self.choices, *self.finishes})


def first_list(data: Any, key: str) -> list[Any] | None:
    """``data`` if it is an array, or the array under ``key`` in it."""
    if is_object(data):
        data = data.get(key)
    return data if is_array(data) else None
