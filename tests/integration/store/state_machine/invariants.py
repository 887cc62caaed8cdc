"""Invariants after every operation: of the store, and between store and model."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from redis import Redis

from chat.domain import Caller, Role, Snapshot, Status
from chat.domain.errors import SessionExpired
from chat.settings import chat_settings
from chat.store import keys, sessions, snapshots
from tests.integration.store import keyspace
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import Partition, Turn

# Seconds that an example may take; all durations of the model are at least four times longer.
TOLERANCE = 50.0

ENDED = {status.value for status in Status if status.is_terminal}

Message = dict[str, Any]


def assert_store_is_sound(contents: keyspace.Keyspace, partition: Partition) -> None:
    """Check the lists, counts and keys of the partition."""
    live = partition.sessions.keys()
    assert contents.due.keys() == live
    assert contents.by_activity.keys() == live
    assert contents.search_fields.keys() == live
    fields = {name: line.split("\n") for name, line in contents.search_fields.items()}
    assert contents.search_index == {
        f"{model}\n{text}\n{name}" for name, (model, text, _) in fields.items()
    }
    labels = {f"{label} {name}" for name, (*_, line) in fields.items() for label in line.split()}
    assert len(labels) >= len(live)
    others = ("failed:", "rated:")
    assert {label for label in contents.labels if not label.startswith(others)} == labels
    gauges = {"sessions": len(live), "waiting": partition.waiting, "running": partition.running}
    gauges['model:"default"'] = len(live)
    gauges["accepted"] = partition.totals["accepted"]
    gauges["turns:parley"] = partition.waiting + partition.running
    assert nonzero(contents.counts) == nonzero(gauges)
    assert contents.waiting_by_party == nonzero({"parley": partition.waiting})
    is_running = {name: bool(each.running) for name, each in partition.sessions.items()}
    waiting = {name for name, each in partition.sessions.items() if each.waiting}
    assert contents.running.keys() == {name for name in live if is_running[name]}
    assert contents.waiting.keys() == {name for name in waiting if not is_running[name]}
    assert nonzero(counted_turns(contents)) == {
        status: count for status, count in partition.totals.items() if count and status in ENDED
    }
    assert contents.outbox.keys() == partition.outbox
    keyspace.assert_no_stray_keys(contents.expire_at, contents.outbox)


def counted_turns(contents: keyspace.Keyspace) -> dict[str, int]:
    """Return the counters of turns by status."""
    turns: Counter[str] = Counter()
    for name, count in contents.counters.items():
        kind, _, rest = name.partition(":")
        if kind == "turns":
            turns[rest.partition(":")[0]] += count
    return turns


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


class Subscriber:
    """A subscriber of one session that applies all events."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._caller = Caller.internal(session.name)
        self._cursor = 0
        self._messages: dict[str, Message] = {}
        self._seqs: dict[str, int] = {}
        self._endings: dict[str, bytes] = {}

    def check(self, redis: Redis, contents: keyspace.Keyspace) -> None:
        """Check messages, events and times against the model, and events against the snapshot."""
        if self.session.has_expired:
            with pytest.raises(SessionExpired):
                snapshots.read(self._caller)
            return
        snapshot = snapshots.read(self._caller, limit=400)
        messages = [orjson.loads(message) for message in snapshot.messages]
        self._read_events(snapshot.seq)
        assert [outline(message) for message in messages] == expected_messages(self.session)
        assert [without_times(message) for message in messages] == list(self._messages.values())
        assert snapshot.queued_turns == self.session.waiting
        assert snapshot.is_running == (self.session.running is not None)
        self._check_seqs(messages, snapshot.seq)
        self._check_endings(messages, snapshot.messages)
        assert_times_match(redis, self.session, snapshot, contents)

    def _read_events(self, newest: int) -> None:
        """Apply the new events, which must be those of the model without gaps."""
        page = sessions.events(self._caller, after=self._cursor, limit=1000)
        log = [orjson.loads(event) for event in page.events]
        logged = [(event["type"], event.get("message_id")) for event in log]
        assert logged == self.session.log[self._cursor :]
        assert [event["seq"] for event in log] == list(range(self._cursor + 1, newest + 1))
        self._cursor = newest
        for event in log:
            self._apply(event)

    def _apply(self, event: Message) -> None:
        for message in (event.get("message"), event.get("reply")):
            if message:
                self._messages[message["id"]] = without_times(message)
                self._seqs[message["id"]] = event["seq"]
        if event["type"] == "message.delta":
            self._messages[event["message_id"]]["content"] += event["delta"]
        if event["type"] == "session.reset":
            self._messages.clear()

    def _check_seqs(self, messages: list[Message], newest: int) -> None:
        """A message has the seq of its last event; a running reply has the session's."""
        for message in messages:
            is_running = message["status"] == "in_progress"
            assert message["seq"] == (newest if is_running else self._seqs[message["id"]])

    def _check_endings(self, messages: list[Message], stored: Sequence[bytes]) -> None:
        """A reply that has ended never changes."""
        for message, content in zip(messages, stored, strict=True):
            if message["status"] not in {"queued", "in_progress"}:
                assert self._endings.setdefault(message["id"], content) == content


def without_times(message: Message) -> Message:
    """Drop seq and wait: the position of a waiting reply changes without an event."""
    return {**message, "seq": None, "wait": None}


def outline(message: Message) -> tuple[object, ...]:
    position = message["wait"]["position"] if message["wait"] else None
    return (
        message["id"],
        message["role"],
        message["status"],
        message["content"],
        message["attempt"],
        message["reply_to"],
        message["finish_reason"],
        position,
    )


def expected_messages(session: Session) -> list[tuple[object, ...]]:
    users = {
        n: (f"msg_{n}", Role.USER, "completed", text, 0, None, None, None)
        for n, text in session.texts.items()
    }
    replies = {turn.reply: expected_reply(session, turn) for turn in session.turns}
    return [message for _, message in sorted({**users, **replies}.items())]


def expected_reply(session: Session, turn: Turn) -> tuple[object, ...]:
    position = session.position_of(turn) if turn.status == "queued" else None
    return (
        f"msg_{turn.reply}",
        Role.ASSISTANT,
        turn.status,
        turn.text,
        turn.attempt,
        f"msg_{turn.prompt}",
        turn.reason,
        position,
    )


def assert_times_match(
    redis: Redis, session: Session, snapshot: Snapshot, contents: keyspace.Keyspace
) -> None:
    """Check due time, expiry, lease and TTLs against the model."""
    start = snapshot.now - session.clock
    assert contents.due[session.name] / 1000 - start == about(session.due)
    assert snapshot.expires_at - start == about(session.expires_at)
    own = keys.for_session(session.name)
    for key in own[:6]:
        if key in contents.expire_at:
            margin = contents.expire_at[key] / 1000 - snapshot.expires_at
            assert margin > chat_settings.KEY_TTL_MARGIN / 2 - TOLERANCE, (
                f"{key} may go before its session"
            )
    if session.running:
        lease = int(redis.hget(own.session, "lease_until") or 0)
        assert lease / 1000 - start == about(session.lease_until)


def about(moment: float) -> object:
    return pytest.approx(moment, abs=TOLERANCE)
