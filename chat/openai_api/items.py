"""Items of responses and conversations, from stored messages.

| message | item |
|---|---|
| user message | `message` of the user with `input_text` |
| text of a reply | `message` of the assistant with `output_text` |
| reasoning of a reply | `reasoning` with `reasoning_text` |
| without text, such as a reply that failed | none |
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chat.domain import Role, Status
from chat.openai_api import ids

# Types of a reply's items in Parley.
TEXT, REASONING = "text", "reasoning"
ITEM_TYPES = (TEXT, REASONING)


def to_items(session_id: str, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of a message; none if it has no text."""
    if message["role"] == Role.ASSISTANT:
        return output_items(session_id, message)
    parts = message.get("parts") or [{"type": TEXT, "text": message["content"]}]
    if not (message["content"] or message.get("parts")):
        return []
    item = {
        "type": "message",
        "id": ids.item_id(session_id, message["id"]),
        "status": "completed",
        "role": message["role"],
        "content": [_input_part(part) for part in parts],
    }
    return [item]


def _input_part(stored: Mapping[str, Any]) -> dict[str, Any]:
    if stored["type"] == TEXT:
        return {"type": "input_text", "text": stored["text"]}
    file_id = stored.get("file_id")
    if stored["type"] == "image":
        return {
            "type": "input_image",
            "detail": stored["detail"],
            "file_id": file_id,
            "image_url": stored.get("url"),
        }
    return {"type": "input_file", "file_id": file_id, "filename": stored["filename"]}


def output_items(session_id: str, reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = {"type": TEXT, "text": reply["content"]}
    parts = reply.get("items") or ([text] if reply["content"] else [])
    counts = dict.fromkeys(ITEM_TYPES, 0)
    items = []
    for part in parts:
        item_id = output_id(session_id, reply["id"], part["type"], reply["attempt"], counts)
        status = item_status(reply["status"]) if part is parts[-1] else "completed"
        items.append(output_item(part["type"], item_id, status, [part["text"]]))
    return items


def output_id(
    session_id: str, reply_id: str, kind: str, attempt: int, counts: dict[str, int]
) -> str:
    """Return the id of the next item of a kind; counts: of the reply's earlier ones, by kind."""
    index = counts[kind]
    counts[kind] += 1
    form = ids.reasoning_id if kind == REASONING else ids.item_id
    return form(session_id, reply_id, attempt, index)


def output_item(kind: str, item_id: str, status: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return an item of a reply; texts: none if it has just started."""
    if kind == REASONING:
        return {
            "type": "reasoning",
            "id": item_id,
            "status": status,
            "summary": [],
            "content": [part(kind, text) for text in texts],
        }
    return {
        "type": "message",
        "id": item_id,
        "status": status,
        "role": "assistant",
        "content": [part(kind, text) for text in texts],
    }


def part(kind: str, text: str) -> dict[str, Any]:
    """Return the content of an item of a reply."""
    if kind == REASONING:
        return {"type": "reasoning_text", "text": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning_in(reply: Mapping[str, Any]) -> str:
    items = reply.get("items", ())
    return "".join(item["text"] for item in items if item["type"] == REASONING)


def item_status(status: str) -> str:
    if not Status(status).is_terminal:
        return "in_progress"
    return "completed" if status == Status.COMPLETED else "incomplete"
