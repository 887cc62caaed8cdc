"""The OpenAPI description of the API for the AI SDK."""

from typing import Any

from chat.protocols.schema import CURSOR, INTEGER, OBJECT, OBJECTS, TEXT, Operation, describe
from chat.ui_api.chat_request import REGENERATE, SUBMIT
from chat.ui_api.examples import IDS, OPERATIONS, TAGS
from chat.ui_api.views import VERSIONS

UI = {"ui": {"type": "string", "enum": list(VERSIONS)}}
PATHS = {
    "/ui/chat": {
        "post": Operation(
            id="postUIChat",
            summary="Send a message of a chat, and stream its reply as a UI message stream.",
            fields={
                "id": TEXT,
                "messages": OBJECTS,
                "message": OBJECT,
                "trigger": {"type": "string", "enum": [SUBMIT, REGENERATE]},
                "messageId": TEXT,
                "model": TEXT,
                "options": {"$ref": "#/components/schemas/OptionsBody"},
            },
            required=("id",),
            query=UI,
        ),
    },
    "/ui/chat/{chat_id}/stream": {
        "get": Operation(
            id="getUIChatStream",
            summary="Stream the reply of the last turn from its start, unless it has ended.",
            query=UI,
        ),
    },
    "/ui/chat/{chat_id}/stop": {
        "post": Operation(
            id="postUIChatStop",
            summary="Cancel all open turns of a chat.",
        ),
    },
    "/ui/chat/{chat_id}/messages": {
        "get": Operation(
            id="getUIChatMessages",
            summary="List the newest UI messages of a chat, or those before a message.",
            query={"before": CURSOR, "limit": INTEGER},
        ),
    },
}


def add_paths(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add the paths; one of drf-spectacular's POSTPROCESSING_HOOKS."""
    return describe(result, PATHS, OPERATIONS, tags=TAGS, ids=IDS)
