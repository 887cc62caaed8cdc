"""Responses, from a reply and the params of its turn.

| reply | response |
|---|---|
| `queued`, `in_progress`, `completed`, `failed`, `cancelled` | the same status |
| `expired` | `failed` |
| `incomplete` for `length`, `content_filter` | `incomplete`, with `incomplete_details.reason` |
| `incomplete` for an error | `failed`; its output is kept |
| `error.code` | `rate_limit_exceeded`, `invalid_prompt` or `server_error`; `parley_code` has it |
"""

from collections.abc import Mapping
from typing import Any

from chat.domain import FinishReason, Status
from chat.openai_api import ids
from chat.openai_api.items import output_items

INCOMPLETE_REASONS = {
    FinishReason.LENGTH.value: "max_output_tokens",
    FinishReason.CONTENT_FILTER.value: "content_filter",
}
STATUSES = {Status.EXPIRED.value: "failed"}
ERROR_CODES = {
    "model_rate_limited": "rate_limit_exceeded",
    "context_too_long": "invalid_prompt",
}


def to_response(
    session_id: str, reply: Mapping[str, Any], params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the response of a turn.

    params: `ResponseRequest.shown`.
    """
    status = status_of(reply)
    is_incomplete = status == "incomplete"
    return {
        "id": ids.response_id(session_id, reply["id"]),
        "object": "response",
        "created_at": int(reply["created_at"]),
        "completed_at": int(reply["completed_at"]) if status == "completed" else None,
        "status": status,
        "error": _error(reply) if status == "failed" else None,
        "incomplete_details": {"reason": INCOMPLETE_REASONS[reply["finish_reason"]]}
        if is_incomplete
        else None,
        "model": reply["model"] or params.get("model") or "",
        "output": output_items(session_id, reply),
        "usage": to_usage(reply["usage"]),
        **_shown(params),
    }


def status_of(reply: Mapping[str, Any]) -> str:
    """Return OpenAI's status. A reply that ended for a reason unknown to OpenAI has failed."""
    status: str = reply["status"]
    if status == Status.INCOMPLETE and reply["finish_reason"] not in INCOMPLETE_REASONS:
        return "failed"
    return STATUSES.get(status, status)


def to_usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": usage.get("cached_tokens", 0)},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": usage.get("reasoning_tokens", 0)},
        "total_tokens": usage["total_tokens"],
    }


def _error(reply: Mapping[str, Any]) -> dict[str, str]:
    error = reply["error"] or {"code": "error", "message": "The reply was cut off."}
    code = ERROR_CODES.get(error["code"], "server_error")
    return {"code": code, "message": error["message"], "parley_code": error["code"]}


def _shown(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that repeat the request, with defaults."""
    conversation = params.get("conversation")
    return {
        "instructions": params.get("instructions"),
        "max_output_tokens": params.get("max_output_tokens"),
        "max_tool_calls": None,
        "previous_response_id": params.get("previous_response_id"),
        "conversation": {"id": conversation} if conversation else None,
        "reasoning": {"effort": params.get("effort"), "summary": None},
        "text": {"format": _format(params.get("format"))},
        "temperature": params.get("temperature", 1.0),
        "top_p": params.get("top_p", 1.0),
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "top_logprobs": 0,
        "truncation": params.get("truncation", "auto"),
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "background": params.get("is_background", False),
        "store": not params.get("is_unstored", False),
        "service_tier": "default",
        "metadata": params.get("metadata", {}),
        "user": params.get("user"),
        "safety_identifier": params.get("safety_identifier"),
        "prompt_cache_key": params.get("prompt_cache_key"),
    }


def _format(form: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the format of a reply as responses have it."""
    if form is None:
        return {"type": "text"}
    return {"type": form["type"], **form.get("json_schema", {})}
