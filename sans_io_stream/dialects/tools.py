"""Which tool call a fragment of the chat family belongs to.

By the protocol it is the ``index``. Servers repeat, omit or share it, and the id and the
name too, so the rules are:

- a fragment with an index belongs to the open call of that index, else to one that was
  opened without; one without an index to the open call of its id, and without either to the
  last call of its choice;
- it begins a call of its own if no call is open there; or if it has a name, and either an
  id other than that call's, or another name, or the call's arguments are whole already
  (calls to one function, sent whole under one index);
- without a name it begins one beside an open call only if it has another id than that call,
  whose arguments are whole already. Before, it goes on with it: there are servers that make
  a new id for every fragment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..json_scan import JSONScan
from .shapes import is_object, members, short, whole_number, word
from .tolerant import scrub

if TYPE_CHECKING:
    from ..events import Event
    from .base import Call, Dialect

__all__ = ["chat_calls"]

ANY_DEPTH = 1 << 62
"""Structure alone is followed here, without a stack."""


def chat_calls(dialect: Dialect, entries: list[Any], choice: int, events: list[Event]) -> None:
    """Read the ``tool_calls`` of one delta."""
    for entry in entries:
        if not is_object(entry):
            continue
        # Custom tools have free text where functions have arguments.
        function = members(entry.get("function")) or members(entry.get("custom"))
        index = entry.get("index")
        key = short(index) if isinstance(index, str) else whole_number(index)
        id_ = word(entry.get("id"))
        if id_ == "null":
            # What Mistral sends where a fragment has no id.
            id_ = None
        name = word(function.get("name")) or word(entry.get("name"))
        arguments = argument_text(function.get("arguments", function.get("input")))
        call = open_call_for(dialect, choice, key, id_)
        if call is None or begins_anew(call, id_, name):
            dialect.open_call(
                events, key=key, id=id_, name=name, choice=choice, arguments=arguments
            )
        else:
            news = (call.id is None and id_ is not None) or (call.name is None and bool(name))
            # Opened without an index, continued with one.
            call.key = key if call.key is None else call.key
            call.id = call.id or id_
            call.name = call.name or name
            dialect.add_arguments(call, arguments, events, always=news)


def open_call_for(
    dialect: Dialect, choice: int, key: str | int | None, id_: str | None
) -> Call | None:
    """The open call to which a fragment may belong: the last one that fits."""
    unnumbered: Call | None = None
    for call in reversed(dialect.calls):
        if call.choice != choice:
            continue
        if key is not None and call.key == key:
            return call
        if id_ is None or call.id in (None, id_):
            if key is None:
                return call
            if call.key is None and unnumbered is None:
                unnumbered = call
    return unnumbered


def begins_anew(call: Call, id_: str | None, name: str | None) -> bool:
    """Whether a fragment that could go on ``call`` begins a call of its own."""
    known = id_ is not None and call.id is not None
    if not name:
        return known and id_ != call.id and whole_object(call)
    if call.name is None:
        return False
    if known:
        return id_ != call.id
    return name != call.name or whole_object(call)


def whole_object(call: Call) -> bool:
    """Whether the arguments so far are one whole JSON object, by structure.

    Servers that repeat the name have this asked for each fragment, so none is read twice.
    """
    text = "".join(call.pieces[call.scanned :]).strip()
    call.scanned = len(call.pieces)
    if not text:
        return call.balanced
    if call.scan is None:
        call.scan = JSONScan(max_depth=ANY_DEPTH)
        call.broken = text[0] != "{"
    if call.balanced or call.broken:
        # What follows a whole object makes it none, and nothing makes it one again.
        call.broken, call.balanced = True, False
        return False
    data = text.encode()
    end = call.scan.feed(data)
    call.balanced = end == len(data)
    call.broken = end is not None and not call.balanced
    return call.balanced


def argument_text(value: Any) -> str:
    """Arguments as JSON text: they are a string, or (against the protocol) an object."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return msgspec.json.encode(scrub(value)).decode()
