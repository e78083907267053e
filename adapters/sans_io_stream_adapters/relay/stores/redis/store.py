"""Streams in Redis or Valkey: several workers have them, and they outlive all of these.

Each stream is a Redis Stream. Who writes it has an epoch of his own in it, and Redis itself
refuses what comes from an older one: a worker that was taken for dead and comes back writes
nothing more, whatever it believes. ``scripts`` says which keys there are, ``link``
how connections are made, ``writing`` how entries come there once, and ``following``
how a worker hears of the others'.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from sans_io_stream.secret import Secret

from ..protocol import Meta, News, Spent, StoreError, Taken, TooMany
from . import scripts
from .checks import check
from .link import Where, Wire
from .values import DAMAGED, Place, Rows, entries_in, key_of, meta_of, read_as
from .worker import RedisWorker
from .writing import Writing

try:
    import anyio
    from anyio.lowlevel import checkpoint_if_cancelled
except ImportError as missing:
    raise ImportError("RedisStore needs anyio: pip install 'sans-io-stream[redis]'") from missing

if TYPE_CHECKING:
    from sans_io_stream.relay import Entry

__all__ = ["RedisStore"]

T = TypeVar("T")

LARGE = 4 * 1024 * 1024
"""Bytes behind which a read is another one: the lease is renewed on the same connection."""
WEEK = 7 * 86400.0


class RedisStore:
    """A ``Shared`` store in the Redis or Valkey at ``url``: ``redis://HOST:PORT/DB``,
    ``rediss://…`` (TLS) or ``unix:///PATH``, with ``USER:PASSWORD@`` where it wants one. It is
    one Redis 6.2 or newer, with replicas perhaps, and no Cluster. All keys begin with ``prefix``.

    What was appended survives the workers; what it survives of Redis' own ends is Redis'
    configuration (``appendonly``), and no more than that.

    ``lease`` seconds without a sign of life, on Redis' clock, and a worker is taken for dead. For
    as long a call is tried again where Redis is away, and once behind that; then it raises
    ``StoreError``, and an ``append`` may or may not have been made: the same one, tried again, is
    made once. What Redis refuses raises at once. ``expire_seconds`` after its end Redis itself
    drops a stream that no worker has dropped; None for never.

    Raises ``ValueError`` for a URL, a lease or a time that is none.
    """

    def __init__(
        self,
        url: str,
        *,
        lease: float = 10.0,
        prefix: str = "sans-io-stream:",
        expire_seconds: float | None = WEEK,
    ) -> None:
        # A traceback may show variables.
        url = Secret(url)
        if not 0.1 <= lease < math.inf:
            raise ValueError("lease is at least 0.1, in seconds")
        if expire_seconds is not None and not 1 <= expire_seconds < math.inf:
            raise ValueError("expire_seconds is at least 1, or None for never")
        self.lease = lease
        self.prefix = prefix
        self.expire_seconds = expire_seconds
        self._where = Where(url)
        self._open: tuple[RedisWorker, Writing] | None = None

    def __repr__(self) -> str:
        return f"<RedisStore at {self._where.name}>"

    async def open(self) -> None:
        """Become a worker. Raises ``StoreError`` for a Redis that will not do."""
        if self._open is not None:
            return
        worker = RedisWorker(self._where, self.prefix, self.lease)
        await worker.start()
        try:
            info = await worker.link.do(lambda wire: wire.ask("INFO"))
            check(read_as(bytes, info).decode("utf-8", "replace"))
            await worker.run(scripts.RENEW)
        except BaseException:
            await worker.stop()
            raise
        self._open = worker, Writing(worker, self.expire_seconds)

    async def close(self) -> None:
        """Give the lease up: what this worker wrote is the others' to take, at once."""
        if self._open is not None:
            (worker, _), self._open = self._open, None
            await worker.stop()

    async def create(self, meta: Meta, most: int | None = None) -> None:
        """As ``Store.create``."""
        worker, writing = self._opened()
        key = key_of(meta.owner, meta.idempotency_key)
        data = msgspec.msgpack.encode(meta)
        told = data, quote(meta.owner, safe=""), key, "" if most is None else most

        async def create() -> None:
            wire, answer = await worker.begin(scripts.CREATE, meta.id, *told)
            word, *more = read_as(list[bytes], answer)
            if word == b"there":
                raise StoreError("there is a stream with that id already: make another id")
            if word == b"many":
                raise TooMany
            if word == b"taken":
                taken = meta_of(more[0])
                assert taken is not None
                raise Taken(taken)
            writing.begin(meta.id, 1, 0, wire)

        await handed_over(create())

    async def find(self, id: str) -> Meta | None:
        """As ``Store.find``."""
        worker, _ = self._opened()
        return meta_of(await worker.link.do(lambda wire: wire.ask(*self._meta(id))))

    async def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        """As ``Store.find_key``."""
        worker, _ = self._opened()
        return meta_of(await worker.run(scripts.FIND_KEY, key_of(owner, idempotency_key)))

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        """As ``Shared.append``."""
        _, writing = self._opened()
        await handed_over(writing.append(id, tuple(entries)))

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        """As ``Store.read``."""
        worker, _ = self._opened()
        told = max(after, 0) + 1, max(most, 0), LARGE
        answer = await worker.run(scripts.READ, id, *told)
        if not answer or most <= 0:
            return []
        number, newest, rows, cut = read_as(tuple[bytes, bytes, Rows, int], answer)
        begin, last = int(number), Place.of(newest).number
        entries = entries_in(rows, begin - 1, most)
        if cut and entries:
            last = entries[-1].number
        if [one.number for one in entries] != list(range(begin, min(last, begin + most - 1) + 1)):
            raise StoreError(DAMAGED)
        return entries

    async def trim(self, id: str, first: int) -> None:
        """As ``Store.trim``."""
        worker, _ = self._opened()
        await handed_over(worker.run(scripts.TRIM, id, first))

    async def delete(self, id: str) -> None:
        """As ``Store.delete``."""
        worker, writing = self._opened()
        await handed_over(worker.run(scripts.DELETE, id))
        writing.forget(id)
        worker.following.drop(id)

    async def orphans(self) -> list[Meta]:
        """As ``Store.orphans``."""
        worker, _ = self._opened()
        flat = read_as(list[bytes], await worker.run(scripts.ORPHANS))
        found = sorted(zip(flat[::2], flat[1::2], strict=True), key=lambda one: float(one[1]))

        async def metas(wire: Wire) -> list[Meta]:
            asked = [wire.send(*self._meta(id.decode())) for id, _ in found]
            told = [meta_of(await wire.answer(one)) for one in asked]
            return [meta for meta in told if meta is not None]

        return await worker.link.do(metas)

    async def take(self, id: str) -> bool:
        """As ``Store.take``."""
        worker, writing = self._opened()

        async def take() -> bool:
            wire, answer = await worker.begin(scripts.TAKE, id)
            if not answer:
                return False
            epoch, last = read_as(tuple[bytes, bytes], answer)
            writing.begin(id, int(epoch), int(last), wire)
            return True

        return await handed_over(take())

    async def ended_before(self, time: float, most: int = 1000) -> list[str]:
        """As ``Store.ended_before``."""
        worker, _ = self._opened()
        asked = ("ZRANGEBYSCORE", self.prefix + "ended", "-inf", f"({time!r}")
        limit = ("LIMIT", 0, max(most, 0))
        found = await worker.link.do(lambda wire: wire.ask(*asked, *limit))
        return [id.decode() for id in read_as(list[bytes], found)]

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        """As ``Store.spend``."""
        worker, _ = self._opened()
        once = secrets.token_hex(8)
        told = quote(owner, safe=""), period, more.tokens, more.nanodollars, once
        sums = await handed_over(worker.run(scripts.SPEND, *told))
        return Spent(*(int(one) for one in read_as(tuple[bytes, bytes], sums)))

    async def follow(self, id: str, after: int) -> None:
        """As ``Shared.follow``."""
        worker, _ = self._opened()
        place = read_as(bytes, await worker.run(scripts.FOLLOW, id, after))
        if worker.following.add(id, place.decode(), after):
            await worker.link.do(worker.following.nudge)

    async def leave(self, id: str) -> None:
        """As ``Shared.leave``."""
        self._opened()[0].following.drop(id)
        await checkpoint_if_cancelled()

    async def news(self) -> list[News]:
        """As ``Shared.news``."""
        return await self._opened()[0].following.news()

    async def tell(self, id: str, word: Literal["end", "read"]) -> None:
        """As ``Shared.tell``."""
        worker, _ = self._opened()
        await handed_over(worker.run(scripts.TELL, id, word))

    def _opened(self) -> tuple[RedisWorker, Writing]:
        if self._open is None:
            raise StoreError("the store is not open: open() it first")
        return self._open

    def _meta(self, id: str) -> tuple[str, str, str]:
        """The command that reads what is known of a stream."""
        return "HGET", f"{self.prefix}about:{id}", "meta"


async def handed_over(change: Coroutine[Any, Any, T]) -> T:
    """Have a change made, also where the caller is cancelled meanwhile."""
    made: list[T] = []
    with anyio.CancelScope(shield=True):
        made.append(await change)
    await checkpoint_if_cancelled()
    return made[0]
