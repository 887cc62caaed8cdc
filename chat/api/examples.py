"""Descriptions and examples of the operations in /docs, in the order of that page.

A test sends each example and compares the response.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]

SESSION_ID = "ses_5f0c8e2b7d1a4936c0e85b7f"
TAGS = {
    "Chat": "Open a session, post a message, then poll, long-poll or stream the reply.",
    "Messages": "Read, rate, cancel and regenerate.",
    "Files": "Store images and files; messages refer to them in `parts`.",
    "Sessions": "Change, reset, delete and list sessions; renew their tokens.",
    "Users": "For backends with an API key, and users with a JWT.",
    "Tutorial": "For the React client of a well-known tutorial; `CHAT_TUTORIAL=False` disables it.",
    "Service": "Models and health checks. They need no token.",
}
# Path parameters.
IDS = {
    "session_id": SESSION_ID,
    "message_id": "msg_2",
    "file_id": "file_169207a2417a4e5e7efb3450",
    "user": "ada@example.org",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the page shows of one operation, besides its fields."""

    # A key of TAGS.
    tag: str
    description: str
    # The request body, if it has one: a JSON object, or the text of a file.
    body: JSON | str | None = None
    # Status -> response body.
    responses: Mapping[int, Any] = field(default_factory=dict)


def message(number: int, **fields: Any) -> JSON:
    """Return message `number` of the example, with the members that every message has."""
    role = "user" if number % 2 else "assistant"
    return {
        "seq": 1,
        "status": "completed",
        "content": "",
        "id": f"msg_{number}",
        "role": role,
        "created_at": 1796040000.25,
        "started_at": None,
        "completed_at": None,
        "reply_to": None,
        "attempt": 0,
        "model": None,
        "finish_reason": None,
        "usage": None,
        "error": None,
        "wait": None,
        "feedback": None,
    } | fields


QUESTION = message(1, content="What did I say before?", completed_at=1796040000.25)
QUEUED = message(
    2,
    status="queued",
    reply_to="msg_1",
    wait={"position": 0, "reason": "queue", "retry_at": None, "ahead": 0},
)
REPLY = QUEUED | {
    "seq": 4,
    "status": "completed",
    "content": "This is the first message that I received.",
    "started_at": 1796040000.262,
    "completed_at": 1796040000.912,
    "attempt": 1,
    "model": "default",
    "finish_reason": "stop",
    "usage": {
        "prompt_tokens": 15,
        "completion_tokens": 8,
        "total_tokens": 23,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "source": "provider",
    },
    "wait": None,
}
SESSION: JSON = {
    "id": SESSION_ID,
    "name": "Ada",
    "status": "idle",
    "model": "default",
    "system_prompt": "Be brief.",
    "context": {"messages": 20, "tokens": 0},
    "metadata": {"page": "/cart"},
    "webhook_url": None,
    "created_at": 1796040000.125,
    "last_active_at": 1796040000.25,
    "expires_at": 1796043600.25,
    "seq": 0,
    "messages": [],
    "has_more": False,
    "next_poll": 5.0,
}
CHANGED = SESSION | {"name": "Ada's order", "context": {"messages": 10, "tokens": 0}}
TOKEN = f"{SESSION_ID}.9QmZk3WcT7rXv1sLb0pJyHf8NdGa2EuK"
ACCEPTED = {"message": QUESTION, "reply": QUEUED, "queue_position": 0}
SECOND = message(3, content="Tell me a long story.", completed_at=1796040007.5)
WAITING = QUEUED | {
    "id": "msg_4",
    "reply_to": "msg_3",
    "wait": {"position": 1, "reason": "queue", "retry_at": None, "ahead": 0},
}
EVENT = f"""\
id: 1
event: message.queued
data: {{"type":"message.queued","session_id":"{SESSION_ID}","seq":1,...}}

"""
CHAT = {
    "token": TOKEN,
    "name": "Ada",
    "messages": [],
    "session_start": "2026-11-30 09:05:00.125000",
}
OK = {"status": "ok"}
ERROR = {
    "error": {
        "code": "session_not_found",
        "type": "invalid_request_error",
        "message": "Session not found.",
        "param": None,
        "request_id": "req_5830223dbed8030a",
        "retry_after": None,
    },
    "detail": "Session not found.",
}

OPERATIONS: dict[str, Operation] = {
    "postSessions": Operation(
        tag="Chat",
        description="All fields are optional. The response has the session's token, which cannot be"
        " retrieved later: send it as `Authorization: Bearer <token>` with all other calls.",
        body={"name": "Ada", "system_prompt": "Be brief.", "metadata": {"page": "/cart"}},
        responses={201: {"token": TOKEN} | SESSION},
    ),
    "postMessages": Operation(
        tag="Chat",
        description="The message is stored when the response arrives; a worker writes the reply"
        " afterwards. Read it with `GET /sessions/{session_id}`, or subscribe to its events."
        " Send an `Idempotency-Key`, so that you can repeat the request after a lost connection.",
        body={"content": "What did I say before?"},
        responses={202: ACCEPTED},
    ),
    "getSession": Operation(
        tag="Chat",
        description="Poll this while a reply is in progress: its `content` is the text so far."
        " With `after` (the last `seq` that you know) you get only the messages that have changed,"
        " and with `wait` the response arrives with the next change.",
        responses={200: SESSION | {"seq": 4, "messages": [QUESTION, REPLY]}},
    ),
    "getEvents": Operation(
        tag="Chat",
        description="One event for each change, in order and without gaps. After a disconnect,"
        " continue with `after`, or with the header `Last-Event-ID`.",
        responses={200: EVENT},
    ),
    "postPostMessage": Operation(
        tag="Chat",
        description="The same as `POST /sessions/{session_id}/messages`, for clients that have only"
        " the session's token. With an API key or a JWT, `session` is required.",
        body={"content": "Tell me a long story.", "on_busy": "enqueue"},
        responses={202: {"message": SECOND, "reply": WAITING, "queue_position": 1}},
    ),
    "getMessage": Operation(
        tag="Messages",
        description="A message or reply, by its id.",
        responses={200: REPLY},
    ),
    "getMessages": Operation(
        tag="Messages",
        description="The whole conversation, oldest first unless `order` is `desc`. For the next"
        " page, send `last_id` as `after` (or, with `desc`, as `before`).",
        responses={
            200: {
                "data": [QUESTION, REPLY],
                "first_id": "msg_1",
                "last_id": "msg_2",
                "has_more": False,
            }
        },
    ),
    "postCancel": Operation(
        tag="Messages",
        description="200 if the reply has ended, 202 if its worker has yet to stop. Repeating it"
        " does no harm.",
        responses={
            200: WAITING
            | {
                "status": "cancelled",
                "finish_reason": "cancelled",
                "completed_at": 1796040008.125,
                "wait": None,
            }
        },
    ),
    "postRegenerate": Operation(
        tag="Messages",
        description="Only for the last turn of the session. Both replies have the same `reply_to`.",
        body={"options": {"temperature": 1}},
        responses={202: ACCEPTED | {"reply": QUEUED | {"id": "msg_4"}}},
    ),
    "postFeedback": Operation(
        tag="Messages",
        description="Staff see it in the admin, and exports can select replies by it.",
        body={"rating": "up", "comment": "Just right."},
        responses={200: REPLY | {"feedback": {"rating": "up", "comment": "Just right."}}},
    ),
    "deleteFeedback": Operation(
        tag="Messages",
        description="A reply without a rating is unchanged.",
        responses={200: REPLY},
    ),
    "postFiles": Operation(
        tag="Files",
        description="The body is the file itself: a PNG, JPEG, GIF or WebP image, a PDF or plain"
        " text. Send its `id` in the `parts` of a message, if the model accepts such `inputs`. To"
        " store the same file again does no harm.",
        body="One apple, two pears.",
        responses={
            201: {
                "id": IDS["file_id"],
                "media_type": "text/plain",
                "bytes": 21,
                "sha256": "c705e36e663ec2887ad53dfea788b6c98dbce334912b2bc3d3c15c085fe06aa6",
                "filename": "file.txt",
            }
        },
    ),
    "getFile": Operation(
        tag="Files",
        description="The response is the file itself, as an attachment.",
    ),
    "patchSession": Operation(
        tag="Sessions",
        description="Fields that are missing do not change. Replies in progress keep the old"
        " values.",
        body={"name": "Ada's order", "context": {"messages": 10}},
        responses={200: CHANGED | {"messages": [QUESTION, REPLY]}},
    ),
    "postReset": Operation(
        tag="Sessions",
        description='For a button like "New chat" that keeps the session\'s settings.',
        responses={200: CHANGED},
    ),
    "postToken": Operation(
        tag="Sessions",
        description="Use it if the token may have leaked.",
        responses={200: {"id": SESSION_ID, "token": TOKEN, "expires_at": 1796043600.25}},
    ),
    "postTicket": Operation(
        tag="Sessions",
        description="Browsers cannot send a header with a WebSocket or an EventSource. A ticket can"
        " be used once, so a log of URLs gives no access.",
        responses={201: {"ticket": "tkt_Zk3WcT7rXv1sLb0pJyHf8NdG", "expires_in": 30.0}},
    ),
    "deleteSession": Operation(
        tag="Sessions",
        description="Replies in progress are cancelled, and streams of the session end.",
        responses={204: None},
    ),
    "getSessions": Operation(
        tag="Users",
        description="Requires an API key with `Parley-User`, or a JWT. For the next page, send"
        " `next_before` as `before`.",
        responses={
            200: {
                "data": [
                    {
                        "id": SESSION_ID,
                        "name": "Ada",
                        "status": "idle",
                        "model": "default",
                        "last_active_at": 1796040000.25,
                    }
                ],
                "next_before": None,
            }
        },
    ),
    "deleteUser": Operation(
        tag="Users",
        description="Deletes all sessions of the user. Requires an API key with the scope `users`,"
        " or the user's own JWT.",
        responses={200: {"deleted_sessions": 1}},
    ),
    "postTutorialToken": Operation(
        tag="Tutorial",
        description="The token is an ordinary session token.",
        responses={200: CHAT},
    ),
    "getTutorialRefresh": Operation(
        tag="Tutorial",
        description="The messages are those of replies that have ended, and of users.",
        responses={200: CHAT},
    ),
    "getModels": Operation(
        tag="Service",
        description="A session uses the default model, unless its `model` names another.",
        responses={
            200: {
                "data": [
                    {
                        "name": "default",
                        "is_default": True,
                        "context_tokens": 32768,
                        "max_tokens": 4096,
                        "streams": True,
                        "inputs": ["text", "image"],
                    }
                ]
            }
        },
    ),
    "getLive": Operation(tag="Service", description="For a liveness probe.", responses={200: OK}),
    "getReady": Operation(tag="Service", description="For a load balancer.", responses={200: OK}),
}
