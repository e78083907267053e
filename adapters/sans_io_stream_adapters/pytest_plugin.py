"""The pytest plugin: captures and servers as fixtures, and the law of chunk-invariance as one
call.

pytest loads it in every run of every project that has the library installed, so importing it
imports nothing but pytest: the core comes when a test asks for it. How the bytes are cut is
the same on every machine; a failure names the split by which anyone sees it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sans_io_stream.capture import Capture
    from sans_io_stream.events import Event
    from sans_io_stream_adapters.testing import FaultServer

__all__ = ["assert_same_at_every_split"]

BUDGET = 8 * 1024 * 1024
"""How many bytes the two-way splits of one body may decode; above it they are sampled."""
FEWEST = 64
SEEDS = range(3, 19)
GOLDEN = 0.6180339887498949


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that ``--strict-markers`` knows it."""
    config.addinivalue_line(
        "markers",
        "capture(path): the file of the `capture` fixture, absolute or relative to the test file",
    )


@pytest.fixture
def capture(request: pytest.FixtureRequest) -> Capture:
    """The capture that ``@pytest.mark.capture("file.jsonl")`` names."""
    from sans_io_stream.capture import Capture
    from sans_io_stream.errors import CaptureError

    node: pytest.Item = request.node
    marker = node.get_closest_marker("capture")
    if marker is None or len(marker.args) != 1 or marker.kwargs:
        pytest.fail(
            "the capture fixture needs the name of one file: "
            f'put @pytest.mark.capture("answer.jsonl") on {node.name}',
            pytrace=False,
        )
    path = request.path.parent / Path(marker.args[0])
    try:
        return Capture.open(path)
    except FileNotFoundError:
        problem = (
            f"there is no {path}; a relative path starts at the directory of the test file, "
            f"which is {request.path.parent}"
        )
    except (OSError, CaptureError) as error:
        problem = f"{path}: {error}"
    pytest.fail(f'@pytest.mark.capture("{marker.args[0]}"): {problem}', pytrace=False)


@pytest.fixture
def fault_server() -> Iterator[Callable[..., FaultServer]]:
    """Makes servers, each by a call that takes what ``FaultServer`` takes; at the end of the
    test they are closed."""
    from sans_io_stream_adapters.testing import FaultServer

    with contextlib.ExitStack() as servers:
        yield lambda *args, **options: servers.enter_context(FaultServer(*args, **options))


@pytest.fixture(name="assert_same_at_every_split")
def _assert_same_at_every_split() -> Callable[..., None]:  # pyright: ignore[reportUnusedFunction]
    """The function of that name, for tests that would rather ask for it than import it."""
    return assert_same_at_every_split


def assert_same_at_every_split(body: Capture | bytes, **decoder_options: Any) -> None:
    """Assert that a body decodes to the same events however it is cut into reads.

    It is decoded whole, byte by byte, at every two-way split (a sample of them where the body
    is big), at pseudo-random splits, and as it was recorded. The options are those of
    ``StreamDecoder``. The whole sequences of events are compared; those of plain text with
    adjacent deltas joined, as text has no records and its deltas end where the reads do.
    """
    __tracebackhide__ = True
    from sans_io_stream.capture import Capture
    from sans_io_stream.events import join_deltas

    recorded = body if isinstance(body, Capture) else Capture.of(body)
    whole = recorded.resplit(0)
    text = _dialect(whole, decoder_options) == "text"

    def events(capture: Capture) -> list[Event]:
        found = capture.events(**decoder_options)
        return join_deltas(found) if text else found

    expected = events(whole)
    for split, cut in _splits(recorded):
        found = events(cut)
        if found != expected:
            raise AssertionError(_difference(len(recorded.body), split, expected, found))


def _dialect(capture: Capture, options: dict[str, Any]) -> str | None:
    from sans_io_stream.decoder import StreamDecoder

    known: dict[str, Any] = {"dialect": capture.dialect, "content_type": capture.content_type}
    decoder = StreamDecoder(**(known | options))
    decoder.receive_data(capture.body)
    decoder.receive_eof()
    return decoder.dialect


def _splits(recorded: Capture) -> Iterator[tuple[str, Capture]]:
    yield "the reads as they were recorded", recorded
    yield "byte by byte: capture.resplit(1)", recorded.resplit(1)
    yield "inside every character and line end: capture.resplit(2)", recorded.resplit(2)
    for seed in SEEDS:
        yield f"pseudo-random: capture.resplit({seed})", recorded.resplit(seed)
    body = recorded.body
    for at in _two_way(len(body)):
        around = f"...{body[max(0, at - 20) : at]!r} | {body[at : at + 20]!r}..."
        yield f"body[:{at}] and body[{at}:], {around}", recorded.resplit_at(at)


def _two_way(size: int) -> list[int]:
    """Every place to cut a body in two, or as many as the budget allows, spread evenly."""
    most = max(FEWEST, BUDGET // max(size, 1))
    if size - 1 <= most:
        return list(range(1, size))
    # Steps of the golden ratio fall into step with no length of records.
    return sorted({1 + int((size - 1) * (number * GOLDEN % 1)) for number in range(most)})


def _difference(size: int, split: str, expected: list[Event], found: list[Event]) -> str:
    pairs = zip(expected, found, strict=False)
    first = next(
        (number for number, (one, other) in enumerate(pairs) if one != other),
        min(len(expected), len(found)),
    )
    return (
        f"the events of these {size} bytes depend on how they are cut\n"
        f"  split:      {split}\n"
        f"  events:     {len(expected)} of the whole body, {len(found)} of the split one\n"
        f"  they differ from event {first} on (counting from 0)\n"
        f"    whole:    {_shown(expected, first)}\n"
        f"    split:    {_shown(found, first)}"
    )


def _shown(events: list[Event], number: int) -> str:
    if number >= len(events):
        return "(no more events)"
    text = repr(events[number])
    return text if len(text) <= 400 else f"{text[:400]}..."
