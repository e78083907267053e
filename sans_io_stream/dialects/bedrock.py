"""What Bedrock's two streaming operations share: the events of a conversation, and failures.

``ConverseStream`` sends these events as frames named after them; ``InvokeModel`` streams of
Amazon's own models (Nova) hold the same ones as JSON, each under its name. Failures come as
frames of their own, marked in the headers: a modeled exception, or an unmodeled error. Source:
botocore's service description of ``bedrock-runtime`` (``ConverseStreamOutput``,
``ResponseStream``) and its ``eventstream`` parser.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..events import Event, FinishReason
from ..usage_forms import bedrock_usage
from .blocks import Block, BlockDialect
from .failure import error_info
from .shapes import is_object, whole_number
from .tolerant import TooDeep, Unreadable, read_json

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..framing.items import WireRecord

__all__ = [
    "CONVERSE_EVENTS",
    "CONVERSE_REASONS",
    "converse_event",
    "is_exception",
    "read_converse",
    "read_failure",
]

CONVERSE_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

STATUS = {
    "internalserverexception": 500,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "serviceunavailableexception": 503,
    "throttlingexception": 429,
    "validationexception": 400,
}
"""The HTTP status of each exception, by the service description."""

STRUCTURAL = frozenset({"messageStart", "contentBlockStop", "messageStop"})
"""Events that say nothing of their own, but for the reason that the tail tells."""

SERVER_TOOL = "server_tool_use"
SHAPES = {
    "delta": "contentBlockDelta",
    "start": "contentBlockStart",
    "stopReason": "messageStop",
    "usage": "metadata",
    "contentBlockIndex": "contentBlockStop",
    "role": "messageStart",
}


# ---- failures


def is_exception(name: str) -> bool:
    """Whether an event of that name is a failure."""
    return name.lower() in STATUS


def read_failure(dialect: BlockDialect, record: WireRecord) -> bool:
    """Whether ``record`` is a frame that tells a failure; keeps it."""
    headers = record.headers or {}
    kind = headers.get(":message-type")
    if kind == "error":
        fields = {"type": headers.get(":error-code"), "message": headers.get(":error-message")}
        dialect.fail(error_info(fields))
        return True
    if kind != "exception" and not is_exception(record.type):
        return False
    try:
        body, _ = read_json(record.data, dialect.limits.depth)
    except (Unreadable, TooDeep):
        body = {"message": record.data.decode("utf-8", "replace")}
    name = headers.get(":exception-type", record.type)
    dialect.fail(exception(name if isinstance(name, str) else record.type, body))
    return True


def exception(name: str, body: Any) -> ErrorInfo:
    """One modeled exception. A model's own message stands in for a missing one."""
    fields: dict[str, Any] = dict(body) if is_object(body) else {}
    fields["type"] = name
    if not (fields.get("message") or fields.get("Message")):
        fields["message"] = fields.get("originalMessage")
    return error_info(fields, status=STATUS.get(name.lower()))


# ---- the events of a conversation


def converse_event(data: dict[str, Any], type: str) -> tuple[str, dict[str, Any]] | None:
    """The name and body of an event: its name stands around it, beside it, or is left out."""
    for name, body in data.items():
        if is_object(body) and (name in CONVERSE_EVENTS or is_exception(name)):
            return name, body
    if type in CONVERSE_EVENTS:
        return type, data
    if type:
        return None
    return next(((name, data) for field, name in SHAPES.items() if field in data), None)


def read_converse(
    dialect: BlockDialect, name: str, body: dict[str, Any], events: list[Event]
) -> bool:
    """Read one event. False if it is not as it should be."""
    if is_exception(name):
        dialect.fail(exception(name, body))
        return True
    if not dialect.started:
        dialect.start(None, None, events)
    return CONVERSE_EVENTS[name](dialect, body, events)


def read_start(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    return True


def read_block_start(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    start, index = body.get("start"), whole_number(body.get("contentBlockIndex"))
    if not is_object(start):
        return start is None
    tool, result, image = (start.get(kind) for kind in ("toolUse", "toolResult", "image"))
    if is_object(tool):
        if tool.get("type") == SERVER_TOOL:
            dialect.begin_use(index, SERVER_TOOL, tool, events)
        else:
            dialect.begin_call(index, tool.get("toolUseId"), tool.get("name"), tool, events)
        return True
    dialect.displace(index, events)
    if is_object(result):
        dialect.annotate("tool_result", result, events)
    elif is_object(image) and index is not None:
        # Its data follow, and are of the format that stands only here.
        dialect.remember(index, Block(image))
    return is_object(result) or is_object(image) or not start


def read_block_delta(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    delta, index = body.get("delta"), whole_number(body.get("contentBlockIndex"))
    if not is_object(delta):
        return False
    known = False
    for kind, value in delta.items():
        if kind == "text" and isinstance(value, str):
            dialect.text(value, events)
        elif kind == "reasoningContent" and is_object(value):
            read_reasoning(dialect, value, events)
        elif kind == "toolUse" and is_object(value):
            fragment = value.get("input")
            if not isinstance(fragment, str) or not dialect.add_input(index, fragment, events):
                continue
        elif kind == "toolResult":
            dialect.annotate("tool_result", {"content": value}, events)
        elif kind == "citation":
            dialect.annotate("citation", value, events)
        elif kind == "image" and is_object(value):
            read_image(dialect, index, value, events)
        else:
            continue
        known = True
    return known


def read_reasoning(dialect: BlockDialect, value: dict[str, Any], events: list[Event]) -> None:
    dialect.text(value.get("text"), events, kind="reasoning")
    if value.get("signature"):
        dialect.annotate("signature", {"signature": value["signature"]}, events)
    if value.get("redactedContent"):
        redacted = {"redactedContent": value["redactedContent"]}
        dialect.annotate("redacted_thinking", redacted, events)


def read_image(
    dialect: BlockDialect, index: int | None, value: dict[str, Any], events: list[Event]
) -> None:
    """A piece of an image, or what stands for it: a place, an error."""
    source = value.get("source")
    text = source.get("bytes") if is_object(source) else None
    block = None if index is None else dialect.blocks.get(index)
    kind = block.start.get("format") if block is not None else None
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    if data:
        dialect.media(f"image/{kind}" if isinstance(kind, str) else None, data, events, 0)
    else:
        dialect.annotate("image", value, events)


def read_block_stop(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    dialect.stop_block(whole_number(body.get("contentBlockIndex")), events)
    return True


def read_stop(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    dialect.finish(body.get("stopReason"))
    more = body.get("additionalModelResponseFields")
    if more not in (None, {}):
        dialect.extra("additionalModelResponseFields", more, events)
    if dialect.usage is not None:
        dialect.end(events)
    return True


def read_metadata(dialect: BlockDialect, body: dict[str, Any], events: list[Event]) -> bool:
    """The counts, which come last: with them, and the reason before, all is said."""
    usage = body.get("usage")
    if is_object(usage):
        dialect.count_tokens(bedrock_usage(dialect.encodable(usage)), events)
    if body.get("trace"):
        dialect.annotate("trace", body["trace"], events)
    if dialect.all_finished():
        dialect.end(events)
    return True


Reader = Callable[[BlockDialect, dict[str, Any], list[Event]], bool]
CONVERSE_EVENTS: dict[str, Reader] = {
    "messageStart": read_start,
    "contentBlockStart": read_block_start,
    "contentBlockDelta": read_block_delta,
    "contentBlockStop": read_block_stop,
    "messageStop": read_stop,
    "metadata": read_metadata,
}
