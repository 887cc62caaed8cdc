"""Steps of tests: operations of the store with default arguments."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from chat.domain import (
    Accepted,
    Caller,
    Claim,
    DeliveryAttempt,
    Delta,
    FinishReason,
    FinishResult,
    Lease,
    NewSession,
    OnBusy,
    Outcome,
    PastTurn,
    Retry,
    Status,
    Submission,
    TurnError,
    Usage,
    WaitReason,
)
from chat.domain.budgets import Budget, BudgetRefusal, PlannedCall, Reservation
from chat.domain.prices import Price
from chat.store import budgets, leases, outbox, sessions, snapshots, turns
from chat.store.message_json import escape_reasoning, json_escape
from tests.integration.store.state_machine.model_base import DEADLINE

Message = dict[str, Any]


def new_session(
    session_id: str = "", *, ttl: int = 3600, messages: int = 20, webhook_url: bytes = b"null"
) -> NewSession:
    return NewSession(
        id=session_id or f"ses_{secrets.token_hex(6)}",
        token_hash=secrets.token_hex(8),
        ttl=ttl,
        name=b'"a session"',
        system_prompt=b"null",
        model=b'"default"',
        context=orjson.dumps({"messages": messages, "tokens": 0}),
        metadata=b"{}",
        webhook_url=webhook_url,
    )


def create_session(*, ttl: int = 3600, messages: int = 20, webhook_url: bytes = b"null") -> Caller:
    new = new_session(ttl=ttl, messages=messages, webhook_url=webhook_url)
    sessions.create(new)
    return Caller(session_id=new.id, credential=new.token_hash)


def reserve(
    lease: Lease,
    limiting: Sequence[Budget],
    price: Price,
    *,
    prompt_tokens: int,
    max_tokens: int,
    min_cost: int,
    min_tokens: int,
    lasts: float,
) -> Reservation | BudgetRefusal:
    """Reserve what a call can cost."""
    planned = PlannedCall(
        reservation=budgets.reservation_for(lease, limiting),
        price=price,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        lasts=lasts,
    )
    return budgets.reserve(planned, limiting, min_cost=min_cost, min_tokens=min_tokens)


def submission(
    content: str = "hello",
    *,
    on_busy: OnBusy = OnBusy.ENQUEUE,
    key: str = "",
    digest: str = "",
    deadline: float = DEADLINE,
    before: Sequence[PastTurn] = (),
) -> Submission:
    return Submission(
        content=content,
        request=b'{"request_id":"req_1"}',
        deadline=deadline,
        on_busy=on_busy,
        key=key or secrets.token_hex(6),
        digest=digest,
        before=before,
    )


def submit(caller: Caller, content: str = "hello", *, deadline: float = DEADLINE) -> Accepted:
    return turns.submit(caller, submission(content, deadline=deadline))


def regenerate(caller: Caller, number: int, *, key: str = "", digest: str = "") -> Accepted:
    key = key or secrets.token_hex(6)
    return turns.regenerate(
        caller, number, request=b"{}", deadline=DEADLINE, key=key, digest=digest
    )


def claim(caller: Caller, nonce: str = "") -> Claim | None:
    nonce = nonce or secrets.token_hex(8)
    return leases.claim(caller.session_id, nonce=nonce, worker="host:1", max_tokens=8192)


def claim_delivery(
    session_id: str, number: int, *, nonce: str, lease: float
) -> DeliveryAttempt | None:
    (due,) = outbox.get_many([(session_id, number)])
    return outbox.claim(due, nonce=nonce, lease=lease)


def outcome(status: Status = Status.COMPLETED, usage: Usage | None = None) -> Outcome:
    reasons = {Status.COMPLETED: FinishReason.STOP, Status.INCOMPLETE: FinishReason.LENGTH}
    error = TurnError(code="model_error", message="The model could not answer.")
    return Outcome(
        status=status,
        finish_reason=reasons.get(status, FinishReason.ERROR),
        model="default",
        usage=usage,
        error=error if status is Status.FAILED else None,
    )


def retry(
    delay: float = 0,
    *,
    uses_attempt: bool = True,
    model: str = "default",
    error: TurnError | None = None,
) -> Retry:
    return Retry(
        delay=delay,
        reason=WaitReason.RATE_LIMITED,
        uses_attempt=uses_attempt,
        model=model,
        error=error,
    )


@dataclass
class LeaseHolder:
    """A worker that holds or held a lease, and the deltas it has sent."""

    lease: Lease
    reply_id: str
    deltas: list[bytes] = field(default_factory=list)

    @classmethod
    def claim_for(cls, caller: Caller) -> "LeaseHolder":
        """Claim the session's next turn."""
        claimed = claim(caller)
        assert claimed is not None
        return cls(claimed.lease, claimed.reply_id)

    def delta(self, text: str, *, repeated: int = 0) -> Delta:
        """Return a delta of the last `repeated` deltas and `text`."""
        start = len(self.deltas) - repeated
        self.deltas.append(json_escape(text))
        offset = sum(map(len, self.deltas[:start]))
        return Delta(offset=offset, escaped=b"".join(self.deltas[start:]))

    def reason(self, text: str) -> None:
        """Append reasoning."""
        delta = Delta(offset=sum(map(len, self.deltas)), escaped=escape_reasoning(text))
        self.deltas.append(delta.escaped)
        leases.flush([(self.lease, delta)])

    def append(self, text: str) -> bool | Exception:
        return leases.flush([(self.lease, self.delta(text))])[0]

    def renew(self) -> bool | Exception:
        return leases.flush([(self.lease, None)])[0]

    def finish(self, text: str = "", status: Status = Status.COMPLETED) -> bool:
        return leases.finish(self.lease, outcome(status), self.delta(text)).has_queued_turns

    def retry(
        self, delay: float = 0, *, uses_attempt: bool = True, may_be_woken: bool = False
    ) -> FinishResult | None:
        decision = retry(delay, uses_attempt=uses_attempt)
        return leases.retry(self.lease, replace(decision, may_be_woken=may_be_woken))


def answer_next_turn(caller: Caller, text: str = "hi") -> None:
    """Claim and finish the session's next turn."""
    LeaseHolder.claim_for(caller).finish(text)


def messages(caller: Caller) -> list[Message]:
    """Return the session's messages as clients see them."""
    return [orjson.loads(message) for message in snapshots.read(caller, limit=400).messages]


def find_message(caller: Caller, reply_id: str) -> Message:
    """Return one message as clients see it."""
    return next(message for message in messages(caller) if message["id"] == reply_id)


def events(caller: Caller) -> list[Message]:
    """Return all events of the session."""
    return [orjson.loads(event) for event in sessions.events(caller, after=0, limit=5000).events]
