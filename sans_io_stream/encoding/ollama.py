"""Ollama's chat: JSON lines, each a piece of the message, the last with the reason and counts.

Calls come whole, with an object as arguments, so their fragments are held until the
``ToolCall``. The id of the answer, and the media types of images, have no place. A sign of
life is a line with nothing in it, since clients read every line as JSON. Source: the Ollama
API reference, ``docs/api.md``, and its ``api/types.go``.
"""

from __future__ import annotations

import base64
import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from ..dialects.ollama import NAMED, Ollama
from ..dialects.shapes import is_object
from .arguments import object_or_text
from .base import Call, Channel, Format
from .counts import ollama_counts
from .frames import Framing, Item, Out
from .words import error_fields, finish_word

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..events import Annotation, FinishReason, MediaDelta

__all__ = ["OllamaFormat"]

BESIDE: dict[FinishReason, str] = {"tool_calls": "stop"}
"""There is no word for a stop at tool calls: it follows from the calls."""


class OllamaFormat(Format, kw_only=True):
    """One answer of ``/api/chat``."""

    name: ClassVar[str] = Ollama.name
    framings: ClassVar[tuple[Framing, ...]] = ("jsonl",)

    def line(self, message: dict[str, Any], **beside: Any) -> Out:
        time = datetime.datetime.fromtimestamp(self.options.created, datetime.UTC)
        return Out(
            {
                "model": self.model or "",
                "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "message": {"role": "assistant", "content": "", **message},
                "done": False,
                **beside,
            }
        )

    def tell(self, message: dict[str, Any], out: list[Item], **beside: Any) -> None:
        self.ready(out)
        out.append(self.line(message, **beside))

    def begin(self, out: list[Item]) -> None:
        out.append(self.line({}))

    def rename(self, out: list[Item]) -> None:
        out.append(self.line({}))

    def heartbeat(self, text: str, out: list[Item]) -> None:
        if self.begun:
            out.append(self.line({}))

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        self.tell({"thinking" if channel == "reasoning" else "content": text}, out)

    def call_piece(self, call: Call, fragment: str, news: bool, out: list[Item]) -> None:
        call.pieces.append(fragment)

    def call_whole(self, call: Call, out: list[Item]) -> None:
        arguments = object_or_text("".join(call.pieces))
        call.pieces.clear()
        function: dict[str, Any] = {
            "index": call.index,
            "name": call.name or "",
            "arguments": {} if arguments is None else arguments,
        }
        told: dict[str, Any] = {"function": function}
        if call.id:
            told = {"id": call.id, **told}
        self.tell({"tool_calls": [told]}, out)

    def media(self, event: MediaDelta, out: list[Item]) -> None:
        self.tell({"images": [base64.b64encode(event.data).decode()]}, out)

    def annotate(self, event: Annotation, out: list[Item]) -> None:
        kind, data = event.kind, event.data
        if kind == "progress" and is_object(data) and data.get("completed") is not None:
            self.tell({}, out, completed=data["completed"], total=data.get("total"))
        elif NAMED.get(kind) == kind and data:
            self.tell({}, out, **{kind: data})

    def complete(self, out: list[Item]) -> None:
        counts = {} if self.usage is None else ollama_counts(self.usage)
        word = finish_word(self.finish_of(0), Ollama.reasons, BESIDE, infers_calls=True)
        out.append(self.line({}, done=True, done_reason=word, **counts))

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        fields = error_fields(error)
        message = fields.pop("message") or error.type or error.kind
        type_ = fields.pop("type", None)
        beside = {} if type_ is None else {"error_type": type_}
        out.append(Out({"error": message, **beside, **fields}))
