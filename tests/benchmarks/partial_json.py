"""What the value of growing arguments costs after each fragment, beside parsing them again.

Run it as ``python -m tests.benchmarks.partial_json``. Fragments have five bytes, as tokens do,
and the value is looked at after each. Parsing again at each fragment takes minutes, so jiter
reads a sample of the prefixes, evenly spread, and its time is what all of them would take;
joining the fragments, which it would have to pay too, is not counted. CPU time, interleaved,
the best of the rounds: trust the ratios.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import jiter

from sans_io_stream import PartialJSON

FRAGMENT = 5
Name = TypeVar("Name", bound=Hashable)


def one_string(size: int) -> str:
    """Arguments that are one long string."""
    return json.dumps({"text": "abcdefg " * (size // 8)})


def records(size: int) -> str:
    """Arguments with many keys, and strings of some hundred bytes."""
    note = 'some words, a "quoted" one,\na new line and an \u00e9; ' * 4
    row = {"name": "a name", "ok": True, "share": 1 / 3, "tags": ["a", "b"], "note": note}
    return json.dumps([row | {"id": n} for n in range(max(1, size // 320))])


def read(text: str) -> None:
    """Feed it all in fragments, and look at the value after each."""
    reader = PartialJSON()
    for at in range(0, len(text), FRAGMENT):
        reader.feed(text[at : at + FRAGMENT])
        assert reader.value is not None
    assert reader.complete, reader.error


def ends(text: str, samples: int) -> range:
    """Where the sampled prefixes end."""
    fragments = len(text) // FRAGMENT
    step = max(1, fragments // samples) * FRAGMENT
    return range(step // 2 + FRAGMENT, len(text) + 1, step)


def skipped(text: str, samples: int) -> float:
    """How many prefixes there are for each that is sampled."""
    return len(text) / FRAGMENT / len(ends(text, samples))


def parse_again(text: str, samples: int) -> None:
    """Parse the sampled prefixes, each from its start."""
    data = text.encode()
    for end in ends(text, samples):
        jiter.from_json(data[:end], partial_mode="trailing-strings")


def interleaved(
    contestants: Mapping[Name, Callable[[], object]], rounds: int = 5
) -> dict[Name, float]:
    """Seconds of CPU that each takes, the best of so many rounds in turns."""
    best = dict.fromkeys(contestants, float("inf"))
    for _ in range(rounds):
        for name, run in contestants.items():
            gc.collect()
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    return best


def main(arguments: Sequence[str]) -> int:
    samples = 20 if "--quick" in arguments else 100
    print("arguments         size      ours   per fragment  jiter again    ratio")
    worst = float("inf")
    for make in (one_string, records):
        for size in (1 << 18, 1 << 19, 1 << 20):
            text = make(size)
            best = interleaved(
                {"ours": partial(read, text), "again": partial(parse_again, text, samples)}, 3
            )
            ours, again = best["ours"], best["again"] * skipped(text, samples)
            each = ours / len(text) * FRAGMENT * 1e6
            print(
                f"{make.__name__:12}{len(text):10,}{ours:8.2f} s{each:12.2f} us{again:11.1f} s"
                f"{again / ours:9.0f}",
                flush=True,
            )
        worst = min(worst, again / ours)
    print(f"at 1 MiB at least 50 times faster: {'yes' if worst >= 50 else 'NO'}")
    return 0 if worst >= 50 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
