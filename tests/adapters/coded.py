"""A server of the standard library that answers with exactly these headers and pieces.

For what ``FaultServer`` does not do: content codings, and lengths that are not kept.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["serving"]


@contextmanager
def serving(
    pieces: Sequence[bytes],
    headers: Mapping[str, str],
    status: int = 200,
    *,
    chunked: bool = True,
    hold: bool = False,
) -> Generator[str]:
    """The URL of an answer that comes in these pieces, by chunks or as it is; with ``hold`` its
    connection stays open behind the last of them until the server is closed."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if chunked:
                self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
            if hold:
                over.wait(10)
            elif chunked:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = not chunked or hold

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()
