"""sans-io-stream: an LLM's streamed answer, from raw bytes to normalized events, exactly once."""

from __future__ import annotations

from .decoder import StreamDecoder
