"""sans-io-stream: an LLM's streamed answer, from raw bytes to normalized events, exactly once.

``StreamDecoder`` takes the bytes of one response body and returns events; ``decode`` and
``adecode`` do so for an iterable of bytes; ``Transcript`` folds events into one answer.
``StreamSession`` carries one answer, asked for by a ``StreamRequest``, over as many
connections as it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoder import StreamDecoder
from .errors import (
    AuthenticationFailed,
    BudgetSpent,
    CaptureError,
    ErrorInfo,
    LimitExceeded,
    OutOfStepError,
    RateLimited,
    ReconnectingExhausted,
    ResumeTokenError,
    SnapshotError,
    StreamClosedError,
    StreamError,
    StreamFailed,
    StreamInterrupted,
    UnknownDialectError,
    UnknownPriceError,
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
from .policy import Limits, ReconnectPolicy, Timeouts
from .transcript import Transcript

if TYPE_CHECKING:
    from .budget import Budget
    from .partial_json import PartialJSON
    from .pricing import Price, PriceTable
    from .request import StreamRequest
    from .session import StreamSession
    from .tracking import TokenTracker

__all__ = [
    "Annotation",
    "AuthenticationFailed",
    "Budget",
    "BudgetSpent",
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
    "OutOfStepError",
    "PartialJSON",
    "Price",
    "PriceTable",
    "RateLimited",
    "ReasoningDelta",
    "ReconnectPolicy",
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
    "StreamRequest",
    "StreamSession",
    "StreamStart",
    "TextDelta",
    "Timeouts",
    "TokenTracker",
    "ToolCall",
    "ToolCallDelta",
    "Transcript",
    "UnknownDialectError",
    "UnknownPriceError",
    "Unrecognized",
    "Usage",
    "adecode",
    "decode",
    "decode_event",
    "encode_event",
]


def __getattr__(name: str) -> object:
    """What decoding does without is imported when it is first asked for."""
    if name == "PartialJSON":
        from .partial_json import PartialJSON

        return PartialJSON
    if name == "StreamRequest":
        from .request import StreamRequest

        return StreamRequest
    if name == "StreamSession":
        from .session import StreamSession

        return StreamSession
    if name == "TokenTracker":
        from .tracking import TokenTracker

        return TokenTracker
    if name == "Budget":
        from .budget import Budget

        return Budget
    if name in ("Price", "PriceTable"):
        from . import pricing

        return pricing.Price if name == "Price" else pricing.PriceTable
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
