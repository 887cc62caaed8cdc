"""Actions of staff on a session: label, permission, warning and effect."""

from collections.abc import Callable
from dataclasses import dataclass

from chat.conversation import staff, turns
from chat.domain import Caller, Requeued
from chat.webhooks import delivery


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action on one session."""

    # Shown to the user. Recorded in the admin's log if the action changed anything.
    message: str
    has_effect: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAction:
    """An action on a session, or on one of its messages."""

    name: str
    # The text on its button.
    label: str
    # `<permission>_session` of the app `chat`.
    permission: str
    # Shown on the confirmation page; without a warning there is no confirmation.
    warning: str = ""
    # The session's page to show afterwards; empty for the list of sessions.
    next_page: str = "change"
    # Takes the id of the session, and of the message or "".
    run: Callable[[str, str], ActionResult]


def _cancel(session_id: str, message_id: str) -> ActionResult:
    if not message_id:
        return _cancel_all(session_id)
    cancelled = turns.cancel(caller=Caller.internal(session_id), message_id=message_id)
    if not cancelled.has_effect:
        reason = "has ended" if cancelled.has_ended else "is already being cancelled"
        return ActionResult(f"Nothing to cancel: {message_id} {reason}.", has_effect=False)
    effect = "Cancelled" if cancelled.has_ended else "Requested cancellation of"
    return ActionResult(f"{effect} {message_id}.")


def _cancel_all(session_id: str) -> ActionResult:
    queued, running = staff.cancel_all(session_id)
    if not queued and not running:
        return ActionResult("Nothing to cancel.", has_effect=False)
    effects = [f"Cancelled {queued} queued turn{'' if queued == 1 else 's'}."] if queued else []
    effects += ["Requested cancellation of the running turn."] * running
    return ActionResult(" ".join(effects))


REQUEUE_RESULTS = {
    Requeued.REQUEUED: ActionResult("Requeued the next turn."),
    Requeued.CANCELLED: ActionResult("Cancelled the running turn, as requested earlier."),
    Requeued.IDLE: ActionResult(
        "Nothing to requeue: no turn is queued or running.", has_effect=False
    ),
}


def _requeue(session_id: str, _message_id: str) -> ActionResult:
    return REQUEUE_RESULTS[staff.requeue(session_id)]


def _expire(session_id: str, _message_id: str) -> ActionResult:
    if staff.expire(session_id):
        return ActionResult("Expired.")
    return ActionResult("Nothing to expire: the session has already expired.", has_effect=False)


def _redact(session_id: str, message_id: str) -> ActionResult:
    if staff.redact(session_id, message_id):
        return ActionResult(f"Redacted {message_id}.")
    return ActionResult(f"Nothing to redact: {message_id} is already redacted.", has_effect=False)


def _redeliver(session_id: str, message_id: str) -> ActionResult:
    if delivery.redeliver(session_id, message_id):
        return ActionResult(f"Scheduled another delivery of {message_id}.")
    return ActionResult(
        f"Nothing to do: {message_id} is already being delivered.", has_effect=False
    )


SESSION_ACTIONS = {
    action.name: action
    for action in (
        SessionAction(name="cancel", label="Cancel open turns", permission="change", run=_cancel),
        SessionAction(
            name="requeue",
            label="Requeue",
            permission="change",
            warning="The running reply starts again from the beginning; its text is discarded.",
            run=_requeue,
        ),
        SessionAction(
            name="redeliver",
            label="Deliver again",
            permission="change",
            next_page="webhook",
            run=_redeliver,
        ),
        SessionAction(
            name="expire",
            label="Expire",
            permission="delete",
            next_page="",
            warning="Open turns are cancelled, and the session is removed within seconds.",
            run=_expire,
        ),
        SessionAction(
            name="redact",
            label="Redact",
            permission="redact",
            warning="The text is removed permanently, from the history and from the event log.",
            run=_redact,
        ),
    )
}
