"""The audit log of what API keys, users, commands and staff did.

Entries of clients (API keys and users) have their own stream, so that clients cannot push out what
the operator did. What staff did to sessions is in the admin's log only.
"""

from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from chat.store import keys
from chat.store.client import execute_command, execute_commands

# About how many entries of clients are kept, and how many others.
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


def record(*, actor: str, action: str, target: str, is_client: bool = False) -> None:
    """Add an entry.

    is_client: whether the actor is an API key or user.

    Raises:
        StoreFull, StoreUnavailable
    """
    fields = ("actor", actor, "action", action, "target", target)
    name = keys.client_audit() if is_client else keys.audit()
    execute_command("XADD", name, "MAXLEN", "~", MAX_ENTRIES, "*", *fields)


def newest(limit: int) -> list[AuditEntry]:
    """Return the newest entries of clients and as many others, the newest first.

    Raises:
        StoreUnavailable
    """
    names = (keys.audit(), keys.client_audit())
    found = execute_commands([("XREVRANGE", name, "+", "-", "COUNT", limit) for name in names])
    parsed = [[_parse(*entry) for entry in entries] for entries in found]
    return list(merge(*parsed, key=attrgetter("at"), reverse=True))


def _parse(entry_id: bytes, fields: list[bytes]) -> AuditEntry:
    texts = [field.decode() for field in fields]
    values = dict(zip(texts[::2], texts[1::2], strict=True))
    return AuditEntry(at=int(entry_id.split(b"-")[0]) / 1000, **values)
