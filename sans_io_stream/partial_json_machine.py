"""The grammar of JSON (RFC 8259) as a machine of explicit states: characters in, a value grows.

Tables say what each state takes; a stack of the open containers takes the place of recursion.
Each character is looked at once, and between any two of them the state is plain data.

How an open string grows. Python's strings are contiguous, so one that is to be read after every
fragment is either copied each time, which is quadratic, or made longer where it lies. CPython
does the latter for ``text += piece`` where a local variable is the string's only owner, so the
string is taken out of its container for that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

__all__ = ["DONE", "WANTED", "Broken", "Machine", "Place"]

# What comes next, or what the text is inside of.
VALUE, FIRST_ITEM, FIRST_KEY, KEY, COLON, AFTER_ITEM, AFTER_MEMBER, DONE = range(8)
IN_STRING, IN_KEY, IN_NUMBER, IN_LITERAL = range(8, 12)

WANTED = (
    "a value",
    "a value or ]",
    "a key or }",
    "a key",
    "a colon",
    "a comma or ]",
    "a comma or }",
    "the end",
    "the rest of a string",
    "the rest of a key",
    "the rest of a number",
    "the rest of a literal",
)
LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
HEX = frozenset("0123456789abcdefABCDEF")
MOST_DIGITS = 4300
"""Of a whole number: what Python converts unless told otherwise, as that takes quadratic time."""
FOLDED = 512
"""Pieces of an open string that are kept before they are joined."""

PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
ALL_PLAIN = PLAIN.fullmatch
SPACES = re.compile(r"[ \t\n\r]*")
DIGITS = re.compile(r"[-+.0-9eE]*")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


class Broken(Exception):
    """The text is no JSON: why, and at which of the characters handed in last."""

    def __init__(self, why: str, at: int) -> None:
        super().__init__(why)
        self.at = at


class Place(msgspec.Struct, kw_only=True):
    """Where the machine is, but for the value and the containers in it that are open."""

    depth: int
    """How deep the value may nest."""
    state: int = VALUE
    keys: list[str | None] = []
    """For each open container the key that is being written; None for an array."""
    pieces: list[str] = []
    """Of the open string, key or number what is not in its place yet; of a literal, what is
    still to come."""
    escape: str = ""
    """The beginning of an escape."""
    high: str = ""
    """The first half of a surrogate pair."""


class Machine(Place, kw_only=True):
    """Takes characters, and has their ``value`` so far. Once it has raised ``Broken`` it is not
    to be used any more; the value stays."""

    value: Any = None
    stack: list[dict[str, Any] | list[Any]] = []
    """The open containers, outermost first."""

    def take(self, text: str) -> None:
        """Read on. Raises ``Broken``."""
        if self.state == IN_STRING and not self.escape and not self.high and ALL_PLAIN(text):
            # Most fragments of a long string, and nothing of what follows is for them.
            pieces = self.pieces
            pieces.append(text)
            if len(pieces) >= FOLDED:
                self.settle()
            return
        position, end = 0, len(text)
        while position < end:
            state = self.state
            if state >= IN_STRING:
                position = self._inside[state](self, text, position)
                continue
            position = skipped(SPACES, text, position)
            if position < end:
                begin = self._takes[state].get(text[position])
                if begin is None:
                    raise Broken(f"{text[position]!r} where {WANTED[state]} should be", position)
                position = begin(self, text, position)

    def finish(self) -> None:
        """The text is over: a number at top level has ended. Raises ``Broken``."""
        if self.state == IN_NUMBER and not self.stack:
            self._end_number(0)

    def settle(self) -> None:
        """Put what came of the open string where it belongs."""
        if self.state != IN_STRING or not self.pieces:
            return
        pieces = self.pieces
        piece = pieces[0] if len(pieces) == 1 else "".join(pieces)
        pieces.clear()
        # `text` is to be the only owner while it grows.
        if not self.stack:
            text, self.value = self.value, None
            text += piece
            self.value = text
            return
        container: Any = self.stack[-1]
        key: Any = self.keys[-1]
        if key is None:
            key = -1
        text = container[key]
        container[key] = None
        text += piece
        container[key] = text

    # ---- what stands between tokens

    def _put(self, value: object) -> None:
        """A value begins, or is there whole."""
        if not self.stack:
            self.value = value
            return
        container = self.stack[-1]
        if isinstance(container, list):
            container.append(value)
        else:
            key = self.keys[-1]
            assert key is not None
            container[key] = value

    def _after_value(self) -> None:
        if not self.stack:
            self.state = DONE
        else:
            self.state = AFTER_ITEM if self.keys[-1] is None else AFTER_MEMBER

    def _open(self, container: dict[str, Any] | list[Any], position: int) -> int:
        if len(self.stack) >= self.depth:
            raise Broken(f"the value nests deeper than Limits.depth ({self.depth})", position)
        self._put(container)
        self.stack.append(container)
        return position + 1

    def _open_object(self, text: str, position: int) -> int:
        position = self._open({}, position)
        self.keys.append("")
        self.state = FIRST_KEY
        return position

    def _open_array(self, text: str, position: int) -> int:
        position = self._open([], position)
        self.keys.append(None)
        self.state = FIRST_ITEM
        return position

    def _close(self, text: str, position: int) -> int:
        self.stack.pop()
        self.keys.pop()
        self._after_value()
        return position + 1

    def _colon(self, text: str, position: int) -> int:
        self.state = VALUE
        return position + 1

    def _next_member(self, text: str, position: int) -> int:
        self.state = KEY
        return position + 1

    # ---- strings

    def _open_key(self, text: str, position: int) -> int:
        self.state = IN_KEY
        return position + 1

    def _open_string(self, text: str, position: int) -> int:
        self._put("")
        self.state = IN_STRING
        return position + 1

    def _string(self, text: str, position: int) -> int:
        if self.escape:
            return self._unescape(text, position)
        if self.high and text[position] != "\\":
            self.pieces.append(self.high)
            self.high = ""
        stop = skipped(PLAIN, text, position)
        if stop > position:
            self.pieces.append(text[position:stop])
        if stop == len(text):
            return stop
        if text[stop] == "\\":
            self.escape = "\\"
        elif text[stop] != '"':
            raise Broken(f"{text[stop]!r} inside a string, not escaped", stop)
        elif self.state == IN_KEY:
            self.keys[-1] = "".join(self.pieces)
            self.pieces.clear()
            self.state = COLON
        else:
            self.settle()
            self._after_value()
        return stop + 1

    def _unescape(self, text: str, position: int) -> int:
        """One more character of an escape; what it means, once it is whole."""
        character = text[position]
        escape = self.escape + character
        if len(escape) == 2:
            if character != "u" and character not in ESCAPES:
                raise Broken(f"{character!r} after a backslash", position)
            meant = ESCAPES.get(character, "")
        else:
            if character not in HEX:
                raise Broken(f"{character!r} where four hexadecimal digits should be", position)
            meant = chr(int(self.escape[2:] + character, 16)) if len(escape) == 6 else ""
        if not meant:
            self.escape = escape
            return position + 1
        self.escape = ""
        high, self.high = self.high, ""
        if high and "\udc00" <= meant <= "\udfff":
            meant = chr(0x10000 + (ord(high) - 0xD800) * 0x400 + ord(meant) - 0xDC00)
        elif high:
            self.pieces.append(high)
        if "\ud800" <= meant <= "\udbff":
            self.high = meant
        else:
            self.pieces.append(meant)
        return position + 1

    # ---- numbers and literals

    def _open_number(self, text: str, position: int) -> int:
        self.state = IN_NUMBER
        return position

    def _number(self, text: str, position: int) -> int:
        stop = skipped(DIGITS, text, position)
        if stop > position:
            self.pieces.append(text[position:stop])
        if stop < len(text):
            self._end_number(stop)
        return stop

    def _end_number(self, position: int) -> None:
        number = "".join(self.pieces)
        match = NUMBER.fullmatch(number)
        if match is None:
            raise Broken("no number ends here", position)
        if match[1] or match[2]:
            self._put(float(number))
        else:
            try:
                if len(number) > MOST_DIGITS + (number[0] == "-"):
                    raise ValueError
                self._put(int(number))
            except ValueError:
                raise Broken(f"a number of {len(number)} digits ends here", position) from None
        self.pieces.clear()
        self._after_value()

    def _open_literal(self, text: str, position: int) -> int:
        word = {"t": "true", "f": "false", "n": "null"}[text[position]]
        self.pieces[:] = word, word[1:]
        self.state = IN_LITERAL
        return position + 1

    def _literal(self, text: str, position: int) -> int:
        word, rest = self.pieces
        if text[position] != rest[0]:
            raise Broken(f"{text[position]!r} where {rest!r} should be", position)
        if len(rest) > 1:
            self.pieces[1] = rest[1:]
        else:
            self.pieces.clear()
            self._put(LITERALS[word])
            self._after_value()
        return position + 1

    # ---- the tables

    _inside: ClassVar[dict[int, Callable[[Machine, str, int], int]]] = {
        IN_STRING: _string,
        IN_KEY: _string,
        IN_NUMBER: _number,
        IN_LITERAL: _literal,
    }
    _begins: ClassVar[dict[str, Callable[[Machine, str, int], int]]] = {
        '"': _open_string,
        "{": _open_object,
        "[": _open_array,
        **dict.fromkeys("-0123456789", _open_number),
        **dict.fromkeys("tfn", _open_literal),
    }
    _takes: ClassVar[tuple[dict[str, Callable[[Machine, str, int], int]], ...]] = (
        _begins,
        {**_begins, "]": _close},
        {'"': _open_key, "}": _close},
        {'"': _open_key},
        {":": _colon},
        {",": _colon, "]": _close},
        {",": _next_member, "}": _close},
        {},
    )
    """What each state between tokens takes, by its number."""


def skipped(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Past what the pattern, which matches nothing too, matches there."""
    match = pattern.match(text, position)
    return position if match is None else match.end()
