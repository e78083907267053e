"""STUB"""
from __future__ import annotations
import h11, msgspec
from .errors import ErrorInfo
from .url import parse_url
def check_header(name: str, value: str) -> None:
    if any(c in value for c in "\r\n\0"):
        raise ValueError("header")
def has_credentials(headers) -> bool:
    return any(n in ("authorization", "x-api-key") for n, _ in headers)
class Head(msgspec.Struct, frozen=True):
    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n == name), None)
class BodyEnd(msgspec.Struct, frozen=True):
    delimited: bool = True
class Broken(msgspec.Struct, frozen=True):
    error: ErrorInfo
def request_bytes(method, url, headers, body) -> bytes:
    conn = h11.Connection(h11.CLIENT)
    hs = [("host", url.authority), *headers]
    if body: hs.append(("content-length", str(len(body))))
    return conn.send(h11.Request(method=method, target=url.target, headers=[(n, v.encode("latin-1")) for n, v in hs])) + body
def connect_bytes(authority, headers) -> bytes:
    conn = h11.Connection(h11.CLIENT)
    return conn.send(h11.Request(method="CONNECT", target=authority, headers=[("host", authority), *headers]))
class Exchange:
    def __init__(self, method, *, limits):
        self.c = h11.Connection(h11.CLIENT)
        m = method
        self.c.send(h11.Request(method=m, target="x:1" if m == "CONNECT" else "/", headers=[("host", "x")]))
        self.c.send(h11.EndOfMessage())
        self.done = False
    def _pump(self):
        out = []
        if self.done: return out
        while True:
            try:
                e = self.c.next_event()
            except h11.RemoteProtocolError as error:
                self.done = True
                kind = "truncated" if "peer" in str(error) or "closed" in str(error) else "framing"
                out.append(Broken(ErrorInfo(kind, str(error), retryable=True)))
                return out
            if e is h11.NEED_DATA or e is h11.PAUSED: return out
            if isinstance(e, h11.Response):
                out.append(Head(e.status_code, "", tuple((n.decode().lower(), v.decode("latin-1")) for n, v in e.headers)))
            elif isinstance(e, h11.Data):
                if out and isinstance(out[-1], bytes): out[-1] += bytes(e.data)
                else: out.append(bytes(e.data))
            elif isinstance(e, h11.EndOfMessage):
                self.done = True
                out.append(BodyEnd()); return out
            elif isinstance(e, h11.ConnectionClosed):
                self.done = True
                out.append(Broken(ErrorInfo("connection", "closed before a response", retryable=True)))
                return out
    def receive_data(self, data):
        self.c.receive_data(data) if data else None
        return self._pump()
    def receive_eof(self):
        if self.done: return []
        self.c.receive_data(b"")
        return self._pump()
