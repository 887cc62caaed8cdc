"""The steps of a worker, for tests without one."""

import secrets

from chat.domain import Claim, Delta, FinishReason, Outcome, Status, TurnError
from chat.store import counters, leases
from chat.store.message_json import json_escape


def claim_turn(session_id: str) -> Claim:
    claim = leases.claim(session_id, nonce=secrets.token_hex(8), worker="a test", max_tokens=8192)
    assert claim is not None
    return claim


def append_text(claim: Claim, text: str, *, after: str = "") -> bool:
    """Append to the reply; return whether a cancellation is requested."""
    delta = Delta(offset=len(json_escape(after)), escaped=json_escape(text))
    (is_cancelled,) = leases.flush([(claim.lease, delta)])
    assert isinstance(is_cancelled, bool), is_cancelled
    return is_cancelled


def finish_turn(
    claim: Claim, text: str = "", *, after: str = "", status: Status = Status.COMPLETED
) -> None:
    reason = FinishReason.CANCELLED if status == Status.CANCELLED else FinishReason.STOP
    outcome = Outcome(status=status, finish_reason=reason, model="default")
    leases.finish(
        claim.lease, outcome, Delta(offset=len(json_escape(after)), escaped=json_escape(text))
    )
    counters.write()


def complete_turn(session_id: str, text: str) -> None:
    """Claim the session's next turn, and complete it with this text."""
    finish_turn(claim_turn(session_id), text)


def fail_turn(session_id: str) -> None:
    """Claim the session's next turn, and let it fail with a model error."""
    claim = claim_turn(session_id)
    error = TurnError(code="model_error", message="The model could not answer.")
    outcome = Outcome(
        status=Status.FAILED, finish_reason=FinishReason.ERROR, model="default", error=error
    )
    leases.finish(claim.lease, outcome, Delta(offset=0, escaped=b""))
    counters.write()
