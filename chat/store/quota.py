"""What one client may store: its sessions, and their bytes.

Each session has a reservation in the quotas of its holders: the address of an anonymous client and
the networks that contain it, or the user and the tenant of an API key or JWT. The session may grow
to that size without asking again, so that its scripts touch no other slot. A reservation ends with
the session. Those of sessions that ended unseen are found by an audit, when a quota is full.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chat.domain import NewSession
from chat.domain.errors import AddressQuotaExceeded, QuotaExceeded, Unavailable
from chat.domain.identity import USER_PREFIX, is_known
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send, send_all, send_script, store_call
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, read_script, script_call

# Bytes that are reserved for a new session, and by which a reservation grows.
FIRST_STEP = 64 * 1024
STEP = 256 * 1024
# Bytes that a new session stores in addition to its fields.
MARGIN = 1024
# ms between two audits of a full quota.
AUDIT_INTERVAL = 10_000
# ms after which a session exists, if it was created at all.
MAX_CREATION_TIME = 60_000
# Each try reserves more; only a session that grows at the same time needs a second one.
MAX_TRIES = 3


@store_call
def reserve_for(new: NewSession, *, more: int = 0) -> Steps[int]:
    """Reserve bytes for a new session; return how many, 0 for no limit.

    more: bytes of messages that it starts with.

    Raises:
        AddressQuotaExceeded, QuotaExceeded: a holder has too many sessions or bytes.
        StoreFull, StoreUnavailable
    """
    holders = new.identity.quota_holders
    if not _has_limit(holders):
        return 0
    needed = new.size + more + MARGIN
    bytes_ = yield from _reserve(new.id, holders, needed, max(needed, FIRST_STEP))
    return bytes_


def within_quota(session_id: str, run: Callable[[], Steps[list[Any]]]) -> Steps[list[Any]]:
    """Run a script that adds bytes to a session; reserve more bytes first if it asks for them.

    Raises:
        AddressQuotaExceeded, QuotaExceeded: a holder has no more bytes; nothing was changed.
        ParleyError: as `run`.
    """
    for _ in range(MAX_TRIES):
        reply = yield from run()
        if reply[0] != b"QUOTA_NEEDED":
            return reply
        needed, holders = reply[1], reply[2].decode().split()
        bytes_ = 0
        if _has_limit(holders):
            bytes_ = yield from _reserve(session_id, holders, needed, needed + STEP)
        yield from send_script(script_call("set_quota", session_id, bytes_))
    raise _exceeded(holders)


@store_call
def release(ended: Iterable[tuple[str, bytes]]) -> Steps[None]:
    """End the reservations of sessions that have ended; at most one round trip.

    ended: each session's id, and the holders of its quotas as stored.

    Raises:
        StoreUnavailable: Redis did not answer; audits will end the reservations.
    """
    calls = [
        _release_call(_quotas(holders.decode().split()), [session_id], min_age=0)
        for session_id, holders in ended
        if holders
    ]
    if calls:
        yield from send_all(calls)


def _has_limit(holders: Sequence[str]) -> bool:
    return any(_limits(holders))


def _quotas(holders: Sequence[str]) -> list[str]:
    return [keys.quota(holder, holders[-1]) for holder in holders]


def _exceeded(holders: Sequence[str]) -> Unavailable:
    return QuotaExceeded() if is_known(holders[0]) else AddressQuotaExceeded()


def _reserve(session_id: str, holders: Sequence[str], needed: int, wanted: int) -> Steps[int]:
    quotas = _quotas(holders)
    call = ScriptCall(
        read_script("reserve_quota"),
        quotas,
        (session_id, needed, wanted, _ttl(), AUDIT_INTERVAL, *_limits(holders)),
    )
    status, result = yield from send_script(call)
    if status != b"RESERVED" and result:
        has_released = yield from _audit(quotas[result - 1], quotas)
        if has_released:
            status, result = yield from send_script(call)
    if status != b"RESERVED":
        raise _exceeded(holders)
    return int(result)


def _ttl() -> int:
    """Return the seconds that a session can exist."""
    return chat_settings.MAX_SESSION_AGE + chat_settings.KEY_TTL_MARGIN


def _limits(holders: Sequence[str]) -> list[Arg]:
    """Return max sessions and bytes of each holder; a network has larger limits than an address."""
    return [limit for i, holder in enumerate(holders) for limit in _limits_of(holder, i > 0)]


def _limits_of(holder: str, is_network: bool) -> tuple[int, int]:  # noqa: FBT001
    if holder.startswith(USER_PREFIX):
        return chat_settings.MAX_SESSIONS_PER_USER, chat_settings.MAX_BYTES_PER_USER
    if is_known(holder):
        return chat_settings.MAX_SESSIONS_PER_TENANT, chat_settings.MAX_BYTES_PER_TENANT
    factor = chat_settings.NETWORK_LIMIT_FACTOR if is_network else 1
    sessions, size = chat_settings.MAX_SESSIONS_PER_ADDRESS, chat_settings.MAX_BYTES_PER_ADDRESS
    return factor * sessions, factor * size


def _audit(full: str, quotas: Sequence[str]) -> Steps[bool]:
    """End the reservations of sessions that do not exist; return whether there were any."""
    fields = yield from send(("HKEYS", full))
    session_ids = [name.decode() for name in fields if name.startswith(b"ses_")]
    reads = [("EXISTS", keys.for_session(each).session) for each in session_ids]
    exist = map(reply_or_raise, (yield from send_all(reads)))
    gone = [each for each, is_live in zip(session_ids, exist, strict=True) if not is_live]
    if gone:
        yield from send_script(_release_call(quotas, gone, min_age=MAX_CREATION_TIME))
    return bool(gone)


def _release_call(quotas: Sequence[str], session_ids: Sequence[str], *, min_age: int) -> ScriptCall:
    return ScriptCall(read_script("release_quota"), quotas, (min_age, *session_ids))
