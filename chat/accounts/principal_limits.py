"""Rate limits of users and tenants, whichever addresses they use."""

from chat.domain import Principal
from chat.settings import chat_settings
from chat.store import rate_limit
from chat.store.calls import Steps
from chat.store.rate_limit import Limit

# The burst is this part of the limit per minute.
BURST_SHARE = 2


def throttle_sessions(principal: Principal) -> Steps[None]:
    """Count a session that the principal opens.

    Raises:
        RateLimited: its user or tenant opens too many sessions.
        StoreUnavailable
    """
    identity = principal.identity()
    party = identity.party
    limits = [_limit(party, party, chat_settings.TENANT_SESSIONS_PER_MINUTE)]
    if principal.user:
        limits.append(_limit(identity.owner, party, chat_settings.USER_SESSIONS_PER_MINUTE))
    yield from rate_limit.throttle_all.steps(*limits)


def _limit(client_id: str, group: str, per_minute: int) -> Limit:
    burst = max(1, per_minute // BURST_SHARE)
    return Limit(
        scope="sessions", client_id=client_id, group=group, per_minute=per_minute, burst=burst
    )
