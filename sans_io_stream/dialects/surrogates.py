"""Lone surrogates: halves of a character that a server split between two deltas.

JSON can say ``"\\ud83d"`` and ``"\\ude00"`` in two records of one channel (a kind of text of
one choice). A high half waits for the next piece of its channel; a half that finds no other
becomes U+FFFD, so that every text we give out can be encoded.
"""

from __future__ import annotations

import msgspec

__all__ = ["Channel", "encodable", "mend"]


class Channel(msgspec.Struct, gc=False, frozen=True):
    """A channel whose last piece ended in a high surrogate."""

    kind: str
    choice: int
    index: int
    half: int

    def belongs_to(self, choice: int, index: int) -> bool:
        """Whether this is the channel of the arguments of that tool call."""
        return (self.kind, self.choice, self.index) == ("arguments", choice, index)


def mend(
    text: str, halves: list[Channel] | None, kind: str, choice: int, index: int
) -> tuple[str, list[Channel] | None]:
    """``text`` made encodable, and the channels that wait now (None if none does)."""
    rest: list[Channel] = []
    for channel in halves or ():
        if (channel.kind, channel.choice, channel.index) == (kind, choice, index):
            text = chr(channel.half) + text
        else:
            rest.append(channel)
    if text and "\ud800" <= text[-1] <= "\udbff":
        rest.append(Channel(kind, choice, index, ord(text[-1])))
        text = text[:-1]
    if not encodable(text):
        data = text.encode("utf-16-le", "surrogatepass")
        text = data.decode("utf-16-le", "replace")
    return text, rest or None


def encodable(text: str) -> bool:
    """Whether ``text`` has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
