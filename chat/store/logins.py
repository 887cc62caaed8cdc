"""Addresses from which staff have logged in."""

from chat.store import keys
from chat.store.client import execute_command

# Seconds that an address is remembered after a login.
KNOWN_TTL = 30 * 86400


def remember(account: str, address: str) -> None:
    """Remember that this account has logged in from this address.

    Raises:
        StoreFull, StoreUnavailable
    """
    execute_command("SET", keys.known_login(account, address), 1, "EX", KNOWN_TTL)


def is_known(account: str, address: str) -> bool:
    """Return whether the account has logged in from this address in the last 30 days.

    Raises:
        StoreUnavailable
    """
    return bool(execute_command("EXISTS", keys.known_login(account, address)))
