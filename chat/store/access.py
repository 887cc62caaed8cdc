"""Whether callers that were authenticated may go on: their API keys and JWTs are valid, and no ban
applies to them.
"""

import time
from collections.abc import Sequence

from chat.domain import Caller
from chat.domain.bans import Ban
from chat.domain.errors import InvalidToken, ParleyError
from chat.store.api_keys import find_invalid
from chat.store.bans import find_callers
from chat.store.calls import Steps, store_call

ENDED_PRINCIPAL = "The API key or JWT has expired or was revoked."


@store_call
def find_errors(callers: Sequence[Caller]) -> Steps[list[ParleyError | None]]:
    """Return the error for each caller that may not go on; at most two round trips.

    Raises:
        StoreUnavailable
    """
    principals = [caller.principal for caller in callers if caller.principal is not None]
    key_ids = sorted({each.api_key for each in principals} - {""})
    invalid_keys = yield from find_invalid.steps(key_ids)
    bans = yield from find_callers.steps(callers)
    now = time.time()
    return [
        _error(caller, ban, invalid_keys, now) for caller, ban in zip(callers, bans, strict=True)
    ]


def _error(
    caller: Caller, ban: Ban | None, invalid_keys: set[str], now: float
) -> ParleyError | None:
    if ban is not None:
        return ban.to_error()
    principal = caller.principal
    if principal is None:
        return None
    is_valid = principal.api_key not in invalid_keys
    is_valid = is_valid and (not principal.valid_until or now < principal.valid_until)
    return None if is_valid else InvalidToken(ENDED_PRINCIPAL)
