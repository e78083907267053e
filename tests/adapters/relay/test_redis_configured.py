"""A relay whose configuration names a Redis keeps its streams there."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sans_io_stream_adapters.relay.config import RedisOptions, RelayConfig, Upstream
from sans_io_stream_adapters.relay.stores.configured import store_of
from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.redis import RedisStore
from sans_io_stream_adapters.testing import FaultServer

from .asgi import talk
from .program import Program, fetch
from .redis_server import shared_server

HOME = Upstream(name="home", provider="ollama")


def configured(store: str, retention: float = 3600.0) -> RelayConfig:
    told = RedisOptions(lease=3, prefix="p:")
    return RelayConfig(upstreams=(HOME,), store=store, redis=told, retention=retention)


@pytest.mark.parametrize(
    ("retention", "expire"), [(3600.0, 10800.0), (0.0, 3600.0), (math.inf, None)]
)
def test_the_store_is_as_configured(retention: float, expire: float | None) -> None:
    store = store_of(configured("redis://:secret@host/", retention))
    assert isinstance(store, RedisStore)
    assert (store.lease, store.prefix, store.expire_seconds) == (3, "p:", expire)
    assert repr(store) == "<RedisStore at host:6379>"


def test_a_url_that_is_none_is_told_without_its_password() -> None:
    with pytest.raises(StoreError, match="URL of the Redis server") as refused:
        store_of(configured("redis://:secret@host:port/"))
    assert "secret" not in str(refused.value)


def test_a_stream_is_there_after_the_relay(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    with FaultServer("openai-chat", text="Hello from Redis.") as server:
        path.write_text(
            f'store = "{shared_server().url}"\n[redis]\nprefix = "{tmp_path}:"\n[upstreams.up]\n'
            f'provider = "openai"\nbase_url = "{server.url}/v1"\napi_key = "key"\n',
            "utf-8",
        )
        with Program("--config", str(path)) as program:
            assert program.told["store"] == shared_server().url
            first = fetch(program.url, "POST", "/v1/streams", talk(model="up/m"))
            program.kill()
        with Program("--config", str(path)) as program:
            again = fetch(program.url, "GET", f"/v1/streams/{first.id}")
    assert first.whole
    assert again.body == first.body
