"""Snapshots and pages are limited in bytes, and clients still get every message."""

import orjson
import pytest
from pytest_django import Settings

from chat.domain import Caller
from chat.store import sessions, snapshots
from chat.store.snapshots import MAX_SMALL_BYTES, TooLarge
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder

MAX_BYTES = 4000
LARGEST = 8


@pytest.fixture
def caller(settings: Settings) -> Caller:
    """A session with more bytes of messages than a snapshot may have; one reply is running."""
    settings.CHAT_MAX_PAGE_BYTES = MAX_BYTES
    caller = steps.create_session()
    for i in range(9):
        steps.submit(caller, content="x" * (MAX_BYTES + 1 if i == LARGEST else 300 * i))
    LeaseHolder.claim_for(caller).append("y" * 700)
    return caller


def all_messages(caller: Caller) -> dict[str, bytes]:
    """Return all messages by id, read page by page."""
    found: list[bytes] = []
    has_more, cursor = True, None
    while has_more:
        page = sessions.page(caller, cursor=cursor, newer=True, limit=50)
        assert len(page.messages) == 1 or sum(map(len, page.messages)) <= MAX_BYTES
        found += page.messages
        cursor, has_more = len(found), page.has_more
    return by_id(found)


def by_id(messages: list[bytes]) -> dict[str, bytes]:
    return {orjson.loads(message)["id"]: message for message in messages}


@pytest.mark.security("S47")
def test_pages_contain_all_messages(caller: Caller) -> None:
    assert list(all_messages(caller)) == [f"msg_{number}" for number in range(1, 19)]


@pytest.mark.security("S47")
def test_snapshot_ends_at_its_maximum_size(caller: Caller) -> None:
    snapshot = snapshots.read(caller)
    expected = all_messages(caller)
    assert snapshot.has_more
    assert by_id(list(snapshot.messages)) == {"msg_18": expected["msg_18"]}
    older = sessions.page(caller, cursor=18, newer=False, limit=50)
    assert older.has_more
    assert by_id(list(older.messages)) == {"msg_17": expected["msg_17"]}


@pytest.mark.security("S47")
def test_polls_return_all_changes(caller: Caller) -> None:
    """Each continues at the seq of the previous one."""
    latest = snapshots.read(caller).seq
    seen: dict[str, bytes] = {}
    seq, polls = 0, 0
    while seq < latest:
        snapshot = snapshots.read(caller, after=seq)
        assert seq < snapshot.seq
        assert sum(map(len, snapshot.messages[2:])) <= MAX_BYTES
        seen |= by_id(list(snapshot.messages))
        seq, polls = snapshot.seq, polls + 1
    assert seen == all_messages(caller)
    assert polls > 2
    assert snapshots.read_if_changed(caller, known=seq, after=seq) is None


@pytest.mark.security("S47")
def test_large_snapshots_are_not_read_on_the_loop(settings: Settings, caller: Caller) -> None:
    settings.CHAT_MAX_PAGE_BYTES = 10 * MAX_SMALL_BYTES
    small, large = steps.create_session(), steps.create_session()
    steps.submit(large, content="x" * MAX_SMALL_BYTES)
    results = [
        snapshots.read_small(each, known=-1, after=-1, limit=50) for each in (small, large, caller)
    ]
    assert [result is TooLarge.TOO_LARGE for result in results] == [False, True, False]
    assert len(snapshots.read(large).messages) == 2
