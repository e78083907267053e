"""Dialling on asyncio: the first address of a host that answers (RFC 8305).

asyncio's own race between addresses forgets a socket if it is cancelled at the wrong moment;
here every socket that was opened is handed over or closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from itertools import zip_longest
from typing import Any

__all__ = ["dial"]

Address = tuple[Any, Any, int, str, Any]
"""What ``getaddrinfo`` finds."""
HAPPY_EYEBALLS_DELAY = 0.25
"""Seconds before the next address is tried, too (RFC 8305, section 5)."""


async def dial(host: str, port: int) -> socket.socket:
    """A connected socket to the first address that answers. Raises ``OSError``."""
    loop = asyncio.get_running_loop()
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    found: list[Address]
    try:
        # An address needs no thread to look it up.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    opened = await (race(alternating(found)) if len(found) > 1 else attempt(found[0]))
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


async def attempt(address: Address) -> socket.socket:
    """A socket that has got through to this address."""
    family, kind, protocol, _, place = address
    opened = socket.socket(family, kind, protocol)
    opened.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(opened, place)
    except BaseException:
        opened.close()
        raise
    return opened


async def race(addresses: list[Address]) -> socket.socket:
    """The first socket that gets through; all others are closed."""
    loop = asyncio.get_running_loop()
    running: dict[asyncio.Task[None], socket.socket] = {}
    errors: list[BaseException] = []
    left = deque(addresses)
    try:
        while left or running:
            if left:
                family, kind, protocol, _, address = left.popleft()
                try:
                    opened = socket.socket(family, kind, protocol)
                except OSError as error:
                    errors.append(error)
                    continue
                opened.setblocking(False)
                running[asyncio.ensure_future(loop.sock_connect(opened, address))] = opened
            done, _ = await asyncio.wait(
                running,
                timeout=HAPPY_EYEBALLS_DELAY if left else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    return running.pop(task)
                running.pop(task).close()
                errors.append(failure)
    finally:
        for task in running:
            task.cancel()
        try:
            if running:
                await asyncio.wait(running)
        finally:
            for opened in running.values():
                opened.close()
    raise errors[-1] if errors else OSError("the host has no address")


def alternating(addresses: list[Address]) -> list[Address]:
    """One of each family in turn, the first one first (RFC 8305, section 4)."""
    first = [found for found in addresses if found[0] == addresses[0][0]]
    other = [found for found in addresses if found[0] != addresses[0][0]]
    pairs = zip_longest(first, other)
    return [found for pair in pairs for found in pair if found is not None]
