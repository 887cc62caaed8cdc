"""Rules of clients."""

from functools import partial

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.domain import Accepted, Caller, Cancelled, OnBusy, RecoveryResult
from chat.domain.ids import message_number
from chat.store import admin, due, sessions, snapshots, turns
from tests.integration.store import steps
from tests.integration.store.state_machine.base import PICKS, TEXTS, TTLS, BaseMachine
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import GRACE, AcceptedView

KEYS = st.sampled_from(["", "", "key one", "key two"])
DIGESTS = st.sampled_from(["d1", "d1", "d2"])
DEADLINES = st.sampled_from([600, 3000, 9000])
RARE_OPERATIONS = st.sampled_from(
    [
        *("open", "update", "rotate", "touch", "intrude", "reset", "reset again", "delete"),
        *("requeue", "requeue", "expire"),
    ]
)


class ClientRules(BaseMachine):
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
        session, key = self.session(pick), key or next(self.unused)
        submission = steps.submission(
            text, on_busy=on_busy, key=key, digest=digest, deadline=deadline
        )
        self.compare(
            lambda: turns.submit(self.caller(session), submission),
            lambda: session.submit(session.token, text, submission),
            lambda accepted: self.accepted_view_of_key(session, key, accepted),
        )

    @rule(pick=PICKS, message=PICKS, key=KEYS, digest=DIGESTS)
    def regenerate(self, pick: int, message: int, key: str, digest: str) -> None:
        session, key = self.session(pick), key or next(self.unused)
        number = self.message(session, message)
        self.compare(
            lambda: steps.regenerate(self.caller(session), number, key=key, digest=digest),
            lambda: session.regenerate(session.token, number, key, digest),
            accepted_view,
        )

    @rule(pick=PICKS, message=PICKS)
    def cancel(self, pick: int, message: int) -> None:
        session = self.session(pick)
        number = self.message(session, message)
        self.compare(
            lambda: turns.cancel(self.caller(session), number),
            lambda: session.cancel(session.token, number),
            cancelled_view,
        )

    @rule(pick=PICKS, operation=RARE_OPERATIONS, ttl=TTLS)
    def rare_operation(self, pick: int, operation: str, ttl: int) -> None:
        session = self.session(pick)
        match operation:
            case "open":
                self.create_another_session(ttl)
            case "update" | "touch" | "rotate" | "intrude":
                self.change_session(session, operation, ttl)
            case "reset":
                self.reset(session, next(self.unused))
            case "reset again":
                self.reset(session, "key one")
            case "delete":
                self.delete(session)
            case "expire" | "requeue":
                self.run_admin_action(session, operation)

    def create_another_session(self, ttl: int) -> None:
        if len(self.live) < 3:
            self.create_session(ttl)

    def change_session(self, session: Session, operation: str, ttl: int) -> None:
        caller, token = self.caller(session), f"token for {ttl}"
        match operation:
            case "update":
                self.compare(
                    lambda: sessions.update(caller, b'{"name":"x"}', {"name": b'"x"'}, ttl),
                    lambda: session.update(session.token, ttl),
                )
            case "touch":
                self.compare(
                    lambda: sessions.touch(caller), lambda: session.touch(session.token), ignored
                )
            case "rotate":
                for _ in range(2):
                    self.compare(
                        lambda: sessions.rotate_token(caller, token),
                        lambda: session.rotate(caller.credential, token),
                        ignored,
                    )
            case "intrude":
                stranger = Caller(session_id=session.name, credential="wrong")
                self.compare(lambda: steps.submit(stranger), lambda: session.authorize("wrong"))

    def reset(self, session: Session, key: str) -> None:
        """A reset; repeated requests show deleted replies as cancelled from then on."""
        self.first_replies = {
            place: reply for place, reply in self.first_replies.items() if place[0] != session.name
        }
        self.compare(
            lambda: sessions.reset(self.caller(session), key=key, digest="d1"),
            lambda: session.reset(session.token, key, "d1"),
        )

    def delete(self, session: Session) -> None:
        if len(self.live) > 1:
            self.compare(
                lambda: sessions.delete(self.caller(session)),
                lambda: session.delete(session.token),
            )

    def run_admin_action(self, session: Session, operation: str) -> None:
        """Actions of staff, who need no token."""
        staff = Caller.internal(session.name)
        if operation == "expire":
            self.compare(lambda: admin.expire(staff), session.expire)
        else:
            self.compare(lambda: admin.requeue(staff, grace=GRACE), session.requeue)

    @precondition(lambda self: self.gone)
    @rule(pick=PICKS)
    def use_a_deleted_session(self, pick: int) -> None:
        session = self.gone[pick % len(self.gone)]
        caller = self.caller(session)
        for operation in (steps.submit, sessions.touch, sessions.delete, snapshots.read):
            self.compare(partial(operation, caller), partial(session.authorize, session.token))
        assert steps.claim(caller) is None
        assert due.recover([session.name], grace=GRACE) == [RecoveryResult.GONE]

    def accepted_view_of_key(self, session: Session, key: str, accepted: Accepted) -> AcceptedView:
        """Return the client's view; every response to a key has the first reply."""
        first = self.first_replies.setdefault((session.name, key), accepted.reply)
        assert accepted.reply == first
        return accepted_view(accepted)


def accepted_view(accepted: Accepted) -> AcceptedView:
    reply = orjson.loads(accepted.reply)
    prompt, number = message_number(reply["reply_to"]), message_number(reply["id"])
    return AcceptedView(prompt, number, accepted.queue_position, accepted.needs_wake)


def cancelled_view(result: Cancelled) -> tuple[int, bool, bool, bool]:
    number = message_number(orjson.loads(result.reply)["id"])
    return number, result.has_ended, result.has_effect, result.needs_wake


def ignored(_: object) -> None:
    """Ignore a time, which the model does not know."""
