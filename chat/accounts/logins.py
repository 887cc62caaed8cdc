"""Limits on the admin's logins, by address and by account.

One address, and one IPv6 /48, makes fewer attempts than an account allows. It cannot lock others
out of the account. Many addresses together can, except from addresses that have logged in before.

To check a password takes a thread for a third of a second. So only few are checked at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from threading import BoundedSemaphore

from chat.accounts.address_limits import address_limits
from chat.domain.errors import RateLimited
from chat.store import logins, rate_limit
from chat.store.rate_limit import Limit

# Attempts of an address, per minute and at once.
LOGINS_PER_MINUTE = 6
LOGIN_BURST = 10
# Of the limits of addresses and accounts: an attempt counts for both.
GROUP = "admin"
# A /48 has twice, and an account more than three times these limits.
NETWORK_FACTOR = 2
ACCOUNT_PER_MINUTE = 20
ACCOUNT_BURST = 40


# Passwords that a process checks at once, from addresses that are new to the account; and as many
# from others, whom a flood of logins does not lock out.
MAX_CHECKS = 2
_new_slots, _known_slots = BoundedSemaphore(MAX_CHECKS), BoundedSemaphore(MAX_CHECKS)


@contextmanager
def attempt(*, username: str, address: str) -> Iterator[None]:
    """Count an attempt to log in; check the password within the context.

    Raises:
        RateLimited: too many attempts from this address or for this account, or at once.
        StoreUnavailable
    """
    account = _account_id(username)
    limits = _address_limits(address)
    is_known = logins.is_known(account, address)
    if not is_known:
        limits.append(_account_limit(account))
    rate_limit.throttle_all(*limits)
    slots = _known_slots if is_known else _new_slots
    if not slots.acquire(blocking=False):
        raise RateLimited("Too many logins at once.", retry_after=1)
    try:
        yield
    finally:
        slots.release()


def record_success(*, username: str, address: str) -> None:
    """Allow this address to log in, even if other addresses use up the account's attempts.

    Raises:
        StoreFull, StoreUnavailable
    """
    logins.remember(_account_id(username), address)


def unlock_account(username: str) -> None:
    """Allow attempts for the account again.

    Raises:
        StoreUnavailable
    """
    rate_limit.reset([_account_limit(_account_id(username))])


def unlock_address(address: str) -> None:
    """Allow attempts from the address again.

    Raises:
        StoreUnavailable
    """
    rate_limit.reset(_address_limits(address))


def _address_limits(address: str) -> list[Limit]:
    return address_limits(
        "admin-address",
        address,
        per_minute=LOGINS_PER_MINUTE,
        burst=LOGIN_BURST,
        factor=NETWORK_FACTOR,
        group=GROUP,
    )


def _account_limit(account: str) -> Limit:
    return Limit(
        scope="admin-account",
        client_id=account,
        group=GROUP,
        per_minute=ACCOUNT_PER_MINUTE,
        burst=ACCOUNT_BURST,
    )


def _account_id(username: str) -> str:
    """Return a digest of the name, which may be a password typed into the wrong field."""
    return sha256(username.casefold().encode()).hexdigest()[:16]
