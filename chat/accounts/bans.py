"""Bans of addresses, API keys and users: checks, and changes by operators."""

import re
import time

from chat.domain import Caller, Principal
from chat.domain.bans import Ban, Subject
from chat.domain.errors import InvalidRequest, NotFound
from chat.store import audit
from chat.store import bans as store
from chat.store.bans import need_openers

__all__ = [
    "add",
    "check_address",
    "check_caller",
    "check_principal",
    "list_bans",
    "need_openers",
    "parse_duration",
    "remove",
]

# Processes read them all after a change.
MAX_BANS = 10_000
MAX_REASON_CHARS = 200
DURATION = re.compile(r"([0-9]{1,6})([smhd])")
# Seconds.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def check_address(address: str) -> None:
    """Check a client's address; it takes no I/O.

    Raises:
        Banned
    """
    if ban := store.find_address(address):
        raise ban.to_error()


def check_principal(principal: Principal) -> Principal:
    """Return the holder of an API key or JWT; it takes no I/O.

    Raises:
        Banned
    """
    if ban := store.find_principal(principal):
        raise ban.to_error()
    return principal


def check_caller(caller: Caller) -> Caller:
    """Return the caller; it may take I/O.

    Raises:
        Banned
        StoreUnavailable
    """
    (ban,) = store.find_callers([caller])
    if ban is not None:
        raise ban.to_error()
    return caller


def add(subject: Subject, *, by: str, seconds: float = 0.0, reason: str = "") -> Ban:
    """Ban an address, key or user within seconds, open streams included.

    by: who does it; seconds: until the ban ends, 0 for never.

    Raises:
        InvalidRequest: an argument is not valid, or there are too many bans.
        StoreFull, StoreUnavailable
    """
    if len(reason) > MAX_REASON_CHARS or (reason and not reason.isprintable()):
        raise InvalidRequest(
            f"The reason must have at most {MAX_REASON_CHARS} printable characters.", param="reason"
        )
    known = store.all_bans()
    if len(known) >= MAX_BANS and subject.name not in {ban.subject for ban in known}:
        raise InvalidRequest(f"There are {MAX_BANS:,} bans already; remove some, or ban networks.")
    now = time.time()
    ban = Ban(
        subject=subject.name,
        label=subject.label,
        reason=reason.strip(),
        created_by=by,
        created_at=now,
        expires_at=now + seconds if seconds else 0.0,
    )
    store.add(ban)
    audit.record(actor=by, action=f"Banned{_terms(ban)}.", target=ban.label)
    return ban


def remove(subject: Subject, *, by: str) -> None:
    """End a ban within seconds; by: who does it.

    Raises:
        NotFound: there is none of exactly this subject.
        StoreFull, StoreUnavailable
    """
    if not store.remove(subject.name):
        raise NotFound(f"There is no ban of {subject.label}.")
    audit.record(actor=by, action="Ended the ban.", target=subject.label)


def parse_duration(text: str) -> float:
    """Return the seconds of a text such as `90s`, `30m`, `2h` or `7d`; 0 of an empty one.

    Raises:
        InvalidRequest: it has another form.
    """
    if not text.strip():
        return 0.0
    match = DURATION.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"{text!r} is not a time, such as 30m, 2h or 7d.", param="for")
    return float(match[1]) * UNITS[match[2]]


def _terms(ban: Ban) -> str:
    """Return duration and reason of a ban, for the audit log."""
    duration = f" for {ban.expires_at - ban.created_at:.0f} s" if ban.expires_at else ""
    return f"{duration}: {ban.reason}" if ban.reason else duration


def list_bans() -> list[Ban]:
    """Return all bans, the newest first, and those that have expired within the last day.

    Raises:
        StoreUnavailable
    """
    return store.all_bans()
