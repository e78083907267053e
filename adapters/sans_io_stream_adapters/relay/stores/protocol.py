"""What every store of streams can do: one small protocol, whoever keeps the bytes.

A store keeps, for each stream, what is known of it (``Meta``) and its entries, in order. What
``append`` has returned for survives whatever the store promises to survive. A stream has one
writer at a time; readers are many. Where several workers have one store (``Shared``), the store
itself sees to it that what an earlier writer still sends is refused. All of it is asynchronous
and runs under any loop that anyio knows; a store is used in the loop that opened it.

Whoever stops waiting takes nothing back: a change that was handed over is made, also where the
call is cancelled. After an ``append`` that was cancelled the same number is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from sans_io_stream.relay import Entry

__all__ = [
    "MOST_SPENT", "Meta", "News", "Overtaken", "Shared", "Spent", "Store", "StoreError", "Taken",
    "TooMany", "follow", "read_all",
]  # fmt: skip


class StoreError(Exception):
    """A store that cannot keep what it is given, or does not have what it should."""


class Taken(StoreError):
    """Another stream of the same owner has that idempotency key. ``meta`` is it."""

    def __init__(self, meta: Meta) -> None:
        super().__init__("the idempotency key belongs to another stream")
        self.meta = meta


class TooMany(StoreError):
    """An owner has as many streams without an end as he may have at once."""

    def __init__(self) -> None:
        super().__init__("as many streams run as this owner may have at once")


class Overtaken(StoreError):
    """Another worker writes that stream now: what this one appends is refused, for good."""

    def __init__(self) -> None:
        super().__init__("another worker has taken the stream over")


class Meta(msgspec.Struct, frozen=True):
    """What is known of a stream from its beginning. It holds no credential, and its ``repr``
    nothing of what was asked."""

    id: str
    """One of ``stream_id``."""
    owner: str
    """The name of the key that made it, in the relay's configuration."""
    provider: str
    """The name of the provider's entry in the configuration."""
    model: str
    """The model as the client named it."""
    created: float
    """Seconds since 1970."""
    request: bytes = b""
    """What is needed to ask the provider for the stream again: the body that it was sent; empty
    where the provider could not go on anyway. It is the client's content: stores keep it as they
    keep the entries, and drop it with them."""
    digest: str = ""
    """The digest of the request, which a repeated idempotency key is compared by."""
    idempotency_key: str | None = None

    def __repr__(self) -> str:
        return f"<Meta {self.id}, {self.model!r} by {self.provider!r}>"


MOST_SPENT = 2**63 - 1


class Spent(msgspec.Struct, frozen=True):
    """What an owner has spent. Neither sum is more than ``MOST_SPENT``, whatever is added: stores
    hold no larger number, and providers may tell any."""

    tokens: int = 0
    nanodollars: int = 0
    """Billionths of a dollar: sums of them are exact in any store."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) > MOST_SPENT:
                msgspec.structs.force_setattr(self, name, MOST_SPENT)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.nanodollars + other.nanodollars)


class Store(Protocol):
    """Where streams are kept."""

    async def open(self) -> None:
        """Make it ready; what was there before is there still, where it outlives the process.
        Raises ``StoreError``."""
        ...

    async def close(self) -> None:
        """Put it away. Called twice it does nothing."""
        ...

    async def create(self, meta: Meta, most: int | None = None) -> None:
        """A stream begins. Raises ``StoreError`` for an id that is there already, ``Taken`` where
        its idempotency key is another one's of the same owner, and ``TooMany`` where so many
        streams of its owner are without an end, in all workers together."""
        ...

    async def find(self, id: str) -> Meta | None:
        """What is known of a stream."""
        ...

    async def find_key(self, owner: str, idempotency_key: str) -> Meta | None:
        """The stream of that owner's idempotency key."""
        ...

    async def append(self, id: str, entries: Sequence[Entry]) -> None:
        """Keep these entries, in order, behind those that are there: all of them or none.

        Raises ``StoreError`` for a number that does not follow, for a stream that is not there
        or is sealed, and where they cannot be kept; nothing of them is there then.
        """
        ...

    async def read(self, id: str, after: int = 0, most: int = 1024) -> list[Entry]:
        """The entries with numbers above ``after`` that are kept, in order, at most so many, and
        fewer, but one at least, where they are large; none of a stream that is not there. Raises
        ``StoreError`` where one is damaged or missing."""
        ...

    async def trim(self, id: str, first: int) -> None:
        """Drop the entries before that number, as far as there are any: the number that follows
        stays the same. Of a stream that is not there they are dropped already."""
        ...

    async def delete(self, id: str) -> None:
        """Drop all of a stream. One that is not there is dropped already."""
        ...

    async def orphans(self) -> list[Meta]:
        """The streams without an end that no living writer has, oldest first. A stream that was
        created or taken through this store since it was opened is none of them."""
        ...

    async def take(self, id: str) -> bool:
        """Become the writer of one of the ``orphans``: what its last writer still sends is
        refused from now on, and all that is there can be read. False where another worker was
        faster, or the stream is sealed or gone."""
        ...

    async def ended_before(self, time: float, most: int = 1000) -> list[str]:
        """The ids of sealed streams whose last entry is older than ``time``, in seconds since
        1970, oldest first."""
        ...

    async def spend(self, owner: str, period: str, more: Spent) -> Spent:
        """Add what was spent in a period ("2026-11-27", "2026-11", …). Returns the sum of that
        period, in all workers together. Of each owner the period that was last added to is kept,
        and may be others."""
        ...


class News(msgspec.Struct, frozen=True):
    """What a worker hears of one stream: ``entries`` that another one has written, of a stream
    that it follows, or a ``word`` that another one has for its writer. "end": a client ends the
    generation; "read": there is somebody who reads it. Of one that is ``damaged`` no more is told:
    it cannot be read."""

    id: str
    entries: Sequence[Entry] = ()
    word: Literal["end", "read"] | None = None
    damaged: bool = False


@runtime_checkable
class Shared(Store, Protocol):
    """A store that several workers have at once. Who creates a stream writes it, until its
    worker has given no sign of life for ``lease`` seconds and another one has taken it over.

    ``append`` raises ``Overtaken`` for a stream that this worker does not write, or no longer,
    whatever it believes.
    """

    lease: float
    """Seconds, on the store's clock, after which a silent worker is taken for dead."""

    async def follow(self, id: str, after: int) -> None:
        """Have ``news`` tell of the entries behind number ``after``."""
        ...

    async def leave(self, id: str) -> None:
        """Follow it no longer."""
        ...

    async def news(self) -> list[News]:
        """Wait for any. One call at a time; all readers of a worker share it. Raises
        ``StoreError``; what was missed meanwhile is told by a later call."""
        ...

    async def tell(self, id: str, word: Literal["end", "read"]) -> None:
        """Have the writer of a stream hear that. "end" reaches whoever takes the stream over,
        too."""
        ...


def follow(entries: Sequence[Entry], last: int, sealed: bool) -> None:
    """Raises ``StoreError`` where these entries cannot stand behind entry ``last``."""
    for one in entries:
        if sealed:
            raise StoreError(f"the stream was sealed by entry {last}: nothing is appended to it")
        if one.number != last + 1:
            raise StoreError(
                f"entry {one.number} does not follow entry {last}: a stream has one writer, "
                "which counts on from what is there"
            )
        last, sealed = one.number, one.seals


AT_ONCE = 1024
"""Entries that are read from a store at once."""


async def read_all(store: Store, id: str, after: int = 0) -> list[Entry]:
    """The entries with numbers above ``after``, all that are kept. Raises ``StoreError``."""
    found: list[Entry] = []
    while more := await store.read(id, found[-1].number if found else after, AT_ONCE):
        found += more
    return found
