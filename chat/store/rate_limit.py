"""Rate limits of clients."""

from collections.abc import Iterable
from dataclasses import dataclass

from chat.domain import Caller
from chat.domain.errors import RateLimited
from chat.domain.rates import interval_ms
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, send, store_call
from chat.store.client import execute_commands
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, read_script


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A steady rate of calls with a burst. Each client of a scope has its own counter."""

    # For example `sessions`.
    scope: str
    client_id: str
    # One call counts for limits of one group only; in Redis, these are together.
    group: str
    # Calls at the steady rate; 0 for no limit.
    per_minute: int
    # Calls that may come at once.
    burst: int

    @property
    def key(self) -> str:
        return keys.rate_limit(self.group, self.scope, self.client_id)


def throttle(scope: str, client_id: str, *, per_minute: int, burst: int) -> None:
    """Count a call for one limit; see `throttle_all`."""
    throttle_all(
        Limit(scope=scope, client_id=client_id, group=client_id, per_minute=per_minute, burst=burst)
    )


@store_call
def throttle_all(*limits: Limit) -> Steps[None]:
    """Count a call for all limits of a group, or for none of them if one rejects it.

    Raises:
        RateLimited: with the seconds until all limits allow the next call.
        StoreUnavailable: Redis did not answer.
    """
    active = [limit for limit in limits if limit.per_minute]
    if not active:
        return
    args: list[Arg] = [
        arg for limit in active for arg in (interval_ms(limit.per_minute), limit.burst)
    ]
    call = ScriptCall(read_script("throttle"), [limit.key for limit in active], args)
    wait = yield from send(call)
    if wait:
        raise RateLimited(retry_after=wait / 1000)


def reset(limits: Iterable[Limit]) -> None:
    """Reset the counters of these limits.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    execute_commands([("DEL", limit.key) for limit in limits])


def change_rate(caller: Caller) -> tuple[float, int]:
    """Return the ms between a caller's changes of one session, 0 for no limit, and their burst."""
    is_client = bool(caller.credential)
    per_minute = chat_settings.CHANGES_PER_MINUTE if is_client else 0
    return interval_ms(per_minute), chat_settings.CHANGES_BURST
