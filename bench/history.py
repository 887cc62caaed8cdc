"""Sessions with a long history, written through the store like a worker does."""

import secrets

from chat.conversation import sessions, tokens
from chat.domain import Caller, Delta, FinishReason, Outcome, Status, Submission
from chat.store import leases, turns
from chat.store.message_json import json_escape

QUESTION = "What is the height of the tide at the old harbour tonight, and when does it turn?"
REPLY = "It stands at three metres and ten, and turns at a quarter past two. " * 3


def create_session(messages: int) -> tuple[str, Caller]:
    """Create a session with this number of messages; return its token and its caller."""
    token, _ = sessions.open_session()
    caller = tokens.caller_from_token(token)
    for _ in range(messages // 2):
        _add_turn(caller)
    return token, caller


def _add_turn(caller: Caller) -> None:
    key = secrets.token_hex(6)
    turns.submit(caller, Submission(content=QUESTION, request=b"{}", deadline=60, key=key))
    claim = leases.claim(caller.session_id, nonce=key, worker="bench", max_tokens=8192)
    assert claim
    outcome = Outcome(status=Status.COMPLETED, finish_reason=FinishReason.STOP, model="default")
    leases.finish(claim.lease, outcome, Delta(offset=0, escaped=json_escape(REPLY)))
