"""Responses of Gemini, as the tests write them."""

from __future__ import annotations

from typing import Any

MODEL = {"modelVersion": "gemini-2.5-flash", "responseId": "r1"}


def counts(answer: int | None = None, **more: Any) -> dict[str, Any]:
    told = {"promptTokenCount": 9, "candidatesTokenCount": answer, "thoughtsTokenCount": 20}
    told |= {"totalTokenCount": None if answer is None else 29 + answer, **more}
    return {name: value for name, value in told.items() if value is not None}


def response(*parts: Any, finish: Any = None, usage: Any = None, **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    candidate |= more.pop("candidate", {})
    told = {} if usage is None else {"usageMetadata": usage}
    return {"candidates": [candidate], **told, **MODEL, **more}
