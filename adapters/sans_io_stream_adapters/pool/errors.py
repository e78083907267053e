"""What only a pool raises."""

from __future__ import annotations

from sans_io_stream.errors import StreamEndError, StreamError

__all__ = ["PoolCancelled", "PoolFull", "StreamCancelled"]


class PoolFull(StreamError):
    """As many streams wait as may."""


class PoolCancelled(StreamError):
    """A stream failed, and the pool was told to end all of them then."""


class StreamCancelled(StreamEndError):
    """A stream of a pool was cancelled, so that its handler has no result."""
