"""When each dialect tells its counts: what docs/tokens-and-money.md says is what was recorded.

``python -m tests.test_counts_in_streams`` prints the table anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from sans_io_stream import Delta, Event, StreamDecoder, Usage
from tests.expectations import Recording, recordings
from tests.sources import REPO

PAGE = REPO / "docs" / "tokens-and-money.md"
HEADER = (
    "| dialect | streams | that count | the prompt before the answer "
    "| the completion as it grows | a budget acts |"
)


class Times(NamedTuple):
    """When one stream tells its counts."""

    counted: bool
    prompt_first: bool
    grows: bool


def times(events: Sequence[Event]) -> Times:
    """``prompt_first``: the prompt is counted before the first piece of the answer; ``grows``:
    a completion count comes before the last piece, and a higher one comes later."""
    usages = [(n, event) for n, event in enumerate(events) if isinstance(event, Usage)]
    pieces = [n for n, event in enumerate(events) if isinstance(event, Delta)]
    first, last = (pieces[0], pieces[-1]) if pieces else (0, 0)
    prompts = [n for n, usage in usages if usage.prompt_tokens]
    counts = [(n, usage.completion_tokens or 0) for n, usage in usages]
    # A token or two at the start are what Anthropic has made of the first event, not a count.
    early = {count for n, count in counts if n < last and count}
    return Times(bool(prompts), any(n < first for n in prompts), len(early) > 1)


def read(recording: Recording) -> list[Event]:
    decoder = StreamDecoder(
        recording.dialect, content_type=recording.content_type, status=recording.status
    )
    return [*decoder.receive_data(recording.body), *decoder.receive_eof()]


def acts(all_: Sequence[Times]) -> str:
    """When a budget without an estimate can act on what these streams told."""
    for when, one_does in (
        ("within the answer", [one.grows for one in all_]),
        ("on the prompt", [one.prompt_first for one in all_]),
        ("between streams", [one.counted for one in all_]),
    ):
        if any(one_does):
            counting = sum(one.counted for one in all_)
            return when if when[0] == "b" or 2 * sum(one_does) > counting else f"{when}, of some"
    return "not at all"


def table() -> list[str]:
    found: dict[str, list[Times]] = defaultdict(list)
    for recording in recordings():
        found[recording.dialect].append(times(read(recording)))
    return [
        f"| `{dialect}` | {len(all_)} | {sum(one.counted for one in all_)} "
        f"| {sum(one.prompt_first for one in all_)} | {sum(one.grows for one in all_)} "
        f"| {acts(all_)} |"
        for dialect, all_ in sorted(found.items())
    ]


@pytest.mark.skipif(not recordings(), reason="../shared/captures is missing")
def test_the_page_says_what_was_recorded() -> None:
    told = PAGE.read_text("utf-8").split(HEADER)[1].split("\n\n")[0].splitlines()[2:]
    assert told == table()


if __name__ == "__main__":
    print(HEADER, "|---|---|---|---|---|---|", *table(), sep="\n")
