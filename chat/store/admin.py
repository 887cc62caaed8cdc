"""Acts on a session that only staff ask for."""

from chat.domain import Caller, Requeued
from chat.domain.errors import SessionBusy
from chat.settings import chat_settings
from chat.store.scripts import execute


def requeue(caller: Caller, *, grace: float) -> Requeued:
    """Have the session's next turn begun at once; tell what has become of it.

    grace: seconds until a sweep looks whether a wake-up was heard.
    """
    counts = int(bool(chat_settings.SESSION_TOKENS_PER_HOUR))
    words = execute("requeue", caller.session_id, caller.token_hash, round(grace * 1000), counts)
    return Requeued(words[0].decode())


def expire(caller: Caller) -> None:
    """End the session as if its time were up.

    Raises:
        SessionExpired: it is.
    """
    execute("expire", caller.session_id, caller.token_hash)


def redact(caller: Caller, number: int, note: bytes) -> bool:
    """Put the note, the inside of a JSON string, in the place of a message's text.

    False when it stands there already, and the log repeats nothing of the text.

    Raises:
        SessionBusy: the reply is not over.
        MessageNotFound
    """
    words = execute("redact", caller.session_id, caller.token_hash, number, note)
    if words[0] == b"OPEN":
        raise SessionBusy("The reply is not over: cancel it first.")
    is_new: bool = words[0] == b"REDACTED"
    return is_new
