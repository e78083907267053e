"""What msgspec buys: the measurements behind docs/decisions/0001-msgspec.md.

Run it as ``python -m tests.benchmarks.decision_msgspec``; orjson joins in where it is
installed. Contestants are interleaved within one run and measured in CPU time, so that a
busy machine slows all of them alike: trust the ratios, not the times. Every contestant does
the same work, reading the piece of text out of each record, and that they agree is checked
first.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

SHARED = Path(__file__).parents[2].parent / "shared"


class ChatDelta(msgspec.Struct, gc=False):
    content: str | None = None


class ChatChoice(msgspec.Struct, gc=False):
    delta: ChatDelta | None = None


class ChatChunk(msgspec.Struct, gc=False):
    choices: list[ChatChoice] = []


class AnthropicDelta(msgspec.Struct, gc=False):
    text: str | None = None


class AnthropicEvent(msgspec.Struct, gc=False):
    delta: AnthropicDelta | None = None


class ResponsesEvent(msgspec.Struct, gc=False):
    # A few kinds of event have an object here.
    delta: str | dict[str, Any] | None = None


Reader = Callable[[bytes], "str | None"]


def chat_typed() -> Reader:
    decode = msgspec.json.Decoder(ChatChunk).decode

    def read(record: bytes) -> str | None:
        choices = decode(record).choices
        return choices[0].delta.content if choices and choices[0].delta else None

    return read


def chat_plain(loads: Callable[[bytes], Any]) -> Reader:
    def read(record: bytes) -> str | None:
        choices = loads(record).get("choices")
        return choices[0]["delta"].get("content") if choices and choices[0].get("delta") else None

    return read


def anthropic_typed() -> Reader:
    decode = msgspec.json.Decoder(AnthropicEvent).decode

    def read(record: bytes) -> str | None:
        delta = decode(record).delta
        return delta.text if delta else None

    return read


def anthropic_plain(loads: Callable[[bytes], Any]) -> Reader:
    def read(record: bytes) -> str | None:
        delta = loads(record).get("delta")
        return delta.get("text") if delta else None

    return read


def responses_typed() -> Reader:
    decode = msgspec.json.Decoder(ResponsesEvent).decode

    def read(record: bytes) -> str | None:
        delta = decode(record).delta
        return delta if isinstance(delta, str) else None

    return read


def responses_plain(loads: Callable[[bytes], Any]) -> Reader:
    def read(record: bytes) -> str | None:
        delta = loads(record).get("delta")
        return delta if isinstance(delta, str) else None

    return read


READERS: dict[str, tuple[Callable[[], Reader], Callable[[Callable[[bytes], Any]], Reader]]] = {
    "openai-chat": (chat_typed, chat_plain),
    "openai-responses": (responses_typed, responses_plain),
    "anthropic": (anthropic_typed, anthropic_plain),
}


class StructEvent(msgspec.Struct, frozen=True, gc=False):
    text: str
    choice: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class DataclassEvent:
    text: str
    choice: int = 0


class SlottedEvent:
    __slots__ = ("choice", "text")

    def __init__(self, text: str, choice: int = 0) -> None:
        self.text = text
        self.choice = choice


class TupleEvent(NamedTuple):
    text: str
    choice: int = 0


EVENTS: dict[str, Callable[[str, int], object]] = {
    "msgspec Struct, frozen, gc=False": StructEvent,
    "class with __slots__, mutable": SlottedEvent,
    "NamedTuple": TupleEvent,
    "dataclass, frozen, slots": DataclassEvent,
}


def records(dialect: str) -> list[bytes]:
    """The JSON payload of every record of every recorded stream of one dialect."""
    found: list[bytes] = []
    for path in sorted((SHARED / "captures").glob("*/meta.json")):
        meta = json.loads(path.read_bytes())
        if meta["dialect"] != dialect or meta["status"] != 200:
            continue
        for line in path.with_name("body.bin").read_bytes().splitlines():
            payload = line.removeprefix(b"data:").strip()
            if line.startswith(b"data:") and payload.startswith(b"{"):
                found.append(payload)
    return found


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of CPU that each takes, the best of so many rounds in turns."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(rounds):
        for name, run in contestants.items():
            gc.collect()
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def loaders() -> dict[str, Callable[[bytes], Any]]:
    found: dict[str, Callable[[bytes], Any]] = {"msgspec, no types": msgspec.json.Decoder().decode}
    try:
        found["orjson.loads"] = importlib.import_module("orjson").loads
    except ImportError:
        print("(orjson is not installed and takes no part)")
    found["json.loads"] = json.loads
    return found


def table(title: str, measured: dict[str, float], unit: str, each: float) -> None:
    print(f"\n{title}")
    least = min(measured.values())
    for name, seconds in measured.items():
        print(f"  {name:34} {seconds * each:9.3f} {unit} {seconds / least:8.2f} x")


def measure_decoding(rounds: int) -> None:
    for dialect, (typed, plain) in READERS.items():
        bodies = records(dialect)
        readers = {"msgspec, typed": typed()}
        readers |= {name: plain(loads) for name, loads in loaders().items()}
        answers = {name: [read(body) for body in bodies] for name, read in readers.items()}
        assert all(answer == answers["json.loads"] for answer in answers.values())

        def run(read: Reader, bodies: list[bytes] = bodies) -> None:
            for body in bodies:
                read(body)

        mean = sum(map(len, bodies)) / len(bodies)
        title = f"decode and read the text: {dialect}, {len(bodies)} records of {mean:.0f} bytes"
        contestants = {name: partial(run, read) for name, read in readers.items()}
        table(title, interleaved(contestants, rounds), "us a record", 1e6 / len(bodies))


def measure_creation(rounds: int) -> None:
    count = 100_000

    def drop(make: Callable[[str, int], object]) -> None:
        for _ in range(count):
            make("text", 0)

    def keep(make: Callable[[str, int], object]) -> None:
        kept = [make("text", 0) for _ in range(count)]
        kept.clear()

    for title, run in (("one event, dropped", drop), ("one event, kept with 99,999 others", keep)):
        contestants = {name: partial(run, make) for name, make in EVENTS.items()}
        table(f"create {title}", interleaved(contestants, rounds), "ns", 1e9 / count)
    print("\nbytes of one event, with its collector header")
    for name, make in EVENTS.items():
        print(f"  {name:34} {sys.getsizeof(make('text', 0)):5}")


def measure_import(rounds: int) -> None:
    def child(code: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        after = os.times()
        return after.children_user + after.children_system - before[2] - before[3]

    codes = {"bare python": "pass", "json": "import json", "dataclasses": "import dataclasses"}
    codes["msgspec"] = "import msgspec"
    if importlib.util.find_spec("orjson"):
        codes["orjson"] = "import orjson"
    # os.times ticks in hundredths of a second: sums over all rounds, not the best of them.
    spent = dict.fromkeys(codes, 0.0)
    for _ in range(rounds):
        for name, code in codes.items():
            spent[name] += child(code)
    print(f"\nimport, over bare python (mean of {rounds} fresh interpreters)")
    for name, seconds in spent.items():
        print(f"  {name:34} {(seconds - spent['bare python']) / rounds * 1e3:9.1f} ms")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args(arguments).quick
    print(f"CPython {sys.version.split()[0]}, msgspec {msgspec.__version__}")
    if SHARED.is_dir():
        measure_decoding(3 if quick else 15)
    else:
        print("no recordings beside the repository: decoding is not measured")
    measure_creation(3 if quick else 15)
    measure_import(3 if quick else 30)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
