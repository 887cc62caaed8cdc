"""Limits on the admin's logins, by address and by account.

One address, and one IPv6 /48, makes fewer attempts than an account allows. It cannot lock others
out of the account. Many addresses together can, except from addresses that have logged in before.
"""

from hashlib import sha256

from chat.accounts.address_limits import address_limits
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


def check_rate(*, username: str, address: str) -> None:
    """Count an attempt to log in.

    Raises:
        RateLimited: too many attempts from this address or for this account.
        StoreUnavailable
    """
    account = _account_id(username)
    limits = _address_limits(address)
    if not logins.is_known(account, address):
        limits.append(_account_limit(account))
    rate_limit.throttle_all(*limits)


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
