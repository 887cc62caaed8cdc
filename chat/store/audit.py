"""The audit log of what API keys, users, commands and staff did.

What staff did to sessions is in the admin's log only.
"""

from dataclasses import dataclass

from chat.store import keys
from chat.store.client import execute_command, map_redis_errors

# About how many entries are kept.
MAX_ENTRIES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    # Seconds since the epoch.
    at: float
    # For example `key 0123456789ab`.
    actor: str
    # For example `Erased 3 sessions of a user.`
    action: str
    # What it was done to.
    target: str


def record(*, actor: str, action: str, target: str) -> None:
    """Add an entry.

    Raises:
        StoreFull, StoreUnavailable
    """
    fields = ("actor", actor, "action", action, "target", target)
    with map_redis_errors():
        execute_command("XADD", keys.audit(), "MAXLEN", "~", MAX_ENTRIES, "*", *fields)


def newest(limit: int) -> list[AuditEntry]:
    """Return the newest entries, the newest first.

    Raises:
        StoreUnavailable
    """
    with map_redis_errors():
        found = execute_command("XREVRANGE", keys.audit(), "+", "-", "COUNT", limit)
    return [_parse(entry_id, fields) for entry_id, fields in found]


def _parse(entry_id: bytes, fields: list[bytes]) -> AuditEntry:
    texts = [field.decode() for field in fields]
    values = dict(zip(texts[::2], texts[1::2], strict=True))
    return AuditEntry(at=int(entry_id.split(b"-")[0]) / 1000, **values)
