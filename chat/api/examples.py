"""Descriptions and examples of the REST API's operations, in the order of /docs."""

from chat.api.documentation import Documented, Example
from chat.api.example_objects import (
    ACCEPTED,
    CHANGED,
    EVENTS,
    FILE_ID,
    OK,
    QUESTION,
    QUEUED,
    REPLY,
    SECOND,
    SESSION,
    SESSION_ID,
    STARTED,
    TOKEN,
    USER,
    WAITING,
)

TAGS = {
    "Chat": "Open a session, post a message, then poll, long-poll or stream the reply.",
    "Messages": "Read, rate, cancel and regenerate.",
    "Files": "Store images and files; messages refer to them in `parts`.",
    "Sessions": "Change, reset, delete and list sessions; renew their tokens.",
    "Users": "For backends with an API key, and users with a JWT.",
    "Service": "Models and health checks. They need no token.",
}
# Path parameters.
IDS = {
    "session_id": SESSION_ID,
    "message_id": "msg_2",
    "file_id": FILE_ID,
    "user": USER,
}
OPERATIONS = {
    "postSessions": Documented(
        tag="Chat",
        description=(
            "All fields are optional. The response has the session's token, which cannot be"
            " retrieved later: send it as `Authorization: Bearer <token>` with all other calls."
        ),
        examples=(
            Example(
                body={"name": "Ada", "system_prompt": "Be brief.", "metadata": {"page": "/cart"}},
                status=201,
                response={"token": TOKEN} | SESSION,
            ),
        ),
    ),
    "postMessages": Documented(
        tag="Chat",
        description=(
            "The message is stored when the response arrives; a worker writes the reply afterwards."
            " Read it with `GET /sessions/{session_id}`, or subscribe to its events. Send an"
            " `Idempotency-Key`, so that you can repeat the request after a lost connection."
        ),
        examples=(
            Example(body={"content": "What did I say before?"}, status=202, response=ACCEPTED),
        ),
    ),
    "getSession": Documented(
        tag="Chat",
        description=(
            "Poll this while a reply is in progress: its `content` is the text so far. With `after`"
            " (the last `seq` that you know) you get only the messages that have changed, and with"
            " `wait` the response arrives with the next change."
        ),
        examples=(Example(response=SESSION | {"seq": 5, "messages": [QUESTION, REPLY]}),),
    ),
    "getEvents": Documented(
        tag="Chat",
        description=(
            "One event for each change, in order and without gaps. After a disconnect, continue"
            " with `after`, or with the header `Last-Event-ID`."
        ),
        examples=(Example(response=EVENTS),),
    ),
    "postPostMessage": Documented(
        tag="Chat",
        description=(
            "The same as `POST /sessions/{session_id}/messages`, for clients that have only the"
            " session's token. With an API key or a JWT, `session` is required."
        ),
        examples=(
            Example(
                body={"content": "Tell me a long story.", "on_busy": "enqueue"},
                status=202,
                response={"message": SECOND, "reply": WAITING, "queue_position": 1},
            ),
        ),
    ),
    "getMessage": Documented(
        tag="Messages",
        description="A message or reply, by its id.",
        examples=(Example(response=REPLY),),
    ),
    "getMessages": Documented(
        tag="Messages",
        description=(
            "The whole conversation, oldest first unless `order` is `desc`. For the next page, send"
            " `last_id` as `after` (or, with `desc`, as `before`)."
        ),
        examples=(
            Example(
                response={
                    "data": [QUESTION, REPLY],
                    "first_id": "msg_1",
                    "last_id": "msg_2",
                    "has_more": False,
                }
            ),
        ),
    ),
    "postCancel": Documented(
        tag="Messages",
        description=(
            "200 if the reply has ended, 202 if its worker has yet to stop. Repeating it does no"
            " harm."
        ),
        examples=(
            Example(
                response=WAITING
                | {
                    "status": "cancelled",
                    "finish_reason": "cancelled",
                    "completed_at": 1796040008.125,
                    "wait": None,
                }
            ),
            Example(status=202, response=STARTED),
        ),
    ),
    "postRegenerate": Documented(
        tag="Messages",
        description="Only for the last turn of the session. Both replies have the same `reply_to`.",
        examples=(
            Example(
                body={"options": {"temperature": 1}},
                status=202,
                response=ACCEPTED | {"reply": QUEUED | {"id": "msg_4"}},
            ),
        ),
    ),
    "postFeedback": Documented(
        tag="Messages",
        description="Staff see it in the admin, and exports can select replies by it.",
        examples=(
            Example(
                body={"rating": "up", "comment": "Just right."},
                response=REPLY | {"feedback": {"rating": "up", "comment": "Just right."}},
            ),
        ),
    ),
    "deleteFeedback": Documented(
        tag="Messages",
        description="A reply without a rating is unchanged.",
        examples=(Example(response=REPLY),),
    ),
    "postFiles": Documented(
        tag="Files",
        description=(
            "The body is the file itself: a PNG, JPEG, GIF or WebP image, a PDF or plain text. Send"
            " its `id` in the `parts` of a message, if the model accepts such `inputs`. To store"
            " the same file again does no harm."
        ),
        examples=(
            Example(
                body="One apple, two pears.",
                status=201,
                response={
                    "id": FILE_ID,
                    "media_type": "text/plain",
                    "bytes": 21,
                    "sha256": "c705e36e663ec2887ad53dfea788b6c98dbce334912b2bc3d3c15c085fe06aa6",
                    "filename": "file.txt",
                },
            ),
        ),
    ),
    "getFile": Documented(
        tag="Files",
        description="The response is the file itself, as an attachment.",
        examples=(Example(),),
    ),
    "patchSession": Documented(
        tag="Sessions",
        description=(
            "Fields that are missing do not change. Replies in progress keep the old values."
        ),
        examples=(
            Example(
                body={"name": "Ada's order", "context": {"messages": 10}},
                response=CHANGED | {"messages": [QUESTION, REPLY]},
            ),
        ),
    ),
    "postReset": Documented(
        tag="Sessions",
        description='For a button like "New chat" that keeps the session\'s settings.',
        examples=(Example(response=CHANGED),),
    ),
    "postToken": Documented(
        tag="Sessions",
        description="Use it if the token may have leaked.",
        examples=(
            Example(response={"id": SESSION_ID, "token": TOKEN, "expires_at": 1796043600.25}),
        ),
    ),
    "postTicket": Documented(
        tag="Sessions",
        description=(
            "Browsers cannot send a header with a WebSocket or an EventSource. A ticket can be used"
            " once, so a log of URLs gives no access."
        ),
        examples=(
            Example(
                status=201, response={"ticket": "tkt_Zk3WcT7rXv1sLb0pJyHf8NdG", "expires_in": 30.0}
            ),
        ),
    ),
    "deleteSession": Documented(
        tag="Sessions",
        description="Replies in progress are cancelled, and streams of the session end.",
        examples=(Example(status=204),),
    ),
    "getSessions": Documented(
        tag="Users",
        description=(
            "Requires an API key with `Parley-User`, or a JWT. For the next page, send"
            " `next_before` as `before`."
        ),
        examples=(
            Example(
                response={
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
            ),
        ),
    ),
    "deleteUser": Documented(
        tag="Users",
        description=(
            "Deletes all sessions of the user. Requires an API key with the scope `users`, or the"
            " user's own JWT."
        ),
        examples=(Example(response={"deleted_sessions": 1}),),
    ),
    "getModels": Documented(
        tag="Service",
        description="A session uses the default model, unless its `model` names another.",
        examples=(
            Example(
                response={
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
            ),
        ),
    ),
    "getLive": Documented(
        tag="Service",
        description="For a liveness probe.",
        examples=(Example(response=OK),),
    ),
    "getReady": Documented(
        tag="Service",
        description="For a load balancer.",
        examples=(Example(response=OK),),
    ),
}
