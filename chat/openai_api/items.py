"""Items of responses and conversations, from stored messages.

| message | item |
|---|---|
| user message | `message` of the user with `input_text` |
| reply with text | `message` of the assistant with `output_text` |
| without text, such as a reply that failed | none |
"""

from collections.abc import Mapping
from typing import Any

from chat.domain import Role, Status
from chat.openai_api import ids


def to_item(session_id: str, message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the item of a message; `None` if the message has no text."""
    if not message["content"]:
        return None
    if message["role"] == Role.ASSISTANT:
        return output_item(session_id, message)
    return {
        "type": "message",
        "id": ids.item_id(session_id, message["id"]),
        "status": "completed",
        "role": message["role"],
        "content": [{"type": "input_text", "text": message["content"]}],
    }


def output_item(session_id: str, reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the item of a reply with text."""
    return {
        "type": "message",
        "id": ids.item_id(session_id, reply["id"], reply["attempt"]),
        "status": item_status(reply["status"]),
        "role": "assistant",
        "content": [output_text(reply["content"])],
    }


def output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def item_status(status: str) -> str:
    """Return the status of a reply's item."""
    if not Status(status).is_terminal:
        return "in_progress"
    return "completed" if status == Status.COMPLETED else "incomplete"
