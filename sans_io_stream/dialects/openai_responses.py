"""OpenAI responses, and everyone who speaks them (Azure, xAI, OpenRouter, LM Studio, …).

Every event has a ``type``; the tables below say what each is: a piece of text, a piece of a
tool call, a piece of what a server-side tool does, a whole that repeats the pieces, or a
change of state. ``response.completed``, ``.incomplete`` and ``.failed`` end the stream.

What is said twice counts once. The events that repeat (``….done``, the finished item, the
response at the end) are read only where no delta said it before, since there are servers that
send nothing else; and never in a stream that was taken up in its middle, whose deltas may
have been delivered before. Source: the OpenAI API reference, ``responses/streaming``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import Event, FinishReason, Heartbeat, ResumePoint, TextDelta
from ..usage_forms import responses_usage
from . import openai_responses_tables as wire
from .base import CALL, TEXT, THOUGHT, Call, Dialect
from .failure import error_info
from .openai_responses_hot import (
    LARGEST,
    SUMMARY,
    read_call,
    read_number,
    read_text,
    run_pieces,
)
from .shapes import elements, is_object, members, short, word
from .tolerant import REFUSED, scrub
from .tools import argument_text

if TYPE_CHECKING:
    from ..framing.items import WireRecord
    from ..resume import Cursor, ResumeOrigin

__all__ = ["OpenAIResponses"]

REMEMBERED = 4096
"""How many parts of an answer are remembered as said. Beyond that, repeats are not read."""


class OpenAIResponses(Dialect):
    """One response."""

    name: ClassVar[str] = "openai-responses"
    cursor_kind = "sequence"
    events_per_delta: ClassVar[int] = 2
    heartbeats: ClassVar[frozenset[str]] = wire.HEARTBEATS
    beginnings: ClassVar[frozenset[str]] = frozenset({"response.created"})
    reasons: ClassVar[dict[str, FinishReason]] = {
        "completed": "stop",
        "incomplete:max_output_tokens": "length",
        "incomplete:max_tokens": "length",
        "incomplete:content_filter": "content_filter",
        "failed": "error",
        "cancelled": "error",
    }

    said: dict[str, bool] = msgspec.field(default_factory=dict[str, bool])
    """What came already: channels, ``channel:place`` of deltas, ``channel:place:part`` of
    wholes, ``call:id`` of finished calls, and the types of finished items."""
    last: int | None = None
    """The number of the record before."""
    unordered: bool = False
    """The numbers do not rise: they are no cursors."""
    begun: bool = False
    suffix: bool = False
    """The stream was taken up in its middle."""
    at: int | None = None
    channel: str = ""
    """Where the last delta stood: what the shortcut goes on with."""

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        """The protocol has no word for a stop at tool calls: it follows from the calls."""
        reason = self.reasons.get(raw or "", "other")
        if reason == "stop" and self.called(choice):
            return "tool_calls"
        return reason

    def call_is_whole(self, call: Call, complete: bool) -> bool:
        """A call whose item never finished is whole only if the response is."""
        return self.reason_of(self.choice(call.choice)[1].raw_reason, call.choice) == "tool_calls"

    # ---- the shortcut

    def arm(self, events: list[Event], begin: int) -> None:
        # Without a resume point of its own, the record leaves the origin as it was.
        if not self.ended and events and type(events[-1]) is ResumePoint:
            super().arm(events, begin)
            if self.hot == THOUGHT and self.channel == "summary":
                self.hot = SUMMARY

    def one(self, payload: bytes) -> list[Event] | None:
        origin = self.origin
        if self.hot == CALL and origin is not None:
            return self.one_call_piece(payload, origin)
        if self.hot != TEXT or origin is None:
            return super().one(payload)
        try:
            piece = read_text(payload)
        except REFUSED:
            self.missed(0, payload)
            return None
        cursor = piece.sequence_number
        if piece.output_index != self.at or cursor != self.cursor + 1:  # type: ignore[operator]
            self.missed(0, payload)
            return None
        self.cursor = cursor
        self.position = position = self.position + 1
        return [TextDelta(piece.delta), ResumePoint(cursor, position, origin)]

    def one_call_piece(self, payload: bytes, origin: ResumeOrigin) -> list[Event] | None:
        """A fragment of the arguments of the call opened last, or None."""
        call = self.calls[-1]
        try:
            piece = read_call(payload)
        except REFUSED:
            self.missed(0, payload)
            return None
        cursor = piece.sequence_number
        if piece.output_index != call.key or cursor != self.cursor + 1:  # type: ignore[operator]
            self.missed(0, payload)
            return None
        told: list[Event] = []
        self.add_arguments(call, piece.delta, told)
        self.cursor = cursor
        self.position = position = self.position + 1
        told.append(ResumePoint(cursor, position, origin))
        return told

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        return run_pieces(self, rest, events)

    # ---- the records

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if not is_object(data):
            if not self.read_error(data):
                self.unrecognized(record, "not an event: no JSON object", events)
            return
        kind = self.kind_of(data, record)
        sequence = data.get("sequence_number")
        if type(sequence) is int and 0 <= sequence <= LARGEST:
            self.number(sequence)
        if kind in wire.HEARTBEATS:
            events.append(Heartbeat(kind))
            return
        if not self.begun:
            self.begun = True
            # Number 0 and, where servers count from it, number 1 have nothing before them.
            self.suffix = kind not in wire.BEGINNINGS and type(sequence) is int and sequence > 1
        if kind != "error" and self.read_known(kind, data, events):
            return
        if "error" in (kind, record.type):
            self.fail(error_info(wire.error_fields(data)))
        elif not self.read_error(data):
            self.unrecognized(record, f"no event of this protocol: {kind or 'no type'}", events)

    def take(self, record: WireRecord, events: list[Event]) -> None:
        self.last = self.cursor if isinstance(self.cursor, int) else None
        super().take(record, events)

    def number(self, sequence: int) -> None:
        """The number of a record. Those that do not rise are no cursors: there are servers that
        send a constant."""
        last = self.last
        if last is not None and sequence <= last:
            self.unordered = True
        elif last is not None and sequence != last + 1:
            self.marked().contiguous = False
        if not self.unordered:
            self.cursor = sequence

    def peek(self, record: WireRecord) -> Cursor | None:
        try:
            return read_number(record.data).sequence_number
        except REFUSED:
            return None

    @property
    def rising(self) -> bool:
        return not self.unordered

    def kind_of(self, data: dict[str, Any], record: WireRecord) -> str:
        """What kind of event a record is, in the reference's spelling."""
        kind = data.get("type")
        if not isinstance(kind, str):
            kind = record.type
            if data.get("object") == "response":
                # A response where an event belongs: a server that does not stream.
                kind = f"response.{data.get('status')}"
        return wire.SPELLINGS.get(kind, kind)

    def read_known(self, kind: str, data: dict[str, Any], events: list[Event]) -> bool:
        """Read an event by its kind; False if there is no such kind."""
        response = data.get("response")
        if is_object(response):
            # Only a response that is made in the background outlives its connection.
            if response.get("background") is True:
                self.marked().stored = True
            self.start(response.get("id"), response.get("model"), events)
        elif not self.started and kind.startswith("response."):
            self.start(data.get("id"), data.get("model"), events)
        if kind in wire.PIECES:
            return self.read_piece(wire.PIECES[kind], data, events)
        if kind in wire.STRUCTURAL:
            return True
        if kind in wire.CALL_PIECES:
            return self.read_call_piece(data, events)
        if kind == "response.output_item.added" or kind == "response.output_item.done":
            return self.read_item_event(kind, data, events)
        if kind in wire.WHOLES:
            channel, field = wire.WHOLES[kind]
            self.whole_piece(channel, self.place(data), wire.part_of(data), data.get(field), events)
        elif kind in wire.PARTS:
            self.read_part(self.place(data), wire.part_of(data), data.get("part"), events)
        elif kind in wire.CALL_WHOLES:
            self.read_call_whole(data, data.get(wire.CALL_WHOLES[kind]), events)
        elif kind in wire.SERVER_PIECES:
            told = {k: v for k, v in data.items() if k not in ("type", "sequence_number")}
            told.pop("obfuscation", None)
            self.annotate(wire.SERVER_PIECES[kind], told, events)
        elif kind == "response.output_text.annotation.added":
            self.remember(f"citation:{self.place(data)}")
            self.annotate("citation", data.get("annotation"), events)
        elif kind == "response.audio.transcript.delta":
            self.annotate("audio", {"transcript": data.get("delta")}, events)
        elif kind in wire.MEDIA_PIECES:
            self.read_media(data.get(wire.MEDIA_PIECES[kind]), data, events)
        elif kind in wire.ENDS:
            self.read_end(wire.ENDS[kind], data, events)
        else:
            return False
        return True

    def place(self, data: dict[str, Any]) -> int | str:
        """Which item an event belongs to. Ids come second: there are servers (Copilot) that
        give an item another id in every event."""
        index = data.get("output_index")
        return index if type(index) is int else short(word(data.get("item_id")) or "")

    def remember(self, *marks: str) -> None:
        for mark in marks:
            if len(self.said) < REMEMBERED:
                self.said[mark] = True

    # ---- text

    def read_piece(self, channel: str, data: dict[str, Any], events: list[Event]) -> bool:
        place = self.place(data)
        self.at, self.channel = place if isinstance(place, int) else None, channel
        piece = data.get("delta")
        if not isinstance(piece, str):
            return piece is None
        self.remember(channel, f"{channel}:{place}")
        self.text(piece, events, kind=wire.CHANNELS[channel])
        logprobs = data.get("logprobs")
        if logprobs:
            self.annotate("logprobs", logprobs, events)
        return True

    def whole_piece(
        self, channel: str, place: int | str, part: int, text: Any, events: list[Event]
    ) -> None:
        """A text said whole: told if nothing of it came before."""
        mark = f"{channel}:{place}:{part}"
        unsaid = mark not in self.said and f"{channel}:{place}" not in self.said
        if unsaid and not self.suffix and len(self.said) < REMEMBERED:
            self.remember(channel, mark)
            self.text(text, events, kind=wire.CHANNELS[channel])

    def read_part(self, place: int | str, number: int, part: Any, events: list[Event]) -> bool:
        """One part of a message or of reasoning, whole. False if it is no text."""
        channel, field = wire.PART_CHANNELS.get(str(members(part).get("type")), ("", ""))
        if channel:
            self.whole_piece(channel, place, number, members(part).get(field), events)
        return bool(channel)

    # ---- tool calls

    def read_call_piece(self, data: dict[str, Any], events: list[Event]) -> bool:
        piece = data.get("delta")
        if not isinstance(piece, str):
            return piece is None
        self.add_arguments(self.call_at(data, events), piece, events)
        return True

    def read_call_whole(self, data: dict[str, Any], arguments: Any, events: list[Event]) -> None:
        """All arguments of a call. It is not closed yet: only the item says whether they were
        cut off."""
        if self.open_call_for(self.place(data), None) is None and "call" in self.said:
            return
        call = self.call_at(data, events)
        if not call.pieces:
            self.add_arguments(call, argument_text(arguments), events)

    def call_at(self, data: dict[str, Any], events: list[Event]) -> Call:
        """The open call to which an event belongs; a new one if its beginning was lost."""
        place = self.place(data)
        call = self.open_call_for(place, None)
        return call or self.open_call(events, key=place, name=word(data.get("name")))

    def open_call_for(self, place: int | str, id_: str | None) -> Call | None:
        for call in reversed(self.calls):
            if call.key == place and (call.id is None or id_ is None or call.id == id_):
                return call
        return None

    def read_tool_item(
        self, item: dict[str, Any], place: int | str, done: bool, events: list[Event]
    ) -> None:
        """A call to a tool of the caller's: its beginning, or its end."""
        id_ = word(item.get("call_id")) or word(item.get("id"))
        name = word(item.get("name"))
        mark = f"call:{short(id_) if id_ else place}"
        if mark in self.said:
            return
        call = self.open_call_for(place, id_)
        if call is None:
            call = self.open_call(events, key=place, id=id_, name=name)
        elif (call.id, call.name) != (call.id or id_, call.name or name):
            call.id, call.name = call.id or id_, call.name or name
            self.add_arguments(call, "", events, always=True)
        if not done:
            return
        self.remember("call", mark)
        if not call.pieces:
            arguments = argument_text(item.get(wire.TOOL_ITEMS[item["type"]]))
            self.add_arguments(call, arguments, events)
        if item.get("status") == "incomplete":
            self.drop_call(call)
        else:
            self.close_call(call, events)
        more = {k: v for k, v in item.items() if k not in wire.TOOL_FIELDS and v is not None}
        if more:
            self.annotate(str(item["type"]), {"call_id": id_, **more}, events)

    # ---- items

    def read_item_event(self, kind: str, data: dict[str, Any], events: list[Event]) -> bool:
        item = data.get("item")
        if not is_object(item):
            return item is None
        place = self.place({"item_id": item.get("id"), **data})
        done = kind.endswith("done")
        if str(item.get("type")) in wire.TOOL_ITEMS:
            self.read_tool_item(item, place, done, events)
        elif done:
            self.read_item(item, place, events)
        return True

    def read_item(self, item: dict[str, Any], place: int | str, events: list[Event]) -> None:
        """A finished item that is no tool call of the caller's."""
        kind = str(item.get("type"))
        if kind not in ("message", "reasoning"):
            self.remember(short(kind))
            if kind == "image_generation_call" and item.get("result"):
                self.read_media(item["result"], item, events)
                item = {k: v for k, v in item.items() if k != "result"}
            self.annotate(kind, item, events)
            return
        for field in ("summary", "content"):
            for number, part in enumerate(elements(item.get(field))):
                if not self.read_part(place, number, part, events):
                    self.annotate(str(members(part).get("type", "extra")), part, events)
                elif not self.suffix and f"citation:{place}" not in self.said:
                    for citation in elements(members(part).get("annotations")):
                        self.annotate("citation", citation, events)
        # The response at the end holds it again, at some servers under another id.
        mark = f"encrypted:{short(str(item.get('encrypted_content')))}"
        if item.get("encrypted_content") and mark not in self.said:
            self.remember(mark)
            told = {"id": item.get("id"), "encrypted_content": item["encrypted_content"]}
            self.annotate("encrypted_reasoning", told, events)

    def read_media(self, data: Any, about: dict[str, Any], events: list[Event]) -> None:
        if data is None:
            return
        decoded = wire.from_base64(data)
        if decoded is None:
            self.annotate("media", {"data": data}, events)
        else:
            self.media(wire.image_type(about.get("output_format")), decoded, events, 0)

    # ---- the end

    def read_end(self, status: str, data: dict[str, Any], events: list[Event]) -> None:
        response = data
        if is_object(data.get("response")):
            response = members(data["response"])
            for field, value in data.items():
                if field not in ("type", "sequence_number", "response", "obfuscation"):
                    self.extra(field, value, events)
        if response.get("status") in wire.ENDS.values():
            status = response["status"]
        self.read_leftovers(response.get("output"), events)
        usage = response.get("usage")
        if is_object(usage):
            self.count_tokens(responses_usage(scrub(usage) if self.lax else usage), events)
        for field, kind in (("content_filters", "content_filter"), ("moderation", "moderation")):
            if response.get(field):
                self.annotate(kind, response[field], events)
        if status == "failed" or response.get("error"):
            self.fail(error_info(wire.error_fields({"error": response.get("error")})))
        reason = word(members(response.get("incomplete_details")).get("reason"))
        self.finish(f"{status}:{reason}" if reason and status == "incomplete" else status)
        self.end(events)

    def read_leftovers(self, output: Any, events: list[Event]) -> None:
        """What the final response holds and nothing told before: whole kinds only, as the
        places in its list need not be those of the events."""
        if self.suffix:
            return
        told, called = frozenset(self.said), any(choice.calls for choice in self.choices)
        for number, item in enumerate(map(members, elements(output))):
            kind = str(item.get("type"))
            place = f"end{number}"
            if kind in wire.TOOL_ITEMS:
                if not called:
                    self.read_tool_item(item, place, True, events)
            elif kind == "message" or kind == "reasoning":
                channels = {"text", "refusal"} if kind == "message" else {"summary", "reasoning"}
                if not told & channels:
                    self.read_item(item, place, events)
            elif short(kind) not in told:
                self.read_item(item, place, events)
