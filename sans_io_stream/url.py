"""STUB"""
from __future__ import annotations
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
@dataclass(frozen=True)
class URL:
    scheme: str; host: str; port: int; target: str
    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"
    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"
def parse_url(url: str) -> URL:
    p = urlsplit(url)
    if p.scheme not in ("http", "https") or not p.hostname:
        raise ValueError(url)
    return URL(p.scheme, p.hostname, p.port or (443 if p.scheme == "https" else 80), (p.path or "/") + (f"?{p.query}" if p.query else ""))
def path_segment(text: str) -> str:
    return quote(text, safe="")
def query_value(text: str) -> str:
    return quote(text, safe="")
