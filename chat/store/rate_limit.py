"""Paces that callers are held to, counted atomically."""

from chat.domain.errors import RateLimited
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import ScriptCall, read_script, run_script


def throttle(scope: str, caller: str, *, per_minute: int, burst: int) -> None:
    """Let a call pass, or refuse it.

    scope: what is paced; per_minute: calls at the steady rate, 0 for any number; burst: calls that
    may come at once.

    Raises:
        RateLimited: with the seconds after which the next call passes.
        StoreUnavailable: Redis gave no answer.
    """
    if not per_minute:
        return
    interval = 60_000 / per_minute
    with map_errors():
        wait = run_script(
            client(),
            ScriptCall(
                read_script("throttle"), [keys.rate_limit(scope, caller)], (interval, burst)
            ),
        )
    if wait:
        raise RateLimited(retry_after=wait / 1000)
