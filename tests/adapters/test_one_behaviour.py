"""Law 8: one script of happenings gives the same events, connects, sends, waits and closes
under every adapter. And what the scripts say: how long it takes, and how it ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from sans_io_stream import (
    Event,
    Reconnecting,
    ReconnectPolicy,
    StreamEnd,
    StreamRequest,
    TextDelta,
    Timeouts,
    Transcript,
)
from tests.session.peer import response

from .colours import ASYNC, Told, collect
from .scripted import STALL, AsyncScripted, Connection, Scripted

REQUEST = StreamRequest(
    "POST",
    "http://api.test/v1/responses",
    json={"background": True, "stream": True},
    dialect="openai-responses",
)
SECURE = replace(REQUEST, url="https://api.test/v1/responses")
LONG = StreamRequest("POST", "http://api.test/v1/responses", body=b"x" * 200_000, dialect="text")
TIMEOUTS = Timeouts(connect=10.0, response=20.0, idle=30.0, progress=100.0, total=1000.0)
POLICY = ReconnectPolicy(jitter=0.0)
ABOUT = '"response":{"id":"resp_1","model":"m","background":true}'


def sse(*records: str) -> list[bytes]:
    return [f"data: {record}\n\n".encode() for record in records]


def delta(number: int, text: str) -> str:
    return (
        f'{{"type":"response.output_text.delta","sequence_number":{number},'
        f'"output_index":0,"delta":"{text}"}}'
    )


BEGUN = sse(f'{{"type":"response.created","sequence_number":0,{ABOUT}}}')
WORDS = [*sse(delta(1, "One, ")), *sse(delta(2, "zwölf, ")), *sse(delta(3, "drei."))]
ENDED = sse(
    '{"type":"response.completed","sequence_number":4,'
    '"response":{"id":"resp_1","status":"completed"}}'
)
ALL = [*BEGUN, *WORDS, *ENDED]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
PING = b": ping\n\n"


def whole(*records: bytes) -> Connection:
    return Connection([HEAD, *records, b""])


def refused(name: str = "refused") -> ConnectionRefusedError:
    return ConnectionRefusedError(111, name)


def busy(status: int, **headers: str) -> Connection:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    wire = response(b"{}", status=status, content_type="application/json", headers=told)
    return Connection([wire, b""])


@dataclass
class Script:
    """What happens, and what is to come of it: the end, its time, and the text."""

    connections: Callable[[], list[Connection]]
    end: str = "complete"
    time: float = 0.0
    text: str = "One, zwölf, drei."
    says: str = ""
    request: StreamRequest = REQUEST
    policy: ReconnectPolicy = POLICY
    seen: Callable[[Any, Event], object] | None = None


def reconnect(stream: Any, event: Event) -> None:
    if event == TextDelta("One, "):
        stream.reconnect()


SCRIPTS = {
    "all goes well": Script(lambda: [whole(*ALL)]),
    "byte by byte": Script(
        lambda: [Connection([*(bytes([byte]) for byte in HEAD + b"".join(ALL)), b""])]
    ),
    "refused twice": Script(
        lambda: [Connection(refused=refused()), Connection(refused=refused()), whole(*ALL)],
        time=3.0,
    ),
    "TLS fails once": Script(
        lambda: [Connection(tls=ssl.SSLError(1, "handshake failure")), whole(*ALL)],
        time=1.0,
        request=SECURE,
    ),
    "a certificate that is not accepted": Script(
        lambda: [Connection(tls=ssl.SSLCertVerificationError(1, "CERTIFICATE_VERIFY_FAILED"))],
        end="interrupted",
        text="",
        says="CERTIFICATE_VERIFY_FAILED",
        request=SECURE,
    ),
    "cut, and taken up": Script(
        lambda: [
            Connection([HEAD, BEGUN[0] + WORDS[0], WORDS[1][:40], ConnectionResetError(104, "x")]),
            whole(*WORDS[1:], *ENDED),
        ],
        time=1.0,
    ),
    "ended in order too early": Script(
        lambda: [whole(*BEGUN, WORDS[0]), whole(*WORDS[1:], *ENDED)], time=1.0
    ),
    "429 and a time to come back": Script(
        lambda: [busy(429, retry_after="7"), whole(*ALL)], time=7.0
    ),
    "a time too far away": Script(
        lambda: [busy(429, retry_after="7000")], end="failed", text="", says="7000 s"
    ),
    "401": Script(lambda: [busy(401)], end="failed", text=""),
    "a stall": Script(
        lambda: [Connection([HEAD, *BEGUN, STALL]), whole(*WORDS, *ENDED)], time=31.0
    ),
    "a stalled server": Script(
        lambda: [Connection([HEAD, *BEGUN, WORDS[0], STALL])],
        end="interrupted",
        time=30.0,
        text="One, ",
        says="not a byte within Timeouts.idle (30 s)",
        policy=ReconnectPolicy.never(),
    ),
    "a server that only pings": Script(
        lambda: [Connection([HEAD, *BEGUN, WORDS[0], *[(15.0, PING)] * 20])],
        end="interrupted",
        time=100.0,
        text="One, ",
        says="nothing but heartbeats within Timeouts.progress (100 s)",
        policy=ReconnectPolicy.never(),
    ),
    "a server that sends a byte a minute": Script(
        lambda: [Connection([HEAD, *BEGUN, *[(20.0, b"x")] * 60])],
        end="interrupted",
        time=100.0,
        text="",
        says="within Timeouts.progress (100 s)",
        policy=ReconnectPolicy.never(),
    ),
    "no response": Script(
        lambda: [Connection([STALL]), Connection([STALL])],
        end="interrupted",
        time=20.0,
        text="",
        says="no response within Timeouts.response (20 s)",
        policy=ReconnectPolicy.never(),
    ),
    "a slow answer": Script(
        lambda: [Connection([HEAD, *[(25.0, record) for record in ALL], b""])], time=125.0
    ),
    "more than the total": Script(
        lambda: [Connection([HEAD, *BEGUN, *[(25.0, WORDS[0])] * 60])],
        end="interrupted",
        time=1000.0,
        text="One, " * 40,
        says="Timeouts.total (1000 s)",
        policy=ReconnectPolicy.never(),
    ),
    "an answer before all is sent": Script(
        lambda: [Connection([response(b"too much", status=413), b""], early=True)],
        end="failed",
        text="",
        request=LONG,
    ),
    "a reset while sending": Script(
        lambda: [
            Connection([STALL], sends=[None, ConnectionResetError(104, "x")]),
            Connection([b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nHi", b""]),
        ],
        time=2.0,
        text="Hi",
        request=LONG,
    ),
    "a restart on demand": Script(
        lambda: [Connection([HEAD, *BEGUN, WORDS[0], STALL]), whole(*WORDS[1:], *ENDED)],
        seen=reconnect,
    ),
    "nothing more to try": Script(
        lambda: [whole(*BEGUN, WORDS[0]), *[Connection(refused=refused()) for _ in range(4)]],
        end="interrupted",
        time=15.0,
        text="One, ",
        says="gave up after 5 connections",
    ),
}


def run(colour: str, script: Script) -> tuple[Told, Scripted]:
    network = Scripted(*script.connections())
    told = collect(
        colour,
        script.request,
        network=network if colour == "sync" else AsyncScripted(network),
        policy=script.policy,
        timeouts=TIMEOUTS,
        proxy=False,
        seen=script.seen,
    )
    return told, network


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_adapter_does_the_same(name: str) -> None:
    script = SCRIPTS[name]
    expected, network = run("sync", script)
    for colour in ASYNC:
        told, other = run(colour, script)
        assert told.events == expected.events, colour
        assert type(told.raised) is type(expected.raised), colour
        # An interrupt finds a primitive at work, or none: no more than that may differ.
        quiet = [[entry for entry in n.log if entry != ("interrupt",)] for n in (other, network)]
        assert quiet[0] == quiet[1], colour


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_comes_of_each_script(name: str) -> None:
    script = SCRIPTS[name]
    told, network = run("sync", script)
    assert told.end.outcome == script.end
    assert Transcript.of(told.events).text == script.text
    assert network.time == pytest.approx(script.time)
    assert script.says in str(told.end.error)
    assert (told.raised is None) == (script.end == "complete")
    assert not network.open
    told_delays = [event.delay for event in told.events if isinstance(event, Reconnecting)]
    waits = [entry for entry in network.log if entry[0] == "wait_until"]
    assert len(waits) >= len(told_delays)


@pytest.mark.parametrize("colour", [*ASYNC, "sync"])
def test_a_slow_consumer_makes_no_timeout(colour: str) -> None:
    """Time that passes while nothing is asked for is nobody's fault."""
    network = Scripted(whole(*ALL))

    def slow(_: Any, __: Event) -> None:
        network.time += 95.0

    told = collect(
        colour,
        REQUEST,
        network=network if colour == "sync" else AsyncScripted(network),
        timeouts=msgspec.structs.replace(TIMEOUTS, total=None),
        proxy=False,
        seen=slow,
    )
    assert told.end == StreamEnd("complete")
