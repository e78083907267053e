"""The log of a stream that outlives its connections, without any I/O.

``cursors`` says what a place in a stream is called, ``entries`` what is written down of it,
``log`` is the state machine over both, and ``reader`` one reader of it.
"""

from __future__ import annotations

from .cursors import START, CursorGone, Place, cursor_of, place_of, stream_id
from .entries import Entry, decode_entry, encode_entry, entries_of
from .log import Retention, StreamLog
from .reader import BEHIND, LogReader

__all__ = [
    "BEHIND",
    "START",
    "CursorGone",
    "Entry",
    "LogReader",
    "Place",
    "Retention",
    "StreamLog",
    "cursor_of",
    "decode_entry",
    "encode_entry",
    "entries_of",
    "place_of",
    "stream_id",
]
