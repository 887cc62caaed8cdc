"""JSON payloads and event-stream frames as Parley sends them."""

import json
from typing import Any

TOKEN = "ses_1.secret"


def session(**members: Any) -> dict[str, Any]:
    """Return a session without messages."""
    defaults: dict[str, Any] = {
        "id": "ses_1",
        "token": TOKEN,
        "name": "",
        "status": "busy",
        "model": "default",
        "system_prompt": None,
        "metadata": {},
        "expires_at": 1.0,
        "seq": 1,
        "messages": [],
        "next_poll": 0.01,
    }
    return defaults | members


def reply(status: str = "queued", content: str = "", *, seq: int = 1, **members: Any) -> Any:
    """Return a reply, `msg_2`."""
    defaults: dict[str, Any] = {
        "id": "msg_2",
        "role": "assistant",
        "content": content,
        "status": status,
        "seq": seq,
        "created_at": 1.0,
        "started_at": None,
        "completed_at": None,
        "reply_to": "msg_1",
        "attempt": 1,
        "model": None,
        "finish_reason": None,
        "usage": None,
        "error": None,
        "wait": None,
        "feedback": None,
    }
    return defaults | members


def event(seq: int, kind: str, **members: Any) -> str:
    """Return an event of the reply as a frame of an event stream."""
    payload = {"type": kind, "seq": seq, "message_id": "msg_2", **members}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(payload)}\n\n"


def frame(**members: Any) -> str:
    """Return a frame without an id, such as a snapshot or a gap."""
    return f"event: {members['type']}\ndata: {json.dumps(members)}\n\n"


def delta(seq: int, text: str) -> str:
    """Return a delta event of the reply."""
    return event(seq, "message.delta", delta=text)


def final(seq: int, content: str, status: str = "completed", **members: Any) -> str:
    """Return the final event of the reply."""
    return event(seq, f"message.{status}", message=reply(status, content, seq=seq, **members))
