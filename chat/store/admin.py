"""Operations on a session that only staff may do."""

from chat.domain import Caller, Requeued
from chat.domain.errors import SessionBusy
from chat.settings import chat_settings
from chat.store.calls import execute
from chat.store.scripts import script_call


def requeue(caller: Caller, *, grace: float) -> Requeued:
    """Start the session's next turn as soon as possible.

    grace: seconds after which a sweep starts it, if the wake-up got lost.
    """
    counts_tokens = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    args = (caller.credential, round(grace * 1000), counts_tokens)
    reply = execute(script_call("requeue", caller.session_id, *args))
    return Requeued(reply[0].decode())


def expire(caller: Caller) -> None:
    """Expire the session now.

    Raises:
        SessionExpired: it has expired already.
    """
    execute(script_call("expire", caller.session_id, caller.credential))


def redact(caller: Caller, number: int, replacement: bytes) -> bool:
    """Replace a message's text by the inside of a JSON string, also in the log.

    Return whether this changed anything.

    Raises:
        SessionBusy: the reply has not ended.
        MessageNotFound
    """
    args = (caller.credential, number, replacement)
    try:
        reply = execute(script_call("redact", caller.session_id, *args))
    except SessionBusy as error:
        raise SessionBusy("The reply has not ended: cancel it first.") from error
    is_changed: bool = reply[0] == b"REDACTED"
    return is_changed
