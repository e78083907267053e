"""Amazon Bedrock's ``ConverseStream``.

Frames named after their events; any framing that delivers their JSON will do. The reason to
stop comes in ``messageStop``, the counts after it in ``metadata``: only both together are the
terminal word, so the tail waits for the second of them, or for the end of the body. Source:
botocore's service description of ``bedrock-runtime``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

# A struct's annotations are read when a snapshot is.
from ..events import FinishReason
from .bedrock import CONVERSE_REASONS, converse_event, read_converse, read_failure
from .blocks import BlockDialect
from .shapes import is_object

if TYPE_CHECKING:
    from ..events import Event
    from ..framing.items import WireRecord

__all__ = ["BedrockConverse"]


class BedrockConverse(BlockDialect):
    """One message of a conversation."""

    name: ClassVar[str] = "bedrock-converse"
    accept: ClassVar[str] = "application/vnd.amazon.eventstream"
    reasons: ClassVar[dict[str, FinishReason]] = CONVERSE_REASONS

    def interpret(self, record: WireRecord, events: list[Event]) -> None:
        if not read_failure(self, record):
            super().interpret(record, events)

    def read(self, data: Any, record: WireRecord, events: list[Event]) -> None:
        event = converse_event(data, record.type) if is_object(data) else None
        if event is None:
            if not self.read_error(data):
                self.unrecognized(record, "no known event", events)
        elif not read_converse(self, *event, events):
            self.unrecognized(record, f"not a {event[0]} as it should be", events)
