"""What tests of the admin need to have happened."""

from django.contrib.admin.utils import quote

from chat.domain import Caller
from chat.services import sessions, turns

LIST = "/admin/chat/session/"


def opened(name: str = "", **fields: str) -> str:
    """Open a session; return its id."""
    _, snapshot = sessions.open_session(name=name, **fields)  # type: ignore[arg-type]
    return snapshot.id


def asked(session_id: str, content: str) -> None:
    """Post a message."""
    turns.submit(caller=Caller(session_id=session_id), content=content)


def page(session_id: str, place: str = "change") -> str:
    """Return the path of a session's page."""
    return f"{LIST}{quote(session_id)}/{place}/"
