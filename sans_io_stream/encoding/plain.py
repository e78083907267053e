"""The plain delta, written without its format: most of what is encoded is one more piece of text.

Where a format is ``steady``, a piece of text behind another of the same choice differs from it in
the text alone, and changes nothing in the format. What stands before and after the text is learnt
from such a record and holds until any other event comes. The bytes are the same.
"""

from __future__ import annotations

from typing import NamedTuple

from .frames import Item, Out, as_json

__all__ = ["Plain", "learnt"]


class Plain(NamedTuple):
    """A record of text without the text: of which choice, the name of its event, and its JSON
    before and after the string."""

    choice: int
    type: str
    before: bytes
    after: bytes

    def record(self, text: str) -> Out:
        """The record that says this text."""
        return Out(self.before + as_json(text) + self.after, self.type)


def learnt(text: str, choice: int, items: list[Item]) -> Plain | None:
    """What the records of a piece of text say of the next one's; None where they are not one
    record that holds the text once."""
    if len(items) != 1 or not isinstance(items[0], Out):
        return None
    value, type = items[0]
    data = value if isinstance(value, bytes) else as_json(value)
    said = as_json(text)
    at = data.find(said)
    if at < 0 or data.rfind(said) != at:
        return None
    return Plain(choice, type, data[:at], data[at + len(said) :])
