"""The shortcut of Gemini against its tolerant reading: the same events, in less time."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from sans_io_stream import StreamDecoder, encode_event
from sans_io_stream.dialects.gemini import Gemini
from tests.dialects.gemini_wire import counts, response
from tests.dialects.reading import feed, read, sse

if TYPE_CHECKING:
    import pytest

    from sans_io_stream.events import Event
    from sans_io_stream.framing.items import WireRecord


def test_the_shortcut_reads_as_the_tolerant_reading_does() -> None:
    pick = random.Random(7)
    usages: list[Any] = [
        None, {}, {"trafficType": "ON_DEMAND"}, counts(1), counts(2), counts(2, totalTokenCount=40),
        {"promptTokenCount": 9, "totalTokenCount": 9}, counts(3, cachedContentTokenCount=4),
        counts(3, thoughtsTokenCount=None), counts(4, toolUsePromptTokenCount=5),
        counts(4, promptTokensDetails=[{"modality": "AUDIO", "tokenCount": 3}]), counts(-1),
        counts(4, promptTokensDetails=[{"modality": "TEXT", "tokenCount": 3}]),
    ]  # fmt: skip
    parts: list[Any] = [{"text": "a"}] * 6 + [{"text": "b", "thought": True}] * 3
    parts += [{"text": ""}, {"text": "c", "thought": False}, {"text": "\ud83e"}, {"text": "\udd9c"}]
    for _ in range(300):
        usage, part = pick.choice(usages), pick.choice(parts)
        records: list[Any] = []
        for _ in range(pick.randrange(1, 14)):
            if pick.random() < 0.4:
                usage, part = pick.choice(usages), pick.choice(parts)
            record = response(part, usage=usage, finish=pick.choice([None] * 5 + ["STOP"]))
            if pick.random() < 0.1:
                del record["responseId"]
            records.append(record)
        body = sse(*records)
        whole = feed(StreamDecoder("gemini"), body, len(body))
        slow = feed(StreamDecoder("gemini", shortcuts=False), body, len(body))
        assert [encode_event(e) for e in whole] == [encode_event(e) for e in slow]
        assert whole == slow
        assert read("gemini", body).events == whole


def test_plain_records_take_the_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerant: list[Any] = []
    general = Gemini.read

    def spy(self: Gemini, data: Any, record: WireRecord, events: list[Event]) -> None:
        tolerant.append(data)
        general(self, data, record, events)

    monkeypatch.setattr(Gemini, "read", spy)
    for usages in ([counts(i) for i in range(1, 9)], [{"trafficType": "ON_DEMAND"}] * 8):
        for part in ({"text": "a"}, {"text": "a", "thought": True}):
            records = [response(part, usage=usage) for usage in usages]
            for step in (1 << 16, len(sse(records[0]))):
                tolerant.clear()
                decoder = StreamDecoder("gemini", content_type="text/event-stream")
                assert len(feed(decoder, sse(*records), step)) > 8
                assert len(tolerant) <= 2
