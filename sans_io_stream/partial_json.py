"""JSON that still arrives, as the value it is so far: a tool call's arguments, structured output.

Here are fragments, UTF-8, limits and snapshots; the grammar is ``partial_json_machine``'s. What
a text is in the end is what ``json.loads`` says it is, but for ``NaN`` and ``Infinity``, which
are no JSON.
"""

from __future__ import annotations

import json
from codecs import utf_8_decode
from typing import Any

import msgspec

from .dialects.shapes import is_array, is_object
from .errors import SnapshotError, StreamClosedError
from .partial_json_machine import DONE, IN_STRING, WANTED, Broken, Machine, Place
from .policy import DEFAULT_LIMITS, Limits
from .snapshot import sealed, unsealed

__all__ = ["PartialJSON"]

MAGIC = b"siop"


class Saved(msgspec.Struct, kw_only=True):
    """What a reader holds, but for its value."""

    place: Place
    limit: int
    tail: list[int]
    offset: int
    size: int
    closed: bool
    error: str | None


class PartialJSON:
    """Reads one JSON text in fragments, and has its value so far after each.

    ``value`` is what the fragments so far amount to:

    - Objects and arrays are there as soon as they are opened.
    - A key is there when its value is; a repeated key has its last value.
    - A string grows. An escape that is cut is left out until it is whole, and the first half of
      a surrogate pair until what follows it is known. A half that stays alone is kept, as
      ``json.loads`` does; msgspec and jiter refuse it.
    - A number is there when it has ended, as ``12`` may become ``123``: at top level that is at
      white space or at ``close()``.
    - ``true``, ``false`` and ``null`` are there when they are whole.
    - Before there is anything it is None.

    What a peer sends never raises. A text that is no JSON, nests deeper than ``Limits.depth`` or
    is longer than ``Limits.arguments_bytes`` sets ``error``, which says what was wrong and at
    which character of the whole, counted from 0; the value so far stays, and what follows is
    ignored. Where the fragments were cut makes no difference in the end.

    Reading is linear in the text, however it is cut. So is ``value`` asked for after each
    fragment, in CPython, as long as nobody else holds on to the string that is open (or has
    hashed it): it grows where it lies, by the allocator's ``realloc``. Whoever keeps the string
    as it was, if only in a variable until the next fragment, has it copied. A string is also
    copied when it gets its first character beyond ASCII, Latin-1 or the basic plane: three times
    at most.
    """

    __slots__ = ("_closed", "_limit", "_machine", "_offset", "_size", "_tail", "error")

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or DEFAULT_LIMITS
        self._machine = Machine(depth=limits.depth)
        self._limit = limits.arguments_bytes
        self._tail = b""
        """The beginning of a UTF-8 character."""
        self._offset = 0
        """Characters that the machine has read."""
        self._size = 0
        """Bytes that came, as far as the limit."""
        self._closed = False
        self.error: str | None = None

    def __repr__(self) -> str:
        # Without the value: it ends up in logs.
        return f"<PartialJSON, {self._offset} characters, wants {WANTED[self._machine.state]}>"

    def feed(self, fragment: str | bytes | bytearray | memoryview) -> None:
        """Read the next fragment, of any size; bytes are UTF-8 and may be cut anywhere.

        Raises ``StreamClosedError`` after ``close()``, ``TypeError`` for what is neither text
        nor bytes, and nothing for what the fragment says.
        """
        if self._closed:
            raise StreamClosedError("PartialJSON.feed() after close(): make another reader")
        if self.error is not None:
            return
        if not isinstance(fragment, str):
            # Of a number `bytes` would make so many zeros.
            self._decode(bytes(memoryview(fragment)))
        elif fragment.isascii() and not self._tail and self._size + len(fragment) <= self._limit:
            self._size += len(fragment)
            self._take(fragment)
        else:
            try:
                self._decode(fragment.encode())
            except UnicodeEncodeError as error:
                self._decode(fragment[: error.start].encode())
                self._fail("half a surrogate pair that is no escape")

    @property
    def value(self) -> Any:
        """The value so far. Its containers are the reader's own and grow in place: while the
        text goes on look at them, and change only a ``copy_value()``."""
        machine = self._machine
        if machine.pieces:
            machine.settle()
        return machine.value

    def copy_value(self) -> Any:
        """The value so far, in containers that stay as they are; as large as the value."""
        whole: list[Any] = [self.value]
        # Copied by levels, as a recursive copy could nest too deep for Python.
        holders: list[dict[str, Any] | list[Any]] = [whole]
        while holders:
            holder: Any = holders.pop()
            places: Any = holder if is_object(holder) else range(len(holder))
            for place in places:
                held = holder[place]
                if is_object(held) or is_array(held):
                    # The keys stay, so the dict may be changed under its own iteration.
                    holder[place] = copied = held.copy()
                    holders.append(copied)
        return whole[0]

    @property
    def complete(self) -> bool:
        """Whether the text so far is one whole JSON value, and nothing is wrong with it."""
        return self._machine.state == DONE and self.error is None and not self._tail

    @property
    def path(self) -> tuple[str | int, ...]:
        """The keys and indexes that lead to what is being written: to the open string, else to
        the innermost open container. () for the whole."""
        machine = self._machine
        depth = len(machine.stack) - (machine.state != IN_STRING)
        pairs = zip(machine.stack[: max(depth, 0)], machine.keys, strict=False)
        return tuple(len(container) - 1 if key is None else key for container, key in pairs)

    def close(self) -> bool:
        """There are no more fragments. Whether the text was one whole JSON value; where it was
        not, ``error`` says why. May be called again."""
        if not self._closed:
            self._closed = True
            if self.error is None and not self._tail:
                try:
                    self._machine.finish()
                except Broken as broken:
                    self._fail(str(broken))
            if self.error is None and not self.complete:
                wanted = WANTED[self._machine.state]
                wanted = "the rest of a UTF-8 character" if self._tail else wanted
                self._fail(f"the text ends where {wanted} should be")
        return self.complete

    # ---- fragments

    def _take(self, text: str) -> None:
        try:
            self._machine.take(text)
        except Broken as broken:
            self._fail(str(broken), broken.at)
        self._offset += len(text)

    def _decode(self, data: bytes) -> None:
        """Read UTF-8, as far as it is that and as far as the limit goes."""
        room = self._limit - self._size
        self._size += min(len(data), room)
        whole = self._tail + data[:room]
        fault = None
        try:
            text, used = utf_8_decode(whole, "strict", False)
        except UnicodeDecodeError as error:
            text, used, fault = whole[: error.start].decode(), len(whole), "bytes that are no UTF-8"
        self._tail = whole[used:]
        self._take(text)
        if fault is None and len(data) > room:
            fault = f"the text exceeds Limits.arguments_bytes ({self._limit} bytes)"
        if fault is not None and self.error is None:
            self._fail(fault)

    def _fail(self, why: str, at: int = 0) -> None:
        self.error = f"{why}, at character {self._offset + at}"

    # ---- snapshots

    def snapshot(self) -> bytes:
        """All state as plain data, between any two calls; the reader goes on unchanged.

        Its size is that of the value so far, and a constant. Raises ``SnapshotError`` where the
        value nests deeper than Python's ``json`` can write.
        """
        value = self.value
        machine = self._machine
        saved = Saved(
            place=Place(**{name: getattr(machine, name) for name in Place.__struct_fields__}),
            limit=self._limit,
            tail=list(self._tail),
            offset=self._offset,
            size=self._size,
            closed=self._closed,
            error=self.error,
        )
        try:
            # The standard library's, as it alone writes half a surrogate pair.
            text = json.dumps([msgspec.to_builtins(saved), value], separators=(",", ":"))
        except RecursionError:
            raise SnapshotError("the value nests too deep for a snapshot") from None
        return sealed(text.encode(), MAGIC)

    @classmethod
    def restore(cls, blob: bytes) -> PartialJSON:
        """The reader that ``snapshot`` saw, in this process or another.

        Raises ``SnapshotError`` if ``blob`` is damaged or of another version.
        """
        encoded = unsealed(blob, MAGIC, "a PartialJSON")
        try:
            plain, value = json.loads(encoded)
            saved = msgspec.convert(plain, Saved)
            stack = opened(value, saved.place.keys)
            tail = bytes(saved.tail)
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise SnapshotError(f"snapshot is damaged: {error}") from None
        place = {name: getattr(saved.place, name) for name in Place.__struct_fields__}
        reader = cls()
        reader._machine = Machine(**place, value=value, stack=stack)
        reader._limit, reader._tail = saved.limit, tail
        reader._offset, reader._size = saved.offset, saved.size
        reader._closed, reader.error = saved.closed, saved.error
        return reader


def opened(value: Any, keys: list[str | None]) -> list[dict[str, Any] | list[Any]]:
    """The containers on the way to the innermost one that is open."""
    stack: list[dict[str, Any] | list[Any]] = []
    held: Any = [value]
    place: Any = 0
    for key in keys:
        container: Any = held[place]
        if not (is_array(container) if key is None else is_object(container)):
            raise TypeError("its value fits no state")
        held, place = container, -1 if key is None else key
        stack.append(held)
    return stack
