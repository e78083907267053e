"""The tour: the same answer at every stop, told in a screenful."""

from __future__ import annotations

import json
import re

import pytest

from sans_io_stream.capture import Capture
from sans_io_stream_adapters import tour
from sans_io_stream_adapters.cli import main
from sans_io_stream_adapters.pytest_plugin import assert_same_at_every_split

COLOUR = re.compile(r"\x1b\[\d+m")


@pytest.fixture(scope="module")
def stops() -> list[tour.Stop]:
    return tour.visit()


def test_every_stream_says_the_same(stops: list[tour.Stop]) -> None:
    assert [stop.dialect for stop in stops] == list(tour.DIALECTS)
    assert {stop.said() for stop in stops} == {
        ("complete", stops[0].text, (21, 34, 55), "stop"),
    }
    assert all(stop.stable for stop in stops)
    assert tour.agree(stops)
    assert len(stops[0].text) < len(stops[0].text.encode())


def test_the_streams_differ_where_they_may(stops: list[tour.Stop]) -> None:
    assert {stop.framing for stop in stops} == {"sse", "json array", "json lines", "eventstream"}
    assert len({stop.bytes for stop in stops}) == len(stops)


@pytest.mark.parametrize("dialect", tour.DIALECTS)
def test_the_reads_are_awkward(dialect: str) -> None:
    starts = [read.data[0] for read in tour.load(dialect).reads()[1:] if read.data]
    assert any(0x80 <= byte < 0xC0 or byte == 10 for byte in starts)


@pytest.mark.parametrize("dialect", tour.DIALECTS)
def test_every_split_gives_the_same(dialect: str) -> None:
    assert_same_at_every_split(tour.load(dialect))


@pytest.mark.parametrize("dialect", [d for d in tour.DIALECTS if d != "holysheep"])
def test_the_dialect_is_found_without_being_named(dialect: str) -> None:
    capture = tour.load(dialect)
    assert capture.events(dialect=None) == capture.events()


def test_the_table_is_a_screenful(stops: list[tour.Stop]) -> None:
    table = tour.table(stops)
    lines = table.splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 80
    assert not COLOUR.search(table)
    assert COLOUR.sub("", tour.table(stops, colours=True)) == table
    assert " ".join(table.split()).count(stops[0].text) == 1
    assert "All agree" in table


@pytest.mark.parametrize(
    "change",
    [
        {"text": "else"},
        {"tokens": (21, 34, None)},
        {"finish": None},
        {"outcome": "interrupted"},
        {"stable": False},
    ],
)
def test_one_that_differs_is_named(
    stops: list[tour.Stop],
    change: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = [*stops[:3], stops[3]._replace(**change), *stops[4:]]  # type: ignore[arg-type]
    assert not tour.agree(odd)
    monkeypatch.setattr(tour, "visit", lambda: odd)
    assert main(["tour"]) == 1
    assert "look at: gemini" in capsys.readouterr().out


def test_the_command_succeeds_when_all_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour"]) == 0
    assert "All agree" in capsys.readouterr().out
    assert main(["tour", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["dialect"] for row in rows] == list(tour.DIALECTS)
    assert all(row["total_tokens"] == 55 and row["stable"] for row in rows)


def test_the_captures_are_plain_captures() -> None:
    for dialect in tour.DIALECTS:
        capture = tour.load(dialect)
        assert capture == Capture.parse(capture.lines())
        assert (capture.dialect, capture.end) == (dialect, "eof")
