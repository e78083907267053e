"""Claims that are one number each: long records, memory at rest, short streams, import time."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from time import process_time_ns

import msgspec

from sans_io_stream import StreamDecoder

from .bodies import chat

Result = tuple[str, float, float, str]
"""What was measured, the figure, the most it may be, and the unit."""
Single = Callable[[bool], Result]


class Delta(msgspec.Struct):
    content: str


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice]


def long_record(quick: bool) -> Result:
    """One record of 4 MiB in 1,400-byte reads, over bare join + slice + decode of its bytes."""
    text = "abcdefgh" * (4 << 17)
    chunk = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}
    data = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    reads = [data[i : i + 1400] for i in range(0, len(data), 1400)]

    decode = msgspec.json.Decoder(Chunk).decode

    def bare() -> object:
        return decode(b"".join(reads)[6:-2])

    def ours() -> object:
        decoder = StreamDecoder("openai-chat", content_type="text/event-stream")
        return [decoder.receive_data(read) for read in reads][-1]

    ratios: list[float] = []
    for _ in range(5 if quick else 15):
        spent = [0, 0]
        for which, run in enumerate((bare, ours)):
            begin = process_time_ns()
            for _ in range(3):
                run()
            spent[which] = process_time_ns() - begin
        ratios.append(spent[1] / spent[0])
    name = "a 4 MiB record in 1,400-byte reads, over bare decoding"
    return name, statistics.median(ratios), 1.5, "times"


def at_rest(quick: bool) -> Result:
    """Memory of a decoder between two records of a stream, averaged over many."""
    head = chat("text").records[:8]
    count = 200 if quick else 1000
    StreamDecoder("openai-chat").receive_data(b"".join(head))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    decoders: list[StreamDecoder] = []
    for _ in range(count):
        decoder = StreamDecoder("openai-chat", content_type="text/event-stream")
        for record in head:
            decoder.receive_data(record)
        decoders.append(decoder)
    gc.collect()
    size = (tracemalloc.get_traced_memory()[0] - before) / count
    tracemalloc.stop()
    return "a decoder at rest", size, 1024, "bytes"


def short_stream(quick: bool) -> Result:
    """A whole stream of four events: made, read, ended."""
    records = chat("text").records
    reads = [records[0], records[1], records[-3], records[-1]]

    def run() -> None:
        decoder = StreamDecoder("openai-chat", content_type="text/event-stream")
        for data in reads:
            decoder.receive_data(data)
        decoder.receive_eof()

    times = 200 if quick else 1000
    spent: list[float] = []
    for _ in range(7):
        begin = process_time_ns()
        for _ in range(times):
            run()
        spent.append((process_time_ns() - begin) / times / 1000)
    return "a whole stream of four events", statistics.median(spent), 30, "µs"


def import_time(quick: bool) -> Result:
    """Importing the core, over bare Python, from bytecode, which installing it writes."""

    def cpu(code: str) -> float:
        source = f"import time\nb=time.process_time()\n{code}\nprint(time.process_time()-b)"
        run = subprocess.run(
            [sys.executable, "-c", source], capture_output=True, check=True, env=environment
        )
        return float(run.stdout)

    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    cpu("import sans_io_stream")
    rounds = 3 if quick else 9
    value = statistics.median(cpu("import sans_io_stream") for _ in range(rounds)) * 1000
    return "importing the core, over bare Python", value, 90, "ms"


ALL: tuple[Single, ...] = (long_record, at_rest, short_stream, import_time)
