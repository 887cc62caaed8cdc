"""What staff do to a session: by whom, with what warning, and what the admin's log says of it."""

from collections.abc import Callable
from dataclasses import dataclass

from chat.domain import Caller
from chat.services import staff, turns, webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on one session, or on one message of it."""

    name: str
    label: str
    """On its button."""
    permission: str
    """`<permission>_session` of the app `chat`."""
    warning: str = ""
    """What is lost by it; asked before it is done."""
    place: str = "change"
    """The session's page that is shown when it is done."""
    run: Callable[[str, str], str]
    """Takes the session's id and the message's; says what was done, or nothing if nothing was."""


def _cancel(session_id: str, message_id: str) -> str:
    if not message_id:
        count = staff.cancel_open(session_id)
        return f"Cancelled {count} turn{'' if count == 1 else 's'}." if count else ""
    turns.cancel(caller=Caller(session_id=session_id), message_id=message_id)
    return f"Cancelled {message_id}."


def _requeue(session_id: str, _message_id: str) -> str:
    return "Requeued the next turn." if staff.requeue(session_id) else ""


def _expire(session_id: str, _message_id: str) -> str:
    staff.expire(session_id)
    return "Expired."


def _redact(session_id: str, message_id: str) -> str:
    staff.redact(session_id, message_id)
    return f"Redacted {message_id}."


def _redeliver(session_id: str, message_id: str) -> str:
    webhooks.redeliver(session_id, message_id)
    return f"Had the webhook told of {message_id} again."


ACTS = {
    act.name: act
    for act in (
        Act(name="cancel", label="Cancel what is open", permission="change", run=_cancel),
        Act(
            name="requeue",
            label="Requeue",
            permission="change",
            warning="A running reply is taken from its worker and begun anew: its text is dropped.",
            run=_requeue,
        ),
        Act(
            name="redeliver",
            label="Deliver again",
            permission="change",
            place="webhook",
            run=_redeliver,
        ),
        Act(
            name="expire",
            label="Expire",
            permission="delete",
            warning="What is open is cancelled, and the session is removed within seconds.",
            run=_expire,
        ),
        Act(
            name="redact",
            label="Redact",
            permission="redact",
            warning="The text is taken away for good, from the history and from the event log.",
            run=_redact,
        ),
    )
}
