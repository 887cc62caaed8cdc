"""The sessions of a user, from an index in the slot that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.domain.identity import USER_PREFIX
from chat.store import keys
from chat.store.calls import execute
from chat.store.listing import SessionSummary, summaries
from chat.store.openers import UNLISTED
from chat.store.scripts import ScriptCall, read_script

# More sessions than a user has; for a list of all.
ALL = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the list of a user's sessions: after this session, at its activity then."""

    # ms since the epoch.
    active_at: int
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSessions:
    """A page of a user's sessions, most recently active first."""

    sessions: Sequence[SessionSummary]
    # Where the next page starts; `None` at the end.
    next: Position | None


def page(owner: str, *, name: str, before: Position | None, limit: int) -> UserSessions:
    """Return a page of the user's sessions that are listed; two round trips.

    owner: the user, see `Identity.owner`; name: a part of the name, normalized, or "".

    Raises:
        StoreUnavailable
    """
    place = ("", "") if before is None else (before.active_at, before.session_id)
    has_more, *found = execute(_call(owner, name, *place, limit, UNLISTED))
    ids = [session_id.decode() for session_id in found[1::2]]
    last = Position(active_at=int(found[-2]), session_id=ids[-1]) if has_more else None
    return UserSessions(sessions=summaries(ids), next=last)


def session_ids(owner: str) -> list[str]:
    """Return the ids of all sessions of the user.

    Raises:
        StoreUnavailable
    """
    _, *found = execute(_call(owner, "", "", "", ALL, ""))
    return [session_id.decode() for session_id in found[1::2]]


def _call(owner: str, *args: str | int) -> ScriptCall:
    partition = keys.partition_of(keys.ID_PREFIX + owner.removeprefix(USER_PREFIX))
    names = (keys.labels(partition), keys.by_activity(partition), keys.search_fields(partition))
    return ScriptCall(read_script("user_sessions"), names, (owner, *args))
