"""Law 6 for tokens: each is small, and all of them together cost time linear in the bytes.

A megabyte of tool arguments in deltas of four bytes, through a background response; every
token is taken. The normal suite reads a quarter of it.
"""

from __future__ import annotations

import gc
import json
from time import process_time
from typing import Any

import pytest

from sans_io_stream import ResumePoint, StreamEnd, StreamRequest, ToolCall
from sans_io_stream.session import StreamSession
from tests.session.stories import sse

KIB = 1024
MOST = 2 * KIB
READ = 64 * KIB
REQUEST = StreamRequest(
    "POST",
    "http://api.test/v1/responses",
    json={"background": True, "stream": True},
    dialect="openai-responses",
)


def body_of(size: int) -> bytes:
    """A response with one tool call, whose arguments have ``size`` bytes."""
    about = {"id": "resp_1", "model": "m", "background": True}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "write"}
    arguments = '{"x":"' + "a" * (size - 8) + '"}'
    assert len(arguments) == size
    values: list[dict[str, Any]] = [
        {"type": "response.created", "response": about},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**call, "arguments": ""},
        },
        *(
            {
                "type": "response.function_call_arguments.delta",
                "output_index": 0,
                "item_id": "fc_1",
                "delta": arguments[i : i + 4],
            }
            for i in range(0, size, 4)
        ),
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {**call, "arguments": arguments},
        },
        {"type": "response.completed", "response": {**about, "status": "completed"}},
    ]
    return b"".join(
        sse({**value, "sequence_number": i}, event=value["type"]) for i, value in enumerate(values)
    )


def read(body: bytes, size: int) -> tuple[float, int]:
    """The seconds of CPU that it takes, and the size of the largest token."""
    session = StreamSession(REQUEST)
    session.start(0.0)
    session.next_step(0.0)
    session.response_started(200, {"content-type": "text/event-stream"}, 0.0)
    tokens = largest = 0
    called: list[ToolCall] = []
    gc.collect()
    begun = process_time()
    for place in range(0, len(body), READ):
        for event in session.receive_body(body[place : place + READ], 0.0):
            if isinstance(event, ResumePoint):
                tokens += 1
                largest = max(largest, len(event.token))
            elif isinstance(event, ToolCall):
                called.append(event)
    end = session.body_ended(0.0)
    seconds = process_time() - begun
    assert end[-1] == StreamEnd("complete")
    assert tokens >= size // 4
    assert [len(call.arguments) for call in called] == [size]
    assert json.loads(called[0].arguments)["x"] == "a" * (size - 8)
    return seconds, largest


def check(size: int) -> None:
    half, whole = body_of(size // 2), body_of(size)
    small = min(read(half, size // 2)[0] for _ in range(3))
    taken = [read(whole, size) for _ in range(3)]
    seconds, largest = min(taken)
    assert largest < MOST
    assert seconds < 3 * small, f"{seconds:.2f} s for twice the bytes of {small:.2f} s"


def test_tokens_are_small_and_their_time_is_linear() -> None:
    check(256 * KIB)


@pytest.mark.exhaustive
def test_the_tokens_of_a_megabyte_are_small_and_their_time_is_linear() -> None:
    check(KIB * KIB)
