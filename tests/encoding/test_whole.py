"""A whole answer as one document, in each format, against what the vendors' types say."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from sans_io_stream import (
    Annotation,
    ErrorInfo,
    Finish,
    MediaDelta,
    RefusalDelta,
    StreamDecoder,
    StreamEnd,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Transcript,
    UnknownDialectError,
    Usage,
)
from sans_io_stream.encoding import whole_answer
from sans_io_stream.encoding.whole import DOCUMENTS
from tests.expectations import Recording, recordings

from .writing import CALLS, HEAD, SAID, answer

if TYPE_CHECKING:
    from sans_io_stream.events import Event

COUNTS = Usage(
    prompt_tokens=9, completion_tokens=5, total_tokens=14, cached_tokens=4, reasoning_tokens=2
)
CUT: list[Event] = [ToolCallDelta(0, "c1", "f", '{"a":')]


def document(format: str, events: list[Event], **beside: Any) -> Any:
    return json.loads(whole_answer(Transcript.of(events), format, **beside))


def message(*events: Event, **said: Any) -> Any:
    return document("openai-chat", answer(*events, **said))["choices"][0]


def test_a_chat_completion() -> None:
    told = document("openai-chat", answer(*SAID, *CALLS, reason="tool_calls", usage=COUNTS))
    assert told == {
        "id": "r1",
        "object": "chat.completion",
        "created": 0,
        "model": "m1",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                    "reasoning_content": "Hm.",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a":1}'},
                        },
                        {
                            "id": "c2",
                            "type": "function",
                            "function": {"name": "g", "arguments": '{"b":2}'},
                        },
                    ],
                },
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    }


def test_a_message_of_anthropics() -> None:
    signed = Annotation("signature", {"signature": "s"})
    told = document("anthropic", answer(*SAID, signed, *CALLS, reason="tool_calls", usage=COUNTS))
    assert told == {
        "id": "r1",
        "type": "message",
        "role": "assistant",
        "model": "m1",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "Hello", "citations": None},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "c2", "name": "g", "input": {"b": 2}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 4,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_the_sum_of_the_events() -> None:
    told = document(
        "native", answer(*SAID, *CALLS[:2], MediaDelta("image/png", b"\1"), usage=COUNTS)
    )
    assert told == {
        "id": "r1",
        "object": "answer",
        "created": 0,
        "model": "m1",
        "outcome": "complete",
        "error": None,
        "choices": [
            {
                "index": 0,
                "text": "Hello",
                "reasoning": "Hm.",
                "refusal": "",
                "tool_calls": [
                    {"index": 0, "id": "c1", "name": "f", "arguments": '{"a":', "complete": False}
                ],
                "annotations": [],
                "media": [{"mime_type": "image/png", "data": "AQ=="}],
                "finish_reason": "stop",
                "raw_finish_reason": None,
            }
        ],
        "usage": {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "cached_tokens": 4,
            "reasoning_tokens": 2,
        },
    }


def test_native_tells_any_outcome() -> None:
    error = ErrorInfo("overloaded", "busy", retryable=True)
    told = document("native", [*HEAD, *SAID, StreamEnd("failed", error)])
    assert (told["outcome"], told["error"]["kind"], told["usage"]) == ("failed", "overloaded", None)
    assert document("native", [*HEAD])["outcome"] == "interrupted"


@pytest.mark.parametrize("format", [name for name in DOCUMENTS if name != "native"])
@pytest.mark.parametrize("outcome", ["interrupted", "failed", "cancelled", None])
def test_no_other_format_takes_an_answer_that_is_not_whole(format: str, outcome: Any) -> None:
    end: list[Event] = [] if outcome is None else [StreamEnd(outcome)]
    with pytest.raises(ValueError, match="send error_document"):
        document(format, [*HEAD, *SAID, *end])


def test_formats_without_documents() -> None:
    with pytest.raises(UnknownDialectError, match="gemini is written as a stream alone"):
        document("gemini", answer())
    with pytest.raises(UnknownDialectError, match="no encoder writes"):
        document("nothing", answer())


@pytest.mark.parametrize("format", DOCUMENTS)
def test_names_and_time_are_the_callers_to_say(format: str) -> None:
    told = document(format, answer(TextDelta("x")), id="other", model="alias", created=7)
    assert (told["id"], told["model"], told.get("created", 7)) == ("other", "alias", 7)


@pytest.mark.parametrize("format", DOCUMENTS)
def test_every_reader_sees_one_line_of_text(format: str) -> None:
    body = whole_answer(Transcript.of(answer(TextDelta("a\u2028b"))), format, model="m\ud800")
    assert "a\\u2028b" in body.decode()
    assert "m\ufffd" in body.decode()


def test_an_empty_answer() -> None:
    assert message()["message"] == {"role": "assistant", "content": "", "refusal": None}
    assert "usage" not in document("openai-chat", answer())
    told = document("anthropic", answer())
    assert (told["content"], told["usage"]) == ([], {})


def test_several_choices() -> None:
    events = answer(TextDelta("a"), TextDelta("b", 1), Finish("length", None, 1))
    told = document("openai-chat", events)["choices"]
    assert [(one["index"], one["message"]["content"], one["finish_reason"]) for one in told] == [
        (0, "a", "stop"),
        (1, "b", "length"),
    ]
    assert document("anthropic", events)["content"][0]["text"] == "a"
    assert [one["text"] for one in document("native", events)["choices"]] == ["a", "b"]


def test_refusals() -> None:
    told = message(RefusalDelta("No."), reason="refusal")
    assert (told["message"]["refusal"], told["message"]["content"]) == ("No.", None)
    assert told["finish_reason"] == "content_filter"
    claude = document("anthropic", answer(RefusalDelta("No."), reason="refusal"))
    assert (claude["content"][0]["text"], claude["stop_reason"]) == ("No.", "refusal")


def test_a_call_that_was_cut_off() -> None:
    told = message(*CUT, reason="tool_calls")
    assert told["finish_reason"] == "length"
    assert told["message"]["tool_calls"][0]["function"]["arguments"] == '{"a":'
    claude = document("anthropic", answer(*CUT, reason="tool_calls"))
    assert (claude["content"], claude["stop_reason"]) == ([], "max_tokens")


def test_what_else_belongs_to_a_choice() -> None:
    told = message(
        TextDelta("x"),
        Annotation("logprobs", [{"token": "x"}]),
        Annotation("logprobs", {"content": [{"token": "y"}]}),
        Annotation("citation", {"type": "url_citation", "url_citation": {"url": "u"}}),
        Annotation("citation", [{"type": "url_citation", "url": "v", "title": "t"}, "w"]),
        Annotation("content_filter", {"hate": {"filtered": False}}),
        Annotation("extra", {"service": 1, "content": "not over ours"}),
        Annotation("audio", {"id": "a1", "transcript": "He"}),
        Annotation("audio", {"transcript": "y"}),
    )
    assert told["logprobs"] == {"content": [{"token": "x"}, {"token": "y"}], "refusal": None}
    assert told["content_filter_results"] == {"hate": {"filtered": False}}
    assert told["message"] == {
        "role": "assistant",
        "content": "x",
        "refusal": None,
        "annotations": [
            {"type": "url_citation", "url_citation": {"url": "u"}},
            {
                "type": "url_citation",
                "url_citation": {"url": "v", "title": "t", "start_index": 0, "end_index": 0},
            },
        ],
        "citations": ["w"],
        "service": 1,
        "audio": {"id": "a1", "expires_at": 0, "transcript": "Hey", "data": ""},
    }


def test_media() -> None:
    told = message(MediaDelta("audio/wav", b"\1"), MediaDelta(None, b"\2"))["message"]
    assert (told["audio"]["data"], told["content"]) == ("AQI=", None)
    told = message(MediaDelta("image/png", b"\1"))["message"]
    assert told["images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AQ=="}}
    ]


def test_blocks_of_anthropics_own() -> None:
    hidden = {"type": "redacted_thinking", "data": "d"}
    use = {"type": "server_tool_use", "id": "u", "name": "web_search", "input": {"query": "q"}}
    cited = {"type": "char_location", "cited_text": "c"}
    told = document(
        "anthropic",
        answer(
            Annotation("redacted_thinking", hidden),
            Annotation("server_tool_use", use),
            TextDelta("x"),
            Annotation("citation", cited),
            Annotation("citation", {"type": "url_citation"}),
            Annotation("stop_sequence", "END"),
        ),
    )
    assert told["content"] == [hidden, use, {"type": "text", "text": "x", "citations": [cited]}]
    assert told["stop_sequence"] == "END"


def test_several_signatures_sign_no_joined_thinking() -> None:
    signed = [Annotation("signature", {"signature": one}) for one in "ab"]
    told = document("anthropic", answer(*SAID, *signed))
    assert told["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": ""}


def test_a_call_without_arguments_has_an_empty_input() -> None:
    told = document("anthropic", answer(ToolCall(0, "c1", "f")))
    assert told["content"] == [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]


@pytest.mark.parametrize(
    ("arguments", "input"),
    [
        (' {"a": 12345678901234567890}', {"a": 12345678901234567890}),
        ("SELECT 1", "SELECT 1"),
        ("[1]", [1]),
        ("{not JSON", "{not JSON"),
    ],
)
def test_an_input_is_always_an_object(arguments: str, input: Any) -> None:
    told = document("anthropic", answer(ToolCall(0, "c1", "f", arguments)))
    given = told["content"][0]["input"]
    assert given == (input if isinstance(input, dict) else {"input": input})


REASONS = ["stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other"]
CHAT_WORDS = {"stop", "length", "tool_calls", "content_filter", "function_call"}
CLAUDE_WORDS = {
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
    "model_context_window_exceeded",
}  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_reasons_are_words_that_the_vendors_types_know(reason: Any) -> None:
    assert message(TextDelta("x"), reason=reason)["finish_reason"] in CHAT_WORDS
    claude = document("anthropic", answer(TextDelta("x"), reason=reason))
    assert claude["stop_reason"] in CLAUDE_WORDS


def test_the_providers_own_word_stays_where_it_is_of_the_protocol() -> None:
    events: list[Event] = [*HEAD, Finish("stop", "stop_sequence"), StreamEnd("complete")]
    assert document("anthropic", events)["stop_reason"] == "stop_sequence"
    events[1] = Finish("stop", "eos")
    assert document("openai-chat", events)["choices"][0]["finish_reason"] == "stop"


def test_the_decoder_reads_a_whole_completion() -> None:
    body = whole_answer(Transcript.of(answer(*SAID, *CALLS, usage=COUNTS)), "openai-chat")
    decoder = StreamDecoder("openai-chat", content_type="application/json")
    back = Transcript.of(decoder.receive_data(body) + decoder.receive_eof())
    assert (back.text, back.reasoning) == ("Hello", "Hm.")
    assert [call.arguments for call in back.tool_calls] == ['{"a":1}', '{"b":2}']
    assert back.usage is not None
    assert (back.usage.prompt_tokens, back.usage.reasoning_tokens) == (9, 2)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(
    ("format", "module", "type"),
    [
        ("openai-chat", "openai.types.chat", "ChatCompletion"),
        ("holysheep", "openai.types.chat", "ChatCompletion"),
        ("anthropic", "anthropic.types", "Message"),
    ],
)
def test_the_vendors_own_types_accept_it(format: str, module: str, type: str, reason: Any) -> None:
    pytest.importorskip(module.partition(".")[0])
    model = getattr(importlib.import_module(module), type)
    signed = Annotation("signature", {"signature": "s"})
    audio = MediaDelta("audio/wav", b"\1")
    events = answer(*SAID, signed, *CALLS, audio, reason=reason, usage=COUNTS)
    told = document(format, events)
    read = model.model_validate(told)
    assert json.loads(read.model_dump_json(exclude_unset=True)) == told


MODELS = {
    "openai-chat": ("openai.types.chat", "ChatCompletion"),
    "holysheep": ("openai.types.chat", "ChatCompletion"),
    "anthropic": ("anthropic.types.beta", "BetaMessage"),
}


def model_of(format: str) -> Any:
    """The vendor's type of that document; None where its SDK is not installed."""
    module, name = MODELS[format]
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        return None


RECORDINGS = recordings()
FOREIGN = {
    "bedrock__ruby_llm__chat-web-search-with-bedrock-amazon-nova-2-lite-v1-0-streams-grounded-turns",
    "anthropic__ai__anthropic-tool-search-deferred-regex_2",
    "anthropic__ai__anthropic-tool-search-deferred-bm25_2",
    "anthropic__ai__anthropic-compaction.1",
}
"""A block of a tool that Anthropic has not, and usage objects older than the SDK's type: they are
passed on as they came."""


@pytest.mark.skipif(not RECORDINGS, reason="../shared/captures is missing")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.id)
def test_recorded_answers(recording: Recording) -> None:
    """Every recorded answer is a document of every format, and says the same in it."""
    decoder = StreamDecoder(
        recording.dialect, content_type=recording.content_type, status=recording.status
    )
    told = Transcript.of(decoder.receive_data(recording.body) + decoder.receive_eof())
    native = json.loads(whole_answer(told, "native"))
    assert [one["text"] for one in native["choices"][:1]] == [told.text]
    if told.end is None or told.end.outcome != "complete":
        assert native["outcome"] != "complete"
        return
    for format in MODELS:
        document = json.loads(whole_answer(told, format))
        if format == "anthropic":
            texts = [block["text"] for block in document["content"] if block["type"] == "text"]
            assert "".join(texts) == told.text + told.refusal
            counted = {"input_tokens", "output_tokens"} <= document["usage"].keys()
        else:
            first = document["choices"][0]["message"]
            assert (first["content"] or "") == told.text
            assert len(first.get("tool_calls", [])) == len(told.tool_calls)
            counted = None not in document.get("usage", {}).values()
        model = model_of(format)
        if model is not None and counted and recording.id not in FOREIGN:
            model.model_validate(document)
