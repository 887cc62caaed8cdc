"""The JSON objects and events of which the examples of the API consist."""

from typing import Any

from chat.api.documentation import JSON, event

SESSION_ID = "ses_5f0c8e2b7d1a4936c0e85b7f"
FILE_ID = "file_169207a2417a4e5e7efb3450"
USER = "ada@example.org"


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
STARTED = QUEUED | {
    "seq": 2,
    "status": "in_progress",
    "started_at": 1796040000.262,
    "attempt": 1,
    "model": "default",
    "wait": None,
}
REPLY = STARTED | {
    "seq": 5,
    "status": "completed",
    "content": "This is the first message that I received.",
    "completed_at": 1796040000.912,
    "finish_reason": "stop",
    "usage": {
        "prompt_tokens": 15,
        "completion_tokens": 8,
        "total_tokens": 23,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "source": "provider",
    },
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


def log_event(seq: int, kind: str, created_at: float, **members: Any) -> str:
    """Return an event of the example's first turn."""
    place = {"session_id": SESSION_ID, "created_at": created_at, "message_id": "msg_2"}
    return event({"type": kind, "seq": seq, **place, **members}, id=seq, event=kind)


EVENTS = "".join(
    [
        "retry: 2500\n\n",
        log_event(1, "message.queued", 1796040000.25, message=QUESTION, reply=QUEUED),
        log_event(2, "message.started", 1796040000.262, message=STARTED),
        log_event(3, "message.delta", 1796040000.508, delta="This is the first"),
        log_event(4, "message.delta", 1796040000.758, delta=" message that I received."),
        log_event(5, "message.completed", 1796040000.912, message=REPLY),
    ]
)
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
