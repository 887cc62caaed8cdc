"""What a Parley would tell, as JSON."""

import json
from typing import Any

TOKEN = "ses_1.secret"


def session(**members: Any) -> dict[str, Any]:
    """Return a session without messages."""
    standing: dict[str, Any] = {
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
    return standing | members


def reply(status: str = "queued", content: str = "", *, seq: int = 1, **members: Any) -> Any:
    """Return a reply."""
    standing: dict[str, Any] = {
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
    return standing | members


def event(seq: int, kind: str, **members: Any) -> str:
    """Return an event of the reply, as a stream bears it."""
    told = {"type": kind, "seq": seq, "message_id": "msg_2", **members}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(told)}\n\n"


def plain(**members: Any) -> str:
    """Return an event of the session that has no number of its own, or a snapshot."""
    return f"event: {members['type']}\ndata: {json.dumps(members)}\n\n"


def delta(seq: int, text: str) -> str:
    """Return a piece of the reply."""
    return event(seq, "message.delta", delta=text)


def ended(seq: int, content: str, status: str = "completed", **members: Any) -> str:
    """Return the reply's end."""
    return event(seq, f"message.{status}", message=reply(status, content, seq=seq, **members))
