"""The OpenAPI description of the OpenAI-compatible API.

Fields that are accepted without effect are left out.
"""

from typing import Any

from chat.openai_api.examples import IDS, OPERATIONS, TAGS
from chat.protocols.schema import (
    BOOLEAN,
    CURSOR,
    INTEGER,
    NUMBER,
    OBJECT,
    OBJECTS,
    TEXT,
    Operation,
    describe,
)

TEXT_OR_OBJECTS = {"oneOf": [TEXT, OBJECTS]}
METADATA = {"type": "object", "additionalProperties": TEXT}
PAGE = {"after": CURSOR, "limit": INTEGER, "order": {"type": "string", "enum": ["asc", "desc"]}}
MODELS = {
    "/v1/models": {
        "get": Operation(id="listV1Models", summary="List the models in OpenAI's form."),
    },
    "/v1/models/{model}": {
        "get": Operation(id="getV1Model", summary="Get a model."),
    },
}
CHAT_COMPLETIONS = {
    "/v1/chat/completions": {
        "post": Operation(
            id="createV1ChatCompletion",
            summary="Reply to messages; the client keeps the history.",
            fields={
                "messages": OBJECTS,
                "model": TEXT,
                "stream": BOOLEAN,
                "stream_options": OBJECT,
                "max_completion_tokens": INTEGER,
                "max_tokens": INTEGER,
                "temperature": NUMBER,
                "top_p": NUMBER,
                "stop": {"oneOf": [TEXT, {"type": "array", "items": TEXT, "maxItems": 4}]},
                "seed": INTEGER,
                "response_format": OBJECT,
                "reasoning_effort": TEXT,
                "user": TEXT,
                "safety_identifier": TEXT,
            },
            required=("messages",),
        ),
    },
}
RESPONSES = {
    "/v1/responses": {
        "post": Operation(
            id="createV1Response",
            summary="Create a response: plain, as a stream, or in the background.",
            fields={
                "input": TEXT_OR_OBJECTS,
                "instructions": TEXT,
                "model": TEXT,
                "conversation": {"oneOf": [TEXT, OBJECT]},
                "previous_response_id": TEXT,
                "background": BOOLEAN,
                "stream": BOOLEAN,
                "store": BOOLEAN,
                "metadata": METADATA,
                "max_output_tokens": INTEGER,
                "temperature": NUMBER,
                "top_p": NUMBER,
                "text": OBJECT,
                "reasoning": OBJECT,
                "truncation": {"type": "string", "enum": ["auto", "disabled"]},
                "prompt_cache_key": TEXT,
                "user": TEXT,
                "safety_identifier": TEXT,
            },
            required=("input",),
        ),
    },
    "/v1/responses/{response_id}": {
        "get": Operation(
            id="getV1Response",
            summary="Get a response, or its stream after a sequence number.",
            query={"stream": BOOLEAN, "starting_after": INTEGER},
        ),
        "delete": Operation(
            id="deleteV1Response",
            summary="Delete a response.",
        ),
    },
    "/v1/responses/{response_id}/cancel": {
        "post": Operation(
            id="cancelV1Response",
            summary="Cancel a response; it keeps its text.",
        ),
    },
    "/v1/responses/{response_id}/input_items": {
        "get": Operation(
            id="listV1InputItems",
            summary="List the input of a response.",
            query=PAGE,
        ),
    },
}
CONVERSATIONS = {
    "/v1/conversations": {
        "post": Operation(
            id="createV1Conversation",
            summary="Open a conversation.",
            fields={"items": OBJECTS, "metadata": METADATA},
        ),
    },
    "/v1/conversations/{conversation_id}": {
        "get": Operation(id="getV1Conversation", summary="Get a conversation."),
        "post": Operation(
            id="updateV1Conversation",
            summary="Replace the metadata of a conversation.",
            fields={"metadata": METADATA},
        ),
        "delete": Operation(
            id="deleteV1Conversation",
            summary="Delete a conversation.",
        ),
    },
    "/v1/conversations/{conversation_id}/items": {
        "get": Operation(
            id="listV1Items",
            summary="List the items of a conversation.",
            query=PAGE,
        ),
        "post": Operation(
            id="createV1Items",
            summary="Add items to a conversation that is not busy.",
            fields={"items": OBJECTS},
            required=("items",),
        ),
    },
    "/v1/conversations/{conversation_id}/items/{item_id}": {
        "get": Operation(id="getV1Item", summary="Get an item."),
        "delete": Operation(id="deleteV1Item", summary="Erase the text of an item."),
    },
}
PATHS = {**MODELS, **CHAT_COMPLETIONS, **RESPONSES, **CONVERSATIONS}


def add_paths(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add the paths; one of drf-spectacular's POSTPROCESSING_HOOKS."""
    return describe(result, PATHS, OPERATIONS, tags=TAGS, ids=IDS)
