"""Server-sent events: bytes → records, by the WHATWG grammar (HTML 9.2.5 and 9.2.6).

Lines end at CRLF, LF or CR and nowhere else; a CR ends its line at once, and an LF that
follows it (in this read or the next) belongs to it. One leading BOM is dropped. A block
ends at an empty line and is a record if it has a data line; without one it is never
dispatched, but its id is kept. What the grammar ignores (lines with an unknown field name)
is reported as ``Stray``, with a whole JSON document over several such lines in one piece:
whether it counts is for others to say.

The shortcut: most records look like the one before them, an event line at most and one
data line. Their *header* (all that precedes the data) is learnt, and then expected: a read
that is one such record, or begins with a run of them, is cut with a few slices. It changes
the speed, never the items, but that such records are bare ``bytes``.
"""

from __future__ import annotations

import msgspec

from ..errors import ErrorInfo
from ..policy import Limits
from .fragments import Fragments
from .items import PLAIN, Blank, Broken, Comment, Item, PlainForm, Stray, Unfinished, WireRecord
from .json_scan import JSONScan

__all__ = ["SSE"]

LF, CR, SPACE = 10, 13, 32
BOM = b"\xef\xbb\xbf"
LEARNABLE_ENDS = (b"\n", b"\r\n")
RETRY_DIGITS = 15


class Header(msgspec.Struct, frozen=True, gc=False):
    """What precedes the data of a plain record, and what follows it."""

    fields: bytes
    """The event line, if there is one, and the name of the data field."""
    lead: bytes
    """The first bytes of the data, as far as they are the same from record to record."""
    end: bytes
    """The line end."""
    type: str

    @property
    def whole(self) -> bytes:
        """All that precedes the bare item."""
        return self.fields + self.lead


PLAIN_HEADER = Header(b"data: ", b"", b"\n", "")
"""What is expected before anything is learnt."""


class SSE(
    msgspec.Struct, kw_only=True, gc=False, tag_field="framing", tag="sse"
):
    """The event-stream framing. All fields are state; ``retry`` is in milliseconds."""

    limits: Limits
    cap: int = -1
    """The largest read in which no line or record can exceed its limit; -1 for no shortcuts."""
    lead_end: bytes = b""
    """If given: what stands in the data before it is learnt as part of the header."""
    shortcuts: bool = True
    form: PlainForm = PLAIN
    mixed: bool = False
    closed: bool = True
    retry: int | None = None

    started: bool = False
    skip_lf: bool = False
    broken: bool = False
    partial: Fragments | None = None
    """The line that has begun and not ended."""
    held: bytes = b""
    """The beginning of a block that looks plain so far, unread."""

    lines: list[bytes] | None = None
    """The data lines of the open block; None before the first one."""
    size: int = 0
    type: str = ""
    id: str | None = None
    open: bool = False
    """The open block has had a field line."""

    stray: Fragments | None = None
    """A JSON document that stands bare between the fields, while it is incomplete."""
    scan: JSONScan | None = None

    learnt: Header = PLAIN_HEADER
    header: bytes = PLAIN_HEADER.whole
    skip: int = len(PLAIN_HEADER.whole)
    tail: bytes = PLAIN_HEADER.end * 2
    back: int = -len(PLAIN_HEADER.end * 2)
    form_ahead: PlainForm = PLAIN
    """The form of items that begin with ``header``."""
    room: int = -1
    """A read of at most so many bytes may be one whole plain record; -1 when it may not, as
    the next byte does not begin a block."""

    shape: bytes | None = b""
    """The field lines of the open block before its data, if it is one to be learnt from."""
    shape_end: bytes = b""
    rival: Header | None = None
    """A header other than the learnt one, seen in the block before."""
    young: int = 12
    """So many blocks more are read one by one where they do not look alike."""
    recurred: bool = False
    """The rival is to be learnt when the read is done."""

    def __post_init__(self) -> None:
        if self.shortcuts:
            self.cap = min(self.limits.line_bytes, self.limits.record_bytes)

    def only(self, data: bytes) -> bytes | None:
        """The bare item in a read that is one plain record from end to end, else None.

        A shortcut past ``feed``, which leaves no trace. It is of the form of ``form_ahead``.
        """
        if len(data) <= self.room:
            payload = data[self.skip : self.back]
            if (
                LF not in payload
                and CR not in payload
                and data[: self.skip] == self.header
                and data[self.back :] == self.tail
            ):
                return payload
        return None

    def feed(self, data: bytes) -> list[Item]:
        """The items that ``data`` completes, in order."""
        payload = self.only(data)
        if payload is None:
            return self._feed(data)
        self.form = self.form_ahead
        self.mixed = False
        return [payload]

    def end(self) -> list[Item]:
        """What the end of input leaves: at most one ``Unfinished`` block."""
        items: list[Item] = []
        self._unhold(items)
        if self.partial is not None and not self.broken:
            line, self.partial = self.partial.join(), None
            self._line(line, line, items)
        self._flush_stray(items)
        if self.lines is not None and not self.broken:
            record = WireRecord(b"\n".join(self.lines), self.type, self.id)
            items.append(Unfinished(record))
        return items

    # ---- the shortcut

    def _feed(self, data: bytes) -> list[Item]:
        items: list[Item] = []
        self.room = -1
        self.mixed = False
        if self.broken or not data:
            return items
        if self.held:
            # Joined only with a read that is not smaller, so that every byte is copied once.
            if len(data) >= len(self.held):
                data = self.held + data
                self.held = b""
            else:
                self._unhold(items)
        self.form = self.form_ahead
        if len(data) > self.cap:
            self._read_lines(data, items)
        elif CR in data and CR not in self.tail:
            # In a stream of LF lines a CR may end a line anywhere: such reads go line by line.
            self._read_lines(data, items)
        elif not self._read_block(data, items):
            if self.young:
                data = self._read_first(data, items)
            items = self._read_batch(data, items)
        if self.recurred:
            self._learn()
        if not self.held and self._between():
            self.room = self.cap
        return items

    def _between(self) -> bool:
        """The next byte begins a block, and nothing is pending."""
        return (
            self.shape == b""
            and self.partial is None
            and self.stray is None
            and not self.skip_lf
            and not self.broken
        )

    def _unhold(self, items: list[Item]) -> None:
        """Read after all, line by line, what was held."""
        held, self.held = self.held, b""
        self._read_lines(held, items)

    def _read_block(self, data: bytes, items: list[Item]) -> bool:
        """Take a read that is one plain record, of the learnt type but with another lead."""
        plain = self.learnt
        # Behind "data:" a space would belong to the field, not to the data.
        if plain.fields[-1] != SPACE:
            return False
        if not (data.startswith(plain.fields) and data.endswith(self.tail) and self._between()):
            return False
        payload = data[len(plain.fields) : self.back]
        if LF in payload or CR in payload:
            return False
        self.started = True
        self.form = PlainForm(plain.type) if plain.type else PLAIN
        items.append(payload)
        self._note_header(plain.fields, plain.type, plain.end, payload)
        return True

    def _read_first(self, data: bytes, items: list[Item]) -> bytes:
        """Read the first blocks of a stream one by one, to learn from them at once.

        Returns what is left, from the first record on that looks like the one before it.
        """
        while self.young and not data.startswith(self.header):
            ends = [(data.find(end * 2), end) for end in LEARNABLE_ENDS]
            found, end = min((place for place in ends if place[0] >= 0), default=(-1, b""))
            if found < 0:
                break
            self.young -= 1
            begin = found + 2 * len(end)
            self._read_lines(data[:begin], items)
            data = data[begin:]
            if self.recurred:
                self._learn()
        self.form = self.form_ahead
        return data

    def _read_batch(self, data: bytes, items: list[Item]) -> list[Item]:
        """Cut the runs of plain records out of ``data``; the rest goes line by line."""
        header, tail = self.header, self.tail
        separator = tail + header
        begin = 0
        if not (self._between() and data.startswith(header)):
            found = data.find(separator) if len(data) > 2 * len(separator) else -1
            begin = found + len(tail) if found >= 0 else len(data)
            self._read_lines(data[:begin], items)
            if begin == len(data) or not self._between():
                self._read_lines(data[begin:], items)
                return items
        self.started = True
        stop = data.rfind(tail)
        if stop >= begin:
            parts = data[begin + len(header) : stop].split(separator)
            for part in parts:
                if LF in part or CR in part:
                    self._read_parts(parts, items)
                    break
            else:
                items = items + parts if items else parts  # type: ignore[assignment, operator]
            begin = stop + len(tail)
            if begin == len(data):
                return items
        rest = data[begin:]
        plain_so_far = header.startswith(rest) or (
            rest.startswith(header) and LF not in rest[self.skip :]
        )
        if plain_so_far and self._between():
            self.held = rest
        else:
            self._read_lines(rest, items)
        return items

    def _read_parts(self, parts: list[bytes], items: list[Item]) -> None:
        """Runs of plain records with others between them."""
        for part in parts:
            if self.broken:
                return
            if LF in part or CR in part:
                self._read_lines(self.header + part + self.tail, items)
            else:
                items.append(part)

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
        seen = Header(fields, lead, end, type)
        known = self.learnt
        if seen == known:
            self.rival, self.recurred = None, False
        else:
            first = known == PLAIN_HEADER or (known.fields == fields and not known.lead)
            self.recurred = first or seen == self.rival
            self.rival = seen

    def _learn(self) -> None:
        assert self.rival is not None
        learnt, self.rival, self.recurred = self.rival, None, False
        self.learnt = learnt
        self.header = learnt.whole
        self.skip = len(self.header)
        self.tail = learnt.end * 2
        self.back = -len(self.tail)
        self.form_ahead = PlainForm(learnt.type, learnt.lead)

    # ---- the grammar

    def _read_lines(self, data: bytes, items: list[Item]) -> None:
        if self.broken or not data:
            return
        self.mixed = True
        if self.skip_lf:
            self.skip_lf = False
            if data[0] == LF:
                data = data[1:]
            if not data:
                return
        lines = data.splitlines(keepends=True)
        rest = lines.pop() if lines[-1][-1] not in (LF, CR) else b""
        if lines:
            if self.partial is not None:
                lines[0] = self.partial.join(lines[0])
                self.partial = None
            for raw in lines:
                if not self._line(raw.rstrip(b"\r\n"), raw, items):
                    return
            self.skip_lf = data[-1] == CR
        if rest:
            if self.partial is None:
                self.partial = Fragments()
            self.partial.add(rest)
            if self.partial.size > self.limits.line_bytes + (0 if self.started else len(BOM)):
                self._break("line", "line_bytes", self.limits.line_bytes, items)

    def _line(self, line: bytes, raw: bytes, items: list[Item]) -> bool:
        """Take one whole line, ``raw`` with its end. False if a limit broke the stream."""
        if not self.started:
            self.started = True
            if line.startswith(BOM):
                line = line[len(BOM) :]
                raw = raw[len(BOM) :]
        if not line:
            if self.stray is not None:
                self._flush_stray(items)
            self._dispatch(raw, items)
            return True
        if len(line) > self.limits.line_bytes:
            return self._break("line", "line_bytes", self.limits.line_bytes, items)
        name, colon, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            if self.stray is not None:
                self._flush_stray(items)
            return self._data(value, line, raw, items)
        if colon and not name:
            self._flush_stray(items)
            self.shape = None
            items.append(Comment(value.decode("utf-8", "replace")))
            return True
        return self._field(name, value, line, raw, items)

    def _field(
        self, name: bytes, value: bytes, line: bytes, raw: bytes, items: list[Item]
    ) -> bool:
        """Any field but data."""
        if name == b"event":
            self.shape = raw if self.shape == b"" else None
            self.type = value.decode("utf-8", "replace")
        elif name == b"id":
            self.shape = None
            if 0 not in value:
                self.id = value.decode("utf-8", "replace")
        elif name == b"retry":
            self.shape = None
            if value.isdigit() and len(value) <= RETRY_DIGITS:
                self.retry = int(value)
        else:
            self.shape = None
            return self._stray(line, items)
        self._flush_stray(items)
        self.open = True
        return True

    def _data(self, value: bytes, line: bytes, raw: bytes, items: list[Item]) -> bool:
        self.open = True
        if self.lines is None:
            self.lines = [value]
            self.size = len(value)
            if self.shape is not None:
                self.shape += raw[: len(line) - len(value)]
                self.shape_end = raw[len(line) :]
        else:
            self.lines.append(value)
            self.size += len(value) + 1
            self.shape = None
        if self.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        return True

    def _dispatch(self, end: bytes, items: list[Item]) -> None:
        if self.lines is not None:
            data = b"\n".join(self.lines)
            items.append(WireRecord(data, self.type, self.id))
            shape = self.shape
            if shape and self.shortcuts and end == self.shape_end and end in LEARNABLE_ENDS:
                self._note_header(shape, self.type, end, data)
        elif self.open:
            items.append(Blank(self.type, self.id))
        self.lines = None
        self.size = 0
        self.type = ""
        self.id = None
        self.open = False
        self.shape = b""

    def _stray(self, line: bytes, items: list[Item]) -> bool:
        if self.scan is None or self.stray is None:
            if line.lstrip()[:1] not in (b"{", b"["):
                items.append(Stray(line))
                return True
            self.scan, self.stray = JSONScan(), Fragments()
        elif self.stray.size:
            line = b"\n" + line
        end = self.scan.feed(line)
        self.stray.add(line)
        if self.stray.size > self.limits.record_bytes:
            return self._break("record", "record_bytes", self.limits.record_bytes, items)
        if end is not None:
            whole = not line[end:].strip()
            items.append(Stray(self.stray.join(), whole))
            self.scan = self.stray = None
        return True

    def _flush_stray(self, items: list[Item]) -> None:
        if self.stray is not None:
            items.append(Stray(self.stray.join()))
            self.scan = self.stray = None

    def _break(self, unit: str, limit: str, size: int, items: list[Item]) -> bool:
        self.broken = True
        self.partial = self.lines = self.stray = None
        message = f"a {unit} of the event stream exceeds Limits.{limit} ({size} bytes)"
        items.append(Broken(ErrorInfo("limit", message)))
        return False
