"""Rate limits by address, which an IPv6 client cannot evade with another address of its network."""

from typing import Any

from chat.accounts.client_ip import network_of
from chat.settings import chat_settings
from chat.store import rate_limit
from chat.store.calls import Steps, store_call
from chat.store.rate_limit import Limit


@store_call
def throttle(scope: str, address: str, *, per_minute: int, burst: int) -> Steps[None]:
    """Count a call of this address and, if it is an IPv6 /64, of its /48.

    Raises:
        RateLimited: with the seconds until the next call is allowed.
        StoreUnavailable
    """
    factor = chat_settings.NETWORK_LIMIT_FACTOR
    limits = address_limits(scope, address, per_minute=per_minute, burst=burst, factor=factor)
    yield from rate_limit.throttle_all.steps(*limits)


def address_limits(
    scope: str, address: str, *, per_minute: int, burst: int, factor: int, group: str = ""
) -> list[Limit]:
    """Return the limit of an address and that of its /48, which is `factor` times as large.

    group: of both, so that other limits can belong to it; by default one for each /48.
    """
    network = network_of(address)
    own: dict[str, Any] = {"scope": scope, "group": group or network}
    limits = [Limit(client_id=address, per_minute=per_minute, burst=burst, **own)]
    if network != address:
        own |= {"per_minute": factor * per_minute, "burst": factor * burst}
        limits.append(Limit(client_id=network, **own))
    return limits


def networks(address: str) -> tuple[str, ...]:
    """Return the address and the larger network that contains it, if there is one."""
    if not address:
        return ()
    network = network_of(address)
    return (address,) if network == address else (address, network)
