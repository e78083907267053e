"""Streams to keep in stores: the same from the same numbers, so that damage shows."""

from __future__ import annotations

from sans_io_stream import Finish, StreamEnd, TextDelta, ToolCallDelta, Usage
from sans_io_stream.events import encode_event
from sans_io_stream.relay import Entry, stream_id
from sans_io_stream_adapters.relay.stores.protocol import Meta

__all__ = ["id_of", "made", "meta_of", "run_of", "sealing"]


def id_of(number: int) -> str:
    return stream_id(number.to_bytes(16))


def meta_of(number: int, key: str | None = None, owner: str = "ann") -> Meta:
    return Meta(
        id=id_of(number),
        owner=owner,
        provider="upstream",
        model="modèle-\U0001f600",
        created=1_700_000_000.5 + number,
        request=bytes(range(256)) * number,
        digest=f"digest-{number}",
        idempotency_key=key,
    )


def made(number: int, stream: int = 1, text: str = "") -> Entry:
    """An entry with one or two events."""
    word = TextDelta(f"{stream}:{number} \u00e9\U0001f600\x00{text}")
    more = (ToolCallDelta(index=0, id="call", name="f", arguments='{"a":'), Usage(prompt_tokens=3))
    events = (word,) if number % 3 else (word, *more)
    size = sum(len(encode_event(event)) + 1 for event in events)
    return Entry(
        number, events, 1_700_000_000.25 + number, size, f"t{number}" * (number % 2) or None
    )


def run_of(first: int, last: int, stream: int = 1) -> list[Entry]:
    """Entries ``first`` to ``last``, both included."""
    return [made(number, stream) for number in range(first, last + 1)]


def sealing(number: int, at: float = 5.0) -> Entry:
    """An entry that is its stream's last."""
    events = (Finish("stop"), StreamEnd("complete"))
    size = sum(len(encode_event(event)) + 1 for event in events)
    return Entry(number, events, at, size)
