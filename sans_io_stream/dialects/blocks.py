"""Numbered content blocks: what the dialects of Claude and of Bedrock share.

An answer is a row of blocks; each begins, is filled by deltas and stops, and several may be
open at once. A tool call is whole when its block stops. Servers that never stop a block
exist: at the end of the message, or where another block takes its number, a call is whole if
its arguments are.

Tools that the server runs itself are no calls for us to answer: their uses are annotations,
piece by piece like calls (``…_delta``), and once more, whole, when they stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .base import Call, Dialect, LimitReached
from .shapes import word
from .tolerant import TooDeep, Unreadable, is_json, read_json, scrub
from .tools import argument_text

if TYPE_CHECKING:
    from ..events import Event

__all__ = ["Block", "BlockDialect"]


class Block(msgspec.Struct):
    """What must be remembered of an open block: how it began, and pieces of its input."""

    start: dict[str, Any]
    kind: str = ""
    """The kind of its annotation; "" where it belongs to a tool call."""
    pieces: list[str] = []
    size: int = 0


class BlockDialect(Dialect):
    """A dialect whose answer comes in numbered blocks."""

    blocks: dict[int, Block] = msgspec.field(default_factory=dict[int, Block])
    """The open blocks that are more than text."""

    def begin_call(
        self, index: int | None, id: Any, name: Any, start: dict[str, Any], events: list[Event]
    ) -> None:
        """A block with a tool call begins. ``start`` may hold its whole ``input``."""
        self.displace(index, events)
        self.open_call(events, key=index, id=word(id), name=word(name))
        if index is not None and start.get("input"):
            self.remember(index, Block(start))

    def begin_use(
        self, index: int | None, kind: str, start: dict[str, Any], events: list[Event]
    ) -> None:
        """A block begins in which the server uses a tool of its own."""
        self.displace(index, events)
        if index is None:
            self.annotate(kind, start, events)
        else:
            self.remember(index, Block(start, kind))
            self.tell_piece(kind, start, "", events)

    def remember(self, index: int, block: Block) -> None:
        """Keep ``block`` open."""
        if len(self.blocks) >= self.limits.tool_calls:
            limit = self.limits.tool_calls
            raise LimitReached("tool_calls", limit, "the number of open blocks")
        block.start = self.encodable(block.start)
        whole = block.start.get("input")
        if whole:
            block.size = len(msgspec.json.encode(whole))
            self.bound(block, index)
        self.blocks[index] = block

    def bound(self, block: Block, index: int | None) -> None:
        """Refuse an input that is too long, however it came."""
        limit = self.limits.arguments_bytes
        if block.size > limit:
            raise LimitReached("arguments_bytes", limit, f"the input of block {index}")

    def encodable(self, data: Any) -> Any:
        """``data`` of the record at hand, such that it can be kept."""
        return scrub(data) if self.lax else data

    def add_input(self, index: int | None, fragment: str, events: list[Event]) -> bool:
        """A fragment of the input of the block at ``index``. False if none is open there."""
        block = None if index is None else self.blocks.get(index)
        if block is not None and block.kind:
            fragment = self.whole(fragment, block.kind, 0, index or 0)
            block.pieces.append(fragment)
            block.size += len(fragment.encode())
            self.bound(block, index)
            if fragment:
                self.tell_piece(block.kind, block.start, fragment, events)
            return True
        call = self.call_at(index)
        if call is None:
            return False
        self.add_arguments(call, fragment, events)
        return True

    def tell_piece(
        self, kind: str, start: dict[str, Any], fragment: str, events: list[Event]
    ) -> None:
        """A piece of the input of a server's tool."""
        id_ = start.get("id", start.get("toolUseId"))
        piece = {"id": id_, "name": start.get("name"), "input": fragment}
        self.annotate(f"{kind}_delta", piece, events)

    def call_at(self, index: int | None) -> Call | None:
        """The open call of that block; the last open one where no number says which."""
        for call in reversed(self.calls):
            if not call.stopped and (index is None or call.key in (index, None)):
                return call
        return None

    def stop_block(self, index: int | None, events: list[Event]) -> None:
        """A block has stopped: a call or a server's use of a tool in it is whole."""
        block = None if index is None else self.blocks.get(index)
        if block is not None and block.kind:
            self.tell_use(self.blocks.pop(index or 0), events)
            return
        call = self.call_at(index)
        if call is not None:
            self.fill_call(call, events)
            self.stop_call(call, events)

    def displace(self, index: int | None, events: list[Event]) -> None:
        """A block begins: one that is open under its number was never stopped."""
        if index is None:
            return
        for call in [call for call in self.calls if call.key == index and not call.stopped]:
            self.fill_call(call, events)
            if is_json(call.arguments):
                self.close_call(call, events)
            else:
                self.drop_call(call)
        self.blocks.pop(index, None)

    def abandon_blocks(self) -> None:
        """The message begins anew: what is open will never be whole."""
        self.calls = ()
        self.blocks.clear()

    def fill_call(self, call: Call, events: list[Event]) -> None:
        """Give ``call`` the input that its block began with, if no piece came."""
        block = self.blocks.pop(call.key, None) if isinstance(call.key, int) else None
        if block is not None and not call.pieces:
            self.add_arguments(call, argument_text(block.start.get("input")), events)

    def tell_use(self, block: Block, events: list[Event]) -> None:
        """A server's use of a tool, whole. Input that is no JSON stays text."""
        text = "".join(block.pieces)
        told: Any = block.start.get("input")
        if text:
            try:
                told = scrub(read_json(text.encode(), self.limits.depth)[0])
            except (Unreadable, TooDeep):
                told = text
        self.annotate(block.kind, {**block.start, "input": told}, events)

    def tail(self, events: list[Event], complete: bool, *, final: bool) -> None:
        for call in self.calls:
            self.fill_call(call, events)
        super().tail(events, complete, final=final)

    def call_is_whole(self, call: Call, complete: bool) -> bool:
        """Whether a call whose block never stopped is whole when the message ends."""
        raw = self.choice(call.choice)[1].raw_reason
        if raw is None and not complete:
            return False
        if call.pieces and not call.stopped:
            return is_json(call.arguments)
        return self.reason_of(raw, call.choice) == "tool_calls"
