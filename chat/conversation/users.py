"""Users: their sessions, and the erasure of everything that is stored of one."""

import logging

from chat.conversation import staff
from chat.domain import Principal
from chat.domain.errors import InvalidRequest
from chat.store import audit, users
from chat.store.listing import SessionSummary
from chat.store.search.session_filter import normalize_name
from chat.store.users import Position, UserSessions

__all__ = ["Position", "SessionSummary", "UserSessions", "erase", "list_sessions"]

logger = logging.getLogger(__name__)

# A user whose sessions are opened faster than they are deleted is not erased.
MAX_ROUNDS = 10


def list_sessions(
    principal: Principal, *, query: str, before: Position | None, limit: int
) -> UserSessions:
    """Return a page of the user's sessions, most recently active first.

    query: a part of the name; case and width do not matter.

    Raises:
        InvalidRequest: the principal is no user.
        StoreUnavailable
    """
    if not principal.user:
        raise InvalidRequest("Name the user whose sessions to list.", param="Parley-User")
    owner = principal.identity().owner
    return users.page(owner, name=normalize_name(query), before=before, limit=limit)


def erase(principal: Principal) -> int:
    """Delete all sessions of the user, and close their streams; return their number.

    An erasure of at least one session is recorded in the audit log, without the user's name. A
    user of whom nothing is stored may be erased; that changes nothing, so only the log tells it.

    Raises:
        StoreFull, StoreUnavailable: some sessions may be left; the call can be repeated.
    """
    identity = principal.identity()
    erased = 0
    for _ in range(MAX_ROUNDS):
        if not (session_ids := users.session_ids(identity.owner)):
            break
        for session_id in session_ids:
            staff.delete(session_id)
        erased += len(session_ids)
    actor = f"key {principal.api_key}" if principal.api_key else identity.owner
    if erased:
        action = f"Erased {erased} sessions."
        audit.record(actor=actor, action=action, target=identity.owner, is_client=True)
    logger.info("%s erased %d sessions of %s", actor, erased, identity.owner)
    return erased
