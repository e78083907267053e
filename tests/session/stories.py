"""One answer per resume strategy, and the server that tells it.

A story knows its records as they stand on the wire and answers every call of its strategy as
the provider would. What goes wrong is not its business: see ``faults`` for servers around it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sans_io_stream.request import StreamRequest
from tests.session.peer import Asked, Reply, response

__all__ = ["STORIES", "TICKS", "Story"]

TEXT = ["Hel", "lo, ", "wörld", " 🦜", ' "fin"']
ARGUMENTS = ['{"ci', 'ty": "', "Köln", '"}']


@dataclass
class Story:
    """``records`` are (cursor, bytes); a record without a cursor of its own has None."""

    name: str
    request: StreamRequest
    records: list[tuple[Any, bytes]]
    content_type: str = "text/event-stream"

    @property
    def known_by_id(self) -> bool:
        """The first record holds an id of the answer; else it is known by its content."""
        return not self.name.startswith("holysheep")

    def asked_from(self, asked: Asked) -> Any:
        """The cursor of a request that asks to go on; None for one that begins."""
        raise NotImplementedError

    def knows(self, cursor: Any) -> bool:
        return any(own == cursor for own, _ in self.records)

    def after(self, cursor: Any) -> list[bytes]:
        """What follows a cursor (None: everything)."""
        if cursor is None:
            return [wire for _, wire in self.records]
        place = max(i for i, (own, _) in enumerate(self.records) if own == cursor)
        return [wire for _, wire in self.records[place + 1 :]]

    def other(self, asked: Asked) -> bytes | None:
        """The response to a call that asks for no stream; None for any that does."""
        return None

    def serve(self, asked: Asked) -> Reply:
        """The right answer."""
        other = self.other(asked)
        if other is not None:
            return Reply(other)
        cursor = self.asked_from(asked)
        if cursor is not None and not self.knows(cursor):
            return Reply(gone())
        return Reply(self.wire(self.after(cursor)))

    def wire(self, records: list[bytes]) -> bytes:
        return response(b"", pieces=records, content_type=self.content_type)


def gone(status: int = 404) -> bytes:
    """The cursor, or the answer, is not there any more."""
    body = json.dumps({"error": {"message": "gone", "type": "invalid_request_error"}}).encode()
    return response(body, status=status, content_type="application/json")


def sse(data: Any, *, event: str = "", id: str | None = None) -> bytes:
    """One block of an event stream."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    lines = [f"event: {event}\n"] if event else []
    if id is not None:
        lines.append(f"id: {id}\n")
    lines += [f"data: {line}\n" for line in text.split("\n")]
    return ("".join(lines) + "\n").encode()


# ---- OpenAI responses in the background


class Background(Story):
    def asked_from(self, asked: Asked) -> Any:
        if asked.method == "POST":
            return None
        assert asked.path == "/v1/responses/resp_1"
        assert asked.query["stream"] == "true"
        number = asked.query.get("starting_after")
        return None if number is None else int(number)


def background() -> Story:
    about = {"id": "resp_1", "object": "response", "model": "gpt-x", "background": True}
    item = {"type": "message", "id": "msg_1"}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather"}
    place = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    values: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**about, "status": "in_progress"}},
        {"type": "response.in_progress", "response": {**about, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in TEXT),
        {"type": "response.output_text.done", **place, "text": "".join(TEXT)},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "keepalive"},
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": {**call, "arguments": ""},
        },
        *(
            {
                "type": "response.function_call_arguments.delta",
                "output_index": 1,
                "item_id": "fc_1",
                "delta": piece,
            }
            for piece in ARGUMENTS
        ),
        {
            "type": "response.output_item.done",
            "output_index": 1,
            "item": {**call, "arguments": "".join(ARGUMENTS)},
        },
        {
            "type": "response.completed",
            "response": {
                **about,
                "status": "completed",
                "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
            },
        },
    ]
    request = StreamRequest(
        "POST",
        "http://api.test/v1/responses",
        json={"background": True, "stream": True},
        headers={"idempotency-key": "key-1", "authorization": "Bearer secret"},
        dialect="openai-responses",
    )
    numbered = [{**value, "sequence_number": i} for i, value in enumerate(values)]
    records = [(i, sse(value, event=str(value["type"]))) for i, value in enumerate(numbered)]
    return Background("openai-responses", request, records)


# ---- Gemini Interactions


class Interactions(Story):
    def asked_from(self, asked: Asked) -> Any:
        if asked.method == "POST":
            return None
        assert asked.path == "/v1beta/interactions/int_1"
        return asked.query.get("last_event_id")


def interactions(*, ids: bool = True) -> Story:
    values: list[dict[str, Any]] = [
        {
            "event_type": "interaction.created",
            "interaction": {"id": "int_1", "model": "gemini-x", "status": "in_progress"},
        },
        {"event_type": "step.start", "index": 0, "step": {"type": "thought"}},
        {
            "event_type": "step.delta",
            "index": 0,
            "delta": {"type": "thought_summary", "content": {"type": "text", "text": "Hm 🤔"}},
        },
        {"event_type": "step.stop", "index": 0},
        {"event_type": "step.start", "index": 1, "step": {"type": "model_output"}},
        *(
            {"event_type": "step.delta", "index": 1, "delta": {"type": "text", "text": word}}
            for word in TEXT
        ),
        {"event_type": "step.stop", "index": 1},
        {
            "event_type": "step.start",
            "index": 2,
            "step": {"type": "function_call", "id": "call_1", "name": "weather"},
        },
        *(
            {
                "event_type": "step.delta",
                "index": 2,
                "delta": {"type": "arguments_delta", "arguments": piece},
            }
            for piece in ARGUMENTS
        ),
        {"event_type": "step.stop", "index": 2},
        {
            "event_type": "interaction.completed",
            "interaction": {
                "id": "int_1",
                "status": "completed",
                "usage": {"total_input_tokens": 9, "total_output_tokens": 5, "total_tokens": 14},
            },
        },
    ]
    records: list[tuple[Any, bytes]] = []
    for number, value in enumerate(values):
        # An id is optional on every event.
        own = f"ev/{number}=é" if ids and number % 3 != 2 else None
        if own is not None:
            value["event_id"] = own
        records.append((own, sse(value, event=value["event_type"])))
    records.append((None, sse("[DONE]", event="done")))
    request = StreamRequest(
        "POST",
        "http://api.test/v1beta/interactions?alt=sse",
        json={"model": "gemini-x", "stream": True},
        headers={"x-goog-api-key": "secret"},
        dialect="gemini-interactions",
    )
    name = "interactions" if ids else "interactions-without-ids"
    return Interactions(name, request, records)


# ---- plain event streams


class EventStream(Story):
    def asked_from(self, asked: Asked) -> Any:
        value = asked.headers.get("last-event-id")
        return None if value is None else value.encode("latin-1").decode()


def event_stream() -> Story:
    records: list[tuple[Any, bytes]] = [
        (None, sse("before any id")),
        ("a-1", sse("one", event="tick", id="a-1")),
        (None, sse("shares its cursor")),
        (None, b": a comment\n\n"),
        (None, sse("shares it, too\nin two lines")),
        ("b:é", sse("two", id="b:é")),
        ("c", b"id: c\n\n"),
        (None, sse("three")),
        (None, sse("three")),
        ("d", sse("[END]", id="d")),
    ]
    request = StreamRequest(
        "POST",
        "http://events.test/stream",
        body=b"which",
        headers={"x-custom": "kept"},
        dialect="records",
        terminator="[END]",
    )
    return EventStream("last-event-id", request, records)


def ticks(name: str, resume: str) -> Story:
    """An event stream whose first record comes again under other ids."""
    words = [*(["tick" + "." * 80, "tock"] * 4), "[END]"]
    records: list[tuple[Any, bytes]] = [
        (f"t-{number}", sse(word, id=f"t-{number}")) for number, word in enumerate(words)
    ]
    request = StreamRequest(
        "GET", "http://events.test/ticks", dialect="records", terminator="[END]", resume=resume
    )
    return EventStream(name, request, records)


# ---- HolySheep


class Gateway(Story):
    def asked_from(self, asked: Asked) -> Any:
        if asked.headers.get("x-stream-resume") == "true":
            return asked.headers["x-stream-event-id"]
        options: dict[str, Any] = asked.json.get("stream_options") or {}
        return options.get("resume_from_event_id")

    def other(self, asked: Asked) -> bytes | None:
        if asked.path != "/v1/stream/check":
            return None
        valid = self.knows(asked.headers["x-event-id"])
        body = json.dumps({"valid": valid}).encode()
        return response(body, content_type="application/json")


def gateway(resume: Any = None, name: str = "holysheep", words: list[str] | None = None) -> Story:
    def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta}], "model": "claude-x", **more}

    calls: list[dict[str, Any]] = [
        {"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}},
        *({"index": 0, "function": {"arguments": piece}} for piece in ARGUMENTS),
    ]
    told = [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": word}) for word in TEXT),
        *(chunk({"tool_calls": [call]}) for call in calls),
    ]
    values: list[dict[str, Any]] = [
        *(told if words is None else [chunk({"content": word}) for word in words]),
        {
            **chunk({}),
            "finish_reason": "tool_calls",
            "usage": {"promptTokens": 12, "candidatesTokens": 8, "totalTokens": 20},
        },
    ]
    records: list[tuple[Any, bytes]] = []
    for number, value in enumerate(values):
        own = f"evt_{number:03}"
        records.append((own, sse({"id": own, **value})))
    records.append((None, sse("[DONE]")))
    request = StreamRequest(
        "POST",
        "http://api.test/v1/chat/completions",
        json={"model": "claude-x", "stream": True},
        headers={"authorization": "Bearer secret"},
        dialect="holysheep",
        resume=resume,
    )
    return Gateway(name, request, records)


# ---- llama.cpp


class Conversation(Story):
    """Its cursors are bytes of the body."""

    def asked_from(self, asked: Asked) -> Any:
        if asked.method == "POST":
            assert asked.headers["x-conversation-id"] == "conv 1"
            return None
        assert asked.path == "/v1/stream/conv%201"
        return int(asked.query["from"])

    def knows(self, cursor: Any) -> bool:
        return int(cursor) in range(1 + sum(len(wire) for _, wire in self.records))

    def after(self, cursor: Any) -> list[bytes]:
        body = b"".join(wire for _, wire in self.records)[cursor or 0 :]
        return [body[i : i + 50] for i in range(0, len(body), 50)]


def conversation() -> Story:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"finish_reason": finish, "index": 0, "delta": delta}
        return {"choices": [choice], "id": "chatcmpl-1", "model": "local"}

    values: list[Any] = [
        chunk({"role": "assistant", "content": None}),
        *(chunk({"content": word}) for word in TEXT),
        *(
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}, **more}]})
            for piece, more in zip(
                ["", *ARGUMENTS], [{"id": "c", "type": "function"}, {}, {}, {}, {}], strict=True
            )
        ),
        {**chunk({}, "tool_calls"), "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        "[DONE]",
    ]
    values[6]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] = "weather"
    request = StreamRequest(
        "POST",
        "http://localhost:8080/v1/chat/completions",
        json={"stream": True},
        headers={"X-Conversation-Id": "conv 1"},
        dialect="openai-chat",
        resume="llamacpp",
    )
    return Conversation("llamacpp", request, [(None, sse(value)) for value in values])


# ---- chat completions, which nobody can resume


class Chat(Story):
    def asked_from(self, asked: Asked) -> Any:
        return None


def chat() -> Story:
    story = conversation()
    request = replace(story.request, headers=(("authorization", "Bearer secret"),), resume=None)
    return Chat("chat", request, story.records)


TICKS = frozenset({"eventsource", "holysheep-ticks", "last-event-id-ticks"})
"""Stories that repeat their first record. Only its ids tell another one from them."""


def stories() -> dict[str, Story]:
    """All stories, by name."""
    from sans_io_stream.strategies.holysheep import HolySheepStrategy

    told = (
        background(),
        interactions(),
        interactions(ids=False),
        event_stream(),
        gateway(),
        gateway(HolySheepStrategy(via="body", checked=True), "holysheep-checked"),
        ticks("last-event-id-ticks", "last-event-id"),
        ticks("eventsource", "eventsource"),
        gateway(name="holysheep-ticks", words=["tick ", "tock "] * 3),
        conversation(),
        chat(),
    )
    return {story.name: story for story in told}


STORIES = stories()
