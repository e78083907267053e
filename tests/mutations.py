"""Spoiling streams: what proxies, gateways and bugs do to the bytes on their way."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

Mutation = Callable[[bytes, Random], bytes]

LINES = (
    b": hi\n", b"id: 7\n", b"id: a\x00b\n", b"retry: 5\n", b"event: ping\n", b"foo\n", b"data\n",
    b'error: {"message": "boo"}\n', b'{"error": {"message": "x"}}\n', b"data: [DONE]\n\n",
    b"data: : keep-alive\n\n", b"data: x\n\n", b"\n: ping\n\n",
    b'{\n "error": {\n  "code": 429\n }\n}\n',
)  # fmt: skip
ENDS = (b"\r\n\r\n", b"\n\r\n", b"\r\r", b"\n\r", b"\r\n\n", b"\n\n\n", b"\n")
PIECES = (b"\\ud83d", b"\\ude00", b"\xf0\x9f", b"\xff", b"\t", b"\\u0000", b"\xe2\x80\xa8", b'\\"')


def drop_byte(data: bytes, drawn: Random) -> bytes:
    place = drawn.randrange(len(data) + 1)
    return data[:place] + data[place + 1 :]


def change_byte(data: bytes, drawn: Random) -> bytes:
    place = drawn.randrange(len(data) + 1)
    return data[:place] + bytes([drawn.randrange(256)]) + data[place + 1 :]


def line_ends(data: bytes, drawn: Random) -> bytes:
    return data.replace(b"\n", drawn.choice([b"\r\n", b"\r"]))


def bom(data: bytes, drawn: Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def cut_off(data: bytes, drawn: Random) -> bytes:
    return data[: drawn.randrange(len(data) + 1)]


def insert_line(data: bytes, drawn: Random) -> bytes:
    place = data.find(b"\n", drawn.randrange(len(data) + 1)) + 1
    return data[:place] + drawn.choice(LINES) + data[place:]


def insert_before_data(data: bytes, drawn: Random) -> bytes:
    place = max(0, data.find(b"data:", drawn.randrange(len(data) + 1)))
    return data[:place] + drawn.choice(LINES) + data[place:]


def insert_in_text(data: bytes, drawn: Random) -> bytes:
    place = data.find(b'":"', drawn.randrange(len(data) + 1)) + 3
    return data[:place] + drawn.choice(PIECES) + data[place:]


def insert_field(data: bytes, drawn: Random) -> bytes:
    place = data.find(b"{", drawn.randrange(len(data) + 1)) + 1
    field = drawn.choice([b'"zz":1,', b'"zz":{"a":[]},', b"{", b"[", b" ", b":", b"\n  "])
    return data[:place] + field + data[place:]


def block_end(data: bytes, drawn: Random) -> bytes:
    place = data.find(b"\n\n", drawn.randrange(len(data) + 1))
    return data if place < 0 else data[:place] + drawn.choice(ENDS) + data[place + 2 :]


def double_record(data: bytes, drawn: Random) -> bytes:
    begin = data.find(b"\n\n", drawn.randrange(len(data) + 1)) + 2
    end = data.find(b"\n\n", begin) + 2
    return data if end < begin else data[:end] + data[begin:end] + data[end:]


def no_space(data: bytes, drawn: Random) -> bytes:
    return data.replace(b"data: ", b"data:")


MUTATIONS: tuple[Mutation, ...] = (
    drop_byte, change_byte, line_ends, bom, cut_off, insert_line, insert_line,
    insert_before_data, insert_in_text, insert_in_text, insert_field, block_end,
    double_record, no_space,
)  # fmt: skip


def mutate(data: bytes, drawn: Random) -> bytes:
    """``data`` with up to six things done to it."""
    for _ in range(drawn.randrange(7)):
        data = drawn.choice(MUTATIONS)(data, drawn)
    return data


def cuts(size: int, drawn: Random) -> list[int]:
    """Places to cut ``size`` bytes at: nowhere, here and there, or everywhere."""
    count = drawn.choice([0, 1, 3, 10, 50, size])
    if count >= size:
        return list(range(1, size))
    return sorted(drawn.randrange(size + 1) for _ in range(count))
