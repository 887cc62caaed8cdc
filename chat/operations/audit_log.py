"""The audit log of API keys, users and commands."""

from chat.store import audit
from chat.store.audit import AuditEntry


def newest(limit: int) -> list[AuditEntry]:
    """Return the newest entries, the newest first.

    Raises:
        StoreUnavailable
    """
    return audit.newest(limit)
