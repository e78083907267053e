"""Servers around the stories: what goes wrong, as values, and who does it.

A ``Fault`` is what a server does to one request for the answer; those it has none left for it
answers well. ``another`` is a second answer to the same request, for servers that generate
anew where they were asked to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.session.peer import Asked, Reply, cut, response
from tests.session.stories import Story, gone, sse

__all__ = ["Fault", "FaultyServer", "another", "renumbered"]

Kind = Literal[
    "well",
    "again",
    "twice",
    "anew",
    "other",
    "short",
    "expired",
    "busy",
    "refused",
    "nothing",
    "skips",
    "told",
]
"""``again``: some of the records up to the cursor come once more; ``twice``: so does the first
one behind it; ``anew``: the answer from its start, whatever was asked; ``other``: another
answer from its start; ``short``: it ends in order, too early; ``expired``: the cursor is not
there; ``busy``: come back later; ``refused``: no connection; ``nothing``: an empty body;
``skips``: a record is left out; ``told``: an error instead of the stream."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request. ``at`` is where the response breaks, as a part of it."""

    kind: Kind = "well"
    amount: int = 1
    at: float | None = None
    lost: bool = True
    status: int = 503


@dataclass
class FaultyServer:
    """A story's server to which ``faults`` happen, one after the other."""

    story: Story
    faults: list[Fault]
    asked: list[Asked] = field(default_factory=list[Asked])
    shown: bool = False
    """So much of the answer has been sent that another one can be told from it."""
    refuses_checks: bool = False
    overlaps: int = 50
    """How many records come again at the most."""

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        checked = self.story.other(asked)
        if checked is not None:
            return Reply(INVALID if self.refuses_checks else checked)
        fault = self.faults.pop(0) if self.faults else Fault()
        if fault.kind == "again" and fault.amount > self.overlaps:
            fault = replace(fault, amount=self.overlaps)
        if fault.kind == "other" and not self.shown:
            fault = replace(fault, kind="well")
        wire = ANSWERS[fault.kind](self.story, asked, fault)
        at = None if fault.at is None else int(fault.at * len(wire))
        reply = cut(wire, at, lost=fault.lost)
        body = reply.wire.partition(b"\r\n\r\n")[2]
        telling = self.story.records[: 1 if self.story.known_by_id else 2]
        self.shown = self.shown or len(body) > sum(len(record) + 30 for _, record in telling)
        return reply


INVALID = response(b'{"valid": false}', content_type="application/json")


# ---- what each kind of fault answers


def well(story: Story, asked: Asked, fault: Fault) -> bytes:
    return story.serve(asked).wire


def again(story: Story, asked: Asked, fault: Fault) -> bytes:
    """Records up to the cursor come again, from one that has a cursor of its own."""
    cursor = story.asked_from(asked)
    places = [i for i, (own, _) in enumerate(story.records) if own is not None]
    if cursor is None or not places or not story.knows(cursor):
        return well(story, asked, fault)
    end = max(i for i in places if story.records[i][0] == cursor)
    begin = max(places.index(end) - fault.amount + 1, 0)
    return story.wire([wire for _, wire in story.records[places[begin] :]])


def twice(story: Story, asked: Asked, fault: Fault) -> bytes:
    """The record at the cursor comes again, more than once."""
    cursor = story.asked_from(asked)
    found = [wire for own, wire in story.records if own is not None and own == cursor]
    if not found:
        return well(story, asked, fault)
    return story.wire(found[-1:] * (fault.amount + 1) + story.after(cursor))


def anew(story: Story, asked: Asked, fault: Fault) -> bytes:
    return story.wire(story.after(None))


def other(story: Story, asked: Asked, fault: Fault) -> bytes:
    if asked.method == "POST" and story.asked_from(asked) is None:
        # The first request, or one that was sent again: only the first answer counts.
        return well(story, asked, fault)
    return anew(another(story), asked, fault)


def short(story: Story, asked: Asked, fault: Fault) -> bytes:
    """The last records are missing, the end of the body is not."""
    cursor = story.asked_from(asked)
    if cursor is not None and not story.knows(cursor):
        return gone()
    return story.wire(story.after(cursor)[: -fault.amount])


def skips(story: Story, asked: Asked, fault: Fault) -> bytes:
    """What follows the cursor is left out; what follows that is there."""
    cursor = story.asked_from(asked)
    if cursor is None or not story.knows(cursor):
        return well(story, asked, fault)
    return story.wire(story.after(cursor)[fault.amount :])


def expired(story: Story, asked: Asked, fault: Fault) -> bytes:
    if asked.method == "POST" and story.asked_from(asked) is None:
        return well(story, asked, fault)
    return gone((400, 404, 410)[fault.amount % 3])


def busy(story: Story, asked: Asked, fault: Fault) -> bytes:
    headers = {"retry-after": str(fault.amount)} if fault.amount % 2 else {}
    return response(b"{}", status=fault.status, content_type="application/json", headers=headers)


def told(story: Story, asked: Asked, fault: Fault) -> bytes:
    """A 200, and an error where the stream should be. Plain records know no errors."""
    if story.request.dialect == "records" and story.asked_from(asked) is None:
        return well(story, asked, fault)
    error = {"error": {"message": "overloaded", "type": "server_error", "code": 503}}
    return story.wire([sse(error)])


ANSWERS: dict[Kind, Callable[[Story, Asked, Fault], bytes]] = {
    "well": well,
    "again": again,
    "twice": twice,
    "anew": anew,
    "other": other,
    "short": short,
    "skips": skips,
    "expired": expired,
    "busy": busy,
    "refused": lambda story, asked, fault: b"",
    "nothing": lambda story, asked, fault: story.wire([]),
    "told": told,
}


# ---- other stories


WORDS = {b"Hel": b"Nay", b"lo, ": b"sir!", b"one": b"ein", b"three": b"drei."}
IDS = {
    b"resp_1": b"resp_2",
    b"int_1": b"int_2",
    b"ev/": b"EV/",
    b"evt_": b"EVT_",
    b"chatcmpl-1": b"chatcmpl-2",
}


def another(story: Story) -> Story:
    """Another answer to the same request: other words under other ids."""

    def told(text: Any) -> Any:
        if not isinstance(text, bytes | str):
            return text
        data = text.encode() if isinstance(text, str) else text
        for old, new in (WORDS | IDS).items():
            data = data.replace(old, new)
        return data.decode() if isinstance(text, str) else data

    records = [(told(own), told(wire)) for own, wire in story.records]
    if story.name == "last-event-id":
        records = [(own and f"x{own}", wire.replace(b"id: ", b"id: x")) for own, wire in records]
    return replace(story, records=records)


def renumbered(story: Story, numbers: list[int | None]) -> Story:
    """An OpenAI story with these sequence numbers, None for none."""
    records: list[tuple[Any, bytes]] = []
    for (old, wire), new in zip(story.records, numbers, strict=True):
        mark = b', "sequence_number": %d' % old
        assert wire.count(mark) == 1
        put = b"" if new is None else b', "sequence_number": %d' % new
        records.append((new, wire.replace(mark, put)))
    return replace(story, records=records)
