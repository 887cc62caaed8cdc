"""The steps of a worker, for tests without one."""

import secrets

from chat.domain import Claim, Delta, FinishReason, Outcome, Status, TurnError
from chat.store import leases
from chat.store.message_json import json_escape


def claim_turn(session_id: str) -> Claim:
    """Claim the session's next turn."""
    claim = leases.claim(session_id, nonce=secrets.token_hex(8), worker="a test")
    assert claim is not None
    return claim


def append_text(claim: Claim, text: str, *, after: str = "") -> bool:
    """Append to the reply; return whether a cancellation is requested."""
    said = Delta(offset=len(json_escape(after)), text=json_escape(text))
    (wants_cancel,) = leases.flush([(claim.lease, said)])
    assert isinstance(wants_cancel, bool), wants_cancel
    return wants_cancel


def finish_turn(
    claim: Claim, text: str = "", *, after: str = "", status: Status = Status.COMPLETED
) -> None:
    """End the turn."""
    reason = FinishReason.CANCELLED if status == Status.CANCELLED else FinishReason.STOP
    outcome = Outcome(status=status, finish_reason=reason, model="default")
    leases.finish(
        claim.lease, outcome, Delta(offset=len(json_escape(after)), text=json_escape(text))
    )


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
    leases.finish(claim.lease, outcome, Delta(offset=0, text=b""))
