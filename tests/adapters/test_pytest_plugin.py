"""The pytest plugin, seen from a project that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sans_io_stream.capture import Capture
from sans_io_stream.decoder import StreamDecoder
from sans_io_stream_adapters import pytest_plugin
from sans_io_stream_adapters.pytest_plugin import assert_same_at_every_split
from tests.sources import ADAPTERS, REPO

pytest_plugins = ["pytester"]

PLUGIN = "sans_io_stream_adapters.pytest_plugin"
RECORD = 'data: {"type":"error","n":%d}\r\n\r\n'
BODY = "".join(RECORD % number for number in range(3)).encode()


@pytest.fixture
def loaded(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What loads the plugin: nothing where the library is installed, and pytest finds it."""
    found = request.config.pluginmanager.has_plugin("sans_io_stream")
    return () if found else ("-p", PLUGIN)


def run(project: pytest.Pytester, loaded: tuple[str, ...], code: str) -> pytest.RunResult:
    path = project.path / "tests"
    path.mkdir(exist_ok=True)
    lines = Capture.of(BODY, dialect="records").lines()
    (path / "answer.jsonl").write_text("\n".join(lines), "utf-8")
    (path / "test_it.py").write_text(f"import pytest\n{code}", "utf-8")
    return project.runpytest(*loaded, "--strict-markers", "-p", "no:cacheprovider", "--tb=short")


def test_a_capture_comes_from_beside_the_test(
    pytester: pytest.Pytester, loaded: tuple[str, ...]
) -> None:
    result = run(
        pytester,
        loaded,
        f"""
@pytest.mark.capture("answer.jsonl")
def test_relative(capture):
    assert capture.body == {BODY!r}

@pytest.mark.capture({str(pytester.path / "tests" / "answer.jsonl")!r})
def test_absolute(capture, assert_same_at_every_split):
    assert_same_at_every_split(capture)

@pytest.mark.parametrize("n", [
    pytest.param(1, marks=pytest.mark.capture("answer.jsonl")),
])
def test_each(capture, n):
    assert capture.dialect == "records"
""",
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("", "*needs the name of one file: put @pytest.mark.capture(*) on test_it*"),
        ("@pytest.mark.capture()", "*needs the name of one file*"),
        ("@pytest.mark.capture('none.jsonl')", "*there is no *none.jsonl; a relative path starts*"),
        ("@pytest.mark.capture('test_it.py')", "*test_it.py: no capture: the first line is not*"),
        ("@pytest.mark.capture('.')", '*capture(".")*'),
    ],
)
def test_what_is_wrong_is_said(
    pytester: pytest.Pytester, loaded: tuple[str, ...], mark: str, said: str
) -> None:
    result = run(pytester, loaded, f"{mark}\ndef test_it(capture): pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_servers_are_closed_at_the_end_of_the_test(
    pytester: pytest.Pytester, loaded: tuple[str, ...]
) -> None:
    result = run(
        pytester,
        loaded,
        """
import socket
servers = []

def test_two(fault_server):
    servers.extend([fault_server("text", text="a"), fault_server("anthropic")])
    for server in servers:
        socket.create_connection((server.host, server.port)).close()

def test_they_are_gone():
    for server in servers:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port))
""",
    )
    result.assert_outcomes(passed=2)


def test_the_marker_explains_itself(pytester: pytest.Pytester, loaded: tuple[str, ...]) -> None:
    result = pytester.runpytest(*loaded, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.capture(path): the file of the `capture` fixture*"])


def test_importing_it_imports_nothing_of_the_core() -> None:
    code = f"import sys, {PLUGIN}; print([m for m in sys.modules if m.startswith('sans_io_')])"
    # The sources of this repository, whether or not they are installed.
    path = os.pathsep.join([str(REPO), str(ADAPTERS.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert eval(done.stdout) == ["sans_io_stream_adapters", PLUGIN]


# ---- the assertion


@pytest.mark.parametrize("body", [b"", b"a", BODY, "Grüße 🦜".encode(), BODY[:-7]])
def test_what_holds_passes(body: bytes) -> None:
    assert_same_at_every_split(body)
    assert_same_at_every_split(Capture.of([body[:2], body[2:]]).cut(len(body)))


def test_text_is_compared_joined() -> None:
    assert_same_at_every_split("Grüße 🦜\n".encode() * 3, dialect="text")


def test_options_are_the_decoders() -> None:
    assert_same_at_every_split(b'{"error":{"message":"no"}}', status=429, raw=True)


def test_a_difference_names_the_split_and_the_event(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = StreamDecoder.receive_data

    def broken(self: StreamDecoder, data: bytes) -> object:
        # A decoder that forgets a CR at the end of a read.
        return whole(self, data[:-1] if data.endswith(b'"n":1}') else data)

    monkeypatch.setattr(StreamDecoder, "receive_data", broken)
    at = BODY.index(b'"n":1}') + 6
    with pytest.raises(AssertionError) as caught:
        assert_same_at_every_split(BODY, dialect="records")
    said = str(caught.value)
    assert said.startswith(f"the events of these {len(BODY)} bytes depend on how they are cut")
    assert f"body[:{at}] and body[{at}:]" in said or "capture.resplit(" in said
    assert "they differ from event 1 on" in said
    assert '"n":1}' in said.partition("whole:")[2]


def test_an_event_too_few_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Capture.events

    def forgetful(self: Capture, **options: object) -> object:
        events = whole(self, **options)
        return events if len(self.reads()) == 1 else events[:-1]

    monkeypatch.setattr(Capture, "events", forgetful)
    with pytest.raises(AssertionError, match=r"split: +\(no more events\)"):
        assert_same_at_every_split(BODY)


@pytest.mark.parametrize("size", [0, 1, 2, 100, 3000, 10**5, 10**8])
def test_big_bodies_are_sampled(size: int) -> None:
    places = pytest_plugin._two_way(size)  # pyright: ignore[reportPrivateUsage]
    assert all(0 < place < size for place in places)
    assert len(places) * size <= max(2 * pytest_plugin.BUDGET, 64 * size)
    if size <= 2000:
        assert places == list(range(1, size))


def test_the_shipped_captures_keep_the_law() -> None:
    assert_same_at_every_split(Capture.open(Path(pytest_plugin.__file__).parent / TOUR))


TOUR = "tour/openai-chat.jsonl"
