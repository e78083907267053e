"""What a wire record costs: ``make bench``, or ``python -m tests.benchmarks [--quick] [--json]``.

CPU time per record, resume points included, as a ratio to the floor (``floor.py``), in one
interleaved run: floor and contestants take turns, each ratio is of neighbours in time, and the
median over the rounds counts. Exits with 1 if a gate does not hold.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
from collections.abc import Callable
from time import process_time_ns

from sans_io_stream import StreamDecoder

from . import http_body, singles
from .bodies import Body, bodies
from .floor import floor

GATES: dict[str, tuple[float, float]] = {
    "chat text": (1.8, 1.4),
    "responses text": (2.1, 1.7),
    "anthropic text": (2.6, 2.1),
    "gemini text": (2.2, 2.4),
    "ollama text": (2.9, 1.9),
}
"""At most so many times the floor: one event per read, 16 KiB reads."""
CONTENT_TYPES = {"sse": "text/event-stream", "jsonl": "application/x-ndjson"}


BROKEN = "BROKEN"


def verdict(share: float, slack: float) -> str:
    """What to say of a figure that is ``share`` of what it may be at most."""
    if share <= 1:
        return "holds"
    return "over, within the slack" if share <= slack else BROKEN


def slices(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def reader(body: Body, reads: list[bytes]) -> Callable[[], object]:
    def run() -> None:
        decoder = StreamDecoder(body.dialect, content_type=CONTENT_TYPES[body.framing])
        receive = decoder.receive_data
        for data in reads:
            receive(data)
        decoder.receive_eof()

    return run


def cpu_ns(run: Callable[[], object], times: int) -> int:
    begin = process_time_ns()
    for _ in range(times):
        run()
    return process_time_ns() - begin


def measure(body: Body, rounds: int, times: int) -> dict[str, float]:
    """Medians: the floor in ns per record, and the ratios to it."""
    base = floor(body)
    data = body.data
    contestants = {
        "one event per read": reader(body, body.records),
        "16 KiB reads": reader(body, slices(data, 16384)),
    }
    one_byte = reader(body, slices(data, 1))
    for run in (base, *contestants.values()):
        cpu_ns(run, 3)
    floors: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            before = cpu_ns(base, times)
            spent = cpu_ns(run, times)
            after = cpu_ns(base, times)
            floors.append(min(before, after) / times / len(body.records))
            ratios[name].append(2 * spent / (before + after))
    result = {name: statistics.median(values) for name, values in ratios.items()}
    result["1-byte reads"] = statistics.median(
        cpu_ns(one_byte, 1) / cpu_ns(base, 1) for _ in range(3)
    )
    result["floor ns"] = statistics.median(floors)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--only", default="", help="only streams whose name contains this")
    parser.add_argument(
        "--slack", type=float, default=1.0, help="multiply the gates, for machines that are busy"
    )
    options = parser.parse_args()
    rounds, times = (9, 4) if options.quick else (41, 8)
    gc.collect()
    gc.freeze()
    table: dict[str, dict[str, float]] = {}
    broken: list[str] = []
    head = f"{'ratio to the floor':22}{'one event':>10}{'16 KiB':>10}{'1 byte':>10}{'floor':>12}"
    if not options.json:
        print(head)
    for body in bodies():
        if options.only not in body.name:
            continue
        row = table[body.name] = measure(body, rounds, times)
        one, batch = row["one event per read"], row["16 KiB reads"]
        gate = GATES.get(body.name)
        word = ""
        if gate is not None:
            said = verdict(max(one / gate[0], batch / gate[1]), options.slack)
            word = f"  gate {gate[0]} / {gate[1]} {said}"
            if said == BROKEN:
                broken.append(body.name)
        if not options.json:
            print(
                f"{body.name:22}{one:10.2f}{batch:10.2f}{row['1-byte reads']:10.0f}"
                f"{row['floor ns']:9.0f} ns{word}",
                flush=True,
            )
    for single in (*singles.ALL, *http_body.ALL) if not options.only else ():
        name, value, limit, unit = single(options.quick)
        table[name] = {"value": value, "limit": limit}
        said = verdict(value / limit, options.slack)
        if said == BROKEN:
            broken.append(name)
        if not options.json:
            print(f"{name:52}{value:10.2f} {unit:6} at most {limit:g}: {said}", flush=True)
    if options.json:
        print(json.dumps({"results": table, "broken": broken}, indent=1))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
