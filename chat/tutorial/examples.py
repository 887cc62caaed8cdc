"""Descriptions and examples of the tutorial's operations."""

from typing import Any

from chat.api.documentation import JSON, Documented, Example, document_all
from chat.api.example_objects import TOKEN

TAG = {
    "name": "Tutorial",
    "description": (
        "For the React client of a well-known tutorial; `CHAT_TUTORIAL=False` disables it."
    ),
}
CHAT: JSON = {
    "token": TOKEN,
    "name": "Ada",
    "messages": [],
    "session_start": "2026-11-30 09:05:00.125000",
}
OPERATIONS = {
    "postTutorialToken": Documented(
        tag=TAG["name"],
        description="The token is an ordinary session token.",
        examples=(Example(query={"name": "Ada"}, response=CHAT),),
    ),
    "getTutorialRefresh": Documented(
        tag=TAG["name"],
        description="The messages are those of replies that have ended, and of users.",
        examples=(Example(query={"token": TOKEN}, response=CHAT),),
    ),
}


def add_examples(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Document the operations; one of drf-spectacular's POSTPROCESSING_HOOKS."""
    result["tags"].append(TAG)
    document_all(result, OPERATIONS, ids={})
    return result
