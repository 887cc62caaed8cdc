"""What all rules of the machine act on: the store, its model, and who has a part in both."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from redis import Redis

from chat.domain import Caller, Delta, Lease
from chat.domain.errors import ParleyError
from chat.store import sessions
from chat.store.client import client
from chat.store.message_json import json_escape
from tests.integration.store import keyspace, steps
from tests.integration.store.state_machine import invariants
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import Partition

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PICKS = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3])
"""Chooses among what there is: sessions, workers, messages; the first one most often."""
TTLS = st.sampled_from([2200, 6200, 14200])


@dataclass
class Worker:
    """Whoever once claimed a turn; most of them have lost it since."""

    session: Session
    lease: Lease
    texts: list[str] = field(default_factory=list)

    def next_delta(self, text: str, *, resent: int = 0) -> Delta:
        """The last `resent` pieces once more, and `text`."""
        known = len(self.texts) - min(resent, len(self.texts))
        self.texts.append(text)
        offset = len(json_escape("".join(self.texts[:known])))
        return Delta(offset=offset, text=json_escape("".join(self.texts[known:])))

    def restart_if_reclaimed(self) -> None:
        """Its claim, which a failover had forgotten, was given to it again."""
        if self.session.running and not self.session.running.text:
            self.texts.clear()

    @property
    def rank(self) -> int:
        """2: holds its lease. 1: another holds one that looks like its own."""
        if self.session.is_held_by(self.lease):
            return 2
        session = self.session
        is_alike = session.nonce == self.lease.nonce or session.fence == self.lease.fence
        return int(session.running is not None and is_alike)

    @property
    def text(self) -> str:
        return "".join(self.texts)


class BaseMachine(RuleBasedStateMachine):
    """The store and its model, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.redis: Redis = client()
        self.redis.flushdb()
        self.partition = Partition()
        self.sessions: list[Session] = []
        self.workers: list[Worker] = []
        self.subscribers: dict[str, invariants.Subscriber] = {}
        self.touched: set[str] = set()
        self.names = map("s{}".format, itertools.count(1))
        self.unused = map("n{}".format, itertools.count(1))
        """Keys and nonces that were never used before."""

    @initialize(ttl=TTLS)
    def create_session(self, ttl: int) -> None:
        session = Session(self.partition, next(self.names), next(self.unused), ttl)
        url = b'"https://example.org"' if session.has_webhook else b"null"
        new = steps.new_session(session.name, ttl=ttl, messages=200, webhook_url=url)
        new = replace(new, token_hash=session.token)
        assert sessions.create(new) == sessions.create(new)
        self.sessions.append(session)
        self.subscribers[session.name] = invariants.Subscriber(session)

    @invariant()
    def store_matches_model(self) -> None:
        found = keyspace.read(self.redis)
        invariants.assert_store_is_sound(found, self.partition)
        for session in self.live:
            if session.name in self.touched:
                self.subscribers[session.name].check(self.redis, found)
        self.touched.clear()

    def compare(
        self,
        act: Callable[[], Any],
        modelled: Callable[[], object],
        seen: Callable[[Any], object] = lambda answer: answer,
    ) -> None:
        """Both give the same, or raise the same."""
        assert outcome(lambda: seen(act())) == outcome(modelled)

    @property
    def live(self) -> list[Session]:
        return [session for session in self.sessions if not session.is_gone]

    @property
    def gone(self) -> list[Session]:
        return [session for session in self.sessions if session.is_gone]

    def session(self, pick: int) -> Session:
        """One of the live sessions."""
        return self.mark(self.live[pick % len(self.live)])

    def session_to_claim(self, pick: int) -> Session:
        """One of the live sessions: first those in which a claim would succeed."""
        ranked = sorted(self.live, key=lambda s: not s.can_be_claimed)
        return self.mark(ranked[pick % len(ranked)])

    def worker(self, pick: int) -> Worker:
        """One of all workers: first those that hold their lease, then their doubles."""
        ranked = sorted(self.workers, key=lambda worker: worker.rank)
        worker = ranked[-1 - pick % len(ranked)]
        self.mark(worker.session)
        return worker

    def mark(self, session: Session) -> Session:
        """Have a session looked at after the step."""
        self.touched.add(session.name)
        return session

    def caller(self, session: Session) -> Caller:
        return Caller(session_id=session.name, token_hash=session.token)

    def message(self, session: Session, pick: int) -> int:
        """A message's number, newest first; at last one that no message has."""
        known = sorted({*session.texts, *(turn.reply for turn in session.turns), 0})
        return known[-1 - pick % len(known)] or 9999


def outcome(act: Callable[[], object]) -> object:
    """What an act gives, or the kind of what it raises."""
    try:
        return act()
    except ParleyError as error:
        return type(error)
