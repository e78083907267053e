"""The written table of fields: what each of them becomes in every format.

A row is one thing said in a request, and for each format where it says it, path by path, or that
it is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sans_io_stream.translation import WRITERS

__all__ = ["ALL", "CALL", "HI", "ROWS", "SCHEMA", "TOOL", "Row", "anthropic", "openai"]

HI: dict[str, Any] = {"role": "user", "content": "Hi"}
PNG = "data:image/png;base64,iVBORw0="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "The weather.", "parameters": SCHEMA}
TOOL = {"type": "function", "function": FUNCTION}
STRICT = {"type": "function", "function": {**FUNCTION, "strict": True}}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city":"Ulm"}'},
}
ASKED = [
    HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Rain."},
]
NO = "refused"
ALL = tuple(WRITERS)


def openai(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **fields}


def anthropic(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 10, "messages": [HI], **fields}


class Row(NamedTuple):
    """One thing said, and where each format says it: ``path → value``, or refused."""

    name: str
    source: str
    body: dict[str, Any]
    told: dict[str, dict[str, Any] | str]


def everywhere(**by_target: Any) -> dict[str, dict[str, Any] | str]:
    """Names of targets with ``_`` for ``-``; those that are not named refuse."""
    told = {name.replace("_", "-"): value for name, value in by_target.items()}
    assert set(told) <= set(ALL)
    return {name: told.get(name, NO) for name in ALL}


def each(targets: tuple[str, ...], told: dict[str, Any]) -> dict[str, dict[str, Any] | str]:
    """The same for each of them."""
    return {target: dict(told) for target in targets}


FAMILY = ("openai_chat", "mistral", "cohere")


def family(value: Any, **others: Any) -> dict[str, dict[str, Any] | str]:
    """The same for all that speak chat."""
    return everywhere(**dict.fromkeys(FAMILY, value), **others)


IMAGE = openai(
    messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}]
)
ADDRESS = openai(
    messages=[
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a"}}],
        }
    ]
)
TEXTS = openai(
    messages=[
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    ]
)
FORMAT = openai(
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "w", "schema": SCHEMA, "strict": True},
    }
)
THOUGHT = anthropic(
    messages=[
        HI,
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": ""},
                {"type": "text", "text": "Yes?"},
            ],
        },
        HI,
    ]
)
DESCRIBED = openai(
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "w", "schema": SCHEMA, "description": "d"},
    }
)
ROWS = [
    Row("user", "openai-chat", openai(), {
        **each(("openai-chat", "mistral", "cohere", "ollama", "anthropic"), {"messages": [HI]}),
        "openai-responses": {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
        "bedrock-converse": {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    }),
    Row("system", "openai-chat", openai(messages=[{"role": "developer", "content": "Be brief."}, HI]), {
        **each(("openai-chat", "mistral", "cohere", "ollama"), {"messages": [{"role": "system", "content": "Be brief."}, HI]}),
        "openai-responses": {"input.0": {"role": "system", "content": [{"type": "input_text", "text": "Be brief."}]}},
        "anthropic": {"system": "Be brief.", "messages": [HI]},
        "gemini": {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
        "bedrock-converse": {"system": [{"text": "Be brief."}]},
    }),
    Row("system between the turns", "openai-chat", openai(messages=[HI, {"role": "system", "content": "x"}]),
        family({"messages.1": {"role": "system", "content": "x"}},
               ollama={"messages.1": {"role": "system", "content": "x"}},
               openai_responses={"input.1.role": "system"})),
    Row("assistant", "openai-chat", openai(messages=[HI, {"role": "assistant", "content": "Yes?"}, HI]), {
        **each(("openai-chat", "mistral", "cohere", "ollama", "anthropic"), {"messages.1": {"role": "assistant", "content": "Yes?"}}),
        "openai-responses": {"input.1": {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]}},
        "gemini": {"contents.1": {"role": "model", "parts": [{"text": "Yes?"}]}},
        "bedrock-converse": {"messages.1": {"role": "assistant", "content": [{"text": "Yes?"}]}},
    }),
    Row("thinking, as a relay wrote it", "anthropic", THOUGHT, {
        **each(("openai-chat", "mistral", "cohere", "ollama", "anthropic"), {"messages.1.content.1": None}),
        "openai-responses": {"input.1.content.1": None},
        "gemini": {"contents.1.parts.1": None},
        "bedrock-converse": {"messages.1.content.1": None},
    }),
    Row("several texts", "openai-chat", TEXTS,
        family({"messages.0.content.1": {"type": "text", "text": "b"}},
               ollama={"messages.0.content": "a\n\nb"},
               anthropic={"messages.0.content.1": {"type": "text", "text": "b"}},
               gemini={"contents.0.parts.1": {"text": "b"}},
               bedrock_converse={"messages.0.content.1": {"text": "b"}},
               openai_responses={"input.0.content.1": {"type": "input_text", "text": "b"}})),
    Row("an image's bytes", "openai-chat", IMAGE,
        family({"messages.0.content.0": {"type": "image_url", "image_url": {"url": PNG}}},
               ollama={"messages.0.images": ["iVBORw0="]},
               anthropic={"messages.0.content.0.source":
                          {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
               gemini={"contents.0.parts.0": {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}},
               bedrock_converse={"messages.0.content.0":
                                 {"image": {"format": "png", "source": {"bytes": "iVBORw0="}}}},
               openai_responses={"input.0.content.0": {"type": "input_image", "image_url": PNG}})),
    Row("an image's address", "openai-chat", ADDRESS,
        family({"messages.0.content.0.image_url.url": "https://x.test/a"},
               anthropic={"messages.0.content.0.source": {"type": "url", "url": "https://x.test/a"}},
               openai_responses={"input.0.content.0.image_url": "https://x.test/a"})),
    Row("tools", "openai-chat", openai(tools=[TOOL]),
        family({"tools": [TOOL]}, ollama={"tools": [TOOL]},
               anthropic={"tools": [{"name": "weather", "description": "The weather.", "input_schema": SCHEMA}]},
               gemini={"tools.0.functionDeclarations.0":
                       {"name": "weather", "description": "The weather.", "parametersJsonSchema": SCHEMA}},
               bedrock_converse={"toolConfig.tools.0.toolSpec":
                                 {"name": "weather", "description": "The weather.",
                                  "inputSchema": {"json": SCHEMA}}},
               openai_responses={"tools.0": {"type": "function", **FUNCTION, "strict": False}})),
    Row("a tool's `strict`", "openai-chat", openai(tools=[STRICT]), everywhere(
        openai_chat={"tools.0.function.strict": True}, mistral={"tools.0.function.strict": True},
        openai_responses={"tools.0.strict": True}, anthropic={"tools.0.strict": True})),
    Row("a tool call", "openai-chat", openai(messages=ASKED),
        family({"messages.1.tool_calls": [CALL]},
               ollama={"messages.1.tool_calls":
                       [{"function": {"name": "weather", "arguments": {"city": "Ulm"}}}]},
               anthropic={"messages.1.content.0":
                          {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Ulm"}}},
               gemini={"contents.1.parts.0.functionCall":
                       {"id": "c1", "name": "weather", "args": {"city": "Ulm"}}},
               bedrock_converse={"messages.1.content.0.toolUse":
                                 {"toolUseId": "c1", "name": "weather", "input": {"city": "Ulm"}}},
               openai_responses={"input.1": {"type": "function_call", "call_id": "c1", "name": "weather",
                                             "arguments": '{"city":"Ulm"}'}})),
    Row("a tool's result", "openai-chat", openai(messages=ASKED),
        family({"messages.2": {"role": "tool", "tool_call_id": "c1", "content": "Rain."}},
               ollama={"messages.2": {"role": "tool", "tool_name": "weather", "content": "Rain."}},
               anthropic={"messages.2.content.0":
                          {"type": "tool_result", "tool_use_id": "c1", "content": "Rain."}},
               gemini={"contents.2.parts.0.functionResponse":
                       {"id": "c1", "name": "weather", "response": {"output": "Rain."}}},
               bedrock_converse={"messages.2.content.0.toolResult":
                                 {"toolUseId": "c1", "content": [{"text": "Rain."}]}},
               openai_responses={"input.2": {"type": "function_call_output", "call_id": "c1",
                                             "output": "Rain."}})),
    Row("tool_choice: auto", "openai-chat", openai(tools=[TOOL], tool_choice="auto"), {
        "openai-chat": {"tool_choice": "auto"}, "mistral": {"tool_choice": "auto"}, "cohere": {"tool_choice": None},
        "openai-responses": {"tool_choice": "auto"}, "anthropic": {"tool_choice": {"type": "auto"}},
        "gemini": {"toolConfig.functionCallingConfig.mode": "AUTO"}, "ollama": {"tools": [TOOL]},
        "bedrock-converse": {"toolConfig.toolChoice": {"auto": {}}},
    }),
    Row("tool_choice: required", "openai-chat", openai(tools=[TOOL], tool_choice="required"), everywhere(
        openai_chat={"tool_choice": "required"}, mistral={"tool_choice": "any"}, cohere={"tool_choice": "REQUIRED"},
        openai_responses={"tool_choice": "required"}, anthropic={"tool_choice": {"type": "any"}},
        gemini={"toolConfig.functionCallingConfig.mode": "ANY"},
        bedrock_converse={"toolConfig.toolChoice": {"any": {}}})),
    Row("tool_choice: none", "openai-chat", openai(tools=[TOOL], tool_choice="none"), {
        "openai-chat": {"tool_choice": "none"}, "mistral": {"tool_choice": "none"}, "cohere": {"tool_choice": "NONE"},
        "openai-responses": {"tool_choice": "none"}, "anthropic": {"tool_choice": {"type": "none"}},
        "gemini": {"toolConfig.functionCallingConfig.mode": "NONE"}, "ollama": {"tools": None},
        "bedrock-converse": {"toolConfig": None},
    }),
    Row("tool_choice: one", "openai-chat",
        openai(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "weather"}}), everywhere(
        openai_chat={"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        mistral={"tool_choice": {"type": "function", "function": {"name": "weather"}}},
        cohere={"tool_choice": "REQUIRED", "tools": [TOOL]},
        openai_responses={"tool_choice": {"type": "function", "name": "weather"}},
        anthropic={"tool_choice": {"type": "tool", "name": "weather"}},
        gemini={"toolConfig.functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        bedrock_converse={"toolConfig.toolChoice": {"tool": {"name": "weather"}}})),
    Row("max_tokens", "openai-chat", openai(max_tokens=7), everywhere(
        openai_chat={"max_completion_tokens": 7}, mistral={"max_tokens": 7}, cohere={"max_tokens": 7},
        openai_responses={"max_output_tokens": 7}, anthropic={"max_tokens": 7}, ollama={"options.num_predict": 7},
        gemini={"generationConfig.maxOutputTokens": 7}, bedrock_converse={"inferenceConfig.maxTokens": 7})),
    Row("temperature", "openai-chat", openai(temperature=0.5), everywhere(
        openai_chat={"temperature": 0.5}, mistral={"temperature": 0.5}, cohere={"temperature": 0.5},
        openai_responses={"temperature": 0.5}, anthropic={"temperature": 0.5}, ollama={"options.temperature": 0.5},
        gemini={"generationConfig.temperature": 0.5}, bedrock_converse={"inferenceConfig.temperature": 0.5})),
    Row("top_p", "openai-chat", openai(top_p=0.9), everywhere(
        openai_chat={"top_p": 0.9}, mistral={"top_p": 0.9}, cohere={"p": 0.9}, openai_responses={"top_p": 0.9},
        anthropic={"top_p": 0.9}, ollama={"options.top_p": 0.9}, gemini={"generationConfig.topP": 0.9},
        bedrock_converse={"inferenceConfig.topP": 0.9})),
    Row("top_k", "anthropic", anthropic(top_k=5), everywhere(
        cohere={"k": 5}, anthropic={"top_k": 5}, ollama={"options.top_k": 5}, gemini={"generationConfig.topK": 5})),
    Row("stop", "openai-chat", openai(stop="END"), everywhere(
        openai_chat={"stop": ["END"]}, mistral={"stop": ["END"]}, cohere={"stop_sequences": ["END"]},
        anthropic={"stop_sequences": ["END"]}, ollama={"options.stop": ["END"]},
        gemini={"generationConfig.stopSequences": ["END"]},
        bedrock_converse={"inferenceConfig.stopSequences": ["END"]})),
    Row("seed", "openai-chat", openai(seed=3), everywhere(
        openai_chat={"seed": 3}, mistral={"random_seed": 3}, cohere={"seed": 3}, ollama={"options.seed": 3},
        gemini={"generationConfig.seed": 3})),
    Row("presence_penalty", "openai-chat", openai(presence_penalty=0.1),
        family({"presence_penalty": 0.1}, ollama={"options.presence_penalty": 0.1},
               gemini={"generationConfig.presencePenalty": 0.1})),
    Row("frequency_penalty", "openai-chat", openai(frequency_penalty=0.1),
        family({"frequency_penalty": 0.1}, ollama={"options.frequency_penalty": 0.1},
               gemini={"generationConfig.frequencyPenalty": 0.1})),
    Row("user", "openai-chat", openai(user="u1"), everywhere(
        openai_chat={"user": "u1"}, openai_responses={"user": "u1"}, anthropic={"metadata": {"user_id": "u1"}})),
    Row("parallel_tool_calls", "openai-chat", openai(tools=[TOOL], parallel_tool_calls=False), everywhere(
        openai_chat={"parallel_tool_calls": False}, mistral={"parallel_tool_calls": False},
        openai_responses={"parallel_tool_calls": False},
        anthropic={"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}})),
    Row("reasoning_effort", "openai-chat", openai(reasoning_effort="low"), everywhere(
        openai_chat={"reasoning_effort": "low"}, openai_responses={"reasoning": {"effort": "low"}},
        anthropic={"thinking": {"type": "enabled", "budget_tokens": 4096}, "max_tokens": 8192},
        ollama={"think": "low"}, gemini={"generationConfig.thinkingConfig": {"thinkingBudget": 1024}})),
    Row("response_format: a schema", "openai-chat", FORMAT, everywhere(
        openai_chat={"response_format.json_schema": {"name": "w", "schema": SCHEMA, "strict": True}},
        mistral={"response_format.json_schema": {"name": "w", "schema": SCHEMA, "strict": True}},
        cohere={"response_format": {"type": "json_object", "json_schema": SCHEMA}},
        openai_responses={"text.format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "strict": True}},
        ollama={"format": SCHEMA},
        gemini={"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}})),
    Row("response_format: its description", "openai-chat", DESCRIBED, everywhere(
        openai_chat={"response_format.json_schema": {"name": "w", "schema": SCHEMA, "description": "d"}},
        mistral={"response_format.json_schema": {"name": "w", "schema": SCHEMA, "description": "d"}},
        openai_responses={"text.format": {"type": "json_schema", "name": "w", "schema": SCHEMA, "description": "d"}})),
    Row("response_format: any JSON", "openai-chat", openai(response_format={"type": "json_object"}), everywhere(
        openai_chat={"response_format": {"type": "json_object"}}, mistral={"response_format": {"type": "json_object"}},
        cohere={"response_format": {"type": "json_object"}}, ollama={"format": "json"},
        openai_responses={"text.format": {"type": "json_object"}},
        gemini={"generationConfig": {"responseMimeType": "application/json"}})),
]  # fmt: skip
