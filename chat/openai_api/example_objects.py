"""The JSON objects and events of which the examples of the OpenAI-compatible API consist."""

from typing import Any

from chat.api.documentation import JSON, event

SESSION = "0f1e2d3c4b5a69788796a5b4"
QUESTION = "What did I say before?"
TEXT = "This is the first message that I received."
# The parts in which the text of a stream arrives.
DELTAS = ("This is the first", " message that I received.")
TIME = 1796040000

MODEL: JSON = {"id": "default", "object": "model", "created": 0, "owned_by": "parley"}
COMPLETION: JSON = {
    "id": f"chatcmpl-{SESSION}",
    "object": "chat.completion",
    "created": TIME,
    "model": "default",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": TEXT,
                "refusal": None,
                "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    },
    "service_tier": "default",
    "system_fingerprint": None,
}


def chunk(delta: JSON, finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event(
        {
            "id": f"chatcmpl-{SESSION}",
            "object": "chat.completion.chunk",
            "created": TIME,
            "model": "default",
            "service_tier": "default",
            "system_fingerprint": None,
            "choices": [choice],
        }
    )


CHUNKS = "".join(
    [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": delta}) for delta in DELTAS),
        chunk({}, "stop"),
        event("[DONE]"),
    ]
)


def user_item(number: int, text: str) -> JSON:
    """Return the item of user message `number`."""
    return {
        "type": "message",
        "id": f"msg_{SESSION}_{number}",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": text}],
    }


def text_part(text: str) -> JSON:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def items(*found: JSON) -> JSON:
    """Return a page of items, which is the last one."""
    return {
        "object": "list",
        "data": list(found),
        "first_id": found[0]["id"],
        "last_id": found[-1]["id"],
        "has_more": False,
    }


OUTPUT: JSON = {
    "type": "message",
    "id": f"msg_{SESSION}_2",
    "status": "completed",
    "role": "assistant",
    "content": [text_part(TEXT)],
}
NEW_RESPONSE: JSON = {
    "id": f"resp_{SESSION}_2",
    "object": "response",
    "created_at": TIME,
    "completed_at": None,
    "status": "queued",
    "error": None,
    "incomplete_details": None,
    "model": "default",
    "output": [],
    "usage": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "previous_response_id": None,
    "conversation": None,
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}},
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "top_logprobs": 0,
    "truncation": "auto",
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "background": False,
    "store": True,
    "service_tier": "default",
    "metadata": {},
    "user": None,
    "safety_identifier": None,
    "prompt_cache_key": None,
}
BACKGROUND_RESPONSE = NEW_RESPONSE | {"background": True}
RESPONSE = NEW_RESPONSE | {
    "completed_at": TIME + 1,
    "status": "completed",
    "output": [OUTPUT],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 8,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 17,
    },
}
CONVERSATION: JSON = {
    "id": f"conv_{SESSION}",
    "object": "conversation",
    "created_at": TIME,
    "metadata": {"page": "/cart"},
}


def response_event(name: str, number: int, **members: Any) -> str:
    kind = f"response.{name}"
    return event({"type": kind, "sequence_number": number, **members}, event=kind)


def response_events() -> list[str]:
    """Return the events of a response."""
    place: JSON = {"output_index": 0, "content_index": 0, "item_id": OUTPUT["id"]}
    return [
        response_event("created", 0, response=NEW_RESPONSE),
        response_event("queued", 1, response=NEW_RESPONSE),
        response_event("in_progress", 16, response=NEW_RESPONSE | {"status": "in_progress"}),
        response_event(
            "output_item.added",
            32,
            output_index=0,
            item=OUTPUT | {"status": "in_progress", "content": []},
        ),
        response_event("content_part.added", 33, **place, part=text_part("")),
        response_event("output_text.delta", 34, **place, logprobs=[], delta=DELTAS[0]),
        response_event("output_text.delta", 48, **place, logprobs=[], delta=DELTAS[1]),
        response_event("output_text.done", 64, **place, text=TEXT, logprobs=[]),
        response_event("content_part.done", 65, **place, part=text_part(TEXT)),
        response_event("output_item.done", 66, output_index=0, item=OUTPUT),
        response_event("completed", 67, response=RESPONSE),
    ]
