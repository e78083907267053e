"""Text that is a credential: whoever shows a variable that holds it shows ``***``.

It is the text itself wherever text is needed (``str``, ``format``, joining, encoding), and
hidden where values are shown: ``repr`` of it and of whatever holds it, the locals of a
traceback, a failed assertion. What is cut or joined from it is plain text again.
"""

from __future__ import annotations

import re

__all__ = ["Secret", "Unshown"]

# RFC 6750, 2.1, and what vendors hand out: visible ASCII. A blank or a line break came along
# with copying, and so did a quote or a dash that an editor made pretty.
KEY = re.compile(r"[\x21-\x7e]+")


class Unshown(bytes):
    """Bytes in which credentials stand among other things: a request as it is sent. A slice of
    them is plain bytes again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class Secret(str):
    """A credential. ``Secret(text)`` never raises for a text; ``check`` does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def check(self, name: str) -> None:
        """Return if this can stand in a header as a key; raise ``ValueError`` if not.

        The message calls it ``name`` and shows nothing of it.
        """
        if not self:
            raise ValueError(f"{name} is empty: leave it out, or give the key")
        if KEY.fullmatch(self) is None:
            raise ValueError(
                f"{name} holds a line break, a blank or a character that is not ASCII: "
                "strip it, or copy it anew"
            )
