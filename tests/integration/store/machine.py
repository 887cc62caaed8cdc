"""Any acts in any order, on the store and on the model of it; both must tell the same story.

Time does not pass by itself here: every span of the store is much longer than an example runs, and
sessions are aged by hand, in steps that never end near the end of a span.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from redis import Redis

from chat.domain import Accepted, Caller, Claim, FinishReason, Lease, Look, OnBusy, Said, Status
from chat.errors import ParleyError
from chat.store import due, leases, sessions, turns
from chat.store.client import client
from chat.store.text import escaped, number_of
from tests.integration.store import acts, checks, keyspace
from tests.integration.store.ageing import age
from tests.integration.store.model import GRACE, LEASE, Held, Partition, Session, Taken

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PICKS = st.sampled_from([0, 0, 0, 0, 1, 1, 2, 3, 4, 5])
"""Chooses among what there is: sessions, workers, messages; the first one most often."""
KEYS = st.sampled_from(["", "", "key one", "key two"])
DIGESTS = st.sampled_from(["d1", "d1", "d2"])
SPANS = st.sampled_from([400, 400, 400, 1200, 1200, 3200, 6400])
"""Seconds by which a session is aged; no span of the store is a multiple of 400."""
TTLS = st.sampled_from([2200, 6200, 14200])
DEADLINES = st.sampled_from([600, 3000, 9000])
DELAYS = st.sampled_from([0, 600, 4600])
ENDINGS = st.sampled_from(
    [
        (Status.COMPLETED, FinishReason.STOP),
        (Status.INCOMPLETE, FinishReason.LENGTH),
        (Status.FAILED, FinishReason.ERROR),
    ]
)


@dataclass
class Worker:
    """Whoever once claimed a turn; most of them have lost it since."""

    session: Session
    lease: Lease
    pieces: list[str] = field(default_factory=list)

    def says(self, text: str, *, resent: int = 0) -> Said:
        """The last `resent` pieces once more, and `text`."""
        known = len(self.pieces) - min(resent, len(self.pieces))
        self.pieces.append(text)
        offset = len(escaped("".join(self.pieces[:known])))
        return Said(offset=offset, fragment=escaped("".join(self.pieces[known:])))

    @property
    def is_live(self) -> bool:
        return self.session.is_held_by(self.lease)

    @property
    def said(self) -> str:
        return "".join(self.pieces)


class StoreMachine(RuleBasedStateMachine):
    """Drives up to three sessions of one partition."""

    def __init__(self) -> None:
        super().__init__()
        self.redis: Redis = client()
        self.redis.flushdb()
        self.partition = Partition()
        self.gone: list[Session] = []
        self.workers: list[Worker] = []
        self.first_replies: dict[tuple[str, str], bytes] = {}
        self.followers: dict[str, checks.Follower] = {}
        self.touched: set[str] = set()
        self.names = map("s{}".format, itertools.count(1))
        self.nonces = map("n{}".format, itertools.count(1))

    def session(self, pick: int) -> Session:
        """One of the live sessions."""
        live = list(self.partition.sessions.values())
        return self.noted(live[pick % len(live)])

    def session_to_claim(self, pick: int) -> Session:
        """One of the live sessions: first those in which a claim would succeed."""
        ranked = sorted(self.partition.sessions.values(), key=lambda s: not s.wants_a_worker)
        return self.noted(ranked[pick % len(ranked)])

    def worker(self, pick: int) -> Worker:
        """One of all workers: first those that hold their lease, then the newest."""
        ranked = sorted(self.workers, key=lambda worker: worker.is_live)
        worker = ranked[-1 - pick % len(ranked)]
        self.noted(worker.session)
        return worker

    def noted(self, session: Session) -> Session:
        """Have a session looked at after the step."""
        self.touched.add(session.name)
        return session

    def caller(self, session: Session) -> Caller:
        return Caller(session_id=session.name, token_hash=session.token)

    # Clients -------------------------------------------------------------------------------------

    @initialize(ttl=TTLS)
    def open_the_first(self, ttl: int) -> None:
        self.open(ttl)

    @precondition(lambda self: len(self.partition.sessions) < 3)
    @rule(ttl=TTLS)
    def open(self, ttl: int) -> None:
        new = acts.new_session(next(self.names), ttl=ttl)
        assert sessions.create(new) == sessions.create(new)
        session = Session(self.partition, new.id, new.token_hash, ttl)
        self.followers[session.name] = checks.Follower(session)

    @rule(pick=PICKS, text=TEXTS, deadline=DEADLINES)
    def submit(self, pick: int, text: str, deadline: int) -> None:
        self.submit_with(pick, text, on_busy=OnBusy.ENQUEUE, key="", digest="", deadline=deadline)

    @rule(
        pick=PICKS,
        text=TEXTS,
        on_busy=st.sampled_from(OnBusy),
        key=KEYS,
        digest=DIGESTS,
        deadline=DEADLINES,
    )
    def submit_with(
        self, pick: int, text: str, *, on_busy: OnBusy, key: str, digest: str, deadline: int
    ) -> None:
        session, key = self.session(pick), key or next(self.nonces)
        asked = acts.submission(text, on_busy=on_busy, key=key, digest=digest, deadline=deadline)
        self.agree(
            lambda: turns.submit(self.caller(session), asked),
            lambda: session.submit(session.token, text, asked),
            lambda accepted: self.taken_at_first(session, key, accepted),
        )

    @rule(pick=PICKS, message=PICKS, key=KEYS, digest=DIGESTS)
    def regenerate(self, pick: int, message: int, key: str, digest: str) -> None:
        session, key = self.session(pick), key or next(self.nonces)
        chosen = self.message(session, message)
        self.agree(
            lambda: acts.regenerate(self.caller(session), chosen, key=key, digest=digest),
            lambda: session.regenerate(session.token, chosen, key, digest),
            taken,
        )

    @rule(pick=PICKS, message=PICKS)
    def cancel(self, pick: int, message: int) -> None:
        session = self.session(pick)
        chosen = self.message(session, message)
        self.agree(
            lambda: turns.cancel(self.caller(session), chosen),
            lambda: session.cancel(session.token, chosen),
            lambda seen: (
                number_of(orjson.loads(seen.reply)["id"]),
                seen.is_final,
                seen.wants_wake,
            ),
        )

    @rule(pick=PICKS, act=st.sampled_from(["update", "rotate", "touch", "intrude"]), ttl=TTLS)
    def attend(self, pick: int, act: str, ttl: int) -> None:
        {
            "update": self.update,
            "rotate": self.rotate,
            "touch": self.touch,
            "intrude": self.intrude,
        }[act](self.session(pick), ttl)

    def update(self, session: Session, ttl: int) -> None:
        self.agree(
            lambda: sessions.update(self.caller(session), b'{"name":"x"}', {"name": b'"x"'}, ttl),
            lambda: session.update(session.token, ttl),
        )

    def rotate(self, session: Session, ttl: int) -> None:
        caller, token = self.caller(session), f"token for {ttl}"
        for _ in range(2):
            self.agree(
                lambda: sessions.rotate(caller, token),
                lambda: session.rotate(session.token, token),
                lambda _: None,
            )

    def touch(self, session: Session, _: int) -> None:
        self.agree(
            lambda: sessions.touch(self.caller(session)),
            lambda: session.touch(session.token),
            lambda _: None,
        )

    def intrude(self, session: Session, _: int) -> None:
        stranger = Caller(session_id=session.name, token_hash="wrong")
        self.agree(
            lambda: turns.submit(stranger, acts.submission()), lambda: session.admit("wrong")
        )

    @rule(pick=PICKS, key=KEYS, digest=DIGESTS, goes=st.booleans())
    def reset_or_delete(self, pick: int, key: str, digest: str, goes: bool) -> None:
        session = self.session(pick)
        if goes and len(self.partition.sessions) > 1:
            self.delete(session)
        elif goes or key:
            key = key or next(self.nonces)
            self.agree(
                lambda: sessions.reset(self.caller(session), key=key, digest=digest),
                lambda: session.reset(session.token, key, digest),
            )

    def delete(self, session: Session) -> None:
        self.agree(
            lambda: sessions.delete(self.caller(session)), lambda: session.delete(session.token)
        )
        self.gone += [session] if session.is_gone else []

    @precondition(lambda self: self.gone)
    @rule(pick=PICKS)
    def come_to_a_session_that_is_gone(self, pick: int) -> None:
        session = self.gone[pick % len(self.gone)]
        caller = self.caller(session)
        for act in (acts.submit, sessions.touch, sessions.delete, sessions.snapshot):
            self.agree(lambda act=act: act(caller), lambda: session.admit(session.token))  # type: ignore[misc]
        assert acts.claim(caller) is None
        assert due.recover([session.name], grace=GRACE) == [Look.GONE]

    # Workers -------------------------------------------------------------------------------------

    @rule(pick=PICKS, twice=st.booleans())
    def claim(self, pick: int, twice: bool) -> None:
        self.claim_with(self.session_to_claim(pick), next(self.nonces))
        if twice and self.workers:
            self.claim_with_an_old_nonce(0)

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS)
    def claim_with_an_old_nonce(self, pick: int) -> None:
        worker = self.worker(pick)
        self.claim_with(worker.session, worker.lease.nonce)

    @precondition(lambda self: self.session_to_claim(0).wants_a_worker)
    @rule(pick=PICKS, text=TEXTS)
    def answer(self, pick: int, text: str) -> None:
        """What most often happens: a turn is claimed and answered."""
        session = self.session_to_claim(pick)
        if self.claim_with(session, next(self.nonces)):
            self.finish(0, text, (Status.COMPLETED, FinishReason.STOP), twice=False)

    @precondition(lambda self: self.session_to_claim(0).wants_a_worker)
    @rule(pick=PICKS)
    def a_failover_forgets_a_claim(self, pick: int) -> None:
        """The store goes back to where it was; the worker does not know."""
        session = self.session_to_claim(pick)
        with rolled_back(self.redis):
            claim = leases.claim(session.name, nonce=next(self.nonces), worker="host:1")
        if claim is not None:
            self.workers.append(Worker(session, claim.lease))

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, text=st.none() | TEXTS, resent=st.integers(0, 3))
    def flush(self, pick: int, text: str | None, resent: int) -> None:
        worker = self.worker(pick)
        said = None if text is None else worker.says(text, resent=resent)
        answer = leases.flush([(worker.lease, said)])[0]
        self.agree(
            lambda: raised(answer),
            lambda: worker.session.flush(worker.lease, worker.said if said else None),
        )

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, text=TEXTS, ending=ENDINGS, twice=st.booleans())
    def finish(
        self, pick: int, text: str, ending: tuple[Status, FinishReason], twice: bool
    ) -> None:
        worker, outcome = self.worker(pick), acts.ended(ending[0])
        said = worker.says(text)
        for _ in range(1 + twice):
            self.agree(
                lambda: leases.finish(worker.lease, outcome, said),
                lambda: worker.session.finish(worker.lease, worker.said, *ending),
            )

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, delay=DELAYS, uses_attempt=st.booleans(), twice=st.booleans())
    def retry(self, pick: int, delay: int, uses_attempt: bool, twice: bool) -> None:
        worker, again = self.worker(pick), acts.again(delay, uses_attempt=uses_attempt)
        for _ in range(1 + twice):
            self.agree(
                lambda: leases.retry(worker.lease, again),
                lambda: worker.session.retry(worker.lease, delay, uses_attempt=uses_attempt),
            )

    @precondition(lambda self: self.partition.running)
    @rule()
    def a_worker_dies(self) -> None:
        session = next(s for s in self.partition.sessions.values() if s.running)
        self.let_pass(self.noted(session), LEASE + 200)
        self.sweep_and_recover()

    @rule()
    def sweep_and_recover(self) -> None:
        found = due.sweep()
        expected = [session for session in self.partition.sessions.values() if session.swept()]
        assert sorted(found) == sorted(session.name for session in expected)
        looks = due.recover(found, grace=GRACE)
        by_name = {session.name: session.recover() for session in expected}
        assert looks == [by_name[name] for name in found]
        self.after_looks(expected)

    @rule(pick=PICKS)
    def look_too_early(self, pick: int) -> None:
        session = self.session(pick)
        assert due.recover([session.name], grace=GRACE) == [session.recover()]
        self.after_looks([session])

    def after_looks(self, looked_at: list[Session]) -> None:
        self.touched |= {session.name for session in looked_at}
        self.gone += [session for session in looked_at if session.is_gone]
        if not self.partition.sessions:
            self.open(2200)

    # Time ----------------------------------------------------------------------------------------

    @rule(pick=PICKS, seconds=SPANS)
    def time_passes(self, pick: int, seconds: int) -> None:
        self.let_pass(self.session(pick), seconds)

    def let_pass(self, session: Session, seconds: int) -> None:
        age(self.redis, session.name, seconds)
        session.clock += seconds

    # Agreement -----------------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_modelled(self) -> None:
        found = keyspace.read(self.redis)
        checks.store_is_sound(found, self.partition)
        for name in self.touched & self.partition.sessions.keys():
            self.followers[name].look(self.redis, found)
        self.touched.clear()

    def teardown(self) -> None:
        self.touched |= self.partition.sessions.keys()
        self.the_store_is_as_modelled()

    def agree(
        self,
        act: Callable[[], Any],
        modelled: Callable[[], object],
        seen: Callable[[Any], object] = lambda answer: answer,
    ) -> None:
        """Both give the same, or raise the same."""
        assert outcome(lambda: seen(act())) == outcome(modelled)

    def claim_with(self, session: Session, nonce: str) -> bool:
        """Claim in both; True when there is a new lease."""
        claim = leases.claim(session.name, nonce=nonce, worker="host:1")
        assert held(claim) == session.claim(nonce)
        is_new = claim is not None and all(claim.lease != worker.lease for worker in self.workers)
        if claim is not None and is_new:
            self.workers.append(Worker(session, claim.lease))
        return is_new

    def message(self, session: Session, pick: int) -> int:
        """A message's number, newest first; sometimes one that no message has."""
        known = sorted({*session.texts, *(turn.reply for turn in session.turns), 0})
        return known[-1 - pick % len(known)] or 9999

    def taken_at_first(self, session: Session, key: str, accepted: Accepted) -> Taken:
        """What the client learns; each answer to a key shows the reply as the first one did."""
        first = self.first_replies.setdefault((session.name, key), accepted.reply)
        assert accepted.reply == first
        return taken(accepted)


def taken(accepted: Accepted) -> Taken:
    reply = orjson.loads(accepted.reply)
    prompt, number = number_of(reply["reply_to"]), number_of(reply["id"])
    return Taken(prompt, number, accepted.position, accepted.wants_wake)


def held(claim: Claim | None) -> Held | None:
    if claim is None:
        return None
    history = tuple(number_of(message.id) for message in claim.history)
    return Held(number_of(claim.reply_id), claim.attempt, history)


@contextmanager
def rolled_back(redis: Redis) -> Iterator[None]:
    """Put every key back as it was."""
    kept = {key: (redis.dump(key), max(0, redis.pexpiretime(key))) for key in redis.scan_iter()}
    yield
    redis.flushdb()
    for key, (value, expires) in kept.items():
        assert value is not None
        redis.restore(key, expires, value, absttl=True)


def outcome(act: Callable[[], object]) -> object:
    """What an act gives, or the kind of what it raises."""
    try:
        return act()
    except ParleyError as error:
        return type(error)


def raised(answer: bool | ParleyError) -> bool:
    if isinstance(answer, ParleyError):
        raise answer
    return answer
