"""Entries: what one record of the provider said, as the log keeps it.

Where the provider has no tokens, whose borders matter, it is what one read said: see
docs/decisions/0011. An entry is written whole before anyone sees any of it. What only concerns
the connection to the provider is left out: the relay's own resume points, heartbeats and
connections take its place.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ..events import (
    Connected,
    Disconnected,
    Event,
    Heartbeat,
    Reconnecting,
    Resumed,
    ResumePoint,
    StreamEnd,
    decode_event,
    encode_event,
)

__all__ = ["Entry", "decode_entry", "encode_entry", "entries_of", "entry", "passed_on"]

OF_THE_CONNECTION = (Connected, Disconnected, Reconnecting, Resumed, ResumePoint, Heartbeat)


class Entry(msgspec.Struct, frozen=True, gc=False):
    """The events of one record. ``number`` counts from 1; ``at`` is in seconds, by the clock
    of whoever appended it; ``size`` the bytes of the events as JSON lines; ``token`` the
    provider's own resume token behind it, None where there is none."""

    number: int
    events: tuple[Event, ...]
    at: float
    size: int
    token: str | None = None

    @property
    def seals(self) -> bool:
        """It is the last one of its stream."""
        return isinstance(self.events[-1], StreamEnd)


def entry(number: int, events: tuple[Event, ...], at: float, token: str | None) -> Entry:
    """An entry with its size."""
    return Entry(number, events, at, sum(len(encode_event(e)) + 1 for e in events), token)


class Written(msgspec.Struct, array_like=True, gc=False):
    """An entry as bytes: ``events`` are JSON, as ``encode_event`` writes them."""

    number: int
    at: float
    token: str | None
    events: list[bytes]


def encode_entry(entry: Entry) -> bytes:
    """The entry as a store keeps it."""
    events = [encode_event(event) for event in entry.events]
    return ENCODER.encode(Written(entry.number, entry.at, entry.token, events))


def decode_entry(data: bytes) -> Entry:
    """The entry that ``encode_entry`` wrote. Raises ``msgspec.DecodeError`` on anything else."""
    written = DECODER.decode(data)
    events = tuple(decode_event(event) for event in written.events)
    if not events:
        raise msgspec.DecodeError("an entry without events")
    return entry(written.number, events, written.at, written.token)


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Written)


def passed_on(event: Event) -> bool:
    """Whether an event of the provider's stream is the clients' business."""
    return not isinstance(event, OF_THE_CONNECTION)


def entries_of(events: Iterable[Event]) -> list[tuple[tuple[Event, ...], str | None]]:
    """What a read of the provider's stream said, taken apart record by record: events, and the
    token behind them. A ``ResumePoint`` follows the last event of its record; without any the
    whole read is one."""
    found: list[tuple[tuple[Event, ...], str | None]] = []
    kept: list[Event] = []
    for event in events:
        if isinstance(event, ResumePoint):
            if kept:
                found.append((tuple(kept), event.token))
                kept = []
            elif found:
                found[-1] = (found[-1][0], event.token)
        elif passed_on(event):
            kept.append(event)
    if kept:
        found.append((tuple(kept), None))
    return found
