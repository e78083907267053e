"""Reading plain JSON by tables: what is there is either understood or refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..dialects.shapes import is_array, is_object
from .question import KINDS, Part, Setting, Text, refuse

__all__ = [
    "Parts",
    "array",
    "asked",
    "known_only",
    "member",
    "objects",
    "parts_of",
    "put",
    "settings_of",
]

MISSING = object()


def known_only(
    value: Mapping[str, Any], known: Mapping[str, Any] | frozenset[str], at: str
) -> None:
    """Refuse the first field that is not in ``known``, unless it says nothing (null)."""
    for name, held in value.items():
        if name not in known and held is not None:
            refuse(f"{at}{name}", "there is no such field that could be translated")


def member(value: Mapping[str, Any], name: str, kind: type, at: str, default: Any = MISSING) -> Any:
    """``value[name]``, if it is of that type; ``default`` where it is missing or null."""
    held = value.get(name)
    if held is None:
        if default is MISSING:
            refuse(f"{at}{name}", "it is missing")
        return default
    kinds = (int, float) if kind is float else kind
    if not isinstance(held, kinds) or (kind is not bool and isinstance(held, bool)):
        refuse(f"{at}{name}", f"it has to be {WORDS[kind]}, not {type(held).__name__}")
    return held


WORDS: dict[type, str] = {
    str: "a text", list: "an array", dict: "an object", bool: "true or false", int: "a number",
    float: "a number",
}  # fmt: skip


def array(value: Mapping[str, Any], name: str, at: str) -> list[Any]:
    """``value[name]`` as an array; an empty one where it is missing."""
    held: list[Any] = member(value, name, list, at, [])
    return held


def objects(held: list[Any], at: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of an array, each with where it stands."""
    for index, one in enumerate(held):
        if not is_object(one):
            refuse(f"{at}[{index}]", "it has to be an object")
        yield one, f"{at}[{index}]."


Parts = Mapping[str, tuple[frozenset[str], Callable[[dict[str, Any], str], Part | None]]]
"""For each type of a part the fields that it may have, and what reads it; None is left out."""


def parts_of(held: Any, at: str, known: Parts) -> list[Part]:
    """The parts of some content: a text, or an array of objects, each with its type."""
    if held is None:
        return []
    if isinstance(held, str):
        return [Text(held)] if held else []
    if not is_array(held):
        refuse(at, "it has to be a text or an array")
    found: list[Part] = []
    for one, where in objects(held, at):
        kind = member(one, "type", str, where)
        if kind not in known:
            refuse(where.rstrip("."), f"what is of type {kind!r} cannot be translated")
        fields, read = known[kind]
        known_only(one, fields | {"type"}, where)
        part = read(one, where)
        if part is not None:
            found.append(part)
    return found


def asked(body: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that ask for anything: not null, and not of a value that asks for nothing."""
    return {
        name: value
        for name, value in body.items()
        if value is not None and not (name in neutral and neutral[name] == value)
    }


def settings_of(
    body: Mapping[str, Any], known: Mapping[str, Setting]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that a request makes, and what each is called in it. Refuses two that say
    two things."""
    settings: dict[str, Any] = {}
    named: dict[str, str] = {}
    for name, setting in known.items():
        if name not in body:
            continue
        value = texts(body, name) if setting == "stop" else member(body, name, KINDS[setting], "")
        if settings.setdefault(setting, value) != value:
            refuse(name, f"{named[setting]} says something else")
        named.setdefault(setting, name)
    return settings, named


def texts(body: Mapping[str, Any], name: str) -> list[str]:
    """``body[name]``, which is a text or several."""
    held = body[name]
    found: list[Any] = [held] if isinstance(held, str) else member(body, name, list, "")
    if not all(isinstance(one, str) for one in found):
        refuse(name, "it has to be a text, or an array of texts")
    return found


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set ``body[a][b]`` for the path ``"a.b"``, making what is not there."""
    *holders, last = path.split(".")
    for name in holders:
        body = body.setdefault(name, {})
    body[last] = value
