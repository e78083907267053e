"""sans-io-stream: an LLM's streamed answer, from raw bytes to normalized events, exactly once.

``StreamDecoder`` takes the bytes of one response body and returns events; ``decode`` and
``adecode`` do so for an iterable of bytes; ``Transcript`` folds events into one answer.
"""

from __future__ import annotations

from .decoder import StreamDecoder
from .errors import (
    AuthenticationFailed,
    CaptureError,
    ErrorInfo,
    LimitExceeded,
    RateLimited,
    ReconnectingExhausted,
    ResumeTokenError,
    SnapshotError,
    StreamClosedError,
    StreamError,
    StreamFailed,
    StreamInterrupted,
    UnknownDialectError,
)
from .events import (
    Annotation,
    Connected,
    Delta,
    Disconnected,
    Event,
    Finish,
    FinishReason,
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
    decode_event,
    encode_event,
)
from .iterate import adecode, decode
from .policy import Limits
from .transcript import Transcript

__all__ = [
    "Annotation",
    "AuthenticationFailed",
    "CaptureError",
    "Connected",
    "Delta",
    "Disconnected",
    "ErrorInfo",
    "Event",
    "Finish",
    "FinishReason",
    "Heartbeat",
    "LimitExceeded",
    "Limits",
    "MediaDelta",
    "RateLimited",
    "ReasoningDelta",
    "Reconnecting",
    "ReconnectingExhausted",
    "Record",
    "RefusalDelta",
    "ResumePoint",
    "ResumeTokenError",
    "Resumed",
    "SnapshotError",
    "StreamClosedError",
    "StreamDecoder",
    "StreamEnd",
    "StreamError",
    "StreamFailed",
    "StreamInterrupted",
    "StreamStart",
    "TextDelta",
    "ToolCall",
    "ToolCallDelta",
    "Transcript",
    "UnknownDialectError",
    "Unrecognized",
    "Usage",
    "adecode",
    "decode",
    "decode_event",
    "encode_event",
]
