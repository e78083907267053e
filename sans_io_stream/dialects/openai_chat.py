"""OpenAI chat completions, and the whole family that speaks it.

Azure, DeepSeek, Groq, xAI, OpenRouter, Mistral, vLLM, llama.cpp, LM Studio and every server
nobody has named: the protocol is the chunk (``choices[].delta``), and what differs between
them is listed in tables, not in branches. The terminal record is ``[DONE]``; its absence is
no failure where every choice has a finish reason, its presence no success where an error
came. Sources: the OpenAI API reference, ``chat/completions/streaming``, and the vendors' own.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..events import Event, FinishReason, Heartbeat, ReasoningDelta, TextDelta
from ..usage_forms import chat_usage
from .base import TEXT, THOUGHT, Choice, Dialect
from .openai_hot import read_call, read_chunk, read_text, read_thought
from .shapes import elements, is_array, is_object, members, word
from .tolerant import REFUSED, read_object, scrub
from .tools import chat_calls

if TYPE_CHECKING:
    from ..framing.items import PlainForm, WireRecord
    from .openai_hot import AnyChoice, Chunk

__all__ = ["OpenAIChat"]

STRUCTURAL = frozenset(
    {
        "id", "object", "created", "model", "choices", "usage", "system_fingerprint",
        "service_tier", "obfuscation", "provider", "x_groq", "error", "request_id", "nonce",
        "p",
    }
)  # fmt: skip
"""Fields of a chunk that are read above, or only tell about the chunk itself."""

NAMED = {
    "prompt_filter_results": "content_filter",
    "content_filter_results": "content_filter",
    "content_filter_offsets": "content_filter",
    "citations": "citation",
    "search_results": "citation",
    "annotations": "citation",
    "logprobs": "logprobs",
    "prompt_logprobs": "logprobs",
    "timings": "timings",
    "moderation": "moderation",
    "reasoning_details": "reasoning_details",
}
"""Fields beside the deltas that have a name of their own as annotations."""

PARTS = {"reference": "citation", "tool_reference": "citation"}
"""Typed parts that have another name as annotations than their own type."""

PINGS = frozenset({"heartbeat", "keep-alive", "keepalive", "ping"})
"""Names of events, and types of objects, with which gateways keep a connection alive."""

CHOICE_STRUCTURAL = frozenset(
    {"index", "delta", "message", "finish_reason", "native_finish_reason", "text"}
)
DELTA_STRUCTURAL = frozenset(
    {
        "role", "content", "reasoning_content", "reasoning", "refusal", "tool_calls",
        "function_call", "index", "images", "audio",
    }
)  # fmt: skip


PLAIN_DELTA = frozenset({"role", "content", "reasoning_content", "reasoning"})
DEPTH = 4
"""How deep a plain chunk nests."""
LEAD = b'{"choices":'
"""What stands for the lead of a chunk (id, model and so on) that was read before."""


class OpenAIChat(Dialect):
    """One chat completion."""

    name: ClassVar[str] = "openai-chat"
    done_ends: ClassVar[bool] = True
    events_per_delta: ClassVar[int] = 1
    heartbeats: ClassVar[frozenset[str]] = PINGS
    lead_end: ClassVar[bytes] = b'"choices":'
    reasons: ClassVar[dict[str, FinishReason]] = {
        "stop": "stop",
        "eos": "stop",
        "eos_token": "stop",
        "stop_sequence": "stop",
        "length": "length",
        "max_tokens": "length",
        "model_length": "length",
        "model_context_window_exceeded": "length",
        "tool_calls": "tool_calls",
        "tool_use": "tool_calls",
        "function_call": "tool_calls",
        "content_filter": "content_filter",
        "sensitive": "content_filter",
        "error": "error",
        "network_error": "error",
        "insufficient_system_resource": "error",
        "refusal": "refusal",
    }

    typed: ClassVar[bool] = True
    """Whether chunks mean in this dialect just what they mean in the family."""

    familiar: bool = True
    """The last record was a plain chunk: the next one may be one, too."""
    opening: bytes = b""
    """What completes the bare items of this read to JSON."""

    def said_all(self, truncated: bool) -> bool:
        """Every choice has a finish reason, or ``[DONE]`` came after content; a cut transport
        takes nothing back."""
        return self.all_finished() or (self.ended and self.content_seen())

    def begins(self, record: WireRecord) -> bool:
        """A chunk that names the role, and says nothing yet."""
        choices = elements(read_object(record.data, self.limits.depth).get("choices"))
        if not choices:
            return False
        choice = members(choices[0])
        delta = members(choice.get("delta"))
        said = any(value for field, value in delta.items() if field != "role")
        return "role" in delta and not said and not choice.get("finish_reason")

    def plain(self, payloads: list[bytes], form: PlainForm, events: list[Event]) -> None:
        self.opening = LEAD if form.has_lead else b""
        super().plain(payloads, form, events)

    def one(self, payload: bytes) -> list[Event] | None:
        hot = self.hot
        told: list[Event]
        try:
            if hot == TEXT:
                delta = read_text(self.opening + payload).choices[0].delta
                told = [TextDelta(delta.content)]
            elif hot == THOUGHT:
                thought = read_thought(self.opening + payload).choices[0].delta
                told = [ReasoningDelta(thought.reasoning_content)]
            elif not hot:
                return None
            else:
                told = []
                self.run_call(self.opening + payload, told)
        except REFUSED:
            self.missed(0, payload)
            return None
        return told

    def run(self, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
        begin = len(events)
        opening = self.opening
        odd: bytes | None = None
        try:
            if self.hot == TEXT:
                for odd in rest:
                    # No comprehension, as ``odd`` is needed, and no name for the piece: 30 ns.
                    events.append(TextDelta(read_text(opening + odd).choices[0].delta.content))  # noqa: PERF401
            elif self.hot == THOUGHT:
                for odd in rest:
                    delta = read_thought(opening + odd).choices[0].delta
                    events.append(ReasoningDelta(delta.reasoning_content))
            else:
                for odd in rest:
                    self.run_call(opening + odd, events)
            odd = None
        except REFUSED:
            pass
        hits = len(events) - begin
        self.position += hits
        return None if odd is None else self.missed(hits, odd)

    def run_call(self, payload: bytes, events: list[Event]) -> None:
        """One fragment of the arguments of the only open call. Raises if it is not that."""
        piece = read_call(payload).choices[0].delta.tool_calls[0]
        if len(self.calls) != 1 or piece.index != self.calls[0].key:
            raise msgspec.ValidationError("a fragment of another call")
        self.add_arguments(self.calls[0], piece.function.arguments, events)

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if (
            self.familiar
            and self.typed
            and self.cold >= 0
            and record.data[:1] == b"{"
            and not record.type
            and self.limits.depth >= DEPTH
        ):
            try:
                chunk = read_chunk(record.data)
            except REFUSED:
                # What comes is of another form: to try each of them would cost a third more.
                self.familiar = False
            else:
                self.lax = False
                self.read_chunk(chunk, events)
                return
        super().interpret(record, events)

    def read_chunk(self, chunk: Chunk[AnyChoice], events: list[Event]) -> None:
        """A chunk of one choice that has a role, text, a finish reason or nothing: the records
        around the deltas, which make up most of a short answer."""
        self.start(chunk.id, chunk.model, events)
        (choice,) = chunk.choices
        self.choice(0)
        delta = choice.delta
        if delta.reasoning_content:
            self.text(delta.reasoning_content, events, kind="reasoning")
        if delta.content:
            self.text(delta.content, events)
        if choice.finish_reason:
            self.finish(choice.finish_reason)

    def arm(self, events: list[Event], begin: int) -> None:
        if self.response_id and self.model:
            super().arm(events, begin)
            if self.hot:
                self.familiar = True

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        failed = self.read_error(data)
        if not is_object(data):
            if not failed:
                self.unrecognized(record, "not a chunk: no JSON object", events)
            return
        choices = data.get("choices")
        if not is_array(choices):
            choices = ()
            if not failed and not self.belongs(data):
                if record.type in PINGS or word(data.get("type")) in PINGS:
                    events.append(Heartbeat("ping"))
                else:
                    self.unrecognized(record, "not a chunk: no choices", events)
                return
        if not failed or choices:
            self.start(data.get("id"), data.get("model"), events)
        for entry in choices:
            if is_object(entry):
                self.read_choice(entry, events)
        self.read_usage(data, record, events)
        if failed and not choices:
            # What else stands there is about the error.
            return
        if not STRUCTURAL.issuperset(data):
            for field, value in data.items():
                if field not in STRUCTURAL and value is not None and value != []:
                    self.beside(field, value, events, 0)

    def belongs(self, data: dict[str, Any]) -> bool:
        """Whether an object without choices is still a chunk: usage, filters, moderation."""
        return (
            str(data.get("object", "")).startswith("chat.completion")
            or is_object(data.get("usage"))
            or any(field in NAMED for field in data)
        )

    def read_choice(self, entry: dict[str, Any], events: list[Event]) -> None:
        number, choice = self.choice(entry.get("index"))
        delta = entry.get("delta")
        if not is_object(delta):
            # A server that answers whole sends a message where a delta belongs.
            delta = entry.get("message")
        if is_object(delta):
            self.read_delta(delta, number, choice, events)
        if not CHOICE_STRUCTURAL.issuperset(entry):
            for field, value in entry.items():
                if field not in CHOICE_STRUCTURAL and value is not None and value != {}:
                    self.beside(field, value, events, number)
        reason = entry.get("finish_reason")
        if reason:
            self.finish(reason, number)

    def read_delta(
        self, delta: dict[str, Any], number: int, choice: Choice, events: list[Event]
    ) -> None:
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if thinking:
            self.content(thinking, events, number, thinking=True)
        content = delta.get("content")
        if content:
            self.content(content, events, number)
        if PLAIN_DELTA.issuperset(delta):
            return
        self.text(delta.get("refusal"), events, number, "refusal")
        calls = delta.get("tool_calls")
        if calls:
            chat_calls(self, calls if is_array(calls) else [calls], number, events)
        legacy = delta.get("function_call")
        if is_object(legacy):
            chat_calls(self, [{"index": 0, "function": legacy}], number, events)
        images = delta.get("images")
        for image in elements(images):
            self.part(image, events, number)
        audio = delta.get("audio")
        if is_object(audio):
            self.audio(audio, events, number)
        for field, value in delta.items():
            if field not in DELTA_STRUCTURAL and value not in (None, "", [], {}):
                # A delta's field is a piece: equal ones are told each time.
                kind = NAMED.get(field)
                if kind is None:
                    self.annotate("extra", {field: value}, events, number)
                else:
                    self.annotate(kind, value, events, number)

    def content(
        self, content: Any, events: list[Event], choice: int, thinking: bool = False
    ) -> None:
        """Content is a string, or a list of typed parts (Mistral)."""
        if is_array(content):
            for part in content:
                self.part(part, events, choice, thinking)
        elif is_object(content):
            self.part(content, events, choice, thinking)
        else:
            self.text(content, events, choice, "reasoning" if thinking else "text")

    def part(self, part: Any, events: list[Event], choice: int, thinking: bool = False) -> None:
        """One typed part of a content list."""
        if isinstance(part, str):
            self.text(part, events, choice, "reasoning" if thinking else "text")
        elif not is_object(part):
            self.annotate("extra", part, events, choice)
        elif isinstance(part.get("thinking"), list | str):
            self.content(part["thinking"], events, choice, thinking=True)
            if part.get("signature"):
                self.annotate("signature", {"signature": part["signature"]}, events, choice)
        elif isinstance(part.get("text"), str):
            self.text(part["text"], events, choice, "reasoning" if thinking else "text")
        else:
            image = part.get("image_url")
            url = image.get("url") if is_object(image) else image
            if not self.data_url(url, events, choice):
                kind = str(part.get("type", "extra"))
                self.annotate(PARTS.get(kind, kind), part, events, choice)

    def data_url(self, url: Any, events: list[Event], choice: int) -> bool:
        """Media inside a ``data:`` URL (RFC 2397); False for anything else."""
        if not isinstance(url, str) or not url.startswith("data:"):
            return False
        head, comma, body = url[5:].partition(",")
        if not comma or not head.endswith(";base64"):
            return False
        return self.base64_media(head.removesuffix(";base64") or None, body, events, choice)

    def audio(self, audio: dict[str, Any], events: list[Event], choice: int) -> None:
        """Generated speech; its transcript is an annotation, as it is no part of the text."""
        data = audio.get("data")
        if isinstance(data, str) and data and not self.base64_media(None, data, events, choice):
            self.annotate("audio", {"data": data}, events, choice)
        rest = {k: v for k, v in audio.items() if k != "data" and v is not None}
        if rest:
            self.annotate("audio", rest, events, choice)

    def base64_media(
        self, mime_type: str | None, data: str, events: list[Event], choice: int
    ) -> bool:
        try:
            self.media(mime_type, base64.b64decode(data, validate=True), events, choice)
        except (binascii.Error, ValueError):
            return False
        return True

    def read_usage(self, data: dict[str, Any], record: WireRecord, events: list[Event]) -> None:
        usage, path = data.get("usage"), "usage"
        groq = data.get("x_groq")
        if is_object(groq):
            # Groq says the same counts twice in its last chunk, or only here.
            if not is_object(usage):
                usage, path = groq.get("usage"), "x_groq.usage"
            if groq.get("error"):
                self.read_error({"error": groq["error"]})
        if is_object(usage):
            self.count_tokens(chat_usage(usage, record.data, path), events)

    def beside(self, field: str, value: Any, events: list[Event], choice: int) -> None:
        """A field beside the deltas: a named annotation, or an extra."""
        if field == "usage" and is_object(value):
            # Moonshot's counts stand in the choice that ends.
            usage = scrub(value) if self.lax else value
            self.count_tokens(chat_usage(usage, msgspec.json.encode(usage), ""), events)
            return
        if field == "error" and self.read_error({field: value}):
            # By OpenRouter's types a choice may fail by itself.
            return
        kind = NAMED.get(field)
        if kind is None:
            self.extra(field, value, events, choice)
        else:
            self.annotate(kind, value, events, choice)
