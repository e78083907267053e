"""Which dialect a stream speaks, from its first records.

A table of what gives each protocol away: the names of its events, the keys of its objects.
The rows stand in the order in which they are asked; the first that knows the record wins. A
record that gives nothing away (a ping, an error) leaves the question open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from ..events import Event
from .bedrock import CONVERSE_EVENTS, is_exception
from .failure import error_in
from .shapes import elements, members
from .tolerant import TooDeep, Unreadable, read_json

if TYPE_CHECKING:
    from ..errors import ErrorInfo
    from ..framing.items import WireRecord

__all__ = ["detect", "error_told", "is_heartbeat", "tells_error"]

Row = tuple[str, Callable[[str, dict[str, Any]], bool]]


def _first(data: dict[str, Any], field: str) -> dict[str, Any]:
    entries = elements(data.get(field))
    return members(entries[0]) if entries else {}


def _first_choice(data: dict[str, Any]) -> dict[str, Any]:
    return _first(data, "choices")


COHERE = frozenset(
    {
        "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
        "tool-call-start", "tool-call-delta", "tool-call-end", "citation-start", "citation-end",
        "message-end",
    }
)  # fmt: skip
COHERE_V1 = frozenset(
    {
        "stream-start", "search-queries-generation", "search-results", "text-generation",
        "citation-generation", "tool-calls-generation", "tool-calls-chunk", "stream-end",
    }
)  # fmt: skip


def _of_ollama(_: str, data: dict[str, Any]) -> bool:
    """Lines of Ollama: a piece beside ``done``, or beside the time that all of them tell."""
    piece = isinstance(data.get("message"), dict) or isinstance(data.get("response"), str)
    timed = "model" in data and "created_at" in data
    return (piece and timed) or (isinstance(data.get("done"), bool) and (piece or timed))


INVOKE = frozenset({"bytes", "p"})
ANTHROPIC = frozenset(
    {
        "message_start", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    }
)  # fmt: skip


def _of_conversation(name: str, data: dict[str, Any]) -> bool:
    """An event of Bedrock: named by its frame, or by the one field around it."""
    if name in CONVERSE_EVENTS or is_exception(name):
        return True
    return len(data) == 1 and any(
        key in CONVERSE_EVENTS and isinstance(body, dict) for key, body in data.items()
    )


def _of_assistants(type: str, data: dict[str, Any]) -> bool:
    name = data.get("event") if isinstance(data.get("data"), dict) else None
    names = (data.get("object"), name, type)
    return any(isinstance(n, str) and n.split(".")[0] == "thread" for n in names)


def _of_completions(_: str, data: dict[str, Any]) -> bool:
    """The completions of servers with a protocol of their own."""
    token = data.get("token")
    return (
        (isinstance(token, dict) and "text" in token)
        or (isinstance(data.get("content"), str) and isinstance(data.get("stop"), bool))
        or (data.keys() == {"value"} and isinstance(data["value"], str))
    )


def _of_gemini(_: str, data: dict[str, Any]) -> bool:
    """Responses of Gemini: candidates beside what only it says, or a judgement of the prompt."""
    if any(isinstance(data.get(field), dict) for field in GEMINI_BESIDE):
        return True
    candidate = _first(data, "candidates")
    return "finishReason" in candidate or "parts" in members(candidate.get("content"))


GEMINI_BESIDE = ("usageMetadata", "promptFeedback", "usage_metadata", "prompt_feedback")
INTERACTIONS = ("interaction.", "step.", "content.")


def _of_interactions(_: str, data: dict[str, Any]) -> bool:
    return str(data.get("event_type")).startswith(INTERACTIONS)


OURS: dict[Any, frozenset[str]] = {
    cls.__struct_config__.tag: frozenset({"event", *cls.__struct_fields__})
    for cls in get_args(Event)
}
"""The fields of our own events, by tag."""


def _of_ours(_: str, data: dict[str, Any]) -> bool:
    """Our own events: others have a field ``event`` too, but not these beside it."""
    tag = data.get("event")
    return isinstance(tag, str) and tag in OURS and data.keys() <= OURS[tag]


ROWS: tuple[Row, ...] = (
    ("openai-chat", lambda _, d: str(d.get("object", "")).startswith("chat.completion")),
    ("openai-responses", lambda t, d: str(d.get("type", t)).startswith("response.")),
    ("openai-responses", lambda _, d: d.get("object") == "response"),
    ("openai-assistants", _of_assistants),
    ("openai-completions", lambda _, d: d.get("object") == "text_completion"),
    ("openai-chat", lambda _, d: "delta" in _first_choice(d)),
    ("openai-completions", lambda _, d: isinstance(_first_choice(d).get("text"), str)),
    ("openai-completions", _of_completions),
    ("cohere", lambda _, d: d.get("type") in COHERE),
    ("cohere-v1", lambda _, d: d.get("event_type") in COHERE_V1),
    ("ollama", _of_ollama),
    ("watsonx", lambda _, d: "generated_text" in _first(d, "results")),
    ("replicate", lambda t, d: t == "output" and not d),
    ("anthropic", lambda t, d: d.get("type", t) in ANTHROPIC),
    ("anthropic", lambda _, d: d.get("type") == "message" and isinstance(d.get("content"), list)),
    ("anthropic-completions", lambda t, d: d.get("type", t) == "completion" and "completion" in d),
    ("bedrock-invoke", lambda _, d: isinstance(d.get("bytes"), str) and not d.keys() - INVOKE),
    ("bedrock-converse", _of_conversation),
    ("native", _of_ours),
    ("gemini-interactions", _of_interactions),
    ("gemini", _of_gemini),
)


NAMES = ("type", "event_type", "object", "event")
"""The fields whose text names what an object is."""


def detect(record: WireRecord, depth: int) -> str | None:
    """The dialect that ``record`` gives away, or None."""
    try:
        data, _ = read_json(record.data, depth)
    except (Unreadable, TooDeep):
        data = None
    known = members(data)
    odd = {name: "" for name in NAMES if not isinstance(known.get(name, ""), str)}
    if odd:
        known = {**known, **odd}
    return next((name for name, knows in ROWS if knows(record.type, known)), None)


def is_heartbeat(record: WireRecord) -> bool:
    """Whether a record carries nothing: no data, or a comment sent as data."""
    data = record.data
    if record.type == "output":
        # Replicate's data is text: a blank or a colon is a piece of the answer there.
        return False
    return not data or data[:1] == b":" or data.isspace()


def tells_error(data: bytes, depth: int) -> bool:
    """Whether a record tells an error, in whichever dialect."""
    return error_told(data, depth) is not None


def error_told(data: bytes, depth: int) -> ErrorInfo | None:
    """The error that a record tells, in whichever dialect."""
    try:
        return error_in(read_json(data, depth)[0])
    except (Unreadable, TooDeep, RecursionError):
        return None
