"""The relay without any configuration: a server of the test kit stands for the provider."""

from __future__ import annotations

from ..testing import FaultServer
from .config import RelayConfig, Route, Upstream

__all__ = ["config_for", "curl_lines", "provider"]

TEXT = "What is written down first is not lost when a line breaks. 🦜"
PIECES = 6
SPEED = 0.1
"""A record each 200 ms: slow enough to be watched."""
PAGES = ("http://127.0.0.1:8000", "http://localhost:8000")
"""Where ``python -m http.server`` shows the example page."""
LINES = 9
"""Lines after which the first client falls off: three events."""


def provider() -> FaultServer:
    """A provider on the loopback that always gives the same answer."""
    return FaultServer("openai-chat", text=TEXT, pieces=PIECES, speed=SPEED)


def config_for(server: FaultServer, host: str, port: int) -> RelayConfig:
    """A relay in front of it, which keeps streams in memory."""
    upstream = Upstream(name="demo", provider="openai", base_url=f"{server.url}/v1", api_key="demo")
    return RelayConfig(
        upstreams=(upstream,),
        routes=(Route("demo", "demo"),),
        host=host,
        port=port,
        cors_origins=PAGES,
    )


def curl_lines(url: str) -> tuple[str, str]:
    """A stream whose client falls off, and the rest of it for the client that comes back."""
    body = '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
    last = "$(sed -n 's/^id: //p' seen | tail -n 1)"
    return (
        f"curl -sN {url}/v1/streams -d '{body}' | head -n {LINES} | tee seen",
        f'curl -sN {url}/v1/streams -X POST -H "Last-Event-ID: {last}"',
    )
