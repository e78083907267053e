"""Plain text: the visible text of choice 0, refusals included, and nothing else.

There are no records, so only the transport tells whether the text is whole: after any
``StreamEnd`` but ``complete`` the sender has to break it off (``Encoder.must_abort``). A
decoder drops one leading BOM; a text that begins with one gets a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..dialects.plain import PlainText
from ..dialects.tolerant import scrub
from .base import Channel, Format
from .frames import Framing, Item, Out

if TYPE_CHECKING:
    from ..errors import ErrorInfo

__all__ = ["TextFormat"]

BOM = "\ufeff"


class TextFormat(Format, kw_only=True):
    """One answer as its text."""

    name: ClassVar[str] = PlainText.name
    framings: ClassVar[tuple[Framing, ...]] = ("text",)
    tells_end: ClassVar[bool] = False

    spoke: bool = False

    def begin(self, out: list[Item]) -> None:
        pass

    def say(self, channel: Channel, text: str, choice: int, out: list[Item]) -> None:
        if channel != "reasoning":
            first, self.spoke = not self.spoke, True
            text = BOM + text if first and text.startswith(BOM) else text
            out.append(Out(str(scrub(text)).encode()))

    def complete(self, out: list[Item]) -> None:
        pass

    def fail(self, error: ErrorInfo, out: list[Item]) -> None:
        pass
