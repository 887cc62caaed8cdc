"""UI messages, from stored ones.

| message | UI message |
|---|---|
| user message, reply with text | one with a `text` part |
| image, file of a user message | a `file` part, with the path of the file as its URL |
| reply with reasoning | one with a part for each item: `reasoning` or `text` |
| reply without text | one without parts |
| the last reply, if it has not ended | none: the client resumes its stream |
| message that was edited, reply that was regenerated | none |

`metadata` has `status`, `model`, `created_at`, `completed_at`, `attempt`, `finish_reason`, `usage`
and `error` as in Parley's API.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from chat.domain import Role, Status
from chat.domain.files import PartType

METADATA = (
    *("status", "model", "created_at", "completed_at"),
    *("attempt", "finish_reason", "usage", "error"),
)


def to_ui_messages(
    session_id: str, messages: Sequence[Mapping[str, Any]], *, is_newest: bool
) -> list[dict[str, Any]]:
    """Return the UI messages of a page of messages, the oldest first.

    is_newest: whether the page has the last message of the session.
    """
    edited = {each.get("replaces") for each in messages}
    # Later replies replace earlier ones.
    answers = {each["reply_to"]: each["id"] for each in messages if each["reply_to"]}
    shown = [each for each in messages if _is_shown(each, edited, answers)]
    if is_newest and shown and not Status(shown[-1]["status"]).is_terminal:
        shown.pop()
    return [_to_ui_message(session_id, each) for each in shown]


def _is_shown(
    message: Mapping[str, Any], edited: set[str | None], answers: Mapping[str, str]
) -> bool:
    if message["role"] != Role.ASSISTANT:
        return message["id"] not in edited
    asked = message["reply_to"]
    return asked not in edited and answers[asked] == message["id"]


def _to_ui_message(session_id: str, message: Mapping[str, Any]) -> dict[str, Any]:
    text = {"type": "text", "text": message["content"]}
    parts = [_to_ui_part(session_id, part) for part in message.get("parts", ())]
    return {
        "id": message["id"],
        "role": message["role"],
        "parts": parts or message.get("items") or ([text] if message["content"] else []),
        "metadata": to_metadata(message),
    }


def _to_ui_part(session_id: str, part: Mapping[str, Any]) -> dict[str, Any]:
    if part["type"] == PartType.TEXT:
        return {"type": "text", "text": part["text"]}
    if url := part.get("url"):
        return {"type": "file", "mediaType": "image/*", "url": url}
    return {
        "type": "file",
        "mediaType": part["media_type"],
        "filename": part["filename"],
        "url": f"{settings.URL_PREFIX}/sessions/{session_id}/files/{part['file_id']}",
    }


def to_metadata(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: message[name] for name in METADATA}
