"""A process that writes a stream into Redis until it is refused: ``python -m`` with a URL, a
prefix, and the seconds of its lease.

It says on its standard output which entries the store has acknowledged, a line each, and at the
end why it was refused.
"""

from __future__ import annotations

import os
import sys

import anyio

from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.redis import RedisStore

from .making import id_of, made, meta_of


async def main(url: str, prefix: str, lease: float) -> None:
    store = RedisStore(url, prefix=prefix, lease=lease)
    await store.open()
    await store.create(meta_of(1))
    number = 0
    try:
        while True:
            await store.append(id_of(1), [made(number + 1)])
            number += 1
            os.write(1, f"{number}\n".encode())
    except StoreError as error:
        os.write(1, f"{type(error).__name__}\n".encode())
    await store.close()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2], float(sys.argv[3]))
