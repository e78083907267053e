"""What a vendor's SDK sends, caught on the loopback: a server that answers, and what it heard.

An SDK is pointed at the server by its own option for that, with the path of its true base URL
kept; what was caught is then written as if it had gone to the true one. The environment is
emptied meanwhile, since SDKs read keys, proxies and regions from it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from unittest import mock

import trustme

__all__ = ["Caught", "Recorder", "quiet_environment"]


def sse(*data: str, end: str = "") -> bytes:
    """An event stream of these records."""
    return "".join(f"data: {one}\n\n" for one in data).encode() + end.encode()


CHUNK = (
    '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
    '"delta":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}'
)
COMPLETION = (
    '{"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,'
    '"text":"Hello.","logprobs":null,"finish_reason":"stop"}]}'
)
RESPONSE = (
    '{"type":"response.completed","sequence_number":0,"response":{"id":"r","object":"response",'
    '"created_at":1,"status":"completed","model":"m","output":[],"parallel_tool_calls":true,'
    '"tool_choice":"auto","tools":[]}}'
)
MESSAGE = (
    '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant",'
    '"model":"m","content":[],"stop_reason":null,"stop_sequence":null,'
    '"usage":{"input_tokens":1,"output_tokens":1}}}'
)
GENERATED = (
    '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello."}]},'
    '"finishReason":"STOP","index":0}]}'
)
EVENTS = "text/event-stream"
ANSWERS: dict[str, tuple[str, bytes]] = {
    "chat": (EVENTS, sse(CHUNK, "[DONE]")),
    "completions": (EVENTS, sse(COMPLETION, "[DONE]")),
    "responses": (EVENTS, b"event: response.completed\n" + sse(RESPONSE)),
    "anthropic": (
        EVENTS,
        b"event: message_start\n" + sse(MESSAGE) + b"event: message_stop\n"
        b'data: {"type":"message_stop"}\n\n',
    ),
    "gemini": (EVENTS, sse(GENERATED)),
    "interactions": (
        EVENTS,
        sse('{"event_type":"interaction.complete","interaction":{"id":"i","status":"completed"}}'),
    ),
    "cohere": (EVENTS, sse('{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}')),
    "ollama": (
        "application/x-ndjson",
        b'{"model":"m","message":{"role":"assistant","content":"Hello."},"done":true}\n',
    ),
    # A body of no frame is a whole event stream of AWS.
    "bedrock": ("application/vnd.amazon.eventstream", b""),
}
"""By protocol: the content type, and the least that an SDK reads without an error."""


class Caught(NamedTuple):
    """One request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    """Names in lower case, in their order."""
    body: bytes


class Recorder:
    """A server on the loopback that answers every request with one stream: use with ``with``.

    ``secure`` is whether it speaks TLS; then ``AWS_CA_BUNDLE`` names the authority to trust.
    """

    def __init__(self, answer: str, *, secure: bool = False) -> None:
        self._secure = secure
        self.caught: list[Caught] = []
        recorder, (kind, body) = self, ANSWERS[answer]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", "0")))
                pairs = [(name.lower(), value) for name, value in self.headers.items()]
                recorder.caught.append(Caught(self.command, self.path, pairs, content))
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: what comes is kept."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:port``, or ``https://…``."""
        scheme = "https" if self._secure else "http"
        return f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        if self._secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority = trustme.CA()
            leaf: Any = authority.issue_cert("127.0.0.1")
            leaf.configure_cert(context)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            bundle = Path(os.environ["HOME"]) / "authority.pem"
            authority.cert_pem.write_to_path(bundle)
            os.environ["AWS_CA_BUNDLE"] = str(bundle)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def quiet_environment() -> Generator[None]:
    """Nothing of this machine: no key, no proxy, no home with settings in it."""
    with tempfile.TemporaryDirectory() as home:
        left = {"PATH": os.environ.get("PATH", ""), "HOME": home}
        left["AWS_EC2_METADATA_DISABLED"] = "true"
        with mock.patch.dict(os.environ, left, clear=True):
            yield
