"""Function-call arguments that Gemini streams: pieces at JSON paths, joined to JSON text.

The merge rule (Vertex, ``streamFunctionCallArguments``; ``PartialArg`` in the API reference):

- Each piece has a path (RFC 9535: ``$.recipe.steps[0]``, ``$['a b']``) and one value. It makes
  the objects and arrays on the way that are not there yet.
- A string piece at the path of the string before it goes on with that string, whether or not
  that one said ``willContinue``; any other piece ends it.
- Pieces come in the order of the JSON text, which is why the text can be given out as they
  come: a path that leads back into what was closed, to a value that is already there, or past
  the end of an array cannot be merged. The call is then never reported as whole.

A piece without a value says nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

__all__ = ["PartialArguments", "Unmergeable", "json_text"]

STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)
      | \[(?P<index>\d{1,9})\]
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]
      | \[(?P<double>"(?:[^"\\]|\\.)*")\]""",
    re.VERBOSE | re.DOTALL,
)


class Unmergeable(Exception):
    """A piece does not follow what came before it. Its text says why."""


class Level(msgspec.Struct):
    """One open object (with the keys it has had) or array (with its length)."""

    at: str | int
    keys: dict[str, bool] | None = None
    length: int = 0


class PartialArguments(msgspec.Struct):
    """The arguments of one open call: where their JSON text stands."""

    levels: list[Level] = []
    in_string: bool = False

    def add(self, piece: dict[str, Any], depth: int) -> str:
        """The JSON text that ``piece`` adds. Raises ``Unmergeable``; nothing is added then."""
        value = value_of(piece)
        if value is None:
            return ""
        steps = steps_of(piece.get("jsonPath"), depth)
        path = [level.at for level in self.levels]
        if self.in_string and steps == path and isinstance(piece.get("stringValue"), str):
            return value[1:-1]
        common = 0
        while common < min(len(steps), len(path)) and steps[common] == path[common]:
            common += 1
        if common == len(steps) or (path and common == len(path)):
            raise Unmergeable("a value stands at its path already")
        if path:
            check(self.levels[common], steps[common])
        if any(isinstance(step, int) and step for step in steps[common + 1 :]):
            raise Unmergeable("its array does not begin with index 0")
        if path:
            text = self.close_above(common) + enter(self.levels[common], steps[common])
        else:
            text = self.open(steps[0])
        for step in steps[common + 1 :]:
            text += self.open(step)
        if isinstance(piece.get("stringValue"), str):
            self.in_string = True
            value = value[:-1]
        return text + value

    def end(self) -> str:
        """The JSON text that closes what is open."""
        if not self.levels:
            return ""
        text = self.close_above(-1)
        self.levels = []
        return text

    def close_above(self, index: int) -> str:
        """End the open string, and every level above ``index``."""
        text = '"' if self.in_string else ""
        self.in_string = False
        while len(self.levels) > index + 1:
            text += "]" if self.levels.pop().keys is None else "}"
        return text

    def open(self, step: str | int) -> str:
        """Begin the object or array that ``step`` leads into."""
        level = Level(step, {} if isinstance(step, str) else None)
        self.levels.append(level)
        return ("[" if level.keys is None else "{") + enter(level, step)


def check(level: Level, step: str | int) -> None:
    """Whether ``step`` can follow in ``level``. Raises ``Unmergeable`` if not."""
    if level.keys is None:
        if step != level.length:
            raise Unmergeable("its index does not follow in the array")
    elif not isinstance(step, str):
        raise Unmergeable("its path has an index where there is an object")
    elif step in level.keys:
        raise Unmergeable("its path leads back into what was closed")


def enter(level: Level, step: str | int) -> str:
    """Go to ``step`` in ``level``; what stands before its value."""
    level.at = step
    if level.keys is None:
        level.length += 1
        return "," if level.length > 1 else ""
    comma = "," if level.keys else ""
    level.keys[str(step)] = True
    return f"{comma}{json_text(step)}:"


def steps_of(path: Any, depth: int) -> list[str | int]:
    """The keys and indexes of a JSON path, a key first. Raises ``Unmergeable``."""
    if not isinstance(path, str) or not path.startswith("$"):
        raise Unmergeable("it has no JSON path")
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = STEP.match(path, position)
        if found is None:
            raise Unmergeable("its JSON path cannot be read")
        steps.append(step_of(found))
        position = found.end()
    if not steps or not isinstance(steps[0], str) or len(steps) > depth:
        raise Unmergeable("its JSON path is no path into an object")
    return steps


def step_of(found: re.Match[str]) -> str | int:
    """The key or index of one step."""
    index, name = found["index"], found["name"]
    if index is not None:
        return int(index)
    if name is not None:
        return name
    quoted = found["double"]
    if quoted is None:
        # RFC 9535 escapes the quotation mark that delimits, and as JSON does otherwise.
        inner = found["single"].replace("\\'", "'").replace('"', '\\"')
        quoted = f'"{inner}"'
    try:
        key = json.loads(quoted, strict=False)
    except ValueError:
        raise Unmergeable("its JSON path cannot be read") from None
    return str(key)


def value_of(piece: dict[str, Any]) -> str | None:
    """The value of a piece as JSON text, or None if it has none."""
    if isinstance(text := piece.get("stringValue"), str):
        return json_text(text)
    if isinstance(truth := piece.get("boolValue"), bool):
        return "true" if truth else "false"
    number = piece.get("numberValue")
    if isinstance(number, int | float) and not isinstance(number, bool):
        return json_text(number)
    # The JSON form of google.protobuf.NullValue is null itself.
    return "null" if "nullValue" in piece else None


def json_text(value: Any) -> str:
    """``value`` as JSON text, compact; lone surrogates stay as they are."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
