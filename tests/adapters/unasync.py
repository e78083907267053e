"""Asynchronous text as the blocking one: the same text, without ``async`` and ``await``.

``python -m tests.adapters.unasync`` writes the blocking ones anew; a test holds it to that.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.sources import REPO

ADAPTERS = REPO / "adapters" / "sans_io_stream_adapters"
TWINS = {
    ADAPTERS / f"{path}.py": ADAPTERS / f"{path}_sync.py"
    for path in ("loop", "pool/driver", "pool/reading", "responses/reading", "responses/driving")
}
"""What is written, and what is made of it."""

WORDS = {
    "async with": "with",
    "async for": "for",
    "async def": "def",
    "await ": "",
    "AsyncAuthorizing": "Authorizing",
    "AsyncBody": "Body",
    "AsyncClient": "Client",
    "AsyncDriven": "Driven",
    "AsyncEvents": "Events",
    "AsyncIterator": "Iterator",
    "AsyncNetwork": "Network",
    "AsyncResumed": "Resumed",
    "AsyncBasics": "Basics",
    "AsyncStream": "Stream",
    "AsyncTexts": "Texts",
    "Awaitable, Callable": "Callable",
    "Awaitable[T]": "T",
    "Awaitable[Any]": "Any",
    "Awaitable[PooledStream[Any]]": "PooledStream[Any]",
    "AsyncPool": "Pool",
    "AsyncSignal": "Signal",
    "AsyncTasks": "Tasks",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "acalled": "called",
    "aclose": "close",
    "..loop ": "..loop_sync ",
    "another task reads": "another thread reads",
    "from .loop import": "from .loop_sync import",
    "from .reading import": "from .reading_sync import",
}
DOC = '''"""Blocking: ``{name}`` without ``async`` and ``await``.

Written by ``python -m tests.adapters.unasync``; a test holds the two together.
"""
'''


def unasync(path: Path) -> str:
    """The blocking text that belongs to this asynchronous one."""
    body = path.read_text(encoding="utf-8").split('"""\n', 1)[1]
    longest_first = sorted(map(re.escape, WORDS), key=len, reverse=True)
    changed = re.sub("|".join(longest_first), lambda found: WORDS[found[0]], body)
    return DOC.format(name=path.stem) + changed


if __name__ == "__main__":
    for written, made in TWINS.items():
        made.write_text(unasync(written), encoding="utf-8")
