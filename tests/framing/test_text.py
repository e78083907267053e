"""Plain text: pieces that decode, one by one, to what the whole decodes to."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sans_io_stream.framing.opened import skip_bom
from sans_io_stream.framing.text import Text
from sans_io_stream.policy import Limits
from tests.cuts import cut, single
from tests.framing.parts import BOM

# Every class of byte that UTF-8 tells apart, and the borders between them.
BYTES = st.sampled_from(
    b"a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff"
)
BODIES = (
    st.lists(BYTES, max_size=12).map(bytes)
    | st.binary(max_size=12)
    | st.text(max_size=6).map(str.encode)
)


def run(reads: Iterable[bytes]) -> list[bytes]:
    framing = Text(limits=Limits())
    items: list[bytes] = []
    for read in reads:
        framing = msgspec.msgpack.decode(msgspec.msgpack.encode(framing), type=Text)
        fed = framing.feed(read)
        assert len(fed) <= 1
        items += [item for item in fed if isinstance(item, bytes)]
        assert len(framing.held) <= 3
    items += [item for item in framing.end() if isinstance(item, bytes)]
    assert framing.feed(b"a") == framing.end() == []
    assert all(items)
    return items


@given(BODIES, st.lists(st.integers(0, 24), max_size=6))
@example(b"\xed\xa0\x80", [1, 2])  # a surrogate
@example(b"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf", [1, 2, 3, 4])  # overlong
@example(b"\xf4\x90\x80\x80", [1, 2, 3])  # beyond the last character
@example(b"\xe2\x82\xf0\x9f\x98", [1, 2, 3, 4])  # truncated
def test_pieces_decode_as_the_whole_does(body: bytes, cuts: list[int]) -> None:
    content = body.removeprefix(BOM)
    for partition in ([body], single(body), cut(body, cuts)):
        pieces = run(partition)
        assert b"".join(pieces) == content
        text = "".join(piece.decode("utf-8", "replace") for piece in pieces)
        assert text == content.decode("utf-8", "replace")


@given(st.text())
def test_valid_text_is_never_cut_in_a_character(text: str) -> None:
    for piece in run(single(text.encode())):
        piece.decode()


@pytest.mark.parametrize(
    ("reads", "pieces"),
    [
        ([], []),
        ([b""], []),
        ([BOM], []),
        ([b"\xef", b"\xbb", b"\xbfa"], [b"a"]),
        ([b"\xef\xbb"], [b"\xef\xbb"]),
        ([b"\xef", b"a"], [b"\xefa"]),
        ([BOM + BOM], [BOM]),
        ([b"a", b"b"], [b"a", b"b"]),
        ([b"a\xe2", b"\x82", b"\xacb"], [b"a", b"\xe2\x82\xacb"]),
        ([b"a\xe2\x82"], [b"a", b"\xe2\x82"]),
        # Bytes that will never be a character go on at once.
        ([b"\xff", b"\xc0", b"\xe0\x80", b"\xf5"], [b"\xff", b"\xc0", b"\xe0\x80", b"\xf5"]),
        ([b"\xed\xa0", b"\x80"], [b"\xed\xa0\x80"]),
    ],
)
def test_pieces(reads: list[bytes], pieces: list[bytes]) -> None:
    assert run(reads) == pieces


def test_shortcuts_change_nothing() -> None:
    plain = Text(limits=Limits(), shortcuts=False)
    assert plain.feed(b"a\xe2") + plain.feed(b"\x82") + plain.end() == [b"a", b"\xe2\x82"]


@given(BODIES, st.integers(0, 5))
def test_one_bom_is_skipped_at_any_cut(body: bytes, cut: int) -> None:
    data = BOM[:cut] + body
    opening: bytes | None = b""
    read = b""
    for piece in single(data):
        if opening is not None:
            opening, piece = skip_bom(opening, piece)
        read += piece
    assert read + (opening or b"") == (data.removeprefix(BOM))
