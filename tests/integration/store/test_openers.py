"""Sessions by who has opened them: found, banned and ended, on one server and on a Cluster."""

import secrets
import time
from dataclasses import replace

import pytest
from redis import Redis

from chat.accounts import subjects
from chat.conversation import ending, session_search, tokens
from chat.domain import Caller, Identity
from chat.domain.bans import Ban
from chat.store import bans, openers, sessions
from chat.store.bans import ban_copy
from chat.store.search.session_filter import SessionFilter
from tests.integration.store import steps

NETWORK = subjects.from_address("203.0.113.0/25")
KEY = "0123456789ab"
# Sessions of the network, in many partitions: more than one round trip returns.
COUNT = 3 * openers.PARTITIONS_PER_TRIP


def open_session(*addresses: str, api_key: str = "") -> Caller:
    """Open a session; return the caller that has its token."""
    session_id = f"ses_{secrets.token_hex(12)}"
    token = f"{session_id}.{'t' * 43}"
    identity = Identity(addresses=addresses, api_key=api_key)
    new = replace(
        steps.new_session(session_id), identity=identity, token_hash=tokens.hash_token(token)
    )
    sessions.create(new)
    return Caller(session_id=session_id, credential=new.token_hash)


@pytest.fixture
def opened() -> set[str]:
    """The ids of the network's sessions; there are others."""
    for address in ("203.0.113.128", "198.51.100.7", "2001:db8::/64"):
        open_session(address)
    return {open_session(f"203.0.113.{number}").session_id for number in range(COUNT)}


def test_sessions_of_a_network_are_found_and_ended(redis: Redis, opened: set[str]) -> None:
    assert sorted(id_ for ids in openers.scan(NETWORK) for id_ in ids) == sorted(opened)
    found = session_search.search(SessionFilter(openers=(NETWORK,)))
    assert {row.id for row in found.page(offset=0, limit=COUNT)} == opened
    assert len(found) == COUNT
    assert ending.count_sessions(NETWORK) == COUNT
    assert ending.end_sessions(NETWORK, by="test") == (COUNT, True)
    assert ending.count_sessions(NETWORK) == 0
    assert len(session_search.search(SessionFilter(status="idle"))) == 3
    assert not [name for name in redis.scan_iter() if name.decode()[-28:] in opened]


@pytest.mark.security("S62")
def test_bans_of_a_network_and_of_a_key_reject_their_callers() -> None:
    of_key, other = open_session("198.51.100.7", api_key=KEY), open_session("198.51.100.7")
    from_network = replace(other, address="203.0.113.9")
    callers = [of_key, other, from_network]
    for subject in (NETWORK.name, f"key:{KEY}"):
        bans.add(Ban(subject=subject, label="", created_by="test", created_at=time.time()))
    ban_copy.refresh()
    found = bans.find_callers(callers)
    assert [ban and ban.subject for ban in found] == [f"key:{KEY}", None, NETWORK.name]
    for subject in (NETWORK.name, f"key:{KEY}"):
        assert bans.remove(subject)
    ban_copy.refresh()
    assert bans.find_callers(callers) == [None] * 3
