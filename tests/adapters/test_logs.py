"""What is logged of a stream, and what never is."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Sequence

import pytest

from sans_io_stream import (
    Connected,
    Disconnected,
    Event,
    LimitExceeded,
    Limits,
    Reconnecting,
    ReconnectPolicy,
    Resumed,
    StreamEnd,
    StreamRequest,
    StreamStart,
    TextDelta,
    Usage,
)
from sans_io_stream.errors import ErrorInfo
from sans_io_stream_adapters import logs
from sans_io_stream_adapters import sync as on_sync
from sans_io_stream_adapters.testing import Busy, Cut, FaultServer

from .colours import COLOURS, collect

NAME = "sans_io_stream_adapters"
QUICK = ReconnectPolicy(initial_delay=0.001, jitter=0.0)
REQUEST = StreamRequest(
    "POST",
    "https://api.test/v1?key=secret-key",
    {"authorization": "Bearer secret-key"},
    json={"model": "m-1", "messages": "secret words"},
    provider="mine",
)
ERROR = ErrorInfo(
    "overloaded",
    "you said: secret words",
    type="overloaded_error",
    code=7,
    status=529,
    request_id="req_1",
)
WHOSE = "provider=mine model=m-1 host=api.test"
LOST = "error=overloaded status=529 type=overloaded_error code=7 request_id=req_1"

Lines = list[tuple[str, str]]


def told(caplog: pytest.LogCaptureFixture, *events: Event) -> Lines:
    """What is logged of a stream that says one event a second."""
    watch = logs.LogWatch(REQUEST, 100.0)
    for n, event in enumerate(events, 1):
        watch.saw([event], 100.0 + n)
    watch.closed(200.0)
    watch.closed(300.0)
    return lines(caplog)


def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    assert {record.name for record in caplog.records} <= {NAME}
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def over(whose: str, attempts: str, prompt: str, completion: str) -> str:
    counts = f"prompt_tokens={prompt} completion_tokens={completion}"
    return f"stream over: {whose}, outcome=complete attempts={attempts} {counts}"


def test_all_that_is_told_of_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, NAME)
    found = told(
        caplog,
        Connected(200, (("x-header", "secret words"),)),
        TextDelta("secret words"),
        Disconnected(ERROR),
        Reconnecting(2, 0.5),
        Connected(200),
        Resumed("continue"),
        StreamStart("r", "m-1-2026"),
        Usage(prompt_tokens=3, completion_tokens=4),
        StreamEnd("complete"),
    )
    named = "provider=mine model=m-1-2026 host=api.test"
    assert found == [
        ("DEBUG", f"stream begins: {WHOSE}"),
        ("DEBUG", f"connected: {WHOSE}, status=200"),
        ("WARNING", f"connection lost: {WHOSE}, {LOST}"),
        ("WARNING", f"reconnecting: {WHOSE}, attempt=2 delay=0.500"),
        ("DEBUG", f"connected: {WHOSE}, status=200"),
        ("DEBUG", f"resumed: {WHOSE}, mode=continue"),
        ("INFO", over(named, "2 seconds=9.000 first=2.000", "3", "4")),
    ]


def test_at_info_there_is_one_line_for_a_whole_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, NAME)
    assert told(caplog, Connected(200), StreamEnd("complete")) == [
        ("INFO", over(WHOSE, "1 seconds=2.000 first=None", "None", "None"))
    ]


@pytest.mark.parametrize("outcome", ["failed", "interrupted"])
def test_a_failure_is_a_warning(caplog: pytest.LogCaptureFixture, outcome: str) -> None:
    caplog.set_level(logging.WARNING, NAME)
    end = StreamEnd(outcome, ERROR)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert told(caplog, end) == [("WARNING", f"stream {outcome}: {WHOSE}, {LOST}")]


def test_ones_own_leaving_is_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, NAME)
    (line,) = told(caplog, TextDelta("x"))
    assert "outcome=cancelled attempts=1 seconds=100.000" in line[1]


def test_words_of_a_peer_stay_on_their_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, NAME)
    error = ErrorInfo("server", type="a\nINFO forged", code="\x1b[31m", request_id="x" * 999)
    ((_, line),) = told(caplog, StreamEnd("failed", error))
    assert line.isprintable()
    assert "type='a\\nINFO forged' code='\\x1b[31m'" in line
    assert len(line) < 300


def test_an_end_without_an_error_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, NAME)
    ((_, line),) = told(caplog, StreamEnd("interrupted"))
    assert line.endswith("error=None")


# ---- who listens


@contextlib.contextmanager
def nothing_set_up() -> Generator[None]:
    """A program without logging, as it is without pytest."""
    loggers = logging.getLogger(), logs.LOG
    handlers = [list(logger.handlers) for logger in loggers]
    loggers[0].handlers.clear()
    try:
        yield
    finally:
        for logger, before in zip(loggers, handlers, strict=True):
            logger.handlers[:] = before
        logs.LOG.propagate = True


def test_nobody_listens_unless_logging_is_set_up(capfd: pytest.CaptureFixture[str]) -> None:
    with nothing_set_up():
        assert not logs.listening()
        logs.LOG.warning("x")
        assert capfd.readouterr().err == ""
        logging.getLogger().addHandler(logging.StreamHandler())
        assert logs.listening()


def test_a_handler_of_its_own_listens() -> None:
    with nothing_set_up():
        handler = logging.StreamHandler()
        logs.LOG.addHandler(handler)
        assert logs.listening()
        logs.LOG.propagate = False
        assert logs.listening()
        logs.LOG.removeHandler(handler)
        logging.getLogger().addHandler(handler)
        assert not logs.listening()


def test_a_level_above_warnings_is_not_listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, NAME)
    assert not logs.listening()


# ---- in open streams


@pytest.mark.parametrize("colour", COLOURS)
def test_every_stream_is_logged(colour: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, NAME)
    with FaultServer("openai-responses", pieces=9, faults=[Cut(at=0.5)]) as server:
        seen = collect(colour, server.request(), policy=QUICK, proxy=False)
    found = [line for line in lines(caplog) if "host=127.0.0.1" in line[1]]
    assert [(level, line.partition(":")[0]) for level, line in found] == [
        ("WARNING", "connection lost"),
        ("WARNING", "reconnecting"),
        ("INFO", "stream over"),
    ]
    assert "outcome=complete attempts=2" in found[-1][1]
    assert_holds_none_of(caplog, [e.text for e in seen.events if isinstance(e, TextDelta)])


def test_a_refusal_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, NAME)
    with FaultServer("openai-chat", faults=[Busy(status=401)]) as server:
        seen = collect("sync", server.request(), policy=ReconnectPolicy.never(), proxy=False)
    warned = [line for level, line in lines(caplog) if level == "WARNING"]
    assert any("error=authentication status=401" in line for line in warned)
    assert seen.end.error is not None
    assert_holds_none_of(caplog, [seen.end.error.message])


def test_a_transcript_that_is_full_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, NAME)
    with FaultServer("openai-chat", text="word " * 4000, pieces=4000) as server:
        seen = collect("sync", server.request(), limits=Limits(transcript_bytes=5), proxy=False)
    assert isinstance(seen.raised, LimitExceeded)
    ((_, line),) = lines(caplog)
    assert line.startswith("stream failed: ")
    assert line.endswith("error=limit")


def test_a_stream_that_nobody_listens_to_is_not_watched(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, NAME)
    with FaultServer("openai-chat") as server, on_sync.open_stream(server.request()) as stream:
        next(iter(stream))
        assert not stream._watches  # pyright: ignore[reportPrivateUsage]
    assert not caplog.records


def assert_holds_none_of(caplog: pytest.LogCaptureFixture, words: Sequence[str]) -> None:
    spoken = [word for word in words if len(word) > 3]
    assert spoken
    assert not [word for word in spoken if word in caplog.text]
