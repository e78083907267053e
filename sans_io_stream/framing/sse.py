"""Server-sent events: bytes → records. The grammar stands in ``sse_lines``; this is its speed.

Most records look like the one before them, an event line at most and one data line. Their
*header* (all that precedes the data) is learnt, and then expected: a read that is one such
record, or begins with a run of them, is cut with a few slices, and what does not look like
it goes line by line. A *lead*, the first bytes of the data as far as they are the same from
record to record, is learnt as part of the header if ``lead_end`` says where it ends. All this
changes the speed, never the items, but that such records are bare ``bytes``.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from .fragments import Fragments
from .items import PLAIN, Item, PlainForm
from .sse_lines import CR, LF, EventLines, Pending

__all__ = ["SSE"]

SPACE = 32
TAILS = {b"\n": b"\n\n", b"\r\n": b"\r\n\r\n"}
"""The line ends that are learnt, and how a record ends with them."""


PLAIN_HEADER = PlainForm("", b"data: ", 6)
"""What is expected before anything is learnt."""


class Held(Fragments, gc=False):
    """The pieces of a plain record, and what has come of its last line ends."""

    ends: bytes = b""


class Rival(msgspec.Struct, gc=False):
    """A form that the last block had, and its line end."""

    form: PlainForm
    end: bytes
    recurred: bool
    """It is to be learnt when the read is done."""


class SSE(EventLines, kw_only=True, gc=False, tag_field="framing", tag="sse"):
    """The event-stream framing. All fields are state."""

    lead_end: bytes = b""
    shortcuts: bool = True
    form: PlainForm = PLAIN
    mixed: bool = False
    closed: ClassVar[bool] = True

    cap: int = -1
    """The largest read in which no line or record can exceed its limit; -1 for no shortcuts."""
    held: Held | None = None
    """The beginning of a block that looks plain so far, unread."""
    learnt: PlainForm = PLAIN_HEADER
    """What plain records are expected to be like; its head is the header."""
    header: bytes = PLAIN_HEADER.head
    tail: bytes = b"\n\n"
    frame: int = len(PLAIN_HEADER.head) + 2
    """The bytes of header and tail."""
    room: int = -1
    """A read of at most so many bytes may be one whole plain record; -1 when it may not, as
    the next byte does not begin a block."""
    rival: Rival | None = None
    """Another form than the learnt one, seen in the block before."""
    young: int = 12
    """So many blocks more are read one by one where they do not look alike."""

    def __post_init__(self) -> None:
        if self.shortcuts:
            self.cap = min(self.limits.line_bytes, self.limits.record_bytes)

    @property
    def at_rest(self) -> bool:
        """The byte that was read last ended a block."""
        return self.held is None and self._between()

    def only(self, data: bytes) -> bytes | None:
        """The bare item in a read that is one plain record from end to end, else None.

        A shortcut past ``feed``, which leaves no trace, for reads of at most ``room`` bytes.
        The item is of the ``learnt`` form.
        """
        # What is no prefix or suffix is not removed, and then the sizes differ. A slice and a
        # comparison for each would take twice as long.
        payload = data.removeprefix(self.header).removesuffix(self.tail)
        if len(data) - len(payload) == self.frame and LF not in payload and CR not in payload:
            return payload
        return None

    def feed(self, data: bytes) -> list[Item]:
        """The items that ``data`` completes, in order."""
        held = self.held
        if held is not None:
            if (
                LF not in data
                and CR not in data
                and not held.ends
                and len(self.header) <= held.size <= self.cap - len(data)
            ):
                # It neither ends here nor fails.
                held.add(data)
                return []
            return self._feed_held(held, data)
        if len(data) <= self.room and (payload := self.only(data)) is not None:
            self.form = self.learnt
            self.mixed = False
            return [payload]
        return self._feed(data)

    def end(self) -> list[Item]:
        """What the end of input leaves: at most one ``Unfinished`` block."""
        items: list[Item] = []
        self._unhold(items)
        self._read_end(items)
        return items

    def _feed_held(self, held: Held, data: bytes) -> list[Item]:
        """Read on in the plain record that is held."""
        size = held.size
        end = size + len(data)
        if end <= min(self.cap, len(self.header)) and data == self.header[size:end]:
            held.add(data)
            return []
        ends = held.ends + data
        if size >= len(self.header) and ends != self.tail and self.tail.startswith(ends):
            held.ends = ends
            return []
        # Joined just once: what follows the last record in ``data`` alone is held again.
        data = held.join(ends)
        self.held = None
        if len(data) <= self.cap and self._complete() and (payload := self.only(data)) is not None:
            self.form = self.learnt
            self.mixed = False
            self.room = self.cap
            return [payload]
        return self._feed(data)

    def _feed(self, data: bytes) -> list[Item]:
        items: list[Item] = []
        self.room = -1
        self.mixed = False
        if self.broken or not data:
            return items
        self.form = self.learnt
        if len(data) > self.cap:
            self._slow(data, items)
        elif CR in data and CR not in self.tail:
            # In a stream of LF lines a CR may end a line anywhere: such reads go line by line.
            self._slow(data, items)
        elif not self._read_block(data, items):
            if self.young:
                data = self._read_first(data, items)
            items = self._read_batch(data, items)
        self._learn()
        if self.held is None and self._between():
            self.room = self.cap
        return items

    def _complete(self) -> bool:
        """The learnt form has all that can be learnt: a lead, where there may be one."""
        return self.learnt.has_lead or not self.lead_end

    def _unhold(self, items: list[Item]) -> None:
        """Read after all, line by line, what was held."""
        if self.held is not None:
            data, self.held = self.held.join(self.held.ends), None
            self._slow(data, items)

    def _read_block(self, data: bytes, items: list[Item]) -> bool:
        """Take a read that is one plain record, of the learnt type but with another lead."""
        fields = self.header[: self.learnt.cut]
        # Behind "data:" a space would belong to the field, not to the data.
        if fields[-1] != SPACE:
            return False
        if not (data.startswith(fields) and data.endswith(self.tail) and self._between()):
            return False
        payload = data[len(fields) : -len(self.tail)]
        # In a stream of LF lines no CR comes here.
        if LF in payload or (CR in self.tail and CR in payload):
            return False
        self.started = True
        type = self.learnt.type
        self.form = PlainForm(type) if type else PLAIN
        items.append(payload)
        self._note_header(fields, type, self.tail[: len(self.tail) // 2], payload)
        return True

    def _slow(self, data: bytes, items: list[Item]) -> None:
        """Read ``data`` line by line."""
        if data:
            self.mixed = True
            self._read_lines(data, items)

    def _read_first(self, data: bytes, items: list[Item]) -> bytes:
        """Read the first blocks of a stream one by one, to learn from them at once.

        Returns what is left, from the first record on that looks like the one before it.
        """
        # As long as a lead is looked for, the one that comes first looks like no other.
        while self.young and not (self._complete() and data.startswith(self.header)):
            ends = [(data.find(end * 2), end) for end in TAILS]
            found, end = min((place for place in ends if place[0] >= 0), default=(-1, b""))
            if found < 0:
                break
            self.young -= 1
            begin = found + 2 * len(end)
            self._slow(data[:begin], items)
            data = data[begin:]
            self._learn()
        self.form = self.learnt
        return data

    def _read_batch(self, data: bytes, items: list[Item]) -> list[Item]:
        """Cut the runs of plain records out of ``data``; the rest goes line by line."""
        header, tail = self.header, self.tail
        begin = 0
        begun = data.startswith(header) or header.startswith(data)
        if not (begun and self._between()):
            separator = tail + header
            found = data.find(separator) if len(data) > 2 * len(separator) else -1
            begin = found + len(tail) if found >= 0 else len(data)
            self._slow(data[:begin], items)
            if begin == len(data) or not self._between():
                self._slow(data[begin:], items)
                return items
        self.started = True
        stop = data.rfind(tail)
        if stop >= begin:
            items = self._read_run(data, begin, stop, items)
            begin = stop + len(tail)
            if begin == len(data):
                return items
        rest = data[begin:]
        if not (self._between() and self._hold(rest)):
            self._slow(rest, items)
        return items

    def _read_run(self, data: bytes, begin: int, stop: int, items: list[Item]) -> list[Item]:
        """Cut up ``data[begin:stop]``: a header, and records up to the last one's line ends."""
        lead = self.learnt.lead
        fields = self.header[: self.learnt.cut]
        # To split at the lead, too, would take longer than all the rest: it is a long needle.
        separator = self.tail + fields
        found = data[begin + len(fields) : stop].split(separator)
        parts = [part.removeprefix(lead) for part in found] if lead else found
        # Two searches in all of them at once take half as long as two in each.
        joined = b"".join(parts)
        count = len(parts)
        size = len(joined) + count * (len(fields) + len(lead)) + (count - 1) * len(self.tail)
        if size != stop - begin or LF in joined or CR in joined:
            self._read_parts(found, lead, items)
            return items
        return [*items, *parts] if items else [*parts]

    def _hold(self, rest: bytes) -> bool:
        """Hold ``rest`` if it begins a plain record; False if it does not."""
        size = len(self.header)
        line, ends = rest, b""
        if len(rest) <= size:
            if not self.header.startswith(rest):
                return False
        else:
            line = rest.rstrip(b"\r\n")
            ends = rest[len(line) :]
            payload = line[size:]
            if not (
                line.startswith(self.header)
                and self.tail.startswith(ends)
                and LF not in payload
                and CR not in payload
            ):
                return False
        self.held = Held(ends=ends)
        self.held.add(line)
        return True

    def _read_parts(self, parts: list[bytes], lead: bytes, items: list[Item]) -> None:
        """Runs of plain records with others between them."""
        fields, tail = self.header[: self.learnt.cut], self.tail
        for part in parts:
            if self.broken:
                return
            if LF in part or CR in part or not part.startswith(lead):
                self._slow(fields + part + tail, items)
            else:
                items.append(part[len(lead) :])

    def _saw_record(self, block: Pending, data: bytes, end: bytes) -> None:
        shape = block.shape
        if shape and self.shortcuts and end == block.shape_end and end in TAILS:
            self._note_header(shape, block.type, end, data)

    def _note_header(self, fields: bytes, type: str, end: bytes, data: bytes) -> None:
        """See whether the block just read has a header that is worth expecting.

        The first one is learnt at once; another one only when it comes twice in a row,
        so that a ping between deltas does not displace theirs.
        """
        lead = b""
        if self.lead_end and (cut := data.find(self.lead_end)) >= 0:
            lead = data[: cut + len(self.lead_end)]
        elif not fields.endswith(b" "):
            # Without a lead a space that follows would be taken for data.
            return
        seen = PlainForm(type, fields + lead, len(fields))
        known = self.learnt
        if seen == known and end + end == self.tail:
            self.rival = None
        else:
            begins = known == PLAIN_HEADER or (
                not known.has_lead and known.head == fields and bool(lead)
            )
            last = self.rival
            again = last is not None and seen == last.form and end == last.end
            self.rival = Rival(seen, end, begins or again)

    def _learn(self) -> None:
        """Expect what was seen last from now on, if it is to be learnt."""
        rival = self.rival
        if rival is None or not rival.recurred:
            return
        self.learnt, self.rival = rival.form, None
        self.header = rival.form.head
        self.tail = TAILS[rival.end]
        self.frame = len(self.header) + len(self.tail)
