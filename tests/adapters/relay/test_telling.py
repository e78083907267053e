"""Logs as lines of JSON: what stands in them, and what never does."""

from __future__ import annotations

import json
import logging
import logging.config
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import pytest

from sans_io_stream import (
    Connected,
    Disconnected,
    ErrorInfo,
    Event,
    Finish,
    Reconnecting,
    StreamEnd,
    StreamStart,
    TextDelta,
    ToolCall,
    Usage,
)
from sans_io_stream_adapters.logs import LOG
from sans_io_stream_adapters.relay.config import ClientKey
from sans_io_stream_adapters.relay.operations.telling import LINES, JSONLines, Told, tell
from sans_io_stream_adapters.relay.serving import PlainLines, logging_of
from sans_io_stream_adapters.relay.stores.memory import MemoryStore
from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.testing import FaultServer

from .asgi import Answer, ask, relay_of, talk
from .program import Program, fetch
from .scripted import BACKENDS, DONE, Scripted, config, now, said, saying, virtually

CANARY = "canary"
KEY = f"{CANARY}-key"


class Kept(logging.Handler):
    """Keeps the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JSONLines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def rows(self, event: str) -> list[dict[str, Any]]:
        return [row for row in map(json.loads, self.lines) if row["event"] == event]


@pytest.fixture
def kept() -> Generator[Kept]:
    """All that is logged, of all levels."""
    handler = Kept()
    loggers = [LINES, LOG, logging.getLogger("uvicorn")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    LOG.setLevel(logging.ERROR)
    yield handler
    for logger, level in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_line_for_the_request_and_one_for_the_stream(
    backend: str, kept: Kept, monkeypatch: Any
) -> None:
    async def main() -> None:
        async with relay_of(config(), clock=now) as relay:
            body = talk()
            answer = await ask(relay, "POST", "/v1/streams", body)
        (request,) = kept.rows("request")
        assert request.pop("time").endswith("+00:00")
        assert request == {
            "level": "info",
            "event": "request",
            "method": "POST",
            "route": "ask",
            "format": "native",
            "status": 200,
            "stream": answer.id,
            "key": "local",
            "seconds": 3.0,
            "bytes": len(answer.body),
            "whole": True,
        }
        (stream,) = kept.rows("stream")
        del stream["time"], stream["bytes"]
        assert stream == {
            "level": "info",
            "event": "stream",
            "stream": answer.id,
            "key": "local",
            "upstream": "test",
            "model": "test/*",
            "outcome": "complete",
            "upstream_error": "connection",
            "upstream_status": 200,
            "seconds": 3.0,
            "attempts": 2,
            "entries": 2,
            "prompt_tokens": 7,
            "completion_tokens": 2,
            "dollars": "0.5",
            "counts": "final",
        }
        (again,) = kept.rows("reconnecting")
        assert (again["stream"], again["attempt"]) == (answer.id, 2)

    usage = Usage(prompt_tokens=7, completion_tokens=2, cost=0.5, final=True)
    lost = ErrorInfo("connection", "lost", retryable=True)
    first: list[Event] = [Disconnected(lost), Reconnecting(2, 1.0)]
    second: list[Event] = [Connected(200), StreamStart("r", "m"), TextDelta("a")]
    saying(monkeypatch, Scripted((1.0, first), (1.0, second), (1.0, [usage, *DONE])))
    virtually(backend, main)


@pytest.mark.parametrize("backend", BACKENDS)
def test_neither_content_nor_keys_nor_a_clients_word(
    backend: str, kept: Kept, monkeypatch: Any
) -> None:
    """Whatever a client or a provider can choose holds the canary; no line does."""

    class Ailing(MemoryStore):
        async def append(self, id: str, entries: Any) -> None:
            if len(entries[0].events) > 3:
                raise StoreError("no space left")
            await super().append(id, entries)

    async def main() -> None:
        keys = (ClientKey.of("alice", KEY),)
        async with relay_of(config(keys=keys), store=Ailing(), clock=now) as relay:
            body = {
                "model": f"test/{CANARY}",
                "messages": [{"role": "user", "content": CANARY}],
                "user": CANARY,
                "stream": True,
            }
            headers = [
                ("authorization", f"Bearer {KEY}"),
                ("idempotency-key", CANARY),
                ("user-agent", CANARY),
                ("x-request-id", CANARY),
                ("cookie", CANARY),
                ("referer", f"http://{CANARY}/"),
            ]
            target = f"/v1/streams?ticket={CANARY}&after2={CANARY}"
            for _ in range(3):
                await ask(relay, "POST", target, body, headers)
                headers[1] = ("idempotency-key", f"{headers[1][1]}-")
            await ask(relay, "GET", f"/v1/streams/{CANARY}?after={CANARY}", headers=headers)
            await ask(relay, "GET", f"/{CANARY}", headers=headers)
            await ask(relay, CANARY.upper(), "/v1/models", headers=headers)
            await ask(relay, "POST", "/v1/messages", CANARY.encode(), headers)
            await ask(relay, "GET", "/v1/models", headers={"x-api-key": f"{CANARY}-wrong"})
            await ask(relay, "GET", "/v1/models", headers={"host": CANARY, "origin": CANARY})
        assert len(kept.rows("request")) == 9
        assert len(kept.rows("stream")) == 3
        assert kept.rows("log")

    error = ErrorInfo(
        "server", CANARY, type=CANARY, code=CANARY, status=500, request_id=CANARY, retryable=True
    )
    said_: list[Event] = [
        Connected(200, (("x-request-id", CANARY),)),
        StreamStart(CANARY, CANARY),
        TextDelta(CANARY),
        ToolCall(index=0, id=CANARY, name=CANARY, arguments=CANARY),
    ]
    saying(
        monkeypatch,
        Scripted((1.0, said_), (1.0, [Disconnected(error), Reconnecting(2, 1.0)]), (1.0, DONE)),
        Scripted((1.0, said_[:2]), (1.0, [StreamEnd("failed", error)])),
        Scripted((1.0, [*said_, Finish("stop"), Finish("stop")]), (1.0, DONE)),
    )
    virtually(backend, main)
    told = "\n".join(kept.lines)
    assert CANARY not in told.lower()
    # It would be found if it were there.
    assert "alice" in told


def test_an_exception_is_told_without_its_words(kept: Kept) -> None:
    try:
        raise ValueError(f"{CANARY}: bad")
    except ValueError:
        LOG.exception("it failed")
    (line,) = kept.lines
    row = json.loads(line)
    assert (row["error"], row["message"], row["level"]) == ("ValueError", "it failed", "error")
    assert row["at"][0].endswith("test_an_exception_is_told_without_its_words")
    assert CANARY not in line


def test_lines_for_people_hold_neither_more(kept: Kept) -> None:
    """No word of an exception's, and nothing that could pass for a line of its own."""
    kept.setFormatter(PlainLines())
    try:
        raise ValueError(f"{CANARY}: bad")
    except ValueError:
        LOG.exception("it failed\nINFO: \x1b[31m and %s", "more")
    tell(Told("stream", {"model": "two\nlines", "key": "a"}))
    failed, stream = kept.lines
    assert failed.startswith("ERROR:    it failed\\nINFO: \\x1b[31m and more error=ValueError at=")
    assert failed.endswith("test_lines_for_people_hold_neither_more")
    assert CANARY not in failed
    assert stream == r"INFO:     stream model='two\nlines' key=a"


def test_one_record_is_one_line(kept: Kept) -> None:
    LOG.error("two\nlines \u2028 and %s", "more")
    tell(Told("stream", {"key": "a\nb", "error": None}))
    assert all(len(line.splitlines()) == 1 or "\u2028" in line for line in kept.lines)
    assert kept.rows("log")[0]["message"] == "two\nlines \u2028 and more"
    assert "error" not in kept.rows("stream")[0]
    assert str(Told("stream", {"key": "a", "error": None})) == "stream key=a"


def test_quiet_tells_failures_alone(capsys: pytest.CaptureFixture[str]) -> None:
    before = LINES.level, LOG.level, LINES.propagate, LOG.propagate
    handlers = [*LINES.handlers], [*LOG.handlers]
    try:
        settings = logging_of(quiet=True, format="json")
        logging.config.dictConfig(settings)
        tell(Told("request", {}))
        tell(Told("stream", {"outcome": "failed"}), logging.WARNING)
        LOG.warning("a stream of the adapters' failed")
    finally:
        LINES.handlers[:], LOG.handlers[:] = handlers
        LINES.setLevel(before[0])
        LOG.setLevel(before[1])
        LINES.propagate, LOG.propagate = before[2:]
        server = logging.getLogger("uvicorn.error")
        server.handlers.clear()
        server.setLevel(logging.NOTSET)
        server.propagate = True
    rows = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [row["event"] for row in rows] == ["stream"]


def test_the_command_logs_json(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    with FaultServer("openai-chat", text=CANARY) as upstream:
        path.write_text(
            '[upstreams.test]\nprovider = "openai"\napi_key = "k"\n'
            f'base_url = "{upstream.url}/v1"\n',
            "utf-8",
        )
        with Program("--config", str(path), "--log-format", "json") as program:
            body = {"model": "test/m", "messages": [{"role": "user", "content": CANARY}]}
            got: Answer = fetch(program.url, "POST", f"/v1/streams?x={CANARY}", body)
            fetch(program.url, "GET", "/healthz")
            assert fetch(program.url, "GET", "/metrics").status == 200
            program.send(signal.SIGTERM)
            assert program.wait() == 0
    told = [line for line in program.log.splitlines() if line.startswith("{")]
    rows = [json.loads(line) for line in told]
    assert [row.get("route") for row in rows if row["event"] == "request"] == [
        "ask",
        "/healthz",
        "scrape",
    ]
    assert [row["stream"] for row in rows if row["event"] == "stream"] == [got.id]
    assert CANARY not in program.log


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_client_that_leaves_has_its_line(backend: str, kept: Kept, monkeypatch: Any) -> None:
    async def main() -> None:
        async with relay_of(config(), clock=now) as relay:
            body = talk()
            await ask(
                relay, "POST", "/v1/streams", body, leave=lambda answer: b"data" in answer.body
            )
            await anyio.sleep(20.0)
        (request,) = kept.rows("request")
        assert (request["status"], request["whole"]) == (200, False)

    saying(monkeypatch, said("abc", every=1.0))
    virtually(backend, main)


def test_nothing_is_written_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Told("stream", {}), logging.ERROR)
    assert capsys.readouterr().err == ""
    assert sys.stderr is not None
