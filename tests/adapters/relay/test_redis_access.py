"""Over TLS, over a socket file, and as a user who may do no more than the page says."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from sans_io_stream_adapters.relay.stores.protocol import News, Spent, StoreError
from sans_io_stream_adapters.relay.stores.redis import RedisStore
from tests.sources import REPO

from .making import id_of, meta_of, run_of, sealing
from .redis_server import RedisServer, free_port

pytestmark = pytest.mark.anyio

A = id_of(1)


@contextmanager
def serving(directory: Path, *options: str) -> Generator[RedisServer]:
    server = RedisServer(directory, *options)
    try:
        yield server
    finally:
        server.kill()


async def everything(url: str, prefix: str) -> None:
    """Do all that a store does, by two workers."""
    first, second = RedisStore(url, prefix=prefix), RedisStore(url, prefix=prefix)
    await first.open()
    await second.open()
    await first.create(meta_of(1, "key"), 5)
    await first.append(A, run_of(1, 3))
    await second.follow(A, 0)
    assert await second.news() == [News(A, run_of(1, 3))]
    await second.tell(A, "end")
    assert await first.news() == [News(A, word="end")]
    await first.close()
    assert await second.orphans() == [meta_of(1, "key")]
    assert await second.take(A)
    await second.append(A, [sealing(4)])
    await second.trim(A, 3)
    assert await second.read(A) == [*run_of(3, 3), sealing(4)]
    assert await second.ended_before(9.0) == [A]
    assert await second.find_key("ann", "key") == await second.find(A) == meta_of(1, "key")
    assert await second.spend("ann", "2026", Spent(1)) == Spent(1)
    await second.delete(A)
    await second.close()


async def test_a_user_who_may_what_the_page_says(tmp_path: Path) -> None:
    page = (REPO / "docs" / "relay-stores.md").read_text("utf-8")
    [rights] = re.findall(r"`~PREFIX\* ([^`]*)`", page)
    user = ["--user", "relay", "on", ">password", "~mine:*", *rights.split()]
    with serving(tmp_path, *user) as server:
        url = f"redis://relay:password@127.0.0.1:{server.port}"
        await everything(url, "mine:")
        store = RedisStore(url, prefix="other:")
        with pytest.raises(StoreError, match="all keys under the prefix"):
            await store.open()


async def test_over_a_socket_file(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with serving(tmp_path, "--unixsocket", str(path)):
        await everything(f"unix://{path}?db=2", "p:")


async def test_over_tls_the_certificate_and_the_name_are_checked(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    port = free_port()
    files = ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-auth-clients", "no"]
    files += ["--tls-key-file", str(tmp_path / "key.pem")]
    files += ["--tls-ca-cert-file", str(tmp_path / "ca.pem")]
    trusted = f"ssl_ca_certs={tmp_path / 'ca.pem'}"
    with serving(tmp_path, "--tls-port", str(port), *files):
        await everything(f"rediss://localhost:{port}/1?{trusted}", "p:")
        for url in (
            f"rediss://127.0.0.1:{port}?{trusted}",
            f"rediss://127.0.0.1:{port}?{trusted}&ssl_cert_reqs=required",
            f"rediss://localhost:{port}",
        ):
            store = RedisStore(url, lease=0.4)
            with pytest.raises(StoreError, match="certificate"):
                await store.open()
        for lax in (f"{trusted}&ssl_check_hostname=false", "ssl_cert_reqs=none"):
            store = RedisStore(f"rediss://127.0.0.1:{port}?{lax}")
            await store.open()
            await store.close()
