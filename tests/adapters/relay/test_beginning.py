"""What is kept of a question: no more than it takes to ask again, and no longer than that."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream_adapters.relay.config import Upstream
from sans_io_stream_adapters.relay.stores.memory import MemoryStore

from .asgi import Answer, ask, talk
from .scripted import BACKENDS, said, saying
from .test_answering import relayed

if TYPE_CHECKING:
    from sans_io_stream_adapters.relay.app import Relay
    from sans_io_stream_adapters.relay.stores.protocol import Meta

LARGE = 1_000_000
ASKED = ["/v1/chat/completions", "/v1/streams"]


@pytest.mark.parametrize("target", ASKED)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_question_is_kept_once_while_it_is_answered(
    backend: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("ab", every=1.0))
    held: list[int] = []

    async def pause(answer: Answer) -> None:
        if answer.body and not held:
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    async def main(relay: Relay) -> None:
        body = json.dumps(talk("x" * LARGE, stream=True)).encode()
        tracemalloc.start()
        try:
            answer = await ask(relay, "POST", target, body, pause=pause)
        finally:
            tracemalloc.stop()
        assert answer.whole

    relayed(backend, main)
    # What the provider is asked with again, if its answer breaks off; an encoder's buffer is
    # larger than what it holds.
    assert LARGE < held[0] < 2 * LARGE


class Looked(MemoryStore):
    """A store that shows what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.metas: list[Meta] = []

    async def create(self, meta: Meta, most: int | None = None) -> None:
        self.metas.append(meta)
        await super().create(meta, most)


UPSTREAMS: list[tuple[dict[str, Any], bool]] = [
    ({"provider": "openai"}, False),
    ({"provider": "anthropic"}, False),
    ({"provider": "openai", "surface": "responses", "background": True}, True),
    ({"provider": "holysheep"}, True),
]


@pytest.mark.parametrize(("told", "kept"), UPSTREAMS)
def test_a_store_has_the_question_where_it_can_be_asked_again(
    told: dict[str, Any], kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, said("ab"))
    store = Looked()
    upstream = Upstream(name="test", api_key="upstream-key", **told)

    async def main(relay: Relay) -> None:
        relay.hub.store = store
        answer = await ask(relay, "POST", "/v1/streams", talk("a secret", max_tokens=9))
        assert answer.whole

    relayed("asyncio", main, upstreams=(upstream,))
    (meta,) = store.metas
    assert (b"a secret" in meta.request) is kept
    assert meta.digest
