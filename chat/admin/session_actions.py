"""What staff do to a session: by whom, with what warning, and what the admin's log says of it."""

from collections.abc import Callable
from dataclasses import dataclass

from chat.conversation import staff, turns
from chat.domain import Caller, Requeued
from chat.webhooks import delivery


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an act has come to."""

    # To who asked for it and, if anything was changed, to the admin's log.
    told: str
    # Whether anything was changed.
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAction:
    """One act on one session, or on one message of it."""

    name: str
    # On its button.
    label: str
    # `<permission>_session` of the app `chat`.
    permission: str
    # What is lost by it; asked before it is done.
    warning: str = ""
    # The session's page that is shown when it is done; the list when it has none any more.
    place: str = "change"
    # Takes the session's id and the message's.
    run: Callable[[str, str], ActionResult]


def _cancel(session_id: str, message_id: str) -> ActionResult:
    if not message_id:
        return _cancel_all(session_id)
    cancelled = turns.cancel(caller=Caller(session_id=session_id), message_id=message_id)
    if not cancelled.is_change:
        why = "it has ended" if cancelled.is_final else "that was asked for before"
        return ActionResult(f"Nothing to cancel: {message_id}, {why}.", is_new=False)
    return ActionResult(f"{'Cancelled' if cancelled.is_final else 'Asked to cancel'} {message_id}.")


def _cancel_all(session_id: str) -> ActionResult:
    waited, running = staff.cancel_all(session_id)
    if not waited and not running:
        return ActionResult("Nothing to cancel.", is_new=False)
    told = [f"Cancelled {waited} waiting turn{'' if waited == 1 else 's'}."] if waited else []
    return ActionResult(" ".join(told + ["Asked to cancel the running turn."] * running))


REQUEUED = {
    Requeued.REQUEUED: ActionResult("Requeued the next turn."),
    Requeued.CANCELLED: ActionResult("Cancelled the running turn, as was asked for before."),
    Requeued.IDLE: ActionResult("Nothing to requeue: no turn waits or runs.", is_new=False),
}


def _requeue(session_id: str, _message_id: str) -> ActionResult:
    return REQUEUED[staff.requeue(session_id)]


def _expire(session_id: str, _message_id: str) -> ActionResult:
    if staff.expire(session_id):
        return ActionResult("Expired.")
    return ActionResult("Nothing to expire: it is over.", is_new=False)


def _redact(session_id: str, message_id: str) -> ActionResult:
    if staff.redact(session_id, message_id):
        return ActionResult(f"Redacted {message_id}.")
    return ActionResult(f"Nothing to redact: {message_id} is redacted.", is_new=False)


def _redeliver(session_id: str, message_id: str) -> ActionResult:
    if delivery.redeliver(session_id, message_id):
        return ActionResult(f"Asked for {message_id} to be delivered again.")
    return ActionResult(f"Nothing to do: {message_id} is being delivered.", is_new=False)


SESSION_ACTIONS = {
    act.name: act
    for act in (
        SessionAction(name="cancel", label="Cancel what is open", permission="change", run=_cancel),
        SessionAction(
            name="requeue",
            label="Requeue",
            permission="change",
            warning="A running reply is taken from its worker and begun anew: its text is dropped.",
            run=_requeue,
        ),
        SessionAction(
            name="redeliver",
            label="Deliver again",
            permission="change",
            place="webhook",
            run=_redeliver,
        ),
        SessionAction(
            name="expire",
            label="Expire",
            permission="delete",
            place="",
            warning="What is open is cancelled, and the session is removed within seconds.",
            run=_expire,
        ),
        SessionAction(
            name="redact",
            label="Redact",
            permission="redact",
            warning="The text is taken away for good, from the history and from the event log.",
            run=_redact,
        ),
    )
}
