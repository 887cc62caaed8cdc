"""Descriptions and examples of the operations for the AI SDK."""

from http import HTTPStatus

from chat.api.documentation import JSON, Documented, Example, event
from chat.ui_api.chat_request import SUBMIT

TAG = "AI SDK"
TAGS = {TAG: "For `useChat` of the AI SDK, which shows the reply and resumes it after a reload."}
CHAT_ID = "my-chat"
# Path parameters.
IDS = {"chat_id": CHAT_ID}
QUESTION = {"type": "text", "text": "What did I say before?"}
TEXT = "This is the first message that I received."
USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 8,
    "total_tokens": 17,
    "cached_tokens": 0,
    "reasoning_tokens": 0,
    "source": "provider",
}
METADATA: JSON = {
    "status": "completed",
    "model": "default",
    "created_at": 1796040000.25,
    "completed_at": 1796040000.912,
    "attempt": 1,
    "finish_reason": "stop",
    "usage": USAGE,
    "error": None,
}
MESSAGES = [
    {
        "id": "msg_1",
        "role": "user",
        "parts": [QUESTION],
        "metadata": METADATA
        | {
            "model": None,
            "completed_at": 1796040000.25,
            "attempt": 0,
            "finish_reason": None,
            "usage": None,
        },
    },
    {
        "id": "msg_2",
        "role": "assistant",
        "parts": [{"type": "text", "text": TEXT}],
        "metadata": METADATA,
    },
]


def stream(message_id: str, deltas: tuple[str, ...], metadata: JSON) -> str:
    """Return the UI message stream of a reply."""
    return "".join(
        [
            event({"type": "start", "messageId": message_id}),
            event({"type": "start-step"}),
            event({"type": "text-start", "id": "text-1"}),
            *(event({"type": "text-delta", "id": "text-1", "delta": each}) for each in deltas),
            event({"type": "text-end", "id": "text-1"}),
            event({"type": "finish-step"}),
            event({"type": "finish", "finishReason": "stop", "messageMetadata": metadata}),
            event("[DONE]"),
        ]
    )


OPERATIONS = {
    "postUIChat": Documented(
        tag=TAG,
        description=(
            "Only the last message is read; earlier ones are those of the server. Its `id` is the"
            " idempotency key: a repeated request gets the stream of the same reply. After a"
            " disconnect the reply goes on."
        ),
        examples=(
            Example(
                body={
                    "id": CHAT_ID,
                    "messages": [{"id": "1b9d6bcd", "role": "user", "parts": [QUESTION]}],
                    "trigger": SUBMIT,
                },
                response=stream(
                    "msg_2", ("This is the first", " message that I received."), METADATA
                ),
            ),
        ),
    ),
    "getUIChatStream": Documented(
        tag=TAG,
        description="204 if the last turn has ended, or if the chat has no message.",
        examples=(
            Example(
                response=stream(
                    "msg_4",
                    ("No message", " mentions your name."),
                    METADATA
                    | {
                        "usage": USAGE
                        | {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}
                    },
                )
            ),
            Example(status=HTTPStatus.NO_CONTENT),
        ),
    ),
    "postUIChatStop": Documented(
        tag=TAG,
        description="The texts so far are kept. The response has the ids of the replies.",
        examples=(Example(response={"stopped": ["msg_6"]}),),
    ),
    "getUIChatMessages": Documented(
        tag=TAG,
        description=(
            "The oldest message is first. Edited messages, replies that were regenerated, and a"
            " reply in progress are left out; `GET /ui/chat/{chat_id}/stream` resumes that."
        ),
        examples=(Example(query={"limit": 50}, response=MESSAGES),),
    ),
}
