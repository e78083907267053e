"""Providers of every dialect that the relay asks, each with the same answers: some text, the text
and a call of a tool, or the text and a failure. What no encoder writes is put on the wire here, as
its provider does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sans_io_stream import (
    ErrorInfo,
    Event,
    Finish,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from sans_io_stream.capture import Capture
from sans_io_stream_adapters.relay.config import Upstream
from sans_io_stream_adapters.testing import FaultServer
from tests.dialects.block_wires import FRAMES, SSE, frame

if TYPE_CHECKING:
    from sans_io_stream_adapters.testing.faults import Fault

__all__ = ["DIALECTS", "TEXT", "WHY", "Ending", "Provider"]

Ending = Literal["text", "call", "failure"]

TEXT = "Zeilen\u2028trennen nicht: wörter 🦜, 漢字"
PIECES = [TEXT[n : n + 5] for n in range(0, len(TEXT), 5)]
WHY = "too much is going on"
ARGUMENTS = ['{"city": ', '"Köln"}']
SAID: list[Event] = [StreamStart("resp_1", "there"), *map(TextDelta, PIECES)]
CALL: list[Event] = [
    ToolCallDelta(index=0, id="call_1", name="weather", arguments=""),
    *(ToolCallDelta(index=0, arguments=piece) for piece in ARGUMENTS),
    ToolCall(index=0, id="call_1", name="weather", arguments="".join(ARGUMENTS)),
]
COUNTED = Usage(prompt_tokens=11, completion_tokens=7, total_tokens=18, final=True)


EVENTS: dict[Ending, list[Event]] = {
    "text": [*SAID, Finish("stop"), COUNTED],
    "call": [*SAID, *CALL, Finish("tool_calls"), COUNTED],
    "failure": [*SAID, StreamEnd("failed", ErrorInfo("overloaded", WHY))],
}


def cohere(ending: Ending) -> bytes:
    """An answer of Cohere's, version 2."""

    def told(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
        numbered = {} if index is None else {"index": index}
        return {"type": kind, **numbered, "delta": {"message": message}}

    texts = [told("content-delta", 0, content={"text": piece}) for piece in PIECES]
    records: list[dict[str, Any]] = [
        {"id": "resp_1", **told("message-start", role="assistant", content=[], tool_calls=[])},
        told("content-start", 0, content={"type": "text", "text": ""}),
        *texts,
        {"type": "content-end", "index": 0},
    ]
    if ending == "call":
        function = {"name": "weather", "arguments": ""}
        call = {"id": "call_1", "type": "function", "function": function}
        records += [
            told("tool-call-start", 0, tool_calls=call),
            *(
                told("tool-call-delta", 0, tool_calls={"function": {"arguments": piece}})
                for piece in ARGUMENTS
            ),
            {"type": "tool-call-end", "index": 0},
        ]
    tokens = {"input_tokens": 11, "output_tokens": 7}
    last: dict[str, Any] = {"usage": {"billed_units": tokens, "tokens": tokens}}
    if ending == "failure":
        last = {"finish_reason": "ERROR", "error": WHY}
    else:
        last["finish_reason"] = "TOOL_CALL" if ending == "call" else "COMPLETE"
    records.append({"type": "message-end", "delta": last})
    return "".join(
        f"event: {record['type']}\ndata: {json.dumps(record)}\n\n" for record in records
    ).encode()


def converse(ending: Ending) -> bytes:
    """An answer of Bedrock's ``ConverseStream``."""

    def delta(index: int, **delta: Any) -> bytes:
        return frame("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})

    frames = [
        frame("messageStart", {"role": "assistant"}),
        *(delta(0, text=piece) for piece in PIECES),
        frame("contentBlockStop", {"contentBlockIndex": 0}),
    ]
    if ending == "failure":
        frames.append(frame("throttlingException", {"message": WHY}, "exception"))
        return b"".join(frames)
    if ending == "call":
        use = {"toolUse": {"toolUseId": "call_1", "name": "weather"}}
        frames += [
            frame("contentBlockStart", {"contentBlockIndex": 1, "start": use}),
            *(delta(1, toolUse={"input": piece}) for piece in ARGUMENTS),
            frame("contentBlockStop", {"contentBlockIndex": 1}),
        ]
    usage = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    return b"".join(
        [
            *frames,
            frame("messageStop", {"stopReason": "tool_use" if ending == "call" else "end_turn"}),
            frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
        ]
    )


@dataclass(frozen=True)
class Provider:
    """Who answers in a dialect: ``asked`` is what the relay is told of it, ``path`` stands behind
    its address. What it plays is in the form of ``plays``, or in bytes that ``writes`` makes, of
    ``content_type``."""

    asked: Mapping[str, Any]
    path: str = ""
    plays: str = ""
    framing: str | None = None
    writes: Callable[[Ending], bytes] | None = None
    content_type: str = SSE

    def server(self, ending: Ending = "text", *, faults: Iterable[Fault] = ()) -> FaultServer:
        """One that gives this answer."""
        if self.writes is not None:
            body = self.writes(ending)
            capture = Capture.of(body, dialect=self.plays, content_type=self.content_type)
            return FaultServer(capture=capture, faults=faults)
        events = EVENTS[ending]
        return FaultServer(self.plays, events=events, framing=self.framing, faults=faults)

    def upstream(self, name: str, server: FaultServer) -> Upstream:
        """The relay's side of it."""
        url = server.url + self.path
        return Upstream(name=name, api_key="upstream-key", base_url=url, **self.asked)


DIALECTS: dict[str, Provider] = {
    "openai-chat": Provider({"provider": "openai"}, "/v1", "openai-chat"),
    "openai-responses": Provider(
        {"provider": "openai", "surface": "responses"}, "/v1", "openai-responses"
    ),
    "anthropic": Provider({"provider": "anthropic"}, plays="anthropic"),
    "gemini": Provider({"provider": "gemini"}, plays="gemini", framing="sse"),
    "ollama": Provider({"provider": "ollama"}, plays="ollama"),
    "holysheep": Provider({"provider": "holysheep"}, "/v1", "holysheep"),
    # Its stream is that of the chat chunks.
    "mistral": Provider({"provider": "mistral"}, plays="openai-chat"),
    # A relay behind the relay.
    "native": Provider({"provider": "relay"}, plays="native"),
    "cohere": Provider({"provider": "cohere"}, plays="cohere", writes=cohere),
    "bedrock-converse": Provider(
        {"provider": "bedrock", "options": {"region": "eu-west-1"}},
        plays="bedrock-converse",
        writes=converse,
        content_type=FRAMES,
    ),
}
"""The dialects of all upstreams."""
