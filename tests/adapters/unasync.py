"""The asynchronous loop as the blocking one: the same text, without ``async`` and ``await``.

``python -m tests.adapters.unasync`` writes the blocking loop anew; a test holds it to that.
"""

from __future__ import annotations

import re

from tests.sources import REPO

ADAPTERS = REPO / "adapters" / "sans_io_stream_adapters"
LOOP, SYNC = ADAPTERS / "loop.py", ADAPTERS / "loop_sync.py"

WORDS = {
    "async with": "with",
    "async def": "def",
    "await ": "",
    "AsyncNetwork": "Network",
    "AsyncStream": "Stream",
    "AsyncTexts": "Texts",
    "async for": "for",
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "acalled": "called",
    "aclose": "close",
    "another task reads": "another thread reads",
}
DOC = '''"""The loop of the blocking runtime: ``loop`` without ``async`` and ``await``.

Written by ``python -m tests.adapters.unasync``; a test holds the two together.
"""
'''


def unasync(text: str) -> str:
    """The blocking loop that belongs to this asynchronous one."""
    body = text.split('"""\n', 1)[1]
    return DOC + re.sub("|".join(map(re.escape, WORDS)), lambda found: WORDS[found[0]], body)


if __name__ == "__main__":
    SYNC.write_text(unasync(LOOP.read_text(encoding="utf-8")), encoding="utf-8")
