"""The state of a decoder as plain data: what ``snapshot()`` writes and ``restore()`` reads.

Framing and dialect are structs whose fields are their whole state, so a snapshot is their
encoding and nothing is kept twice. It is MessagePack around typed JSON, never pickle: safe to
load from anywhere, and checked by the types of the fields. What fits the types may still be
damaged (a position that lies outside, a flag that contradicts another), so a checksum stands
before it. Headers and credentials never come near it.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from .dialects.marks import Trail, name_of
from .dialects.plain import Records
from .dialects.registry import DIALECTS
from .errors import ResumeTokenError, SnapshotError
from .events import ResumePoint
from .framing import AnyFraming
from .opening import Opening
from .usage import compact_usage

if TYPE_CHECKING:
    from .dialects.base import Dialect
    from .policy import Limits
    from .resume import ResumeToken

__all__ = [
    "DecoderState",
    "dump",
    "dump_dialect",
    "load",
    "load_dialect",
    "load_scalars",
    "sealed",
    "unsealed",
]

VERSION = 2
MAGIC = b"sios"
HEAD = struct.Struct(">4sHI")
"""What stands before the state: ``MAGIC``, the version, and the CRC-32 of the state."""


class DecoderState(msgspec.Struct, kw_only=True):
    """What a ``StreamDecoder`` holds."""

    raw: bool
    input_ended: bool
    ended: bool
    opening: Opening | None = None
    framing: AnyFraming | None = None
    dialect: tuple[str, bytes] | None = None
    point: ResumePoint | None = None


_encode = msgspec.msgpack.Encoder().encode


@cache
def _decoder() -> msgspec.msgpack.Decoder[DecoderState]:
    """Made when it is first needed: few programs restore anything."""
    return msgspec.msgpack.Decoder(DecoderState)


def dump(state: DecoderState) -> bytes:
    """The state as bytes."""
    return sealed(_encode(state))


def sealed(state: bytes, magic: bytes = MAGIC) -> bytes:
    """An encoded state behind its kind, its version and its checksum."""
    return HEAD.pack(magic, VERSION, zlib.crc32(state)) + state


def unsealed(blob: bytes, magic: bytes = MAGIC, what: str = "a decoder") -> bytes:
    """The encoded state in ``blob``. Raises ``SnapshotError`` if it is damaged, of another
    kind or of another version."""
    found, version, checksum = HEAD.unpack_from(blob) if len(blob) >= HEAD.size else (b"", 0, 0)
    if found != magic:
        raise SnapshotError(f"no snapshot of {what}, or one whose beginning is damaged")
    if version != VERSION:
        raise SnapshotError(
            f"snapshot has version {version}, this library reads {VERSION}: begin anew"
        )
    encoded = blob[HEAD.size :]
    if zlib.crc32(encoded) != checksum:
        raise SnapshotError("snapshot is damaged: its checksum does not match")
    return encoded


def load(blob: bytes) -> DecoderState:
    """The state in ``blob``. Raises ``SnapshotError`` if it is damaged or of another version."""
    encoded = unsealed(blob)
    try:
        state = _decoder().decode(encoded)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SnapshotError(f"snapshot is damaged: {error}") from None
    known = state.framing is not None and state.dialect is not None
    if known == (state.opening is not None):
        raise SnapshotError("snapshot is damaged: it fits no state of a decoder")
    return state


def dump_dialect(dialect: Dialect) -> tuple[str, bytes]:
    """A dialect's name and state; of the record that held the usage, the usage is enough."""
    if dialect.usage is not None:
        dialect.usage = compact_usage(dialect.usage)
    return dialect.name, msgspec.json.encode(dialect)


def load_scalars(token: ResumeToken, limits: Limits) -> Dialect:
    """A dialect that knows of the answer what a token's base says.

    Raises ``ResumeTokenError`` if that fits no dialect.
    """
    origin = token.origin
    state = origin.state.strip() or "{}"
    known = msgspec.json.encode(limits).decode()
    more = "" if state == "{}" else ","
    try:
        dialect = msgspec.json.decode(
            f'{{"limits":{known}{more}{state.removeprefix("{")}', type=DIALECTS[origin.dialect]
        )
    except (KeyError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ResumeTokenError(f"resume token is damaged: its state: {error}") from None
    dialect.cursor = dialect.base = token.base
    dialect.position = token.position
    dialect.trail = Trail(origin.state, origin.stored, origin.contiguous, origin.first)
    dialect.trail.by_bytes = origin.kind == "byte_offset"
    if isinstance(token.base, str):
        dialect.trail.names = {name_of(token.base): 0}
    if isinstance(dialect, Records):
        dialect.last_event_id = str(token.base)
    return dialect


def load_dialect(saved: tuple[str, bytes]) -> Dialect:
    """The dialect that was saved under its name."""
    name, state = saved
    try:
        return msgspec.json.decode(state, type=DIALECTS[name])
    except (KeyError, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SnapshotError(f"snapshot is damaged: dialect {name!r}: {error}") from None
