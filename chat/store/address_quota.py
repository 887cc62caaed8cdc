"""What one address may store: its sessions, and their bytes.

Each session has a reservation in the quotas of its client's address and of the networks that
contain it. The session may grow to that size without asking again, so that its scripts touch no
other slot. A reservation ends with the session. Those of sessions that ended unseen are found by an
audit, when a quota is full.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chat.domain import NewSession
from chat.domain.errors import AddressQuotaExceeded
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, ask_all, store_call
from chat.store.client import execute_command, execute_commands, map_redis_errors
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, execute, execute_call, read_script

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


def reserve_for(new: NewSession) -> int:
    """Reserve bytes for a new session; return how many, 0 for no limit.

    Raises:
        AddressQuotaExceeded: too many sessions or bytes of this address.
        StoreFull, StoreUnavailable
    """
    addresses = new.identity.addresses
    if not addresses or not _has_limit():
        return 0
    needed = new.size + MARGIN
    return _reserve(new.id, addresses, needed, max(needed, FIRST_STEP))


def within_quota(session_id: str, run: Callable[[], list[Any]]) -> list[Any]:
    """Run a script that adds bytes to a session; reserve more bytes first if it asks for them.

    Raises:
        AddressQuotaExceeded: the client's address has no more bytes; nothing was changed.
        ParleyError: as `run`.
    """
    for _ in range(MAX_TRIES):
        reply = run()
        if reply[0] != b"QUOTA_NEEDED":
            return reply
        needed, addresses = reply[1], reply[2].decode().split()
        bytes_ = _reserve(session_id, addresses, needed, needed + STEP) if _has_limit() else 0
        execute("set_quota", session_id, bytes_)
    raise AddressQuotaExceeded


@store_call
def release(ended: Iterable[tuple[str, bytes]]) -> Steps[None]:
    """End the reservations of sessions that have ended; at most one round trip.

    ended: each session's id, and its addresses as stored.

    Raises:
        StoreUnavailable: Redis did not answer; audits will end the reservations.
    """
    calls = [
        _release_call(_quotas(addresses.decode().split()), [session_id], min_age=0)
        for session_id, addresses in ended
        if addresses
    ]
    if calls:
        yield from ask_all(calls)


def _has_limit() -> bool:
    return bool(chat_settings.MAX_SESSIONS_PER_ADDRESS or chat_settings.MAX_BYTES_PER_ADDRESS)


def _quotas(addresses: Sequence[str]) -> list[str]:
    return [keys.address_quota(address, addresses[-1]) for address in addresses]


def _reserve(session_id: str, addresses: Sequence[str], needed: int, wanted: int) -> int:
    quotas = _quotas(addresses)
    call = ScriptCall(
        read_script("reserve_quota"),
        quotas,
        (session_id, needed, wanted, _ttl(), AUDIT_INTERVAL, *_limits(len(addresses))),
    )
    status, result = execute_call(call)
    if status != b"RESERVED" and result and _audit(quotas[result - 1], quotas):
        status, result = execute_call(call)
    if status != b"RESERVED":
        raise AddressQuotaExceeded
    return int(result)


def _ttl() -> int:
    """Return the seconds that a session can exist."""
    return chat_settings.MAX_SESSION_AGE + chat_settings.KEY_TTL_MARGIN


def _limits(count: int) -> list[Arg]:
    """Return max sessions and bytes of an address, and the larger limits of its networks."""
    sessions, size = chat_settings.MAX_SESSIONS_PER_ADDRESS, chat_settings.MAX_BYTES_PER_ADDRESS
    factors = [1] + [chat_settings.NETWORK_LIMIT_FACTOR] * (count - 1)
    return [limit for factor in factors for limit in (factor * sessions, factor * size)]


def _audit(full: str, quotas: Sequence[str]) -> bool:
    """End the reservations of sessions that do not exist; return whether there were any."""
    with map_redis_errors():
        fields = execute_command("HKEYS", full)
        session_ids = [name.decode() for name in fields if name.startswith(b"ses_")]
        exist = execute_commands(
            [("EXISTS", keys.for_session(session_id).session) for session_id in session_ids]
        )
    gone = [each for each, is_live in zip(session_ids, exist, strict=True) if not is_live]
    if gone:
        execute_call(_release_call(quotas, gone, min_age=MAX_CREATION_TIME))
    return bool(gone)


def _release_call(quotas: Sequence[str], session_ids: Sequence[str], *, min_age: int) -> ScriptCall:
    return ScriptCall(read_script("release_quota"), quotas, (min_age, *session_ids))
