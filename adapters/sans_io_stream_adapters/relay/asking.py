"""What a request asks of the relay itself: where to go on, in which format, with which counts.

Beside the fields that providers have there are HolySheep's: its clients are known by their
options, and may say in the body where to go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from sans_io_stream.dialects.shapes import members

from .http import Refused, bad

if TYPE_CHECKING:
    from .http import Request

__all__ = [
    "FORMATS", "Cursor", "counts_in", "cursor_in", "cursor_of", "first_asked", "format_in",
    "json_or_nothing", "key_in", "seconds_in", "streams_in", "told_in",
]  # fmt: skip

OURS = ("include_model", "include_finish_reason", "resume_from_event_id")
"""Stream options by which HolySheep's clients are known."""
OF_THE_STREAM = ("stream_options",)
"""Fields of a body that say how an answer is streamed."""
WORDS: dict[str, Any] = {"true": True, "false": False}

FORMATS = ("native", "openai-chat", "anthropic", "holysheep")


class Cursor(NamedTuple):
    """From where to go on. ``quiet`` says that nothing more is told by 204: so do those who come
    back with ``Last-Event-ID`` know the end. The others are told it again."""

    word: str
    quiet: bool = False


def cursor_in(request: Request) -> Cursor | None:
    """The cursor in the head: a header, which outranks the query."""
    word = request.header("last-event-id")
    if word:
        return Cursor(word, quiet=True)
    if (request.header("x-stream-resume") or "").strip().lower() == "true":
        word = request.header("x-stream-event-id")
    word = word or request.query.get("after")
    return None if word is None else Cursor(word)


def cursor_of(body: dict[str, Any]) -> Cursor | None:
    """The cursor in a body of HolySheep's."""
    word = members(body.get("stream_options")).get("resume_from_event_id")
    return Cursor(word) if isinstance(word, str) and word else None


def json_or_nothing(request: Request) -> dict[str, Any]:
    """The body, or nothing where there is none that can be read."""
    try:
        return request.json()
    except Refused:
        return {}


def format_in(request: Request, body: dict[str, Any], format: str) -> str:
    """The format that is asked for at a path of ``format``. Raises ``Refused`` for none."""
    wanted = request.query.get("format")
    if wanted is not None:
        if wanted not in FORMATS:
            raise bad(f"format is one of {', '.join(FORMATS)}")
        return wanted
    options = members(body.get("stream_options"))
    ours = format == "openai-chat" and any(name in options for name in OURS)
    return "holysheep" if ours else format


def told_in(request: Request, format: str) -> str:
    """The format in which a refusal is told at a path of ``format``."""
    wanted = request.query.get("format")
    return wanted if wanted in FORMATS else format


def streams_in(body: dict[str, Any], format: str) -> bool:
    """Whether the answer is to be a stream. Raises ``Refused`` for what says neither."""
    told = body.get("stream")
    if told is None:
        return format == "native"
    if not isinstance(told, bool):
        raise bad("stream is true or false")
    return told


def counts_in(request: Request, body: dict[str, Any], format: str) -> bool:
    """Whether a stream is to tell token counts: the query says so, or ``stream_options``. In
    OpenAI's format it does where it is asked to: a chunk without choices is not expected by those
    who did not ask."""
    told = members(body.get("stream_options")).get("include_usage")
    told = WORDS.get(request.query.get("include_usage", ""), told)
    return told is True if format == "openai-chat" else told is not False


class First(msgspec.Struct):
    """What is looked at again of the request that began a stream."""

    body: dict[str, msgspec.Raw]


def first_asked(kept: bytes) -> dict[str, Any]:
    """What the request that began a stream said of the stream; ``kept`` is it."""
    try:
        said = msgspec.json.decode(kept, type=First).body
    except msgspec.DecodeError:
        return {}
    return {name: msgspec.json.decode(said[name]) for name in OF_THE_STREAM if name in said}


def key_in(request: Request) -> str | None:
    """The key that a request carries: a bearer token, or ``x-api-key``."""
    scheme, _, token = (request.header("authorization") or "").partition(" ")
    key = token.strip() if scheme.lower() == "bearer" else None
    return key or request.header("x-api-key") or request.header("api-key")


def seconds_in(request: Request, most: int) -> int:
    """For how long a ticket is asked for; ``most`` where nothing is said. Raises ``Refused``."""
    told = request.json().get("seconds") if request.body else None
    if told is None:
        return most
    if not isinstance(told, int) or isinstance(told, bool) or not 1 <= told <= most:
        raise bad(f"seconds is a whole number between 1 and {most}")
    return told
