"""The commonest record of Gemini, read by typed decoders: one piece of text and the counts.

The decoder is the recognizer (see ``openai_hot``): what these structs refuse, the tolerant
reading takes. The lists of counts by modality are read only to be sure that no audio is
among them, since audio has a count of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Raw

from ..events import Event, ReasoningDelta, TextDelta, Usage
from ..usage_forms import MOST
from .tolerant import REFUSED

if TYPE_CHECKING:
    from .gemini import Gemini

__all__ = ["UNCOUNTED", "read_text", "recount", "restated", "run_plain"]

TEXT, THOUGHT, UNCOUNTED = 1, 2, 4

Piece = Annotated[str, msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=MOST)]


class _Strict(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    pass


class _Silent(_Strict):
    """The count of a modality that is no audio."""

    modality: Literal["TEXT", "IMAGE", "VIDEO", "DOCUMENT"]
    tokenCount: int = 0


class _Counts(_Strict):
    """``usageMetadata`` as most records have it."""

    promptTokenCount: Count
    candidatesTokenCount: Count
    totalTokenCount: Count
    thoughtsTokenCount: Count | None = None
    toolUsePromptTokenCount: Count | None = None
    cachedContentTokenCount: Count | None = None
    promptTokensDetails: list[_Silent] | None = None
    candidatesTokensDetails: list[_Silent] | None = None
    toolUsePromptTokensDetails: list[_Silent] | None = None
    cacheTokensDetails: list[_Silent] | None = None
    trafficType: str | None = None
    serviceTier: str | None = None


class _Traffic(_Strict):
    """``usageMetadata`` on Vertex before the last record: it counts nothing."""

    trafficType: str


class _Text(_Strict):
    text: Piece


class _Thought(_Strict):
    text: Piece
    thought: bool


P = TypeVar("P")


class _Content(_Strict, Generic[P]):
    parts: tuple[P]
    role: str | None = None


class _Rating(_Strict):
    """A safety rating that says nothing."""

    category: str
    probability: Literal["NEGLIGIBLE", "LOW"]
    probabilityScore: float | None = None
    severity: str | None = None
    severityScore: float | None = None


class _Candidate(_Strict, Generic[P]):
    content: _Content[P]
    index: Literal[0] = 0
    finishReason: Literal["STOP", "MAX_TOKENS"] | None = None
    safetyRatings: list[_Rating] | None = None


class _Response(_Strict, Generic[P]):
    candidates: tuple[_Candidate[P]]
    usageMetadata: _Counts
    modelVersion: str | None = None
    responseId: str | None = None
    createTime: str | None = None


class _Uncounted(_Strict, Generic[P]):
    candidates: tuple[_Candidate[P]]
    usageMetadata: _Traffic | None = None
    modelVersion: str | None = None
    responseId: str | None = None
    createTime: str | None = None


read_text = msgspec.json.Decoder(_Response[_Text]).decode
KINDS: dict[int, Any] = {
    THOUGHT: _Response[_Thought],
    TEXT + UNCOUNTED: _Uncounted[_Text],
    THOUGHT + UNCOUNTED: _Uncounted[_Thought],
}


@cache
def reader(hot: int) -> Any:
    """The typed reader of records of that kind, made when the first one comes."""
    return read_text if hot == TEXT else msgspec.json.Decoder(KINDS[hot]).decode


def recount(counts: Any, old: Usage, record: bytes, generation: int) -> Usage | None:
    """The snapshot after ``old``, as ``gemini_usage`` makes it; None if it counts the same."""
    prompt = counts.promptTokenCount
    answer = counts.candidatesTokenCount
    total = counts.totalTokenCount
    thoughts = counts.thoughtsTokenCount
    tools = counts.toolUsePromptTokenCount
    cached = counts.cachedContentTokenCount
    if thoughts is None:
        thoughts = old.reasoning_tokens
    if tools is None:
        tools = old.tool_prompt_tokens
    if cached is None:
        cached = old.cached_tokens
    if thoughts:
        answer += thoughts
    if tools:
        prompt += tools
    if (
        answer == old.completion_tokens
        and total == old.total_tokens
        and prompt == old.prompt_tokens
        and thoughts == old.reasoning_tokens
        and tools == old.tool_prompt_tokens
        and cached == old.cached_tokens
    ):
        return None
    return Usage(
        prompt, answer, total, cached, None, thoughts,
        old.audio_prompt_tokens, old.audio_completion_tokens, tools,
        None, False, generation, Raw(record), "usageMetadata",
    )  # fmt: skip


def restated(usage: Usage | None, record: bytes, generation: int) -> Usage:
    """``usage`` with ``record`` as the last one that told of it."""
    known = usage or Usage(generation=generation)
    return msgspec.structs.replace(known, source=Raw(record), path="usageMetadata")


def run_plain(dialect: Gemini, rest: Iterable[bytes], events: list[Event]) -> bytes | None:
    """Read records of one piece each, as long as they are of the expected kind.

    Returns the first one that is not, or None. What the tolerant reading would do for each
    record is done for all of them at the end, where only the last one counts.
    """
    hot, generation = dialect.hot, dialect.generation
    read = reader(hot)
    thinking, counting = hot & THOUGHT, not hot & UNCOUNTED
    delta: Any = ReasoningDelta if thinking else TextDelta
    append = events.append
    begin = len(events)
    usage: Any = dialect.usage
    odd: bytes | None = None
    same: bytes | None = None
    reason = word = None
    try:
        for odd in rest:
            response = read(odd)
            candidate = response.candidates[0]
            part = candidate.content.parts[0]
            if thinking and not part.thought:
                break
            append(delta(part.text))
            reason = candidate.finishReason
            if reason is not None:
                word = reason
            if counting:
                new = recount(response.usageMetadata, usage, odd, generation)
                if new is None:
                    same = odd
                else:
                    append(new)
                    usage, same = new, None
            elif response.usageMetadata is not None:
                same = odd
        else:
            odd = None
    except REFUSED:
        pass
    hits = len(events) - begin
    if hits:
        dialect.position += hits
        dialect.usage = usage if same is None else restated(usage, same, generation)
        if word is not None:
            dialect.settle(word, reason is not None)
    return None if odd is None else dialect.missed(hits, odd)
