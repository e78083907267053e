"""A server in a process of its own, under TLS, and the plan of a seed."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sans_io_stream import TextDelta
from sans_io_stream_adapters.testing import (
    EVERYTHING,
    Busy,
    Cut,
    FaultServer,
    Plan,
    Reset,
    Seen,
    Stall,
    Well,
    draw,
)
from tests.adapters.driving import drive
from tests.adapters.raw import ask
from tests.sources import ADAPTERS, REPO

Servers = Callable[..., FaultServer]

TEXT = "Hello, wörld 🦜"


def test_a_process_of_its_own_does_the_same(fault_server: Servers) -> None:
    faults = [Cut(0.5), Busy(429, retry_after=1), Reset.in_character()]
    seen: list[Seen] = []
    for own_process in (False, True):
        server = fault_server("openai-responses", text=TEXT, faults=faults, own_process=own_process)
        run = drive(server.request())
        assert "".join(event.text for event in run.of(TextDelta)) == TEXT
        assert run.end.outcome == "complete"
        seen.append(server.wait_until(lambda seen: seen.open == 0))
    here, there = seen
    assert [(r.method, r.target, r.body, r.faults) for r in here.requests] == [
        (r.method, r.target, r.body, r.faults) for r in there.requests
    ]
    assert here.connections == there.connections == 4


def children() -> set[bytes]:
    """The processes that this one has begun; other tests have servers of their own among them."""
    found = subprocess.Popen(["pgrep", "-P", str(os.getpid())], stdout=subprocess.PIPE)
    told, _ = found.communicate()
    return {*told.split()} - {b"%d" % found.pid}


def test_closing_ends_the_process_and_what_waits_in_it() -> None:
    before, running = len(os.listdir("/dev/fd")), children()
    server = FaultServer("openai-chat", faults=[Stall(at=20)], own_process=True)
    assert len(children() - running) == 1
    with socket.create_connection((server.host, server.port), timeout=30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert len(sock.recv(100)) == 20
        with pytest.raises(TimeoutError, match="not seen within 0"):
            server.wait_until(lambda seen: seen.open == 0, timeout=0)
        server.close()
        assert sock.recv(1) == b""
    server.close()
    assert server.seen.connections == 1
    assert len(os.listdir("/dev/fd")) == before
    assert children() == running


def test_a_process_can_refuse_connections(fault_server: Servers) -> None:
    server = fault_server("openai-chat", own_process=True)
    with server.refusing(), pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))
    assert ask(server).records


def test_it_needs_no_guard_around_a_script_and_ends_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\n"
        "from sans_io_stream_adapters.testing import FaultServer\n"
        "server = FaultServer('openai-chat', own_process=True)\n"
        "print(server.port, flush=True)\n"
        "os._exit(0)\n"
    )
    path = os.pathsep.join([str(REPO), str(ADAPTERS.parent)])
    # The pipe of its output ends when the last process that has it does.
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(done.stdout)))


def test_what_fails_in_the_process_is_raised_here(fault_server: Servers) -> None:
    taken = fault_server("openai-chat").port
    with pytest.raises(OSError, match="in use"):
        FaultServer("openai-chat", port=taken, own_process=True)
    with pytest.raises(OSError, match="in use"):
        FaultServer("openai-chat", port=taken)
    with pytest.raises(ValueError, match="two paths"):
        FaultServer("openai-chat", own_process=True, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


# ---- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    place = tmp_path_factory.mktemp("tls")
    cert, key = str(place / "cert.pem"), str(place / "key.pem")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-days", "1", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


@pytest.mark.parametrize("own_process", [False, True])
def test_tls(fault_server: Servers, certificate: tuple[str, str], own_process: bool) -> None:
    faults = [Cut(0.6), Reset(0.6), Stall(at=100)]
    server = fault_server(
        "openai-responses", text=TEXT, faults=faults[:2], tls=certificate, own_process=own_process
    )
    assert server.url.startswith("https://")
    trusting = ssl.create_default_context(cafile=certificate[0])
    run = drive(server.request(), tls=trusting)
    assert "".join(event.text for event in run.of(TextDelta)) == TEXT
    assert server.seen.connections == 3


def test_tls_ends_as_it_should(fault_server: Servers, certificate: tuple[str, str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = fault_server(
        "text", text=TEXT, chunks=False, tls=context, faults=[Well(), Cut(-1), Stall(at=10)]
    )
    trusting = ssl.create_default_context(cafile=certificate[0])
    trusting.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF

    def got() -> bytes:
        data = b""
        with (
            socket.create_connection((server.host, server.port), timeout=30) as plain,
            trusting.wrap_socket(
                plain, server_hostname=server.host, suppress_ragged_eofs=False
            ) as sock,
        ):
            sock.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            while more := sock.recv(65536):
                data += more
                if len(data) == 10:
                    server.close()
        return data

    assert got().endswith(TEXT.encode())
    with pytest.raises(ssl.SSLEOFError):
        got()
    with pytest.raises(ssl.SSLEOFError):
        got()
    # Whoever speaks no TLS is sent away, and leaves nothing.
    with FaultServer("text", tls=context) as other:
        assert ask(other).wire[:4] != b"HTTP"
        other.wait_until(lambda seen: seen.open == 0)


# ---- the plan


def test_a_seed_draws_the_same_faults_everywhere() -> None:
    assert draw(7, 50, EVERYTHING) == draw(7, 50, EVERYTHING)
    assert draw(7, 50, EVERYTHING) != draw(8, 50, EVERYTHING)
    assert {type(fault) for fault in draw(7, 300, EVERYTHING)} == set(EVERYTHING)
    # Drawn once, and written down: another machine, or another Python, draws no others.
    assert str(Plan.of([Busy(503)], seed=7, cuts=3)) == (
        "1. Busy(status=503, retry_after=None)\n"
        "2. Cut(at=0.1508)\n"
        "3. Reset.in_character(1)\n"
        "4. Cut(at=0.4336)\n"
        "5. and on: Well()"
    )


def test_a_plan_shows_what_happens_together(fault_server: Servers) -> None:
    server = fault_server("openai-chat", faults=[(Busy(), Cut(3)), ()], seed=1, cuts=0)
    assert str(server.plan) == (
        "1. Busy(status=429, retry_after=None) + Cut(at=3)\n2. Well()\n3. and on: Well()"
    )
    assert ask(server).wire == b"HTT"
    with pytest.raises(TypeError, match=r"is not a fault, such as Cut\(at=120\)"):
        FaultServer("openai-chat", faults=[Stall])  # type: ignore[list-item]
