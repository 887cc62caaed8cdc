"""Calls of the scripts over one session, and what their refusals mean."""

from typing import Any

from chat.domain.errors import (
    FeedbackNotAllowed,
    IdempotencyMismatch,
    MessageNotFound,
    ParleyError,
    SessionExpired,
    SessionNotFound,
    StoreUnavailable,
)
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, translated
from chat.store.scripts import Argument, Call, run, run_replicated, script

REFUSALS: dict[bytes, type[ParleyError]] = {
    b"GONE": SessionNotFound,
    b"EXPIRED": SessionExpired,
    b"TAKEN": IdempotencyMismatch,
    b"MISMATCH": IdempotencyMismatch,
    b"NOT_FOUND": MessageNotFound,
    b"NOT_RATEABLE": FeedbackNotAllowed,
}

ACCEPTED = {b"ACCEPTED", b"REPLAYED"}
"""What is said of a turn that is in the inbox."""


def call(name: str, session_id: str, *arguments: Argument) -> Call:
    """Return the call of a script over one session."""
    common = (session_id, chat_settings.EVENT_LOG_SIZE, _margin())
    return Call(script(name), keys.of(session_id), (*common, *arguments))


def postal(name: str, session_id: str, *arguments: Argument) -> Call:
    """Return the call of a script that ends deliveries or forgets them; it has two more KEYS."""
    plain = call(name, session_id, *arguments)
    tag = keys.partition(session_id)
    return Call(plain.script, (*plain.keys, *keys.ended(tag)), plain.arguments)


def _margin() -> int:
    """Seconds that keys outlive the session's expiry: at least so many that no turn outlives them.

    The scripts move the keys' TTL only when half of this has gone by.
    """
    margin: int = max(chat_settings.KEY_TTL_MARGIN, 4 * chat_settings.TURN_DEADLINE)
    return margin


def answer(name: str, session_id: str, *arguments: Argument) -> list[Any]:
    """Run a script over one session, in one round trip.

    Raises:
        SessionNotFound: there is no such session, or the token is not its own.
        SessionExpired: it has ended and is about to be removed.
        IdempotencyMismatch: the idempotency key came with another request.
        MessageNotFound: there is no such message.
        StoreUnavailable: Redis gave no answer.
    """
    return answered(call(name, session_id, *arguments))


def answered(request: Call) -> list[Any]:
    """Make the call of a script over one session; raises as `answer` does."""
    with translated():
        words: list[Any] = run(client(), request)
    if refusal := REFUSALS.get(words[0]):
        raise refusal
    return words


def replicated(name: str, session_id: str, *arguments: Argument) -> list[Any]:
    """Run a script that accepts a turn; what it accepted is held by so many `REPLICAS` as well.

    Raises:
        StoreUnavailable: too few of them hold it in time. It may stay accepted; the same request,
            sent again with its key, learns that once they do.
        SessionNotFound, SessionExpired, IdempotencyMismatch, MessageNotFound: as `answer` does.
    """
    if not chat_settings.REPLICAS:
        return answer(name, session_id, *arguments)
    with translated():
        words, held = run_replicated(
            client(),
            call(name, session_id, *arguments),
            replicas=chat_settings.REPLICAS,
            within=round(1000 * chat_settings.REPLICA_TIMEOUT),
        )
    if refusal := REFUSALS.get(words[0]):
        raise refusal
    if words[0] in ACCEPTED and held < chat_settings.REPLICAS:
        raise StoreUnavailable("Too few replicas hold the message.", retry_after=1)
    found: list[Any] = words
    return found
