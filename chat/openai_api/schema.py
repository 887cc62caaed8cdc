"""The OpenAPI description of the OpenAI-compatible API.

Fields that are accepted without effect are left out.
"""

from typing import Any

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
MODEL = {"id": "default", "object": "model", "created": 0, "owned_by": "parley"}
ITEM = {"type": "message", "role": "user", "content": "Hello"}
STORED_ITEM = {
    "type": "message",
    "id": "msg_0f1e2d3c4b5a69788796a5b4_1",
    "status": "completed",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hello"}],
}
OUTPUT_ITEM = {
    "type": "message",
    "id": "msg_0f1e2d3c4b5a69788796a5b4_2",
    "status": "completed",
    "role": "assistant",
    "content": [
        {"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []},
    ],
}
RESPONSE = {
    "id": "resp_0f1e2d3c4b5a69788796a5b4_2",
    "object": "response",
    "created_at": 1796000000,
    "status": "completed",
    "model": "default",
    "output": [OUTPUT_ITEM],
}
CONVERSATION = {
    "id": "conv_0f1e2d3c4b5a69788796a5b4",
    "object": "conversation",
    "created_at": 1796000000,
    "metadata": {},
}
COMPLETION = {
    "id": "chatcmpl-0f1e2d3c4b5a69788796a5b4",
    "object": "chat.completion",
    "created": 1796000000,
    "model": "default",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
}


def _list(*items: object) -> dict[str, Any]:
    return {"object": "list", "data": list(items), "has_more": False}


MODELS = {
    "/v1/models": {
        "get": Operation(
            id="listV1Models", summary="List the models in OpenAI's form.", response=_list(MODEL)
        ),
    },
    "/v1/models/{model}": {
        "get": Operation(id="getV1Model", summary="Get a model.", response=MODEL),
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
            body={"model": "default", "messages": [{"role": "user", "content": "Hello"}]},
            response=COMPLETION,
            is_stream=True,
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
            body={"input": "Hello"},
            response=RESPONSE,
            is_stream=True,
        ),
    },
    "/v1/responses/{response_id}": {
        "get": Operation(
            id="getV1Response",
            summary="Get a response, or its stream after a sequence number.",
            query={"stream": BOOLEAN, "starting_after": INTEGER},
            response=RESPONSE,
            is_stream=True,
        ),
        "delete": Operation(
            id="deleteV1Response",
            summary="Delete a response.",
            response={"id": RESPONSE["id"], "object": "response", "deleted": True},
        ),
    },
    "/v1/responses/{response_id}/cancel": {
        "post": Operation(
            id="cancelV1Response",
            summary="Cancel a response; it keeps its text.",
            response=RESPONSE,
        ),
    },
    "/v1/responses/{response_id}/input_items": {
        "get": Operation(
            id="listV1InputItems",
            summary="List the input of a response.",
            query=PAGE,
            response=_list(STORED_ITEM),
        ),
    },
}
CONVERSATIONS = {
    "/v1/conversations": {
        "post": Operation(
            id="createV1Conversation",
            summary="Open a conversation.",
            fields={"items": OBJECTS, "metadata": METADATA},
            body={"items": [ITEM]},
            response=CONVERSATION,
        ),
    },
    "/v1/conversations/{conversation_id}": {
        "get": Operation(
            id="getV1Conversation", summary="Get a conversation.", response=CONVERSATION
        ),
        "post": Operation(
            id="updateV1Conversation",
            summary="Replace the metadata of a conversation.",
            fields={"metadata": METADATA},
            body={"metadata": {"topic": "greetings"}},
            response=CONVERSATION,
        ),
        "delete": Operation(
            id="deleteV1Conversation",
            summary="Delete a conversation.",
            response={"id": CONVERSATION["id"], "object": "conversation.deleted", "deleted": True},
        ),
    },
    "/v1/conversations/{conversation_id}/items": {
        "get": Operation(
            id="listV1Items",
            summary="List the items of a conversation.",
            query=PAGE,
            response=_list(OUTPUT_ITEM, STORED_ITEM),
        ),
        "post": Operation(
            id="createV1Items",
            summary="Add items to a conversation that is not busy.",
            fields={"items": OBJECTS},
            required=("items",),
            body={"items": [ITEM]},
            response=_list(STORED_ITEM),
        ),
    },
    "/v1/conversations/{conversation_id}/items/{item_id}": {
        "get": Operation(id="getV1Item", summary="Get an item.", response=STORED_ITEM),
        "delete": Operation(
            id="deleteV1Item", summary="Erase the text of an item.", response=CONVERSATION
        ),
    },
}
PATHS = {**MODELS, **CHAT_COMPLETIONS, **RESPONSES, **CONVERSATIONS}


def add_paths(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """Add the paths; one of drf-spectacular's POSTPROCESSING_HOOKS."""
    return describe(result, "OpenAI", PATHS)
