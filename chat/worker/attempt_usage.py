"""The tokens of attempts: reported by the vendor, or estimated."""

from dataclasses import replace

from chat.conversation import context_window
from chat.domain import Charge, Outcome, Usage, UsageSource
from chat.settings import chat_settings
from chat.worker.active_turns import ActiveTurn
from chat.worker.retry_policy import Decision


def estimate(turn: ActiveTurn) -> Usage:
    return Usage(
        prompt_tokens=turn.prompt_tokens,
        completion_tokens=_tokens(turn.output_bytes + turn.reasoning_bytes),
        source=UsageSource.ESTIMATED,
        reasoning_tokens=_tokens(turn.reasoning_bytes),
    )


def _tokens(size: int) -> int:
    return -(-size // context_window.BYTES_PER_TOKEN)


def with_estimate(decision: Decision, turn: ActiveTurn) -> Decision:
    """Add an estimated usage to an outcome without usage, if the model has sent anything."""
    has_sent = turn.output_bytes or turn.reasoning_bytes
    if isinstance(decision, Outcome) and decision.usage is None and has_sent:
        return replace(decision, usage=estimate(turn))
    return decision


def measure(decision: Decision, turn: ActiveTurn) -> Charge:
    """Return what an attempt has used, estimated if the vendor did not report it.

    A call that the vendor rejected costs nothing, but counts towards the session's token budget.
    """
    reported = decision.usage if isinstance(decision, Outcome) else None
    used = reported or estimate(turn)
    return Charge(
        tokens=used.total_tokens if chat_settings.SESSION_TOKENS_PER_HOUR else 0,
        usage=None if turn.was_rejected else used,
        reservation=turn.reservation,
    )
