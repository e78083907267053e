"""Chat completion chunks, as the dialect ``openai-chat`` and every client of OpenAI read them.

A chunk that says ``role`` first; deltas; at the end a chunk with the finish reason per choice,
one without choices for the counts, and ``[DONE]`` (under "sse": as JSON lines the finish
reasons are the last word). A failure is a chunk with ``error``, and with the finish reason
``error`` where the answer had one already, as OpenRouter sends it. Calls are told apart by
their ``index``, so their fragments may come in any order. Source: the OpenAI API reference,
``chat/completions/streaming``.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from ..dialects.anthropic import ANTHROPIC_REASONS
from ..dialects.openai_chat import DELTA_STRUCTURAL, NAMED, OpenAIChat
from ..dialects.shapes import is_array, is_object
from ..events import Finish
from .base import Call, Channel, Format
from .counts import chat_counts
from .frames import Framing, Item, Out
from .words import error_fields, finish_word

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..events import Annotation, FinishReason, MediaDelta

__all__ = ["OpenAIChatFormat"]

FIELDS: dict[Channel, str] = {
    "text": "content",
    "reasoning": "reasoning_content",
    "refusal": "refusal",
}
BESIDE: dict[FinishReason, str] = {}
"""``pause`` and ``other`` have no word here; ours is read as ``other``."""
TAKES_WHOLE = ("stop", "tool_calls")
BESIDE_DELTA = {
    "content_filter": "content_filter_results",
    "timings": "timings",
    "moderation": "moderation",
}
"""Annotations that stand in the choice, beside its delta, as they are."""
MIME_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*", re.ASCII)


class OpenAIChatFormat(Format, kw_only=True):
    """One chat completion."""

    name: ClassVar[str] = OpenAIChat.name
    framings: ClassVar[tuple[Framing, ...]] = ("sse", "jsonl")
    steady: ClassVar[bool] = True
    has_choices: ClassVar[bool] = True
    dialect: ClassVar[type[OpenAIChat]] = OpenAIChat

    roles: list[int] = msgspec.field(default_factory=list[int])
    """The choices whose role was said."""

    # ---- chunks

    def head(self) -> dict[str, Any]:
        """What stands before the choices of every chunk."""
        return {
            "id": self.response_id or "",
            "object": "chat.completion.chunk",
            "created": self.options.created,
            "model": self.model or "",
        }

    def chunk(self, choices: list[dict[str, Any]], **beside: Any) -> Out:
        return Out({**self.head(), "choices": choices, **beside})

    def delta(self, choice: int, delta: dict[str, Any], out: list[Item], **beside: Any) -> None:
        """One chunk about one choice. The first of each says who speaks."""
        self.ready(out)
        if choice not in self.roles:
            self.roles.append(choice)
            delta = {"role": "assistant", **delta}
        entry = {"index": choice, "delta": delta, **beside, "finish_reason": None}
        out.append(self.chunk([entry]))

    def begin(self, out: list[Item]) -> None:
        self.delta(0, {"content": ""}, out)

    def rename(self, out: list[Item]) -> None:
        self.delta(0, {}, out)

    # ---- content

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        self.delta(choice, {FIELDS[channel]: text}, out)

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        told: dict[str, Any] = {"index": call.index}
        function = {"arguments": fragment}
        if news:
            # Said once: a name or an id that comes again would begin another call.
            if call.id and not call.told_id:
                call.told_id = True
                told["id"] = call.id
            if call.name and not call.told_name:
                call.told_name = True
                function = {"name": call.name, **function}
            told["type"] = "function"
        self.delta(call.choice, {"tool_calls": [{**told, "function": function}]}, out)

    def media(self, event: MediaDelta, out: list[Item]) -> None:
        data = base64.b64encode(event.data).decode()
        kind = event.mime_type or ""
        if not MIME_TYPE.fullmatch(kind) or kind.startswith("audio/"):
            self.delta(event.choice, {"audio": {"data": data}}, out)
            return
        image = {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        self.delta(event.choice, {"images": [image]}, out)

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        kind, data, choice = event.kind, event.data, event.choice
        if kind in BESIDE_DELTA and data:
            self.delta(choice, {}, out, **{BESIDE_DELTA[kind]: data})
        elif kind == "logprobs" and data:
            told = {"content": data} if is_array(data) else data
            if is_object(told):
                self.delta(choice, {}, out, logprobs=told)
        elif kind == "citation" and data:
            self.delta(choice, {"annotations": data if is_array(data) else [data]}, out)
        elif (kind == "reasoning_details" and is_array(data) and data) or (
            kind == "audio" and is_object(data) and data and "data" not in data
        ):
            self.delta(choice, {kind: data}, out)
        elif kind == "extra" and is_object(data):
            known = DELTA_STRUCTURAL | NAMED.keys()
            told = {k: v for k, v in data.items() if k not in known and v not in EMPTY}
            if told:
                self.delta(choice, told, out)

    # ---- the end

    def counted(self, out: list[Item]) -> None:
        """The chunk with the counts, if there are any."""
        if self.usage is not None:
            out.append(self.chunk([], usage=chat_counts(self.usage)))

    def word_of(self, choice: int) -> str:
        finish = self.last_of(choice)
        if finish.raw_reason in ANTHROPIC_REASONS:
            # Gateways leave such words in their chunks, and we read them; OpenAI's clients do not.
            finish = msgspec.structs.replace(finish, raw_reason=None)
        return finish_word(finish, self.dialect.reasons, BESIDE)

    def last_of(self, choice: int) -> Finish:
        """How a choice ended. Under ``stop`` and ``tool_calls`` all calls are taken for whole,
        under ``length`` those that are; there is no other word for a call that was cut off."""
        finish = self.finish_of(choice)
        cut = any(call.choice == choice and not call.whole for call in self.calls.values())
        return Finish("length", None, choice) if cut and finish.reason in TAKES_WHOLE else finish

    def last_entry(self, choice: int, word: str) -> dict[str, Any]:
        return {"index": choice, "delta": {}, "finish_reason": word}

    def complete(self, out: list[Item]) -> None:
        entries = [self.last_entry(choice, self.word_of(choice)) for choice in self.all_choices()]
        out += [self.chunk([entry]) for entry in entries]
        self.counted(out)
        if self.framing == "sse":
            out.append(Out(OpenAIChat.terminator))

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        self.counted(out)
        told = {"param": None, "type": None, "code": None, **error_fields(error)}
        entries = [
            self.last_entry(choice, finish.raw_reason or "error")
            for choice, finish in sorted(self.finishes.items())
        ]
        out.append(self.chunk(entries, error=told) if entries else Out({"error": told}))

    def interrupt(self, out: list[Item]) -> None:
        self.counted(out)


EMPTY: tuple[Any, ...] = (None, "", [], {})
"""What the dialect takes for a field that says nothing."""
