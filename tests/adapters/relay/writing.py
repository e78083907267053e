"""A process that writes into a file of streams until it is killed: ``python -m`` with its path, and
the most bytes of a file for a disk that is full.

It says on its standard output what the store has acknowledged, a line each: ``stream number``.
"""

from __future__ import annotations

import os
import resource
import sys

import anyio

from sans_io_stream_adapters.relay.stores.protocol import StoreError
from sans_io_stream_adapters.relay.stores.sqlite import SQLiteStore

from .making import id_of, made, meta_of

__all__ = ["STREAMS", "text_of"]

STREAMS = range(1, 9)


def text_of(number: int) -> str:
    """What entries say besides: large enough for a checkpoint every few hundred of them."""
    return "x" * (number * 7919 % 30_000)


async def main(path: str) -> None:
    store = SQLiteStore(path)
    await store.open()

    async def write(stream: int) -> None:
        if await store.find(id_of(stream)) is None:
            await store.create(meta_of(stream))
        number = 0
        while found := await store.read(id_of(stream), number):
            number = found[-1].number
        while True:
            count = number % 3 + 1
            entries = [made(number + n, stream, text_of(number + n)) for n in range(1, count + 1)]
            try:
                await store.append(id_of(stream), entries)
            except StoreError as error:
                os.write(2, f"{error}\n".encode())
                return
            number += count
            os.write(1, f"{stream} {number}\n".encode())

    async with anyio.create_task_group() as writers:
        for stream in STREAMS:
            writers.start_soon(write, stream)
    await store.close()


if __name__ == "__main__":
    if sys.argv[2]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    anyio.run(main, sys.argv[1])
