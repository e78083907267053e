"""Text completions: the prompt is text, and so is the answer.

OpenAI's legacy protocol (``choices[].text``), which vLLM and many others speak, is chat's with
the text in another place. Servers with a protocol of their own differ in nothing but where
things stand: text-generation-inference (``token.text``), llama.cpp (``content``), Writer
(``value``); ``PLACES`` lists them. Writer never says that an answer is complete, so a stream
of its is never taken for it. Sources: the OpenAI API reference, ``completions/streaming``;
the READMEs of llama.cpp's server and of text-generation-inference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..events import FinishReason
from ..usage_forms import llamacpp_usage, tgi_usage
from .openai_chat import OpenAIChat
from .shapes import is_object, members, word
from .tolerant import scrub

if TYPE_CHECKING:
    from ..events import Event, Usage
    from ..framing.items import WireRecord

__all__ = ["OpenAICompletions"]


class Place(NamedTuple):
    """Where one protocol puts what a record says. Paths are keys joined with dots."""

    text: str
    reason: str = ""
    choice: str = ""
    """Where the number of the choice stands; "" where there is but one, which the finish
    reason ends."""
    hidden: str = ""
    """What is true for a piece that is no part of the text."""
    usage: Callable[[dict[str, Any]], Usage | None] | None = None


def details_usage(data: dict[str, Any]) -> Usage | None:
    """The counts of text-generation-inference, which stand among its details."""
    return tgi_usage(members(data.get("details")))


PLACES = (
    Place(
        "token.text",
        "details.finish_reason",
        hidden="token.special",
        usage=details_usage,
    ),
    Place("content", "stop_type", choice="index", usage=llamacpp_usage),
    Place("value"),
)
NAMED = {
    "top_tokens": "logprobs",
    "completion_probabilities": "logprobs",
    "timings": "timings",
}
"""Fields beside the text, and the annotations that they become."""
STOPPED = {"stopped_eos": "eos", "stopped_word": "word", "stopped_limit": "limit"}
"""How llama.cpp told its ``stop_type`` before it had one."""


class OpenAICompletions(OpenAIChat):
    """One text completion."""

    name: ClassVar[str] = "openai-completions"
    done_ends: ClassVar[bool] = True
    events_per_delta: ClassVar[int] = 0
    typed: ClassVar[bool] = False
    lead_end: ClassVar[bytes] = b""
    reasons: ClassVar[dict[str, FinishReason]] = {
        **OpenAIChat.reasons,
        "word": "stop",
        "limit": "length",
    }

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        place = place_of(data)
        if place is None:
            super().read(data, record, events)
        else:
            self.read_error(data)
            self.read_at(place, data, events)

    def belongs(self, data: dict[str, Any]) -> bool:
        return data.get("object") == "text_completion" or super().belongs(data)

    def read_choice(self, entry: dict[str, Any], events: list[Event]) -> None:
        self.text(entry.get("text"), events, self.choice(entry.get("index"))[0])
        super().read_choice(entry, events)

    def read_at(self, place: Place, data: dict[str, Any], events: list[Event]) -> None:
        """Read a record of a protocol that ``place`` describes."""
        self.start(data.get("id"), data.get("model"), events)
        number, choice = self.choice(at(data, place.choice))
        if at(data, place.hidden) is not True:
            self.text(at(data, place.text), events, number)
        for field, kind in NAMED.items():
            if data.get(field):
                self.annotate(kind, data[field], events, number)
        reason = word(at(data, place.reason))
        if reason is None:
            reason = next((told for flag, told in STOPPED.items() if data.get(flag) is True), None)
        if reason is None or data.get("stop") is False:
            return
        if not choice.visible:
            self.text(data.get("generated_text"), events, number)
        counts = scrub(data) if self.lax else data
        usage = place.usage(counts) if place.usage is not None else None
        if usage is not None:
            self.count_tokens(usage, events)
        self.finish(reason, number)
        if not place.choice:
            self.end(events)


def place_of(data: Any) -> Place | None:
    """The protocol of a record, by where its text is; None for OpenAI's own."""
    if not is_object(data) or "choices" in data:
        return None
    return next((place for place in PLACES if isinstance(at(data, place.text), str)), None)


def at(data: dict[str, Any], path: str) -> Any:
    """What stands at ``path``; None for nothing, or an empty path."""
    *outer, last = path.split(".")
    for key in outer:
        data = members(data.get(key))
    return data.get(last)
