"""What is guessed where nobody has counted: never more than there is, whatever the shape."""

from __future__ import annotations

from typing import Any

import pytest

from sans_io_stream import Event, Finish, TextDelta, ToolCall, ToolCallDelta, Usage
from sans_io_stream_adapters.relay.operations.guessing import asked_in, said_in, uncounted


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ({}, 0),
        ({"messages": None, "system": 7}, 0),
        ({"messages": [{"role": "user", "content": "x" * 8}]}, 2),
        ({"messages": ["x" * 8, {"role": "user"}, {"content": {"text": "x" * 8}}]}, 0),
        ({"system": "x" * 8, "messages": [{"content": "x" * 4}, {"content": "x" * 5}]}, 4),
        (
            {
                "system": [{"type": "text", "text": "x" * 4}],
                "messages": [
                    {
                        "content": [
                            {"type": "text", "text": "x" * 4},
                            {"type": "image_url", "image_url": {"url": "data:" + "x" * 4000}},
                            {"type": "text", "text": ["x" * 4000]},
                            "x" * 4000,
                        ]
                    }
                ],
            },
            2,
        ),
    ],
)
def test_what_was_asked(body: dict[str, Any], tokens: int) -> None:
    assert asked_in(body) == tokens


def test_what_was_said() -> None:
    pieces: list[Event] = [
        TextDelta("a"),
        TextDelta("x" * 9),
        ToolCallDelta(0, arguments="{}"),
        Finish("stop"),
    ]
    # A call that came in pieces is told once more as a whole.
    assert said_in([*pieces, ToolCall(0, arguments="x" * 40)]) == 1 + 2 + 1


@pytest.mark.parametrize(
    ("usages", "left"),
    [
        ([], (10, 20)),
        ([Usage(prompt_tokens=4, completion_tokens=5)], (6, 15)),
        ([Usage(prompt_tokens=40, completion_tokens=5)], (0, 15)),
        ([Usage(total_tokens=15)], (10, 5)),
        ([Usage(prompt_tokens=1, completion_tokens=1, final=True)], (0, 0)),
        ([Usage(completion_tokens=5, final=True), Usage(completion_tokens=5)], (10, 10)),
    ],
)
def test_what_nobody_has_counted(usages: list[Usage], left: tuple[int, int]) -> None:
    found = uncounted(usages, 10, 20)
    assert (found.prompt_tokens, found.completion_tokens) == left
