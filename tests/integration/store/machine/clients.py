"""What clients do."""

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.domain import Accepted, Caller, Cancelled, OnBusy, RecoveryResult
from chat.domain.ids import message_number
from chat.store import admin, due, sessions, turns
from tests.integration.store import acts
from tests.integration.store.machine.conversation import GRACE, Taken
from tests.integration.store.machine.model import Session
from tests.integration.store.machine.stage import PICKS, TEXTS, TTLS, Stage

KEYS = st.sampled_from(["", "", "key one", "key two"])
DIGESTS = st.sampled_from(["d1", "d1", "d2"])
DEADLINES = st.sampled_from([600, 3000, 9000])
RARE_ACTS = st.sampled_from(
    [
        *("open", "update", "rotate", "touch", "intrude", "reset", "reset again", "delete"),
        *("requeue", "requeue", "expire"),
    ]
)


class Clients(Stage):
    """Rules of clients."""

    def __init__(self) -> None:
        super().__init__()
        self.first_replies: dict[tuple[str, str], bytes] = {}

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
        session, key = self.session(pick), key or next(self.fresh)
        asked = acts.submission(text, on_busy=on_busy, key=key, digest=digest, deadline=deadline)
        self.agree(
            lambda: turns.submit(self.caller(session), asked),
            lambda: session.submit(session.token, text, asked),
            lambda accepted: self.taken_as_at_first(session, key, accepted),
        )

    @rule(pick=PICKS, message=PICKS, key=KEYS, digest=DIGESTS)
    def regenerate(self, pick: int, message: int, key: str, digest: str) -> None:
        session, key = self.session(pick), key or next(self.fresh)
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
            cancelled,
        )

    @rule(pick=PICKS, act=RARE_ACTS, ttl=TTLS)
    def do_something_rare(self, pick: int, act: str, ttl: int) -> None:
        session = self.session(pick)
        match act:
            case "open":
                self.open_another(ttl)
            case "update" | "touch" | "rotate" | "intrude":
                self.attend(session, act, ttl)
            case "reset":
                self.reset(session, next(self.fresh))
            case "reset again":
                self.reset(session, "key one")
            case "delete":
                self.delete(session)
            case "expire" | "requeue":
                self.intervene(session, act)

    def open_another(self, ttl: int) -> None:
        if len(self.live) < 3:
            self.open(ttl)

    def attend(self, session: Session, act: str, ttl: int) -> None:
        caller, token = self.caller(session), f"token for {ttl}"
        match act:
            case "update":
                self.agree(
                    lambda: sessions.update(caller, b'{"name":"x"}', {"name": b'"x"'}, ttl),
                    lambda: session.update(session.token, ttl),
                )
            case "touch":
                self.agree(
                    lambda: sessions.touch(caller), lambda: session.touch(session.token), nothing
                )
            case "rotate":
                for _ in range(2):
                    self.agree(
                        lambda: sessions.rotate_token(caller, token),
                        lambda: session.rotate(caller.token_hash, token),
                        nothing,
                    )
            case "intrude":
                stranger = Caller(session_id=session.name, token_hash="wrong")
                self.agree(lambda: acts.submit(stranger), lambda: session.admit("wrong"))

    def reset(self, session: Session, key: str) -> None:
        """Replies that go with the history are shown as cancelled from then on."""
        self.first_replies = {
            place: reply for place, reply in self.first_replies.items() if place[0] != session.name
        }
        self.agree(
            lambda: sessions.reset(self.caller(session), key=key, digest="d1"),
            lambda: session.reset(session.token, key, "d1"),
        )

    def delete(self, session: Session) -> None:
        if len(self.live) > 1:
            self.agree(
                lambda: sessions.delete(self.caller(session)),
                lambda: session.delete(session.token),
            )

    def intervene(self, session: Session, act: str) -> None:
        """What staff do, who need no token."""
        staff = Caller(session_id=session.name)
        if act == "expire":
            self.agree(lambda: admin.expire(staff), session.expire)
        else:
            self.agree(lambda: admin.requeue(staff, grace=GRACE), session.requeue)

    @precondition(lambda self: self.gone)
    @rule(pick=PICKS)
    def come_to_a_session_that_is_gone(self, pick: int) -> None:
        session = self.gone[pick % len(self.gone)]
        caller = self.caller(session)
        for act in (acts.submit, sessions.touch, sessions.delete, sessions.snapshot):
            self.agree(lambda act=act: act(caller), lambda: session.admit(session.token))  # type: ignore[misc]
        assert acts.claim(caller) is None
        assert due.recover([session.name], grace=GRACE) == [RecoveryResult.GONE]

    def taken_as_at_first(self, session: Session, key: str, accepted: Accepted) -> Taken:
        """What the client learns; each answer to a key shows the reply as the first one did."""
        first = self.first_replies.setdefault((session.name, key), accepted.reply)
        assert accepted.reply == first
        return taken(accepted)


def taken(accepted: Accepted) -> Taken:
    reply = orjson.loads(accepted.reply)
    prompt, number = message_number(reply["reply_to"]), message_number(reply["id"])
    return Taken(prompt, number, accepted.queue_position, accepted.needs_wake)


def cancelled(seen: Cancelled) -> tuple[int, bool, bool, bool]:
    number = message_number(orjson.loads(seen.reply)["id"])
    return number, seen.is_final, seen.is_change, seen.needs_wake


def nothing(_: object) -> None:
    """A time that the model does not know."""
