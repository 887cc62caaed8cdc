"""The audit log: additions by staff and commands, and the entries of all."""

from chat.store import audit
from chat.store.audit import AuditEntry


def record(*, actor: str, action: str, target: str) -> None:
    """Add an entry; see `AuditEntry`.

    Raises:
        StoreFull, StoreUnavailable
    """
    audit.record(actor=actor, action=action, target=target)


def newest(limit: int) -> list[AuditEntry]:
    """Return the newest entries of API keys and users and as many others, the newest first.

    Raises:
        StoreUnavailable
    """
    return audit.newest(limit)
