"""Gemini ``streamGenerateContent``: the Gemini API and Vertex AI, as event stream or JSON array.

Every record is a ``GenerateContentResponse``; there is no terminal record. A candidate is done
if the last record with content of it had a ``finishReason`` (old servers say STOP on every
record), a blocked prompt is done at once; the answer is complete if all candidates are done
and the transport ended in order. Counts come with every record, cumulative, and later records
may drop some: per count the last one told stands. Function calls come whole, or (Vertex) with
arguments in pieces: see ``gemini_args``. A call is complete when a part of it comes without
``willContinue``, and only then. Field names are read in camelCase and snake_case.
Source: the reference of the Gemini API, ``GenerateContentResponse``; that of Vertex AI; the
types of the google-genai SDK.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from ..events import Event, FinishReason, ReasoningDelta, TextDelta, Usage
from ..framing.items import WireRecord
from ..usage_forms import gemini_usage, has_counts
from .base import TEXT, THOUGHT, Call, Choice, Dialect
from .gemini_args import PartialArguments, Unmergeable, json_text
from .gemini_fields import (
    CANDIDATE_STRUCTURAL,
    NAMED,
    PARTS,
    STRUCTURAL,
    camel,
    empty,
    from_base64,
    telling,
)
from .gemini_hot import UNCOUNTED, read_text, recount, restated, run_plain
from .shapes import elements, is_array, is_object, members
from .tolerant import REFUSED

__all__ = ["Gemini"]

UNSPECIFIED = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED", "0",
    }
)  # fmt: skip
"""Reasons that are none."""

BLOCKED = "promptFeedback:"
BY_NUMBER: tuple[FinishReason, ...] = (
    "other", "stop", "length", "content_filter", "content_filter", "other", "other",
    "content_filter", "content_filter", "content_filter", "error", "content_filter", "error",
    "error",
)  # fmt: skip
"""The reasons by the numbers of the Gemini API's enum, which some old servers send."""


class Gemini(Dialect):
    """One streamed ``generateContent`` answer."""

    name: ClassVar[str] = "gemini"
    events_per_delta: ClassVar[int] = 2
    reasons: ClassVar[dict[str, FinishReason]] = {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "CONTINUATION": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter",
        "MODEL_ARMOR": "content_filter",
        "ESCALATION": "content_filter",
        "IMAGE_SAFETY": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter",
        "IMAGE_RECITATION": "content_filter",
        "MALFORMED_FUNCTION_CALL": "error",
        "MALFORMED_RESPONSE": "error",
        "UNEXPECTED_TOOL_CALL": "error",
        "TOO_MANY_TOOL_CALLS": "error",
        "MISSING_THOUGHT_SIGNATURE": "error",
        "PUP_LIMITED_DISABLED": "error",
        **{str(number): reason for number, reason in enumerate(BY_NUMBER)},
    }

    going_on: list[int] = msgspec.field(default_factory=list[int])
    """The candidates whose last content came without a finish reason."""
    partial: dict[str, PartialArguments] = msgspec.field(
        default_factory=dict[str, PartialArguments]
    )
    """The arguments of the open calls."""

    # ---- the end

    def said_all(self, truncated: bool) -> bool:
        return self.ended or (not truncated and self.all_finished() and not self.going_on)

    def reason_of(self, raw: str | None, choice: int) -> FinishReason:
        if raw is not None and raw.startswith(BLOCKED):
            return "content_filter"
        reason = self.reasons.get(raw or "", "other")
        # Gemini has no word of its own for an answer that ends in calls.
        return "tool_calls" if reason == "stop" and self.called(choice) else reason

    def call_is_whole(self, call: Call, complete: bool) -> bool:
        return False

    # ---- the shortcut

    def arm(self, events: list[Event], begin: int) -> None:
        if self.cold:
            self.cold -= self.cold > 0
            return
        new = events[begin:]
        counted = len(new) == 2 and type(new[1]) is Usage
        if not (counted or len(new) == 1) or self.halves is not None:
            return
        kind = type(new[0])
        known = self.response_id and self.model and 0 in self.going_on
        if known and kind in (TextDelta, ReasoningDelta):
            self.hot = TEXT if kind is TextDelta else THOUGHT
            self.armed_at = self.position
            if self.usage is None or not has_counts(self.usage):
                self.hot += UNCOUNTED

    def one(self, payload: bytes) -> list[Event] | None:
        old = self.usage
        if self.hot != TEXT or old is None:
            return super().one(payload)
        try:
            response = read_text(payload)
        except REFUSED:
            self.missed(0, payload)
            return None
        candidate = response.candidates[0]
        if candidate.finishReason is not None:
            return super().one(payload)
        delta = TextDelta(candidate.content.parts[0].text)
        new = recount(response.usageMetadata, old, payload, self.generation)
        if new is None:
            self.usage = restated(old, payload, self.generation)
            return [delta]
        self.usage = new
        return [delta, new]

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        return run_plain(self, rest, events)

    def settle(self, word: str, last: bool) -> None:
        """Keep the finish reason that plain records of candidate 0 had, the last one or not."""
        self.choice(0)[1].raw_reason = word
        if last:
            self.going_on = [other for other in self.going_on if other]
            self.hot = 0

    # ---- records

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        if is_array(data) and data and all(is_object(item) for item in data):
            # The whole array as one record: its responses, one by one.
            for item in data:
                self.read(item, WireRecord(json_text(item).encode(), record.type), events)
            return
        failed = self.read_error(data)
        if not is_object(data):
            self.unrecognized(record, "not a response: no JSON object", events)
            return
        response = camel(data)
        candidates = response.get("candidates")
        if candidates is None:
            candidates = []
        if not is_array(candidates) or not (failed or self.belongs(response)):
            self.unrecognized(record, "not a response: no candidates", events)
            return
        if not failed or candidates:
            self.start(response.get("responseId"), response.get("modelVersion"), events)
        seen: set[int] = set()
        for position, entry in enumerate(candidates):
            if is_object(entry):
                self.read_candidate(camel(entry), position, seen, record, events)
        self.read_feedback(response.get("promptFeedback"), events)
        self.read_usage(data, record, events)
        for field, value in response.items():
            if field not in STRUCTURAL and not empty(value):
                self.extra(field, value, events)

    def belongs(self, response: dict[str, Any]) -> bool:
        """Whether an object without candidates is still a response: counts, feedback."""
        return not STRUCTURAL.isdisjoint(response)

    def read_candidate(
        self,
        entry: dict[str, Any],
        position: int,
        seen: set[int],
        record: WireRecord,
        events: list[Event],
    ) -> None:
        index = entry.get("index")
        if type(index) is not int:
            # JSON of protocol buffers leaves out a 0; servers without any index exist too.
            index = 0 if 0 not in seen else position
        number, choice = self.choice(index)
        seen.add(number)
        parts = elements(camel(members(entry.get("content"))).get("parts"))
        for part in parts:
            if is_object(part):
                self.read_part(camel(part), number, choice, record, events)
            else:
                self.unrecognized(record, "a part that is no JSON object", events)
        for field, value in entry.items():
            if field in CANDIDATE_STRUCTURAL or empty(value):
                continue
            kind = NAMED.get(field)
            if kind is None:
                self.extra(field, value, events, number)
            elif field != "safetyRatings" or telling(value):
                self.annotate(kind, value, events, number)
        reason = entry.get("finishReason")
        word = str(reason) if type(reason) is int or (reason and isinstance(reason, str)) else None
        if word is not None and word not in UNSPECIFIED:
            self.finish(word, number)
            self.going_on = [other for other in self.going_on if other != number]
        elif parts and number not in self.going_on:
            self.going_on.append(number)

    def read_part(
        self,
        part: dict[str, Any],
        number: int,
        choice: Choice,
        record: WireRecord,
        events: list[Event],
    ) -> None:
        thought = part.get("thought") is True
        calls = choice.calls
        signed: dict[str, Any] = {}
        for field, value in part.items():
            if field == "text":
                self.text(value, events, number, "reasoning" if thought else "text")
            elif field == "functionCall" and is_object(value):
                self.read_call(camel(value), number, record, events)
            elif field == "inlineData" and is_object(value):
                self.read_blob(camel(value), thought, number, events)
            elif field == "thoughtSignature":
                signed = {field: value}
            elif field != "thought" and not empty(value):
                kind = PARTS.get(field)
                data = value if kind is not None else {field: value}
                self.annotate(kind or "extra", data, events, number)
        if signed.get("thoughtSignature"):
            # It has to be sent back with the part that it came with.
            if choice.calls > calls:
                signed["tool_call"] = choice.calls - 1
            elif thought:
                signed["thought"] = True
            self.annotate("signature", signed, events, number)

    def read_blob(
        self, blob: dict[str, Any], thought: bool, number: int, events: list[Event]
    ) -> None:
        """Generated media; what the model drew while thinking is no part of the answer."""
        mime_type, data = blob.get("mimeType"), blob.get("data")
        body = from_base64(data)
        if body is None or thought:
            self.annotate("thought_media" if thought else "inline_data", blob, events, number)
        elif body:
            self.media(mime_type if isinstance(mime_type, str) else None, body, events, number)

    # ---- function calls

    def read_call(
        self, value: dict[str, Any], number: int, record: WireRecord, events: list[Event]
    ) -> None:
        """One ``functionCall``: a whole call, or a piece of the one that is open."""
        name, id_ = value.get("name"), value.get("id")
        name = name if isinstance(name, str) and name else None
        id_ = id_ if isinstance(id_, str) and id_ else None
        args = value.get("args")
        pieces = [camel(piece) for piece in elements(value.get("partialArgs")) if is_object(piece)]
        going_on = value.get("willContinue") is True
        call = self.open_piece(number, id_)
        begins = name is not None and (call is None or id_ is None or call.id != id_)
        if call is None and not begins:
            if pieces or args:
                self.unrecognized(record, "a piece of a function call that is not open", events)
            return
        text = json_text(args) if args is not None else ""
        if call is None or begins:
            call = self.open_call(events, id=id_, name=name, choice=number, arguments=text)
            self.partial[key_of(call)] = PartialArguments()
            text = ""
        merged = self.partial[key_of(call)]
        try:
            if (pieces and call.pieces and not merged.levels) or (text and call.pieces):
                raise Unmergeable("the arguments came whole before")
            text += "".join([merged.add(piece, self.limits.depth) for piece in pieces])
        except Unmergeable as error:
            # Cut off as it is: a call with wrong arguments must not look whole.
            self.drop_call(call)
            del self.partial[key_of(call)]
            self.unrecognized(record, f"a piece of arguments cannot be merged: {error}", events)
            return
        if not going_on:
            text += merged.end()
        self.add_arguments(call, text, events)
        if not going_on:
            del self.partial[key_of(call)]
            self.close_call(call, events)

    def open_piece(self, number: int, id_: str | None) -> Call | None:
        """The open call that a piece goes on with: the one of its id, else the last one."""
        for call in reversed(self.calls):
            if call.choice == number and (id_ is None or call.id is None or call.id == id_):
                return call
        return None

    # ---- beside the candidates

    def read_feedback(self, feedback: Any, events: list[Event]) -> None:
        """``promptFeedback``: whether the prompt was blocked."""
        told = camel(members(feedback))
        reason = told.get("blockReason")
        blocked = type(reason) in (str, int) and str(reason) not in UNSPECIFIED and reason != ""
        if blocked:
            self.finish(f"{BLOCKED}{reason}")
            self.going_on = [other for other in self.going_on if other]
        if blocked or telling(told.get("safetyRatings")):
            self.annotate("prompt_feedback", feedback, events)

    def read_usage(self, data: dict[str, Any], record: WireRecord, events: list[Event]) -> None:
        path = "usageMetadata" if "usageMetadata" in data else "usage_metadata"
        usage = data.get(path)
        if not is_object(usage):
            return
        counted = gemini_usage(usage, record.data, path, self.usage, self.generation)
        if self.usage is None and not has_counts(counted):
            # Vertex names its kind of traffic on every record, and counts at the end.
            self.usage = counted
        else:
            self.count_tokens(counted, events)


def key_of(call: Call) -> str:
    """The name of an open call among the partial arguments."""
    return f"{call.choice}:{call.index}"
