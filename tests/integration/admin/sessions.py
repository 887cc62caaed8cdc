"""Sessions that the admin's tests look at, and their paths."""

from django.contrib.admin.utils import quote

from chat.conversation import sessions, turns
from chat.domain import Caller

LIST = "/admin/chat/session/"


def open_session(name: str = "", **fields: str) -> str:
    """Open a session; return its id."""
    _, snapshot = sessions.open_session(name=name, **fields)  # type: ignore[arg-type]
    return snapshot.id


def post_message(session_id: str, content: str = "a question") -> None:
    turns.submit(caller=Caller.internal(session_id), content=content)


def session_path(session_id: str, page: str = "change") -> str:
    """Return the path of a session's page."""
    return f"{LIST}{quote(session_id)}/{page}/"
