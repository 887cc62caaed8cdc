"""The base of all rules: the store, its model, and the workers and sessions of both."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from chat.domain import Caller, Delta, Lease
from chat.domain.errors import ParleyError
from chat.store import counters, sessions
from chat.store.message_json import json_escape
from tests.harness.redis_cluster import connect
from tests.integration.store import keyspace, steps
from tests.integration.store.state_machine import invariants
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import Partition

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# Indexes of sessions, workers or messages; the first ones are chosen most often.
PICKS = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3])
TTLS = st.sampled_from([2200, 6200, 14200])


@dataclass
class Worker:
    """A worker that has claimed a turn; most have lost it since."""

    session: Session
    lease: Lease
    texts: list[str] = field(default_factory=list)

    def next_delta(self, text: str, *, repeated: int = 0) -> Delta:
        """Return a delta of the last `repeated` texts and `text`."""
        start = len(self.texts) - min(repeated, len(self.texts))
        self.texts.append(text)
        offset = len(json_escape("".join(self.texts[:start])))
        return Delta(offset=offset, escaped=json_escape("".join(self.texts[start:])))

    def restart_if_reclaimed(self) -> None:
        """Drop the texts if a claim that a failover had lost was repeated."""
        if self.session.running and not self.session.running.text:
            self.texts.clear()

    @property
    def rank(self) -> int:
        """2: the worker holds its lease. 1: another worker holds a similar one."""
        if self.session.is_held_by(self.lease):
            return 2
        session = self.session
        is_similar = session.nonce == self.lease.nonce or session.fence == self.lease.fence
        return int(session.running is not None and is_similar)

    @property
    def text(self) -> str:
        return "".join(self.texts)


class BaseMachine(RuleBasedStateMachine):
    """The store and its model."""

    def __init__(self) -> None:
        super().__init__()
        self.redis = connect(settings.REDIS_URL)
        self.redis.flushdb()
        self.partition = Partition()
        self.sessions: list[Session] = []
        self.workers: list[Worker] = []
        self.subscribers: dict[str, invariants.Subscriber] = {}
        self.touched: set[str] = set()
        self.names = map("s{}".format, itertools.count(1))
        # Keys and nonces that are not used yet.
        self.unused = map("n{}".format, itertools.count(1))

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
        counters.write()
        contents = keyspace.read(self.redis)
        invariants.assert_store_is_sound(contents, self.partition)
        for session in self.live:
            if session.name in self.touched:
                self.subscribers[session.name].check(self.redis, contents)
        self.touched.clear()

    def compare(
        self,
        actual: Callable[[], Any],
        expected: Callable[[], object],
        view: Callable[[Any], object] = lambda result: result,
    ) -> None:
        """Assert that store and model return or raise the same."""
        assert outcome(lambda: view(actual())) == outcome(expected)

    @property
    def live(self) -> list[Session]:
        return [session for session in self.sessions if not session.is_gone]

    @property
    def gone(self) -> list[Session]:
        return [session for session in self.sessions if session.is_gone]

    def session(self, pick: int) -> Session:
        """Return one of the live sessions."""
        return self.mark(self.live[pick % len(self.live)])

    def session_to_claim(self, pick: int) -> Session:
        """Return one of the live sessions; those that can be claimed come first."""
        ranked = sorted(self.live, key=lambda s: not s.can_be_claimed)
        return self.mark(ranked[pick % len(ranked)])

    def worker(self, pick: int) -> Worker:
        """Return a worker; those that hold their lease come first, then similar ones."""
        ranked = sorted(self.workers, key=lambda worker: worker.rank)
        worker = ranked[-1 - pick % len(ranked)]
        self.mark(worker.session)
        return worker

    def mark(self, session: Session) -> Session:
        """Have a session checked after the step."""
        self.touched.add(session.name)
        return session

    def caller(self, session: Session) -> Caller:
        return Caller(session_id=session.name, credential=session.token)

    def message(self, session: Session, pick: int) -> int:
        """Return a message number; the newest come first, an unknown one last."""
        numbers = sorted({*session.texts, *(turn.reply for turn in session.turns), 0})
        return numbers[-1 - pick % len(numbers)] or 9999


def outcome(operation: Callable[[], object]) -> object:
    """Return the result of an operation, or the class of its error."""
    try:
        return operation()
    except ParleyError as error:
        return type(error)
