"""Descriptions and examples of the operations of the OpenAI-compatible API."""

from chat.api.documentation import Documented, Example
from chat.openai_api.example_objects import (
    BACKGROUND_RESPONSE,
    CHUNKS,
    COMPLETION,
    CONVERSATION,
    MODEL,
    QUESTION,
    RESPONSE,
    SESSION,
    items,
    response_events,
    user_item,
)

TAG = "OpenAI"
TAGS = {TAG: "For clients that speak OpenAI's API. Sessions, limits and models are the same."}
# Path parameters.
IDS = {
    "model": "default",
    "response_id": f"resp_{SESSION}_2",
    "conversation_id": f"conv_{SESSION}",
    "item_id": f"msg_{SESSION}_3",
}
PROMPT = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
NAME = "My name is Ada."
TEA = "I like tea."
ITEM = {"type": "message", "role": "user"}


def _documented(description: str, *examples: Example) -> Documented:
    return Documented(tag=TAG, description=description, examples=examples)


MODELS = {
    "listV1Models": _documented(
        "The models that the sender may use. `GET /models` says more about each.",
        Example(response={"object": "list", "data": [MODEL]}),
    ),
    "getV1Model": _documented(
        "404 if there is no such model, or the sender may not use it.", Example(response=MODEL)
    ),
}
CHAT_COMPLETIONS = {
    "createV1ChatCompletion": _documented(
        "The client sends the whole history with each request. If it disconnects, the reply is"
        " cancelled 5 seconds later, unless it repeats the request. Staff see the completion for 10"
        " minutes.",
        Example(name="plain", body=PROMPT, response=COMPLETION),
        Example(name="stream", body=PROMPT | {"stream": True}, response=CHUNKS),
    ),
}
RESPONSES = {
    "createV1Response": _documented(
        "The server keeps the history: continue with `previous_response_id` or `conversation`."
        " After a disconnect the response goes on. Without `stream` and `background`, the call"
        " waits for the end of the reply.",
        Example(name="plain", body={"input": QUESTION}, response=RESPONSE),
        Example(
            name="stream",
            body={"input": QUESTION, "stream": True},
            response="".join(response_events()),
        ),
        Example(
            name="background",
            body={"input": QUESTION, "background": True},
            response=BACKGROUND_RESPONSE,
        ),
    ),
    "getV1Response": _documented(
        "Poll a response in the background until its `status` is neither `queued` nor"
        " `in_progress`; or read its stream, with `starting_after` from any event on.",
        Example(name="plain", query={"stream": False}, response=RESPONSE),
        Example(
            name="stream",
            query={"stream": True, "starting_after": 1},
            response="".join(response_events()[2:]),
        ),
    ),
    "deleteV1Response": _documented(
        "Erases the texts of its input and output; those of a conversation stay in it.",
        Example(response={"id": f"resp_{SESSION}_2", "object": "response", "deleted": True}),
    ),
    "cancelV1Response": _documented(
        "Returns the response once it has ended. It keeps its text. Repeating it does no harm.",
        Example(response=BACKGROUND_RESPONSE | {"status": "cancelled"}),
    ),
    "listV1InputItems": _documented(
        "The newest item is first, unless `order` is `asc`. For the next page, send `last_id` as"
        " `after`.",
        Example(response=items(user_item(1, QUESTION))),
    ),
}
CONVERSATIONS = {
    "createV1Conversation": _documented(
        "A conversation is a session: `conv_X` is session `ses_X`. `items` are its history.",
        Example(
            body={"items": [ITEM | {"content": NAME}], "metadata": {"page": "/cart"}},
            response=CONVERSATION,
        ),
    ),
    "getV1Conversation": _documented(
        "404 if it has expired: an hour after its last use, by default.",
        Example(response=CONVERSATION),
    ),
    "updateV1Conversation": _documented(
        "The new metadata replaces all of the old.",
        Example(
            body={"metadata": {"page": "/checkout"}},
            response=CONVERSATION | {"metadata": {"page": "/checkout"}},
        ),
    ),
    "deleteV1Conversation": _documented(
        "Deletes the session with all its messages. Replies in progress are cancelled.",
        Example(
            response={"id": f"conv_{SESSION}", "object": "conversation.deleted", "deleted": True}
        ),
    ),
    "listV1Items": _documented(
        "The newest item is first, unless `order` is `asc`. For the next page, send `last_id` as"
        " `after`.",
        Example(query={"limit": 10}, response=items(user_item(3, TEA), user_item(1, NAME))),
    ),
    "createV1Items": _documented(
        "409 `session_busy` while a response is in progress. A repeated request adds nothing.",
        Example(body={"items": [ITEM | {"content": TEA}]}, response=items(user_item(3, TEA))),
    ),
    "getV1Item": _documented(
        "Ids of items are those of messages: `msg_X_3` is message `msg_3` of session `ses_X`.",
        Example(response=user_item(3, TEA)),
    ),
    "deleteV1Item": _documented(
        "Returns the conversation. The reasoning of a reply is erased with its text.",
        Example(response=CONVERSATION | {"metadata": {"page": "/checkout"}}),
    ),
}
OPERATIONS = {**MODELS, **CHAT_COMPLETIONS, **RESPONSES, **CONVERSATIONS}
