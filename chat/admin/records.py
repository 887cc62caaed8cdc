"""What staff did to keys, models and bans: entries of the admin's log and of the audit log."""

from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest

from chat.operations import audit_log


def actor(request: HttpRequest) -> str:
    """Return the staff member, for the audit log."""
    return f"staff {request.user.get_username()}"


def log(request: HttpRequest, label: str, message: str, *, flag: int = CHANGE) -> None:
    """Add an entry to the admin's log; label: of the object."""
    LogEntry.objects.create(
        user_id=cast("int", request.user.pk),
        action_flag=flag,
        object_repr=label[:200],
        change_message=message,
    )


def record(request: HttpRequest, label: str, message: str, *, flag: int = CHANGE) -> None:
    """Add an entry to the admin's log and to the audit log.

    Raises:
        StoreFull, StoreUnavailable
    """
    log(request, label, message, flag=flag)
    audit_log.record(actor=actor(request), action=message, target=label)
