"""Rate limits of clients."""

from chat.domain.errors import RateLimited
from chat.domain.rates import interval_ms
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import ScriptCall, read_script, run_script


def throttle(scope: str, client_id: str, *, per_minute: int, burst: int) -> None:
    """Count a call, and reject it if the client makes too many.

    Args:
        scope: the limit, for example `sessions`; clients have one counter for each.
        per_minute: the steady rate; 0 for no limit.
        burst: calls that may come at once.

    Raises:
        RateLimited: with the seconds until the next call is allowed.
        StoreUnavailable: Redis did not answer.
    """
    if not per_minute:
        return
    call = ScriptCall(
        read_script("throttle"),
        [keys.rate_limit(scope, client_id)],
        (interval_ms(per_minute), burst),
    )
    with map_errors():
        wait = run_script(client(), call)
    if wait:
        raise RateLimited(retry_after=wait / 1000)
