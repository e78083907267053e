"""Google's SDK, with the Gemini API, Vertex AI and Interactions."""

from __future__ import annotations

from typing import Any

from .case import KEY, KEYED, SYSTEM, Case, Send, module, read


def gemini_client(base: str) -> Any:
    return module("google.genai").Client(api_key=KEY, http_options={"base_url": base})


def vertex_client(base: str) -> Any:
    credentials = module("google.oauth2.credentials").Credentials(token=KEY)
    return module("google.genai").Client(
        vertexai=True,
        project="my-project",
        location="us-central1",
        credentials=credentials,
        http_options={"base_url": base},
    )


def gemini_default() -> str:
    client: Any = module("google.genai").Client(api_key=KEY)
    return str(client._api_client._http_options.base_url)


def vertex_default() -> str:
    credentials = module("google.oauth2.credentials").Credentials(token=KEY)
    client: Any = module("google.genai").Client(
        vertexai=True, project="my-project", location="us-central1", credentials=credentials
    )
    return str(client._api_client._http_options.base_url)


def gemini_config(fields: dict[str, Any]) -> dict[str, Any]:
    """What the REST API takes at the top level, as the SDK takes it in its config."""
    config = dict(fields.get("generationConfig", {}))
    for rest, sdk in (("systemInstruction", "system_instruction"), ("tools", "tools")):
        if rest in fields:
            config[sdk] = fields[rest]
    return {"config": config} if config else {}


def gemini_stream(client: Any, fields: dict[str, Any]) -> None:
    read(
        client.models.generate_content_stream(
            model=fields["model"], contents=fields["contents"], **gemini_config(fields)
        )
    )


def gemini_chat(base: str, fields: dict[str, Any]) -> None:
    gemini_stream(gemini_client(base), fields)


def vertex_chat(base: str, fields: dict[str, Any]) -> None:
    gemini_stream(vertex_client(base), fields)


def vertex_express(base: str, fields: dict[str, Any]) -> None:
    options = {"base_url": base}
    client = module("google.genai").Client(vertexai=True, api_key=KEY, http_options=options)
    gemini_stream(client, fields)


def interactions_create(base: str, fields: dict[str, Any]) -> None:
    # Its client is closed as soon as nothing refers to it.
    client = gemini_client(base)
    read(client.interactions.create(stream=True, **fields))


GEMINI = "https://generativelanguage.googleapis.com"
EXPRESS = "https://aiplatform.googleapis.com"
VERTEX = "https://us-central1-aiplatform.googleapis.com"
CONTENTS = [{"role": "user", "parts": [{"text": "Say hello."}]}]
GEMINI_CALL = {"model": "gemini-2.5-flash", "contents": CONTENTS}
GEMINI_FULL = {
    **GEMINI_CALL,
    "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}]},
    "generationConfig": {"temperature": 0.5, "maxOutputTokens": 100},
    "tools": [{"functionDeclarations": [{"name": "now", "description": "The time."}]}],
}
VERTEX_OURS = {"access_token": KEY, "project": "my-project", "location": "us-central1"}


def by_google(
    name: str,
    base: str,
    send: Send,
    fields: dict[str, Any],
    ours: dict[str, Any],
    theirs: dict[str, Any] | None = None,
) -> Case:
    provider = name.partition("-")[0]
    default = {"gemini": gemini_default, "interactions": gemini_default, "vertex": vertex_default}
    return Case(
        name,
        f"{provider}.chat",
        "google-genai",
        base,
        "interactions" if provider == "interactions" else "gemini",
        send,
        fields,
        ours,
        theirs or {},
        default[provider] if base != EXPRESS else None,
    )


FLASH = {"model": "gemini-2.5-flash"}
# With any setting, the SDK sends a generationConfig, and an empty one too.
WARM = {**FLASH, "generationConfig": {"temperature": 0.5}}
INSTRUCTED = {"contents": CONTENTS, "systemInstruction": GEMINI_FULL["systemInstruction"]}
GOOGLE_CASES = [
    by_google("gemini-chat", GEMINI, gemini_chat, GEMINI_CALL, KEYED),
    by_google("gemini-chat-full", GEMINI, gemini_chat, GEMINI_FULL, KEYED),
    by_google(
        "gemini-chat-messages",
        GEMINI,
        gemini_chat,
        WARM,
        {**KEYED, "messages": SYSTEM},
        INSTRUCTED,
    ),
    by_google("vertex-chat", VERTEX, vertex_chat, GEMINI_CALL, VERTEX_OURS),
    by_google(
        "vertex-chat-messages",
        VERTEX,
        vertex_chat,
        WARM,
        {**VERTEX_OURS, "messages": SYSTEM},
        INSTRUCTED,
    ),
    by_google("vertex-chat-express", EXPRESS, vertex_express, GEMINI_CALL, KEYED),
    by_google(
        "interactions-chat",
        GEMINI,
        interactions_create,
        {**FLASH, "input": "Say hello.", "background": True},
        KEYED,
    ),
    by_google(
        "interactions-chat-messages",
        GEMINI,
        interactions_create,
        FLASH,
        {**KEYED, "messages": SYSTEM},
        {
            "input": [{"type": "user_input", "content": [{"type": "text", "text": "Say hello."}]}],
            "system_instruction": "Be brief.",
        },
    ),
]
