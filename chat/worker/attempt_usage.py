"""The tokens of attempts: reported by the vendor, or estimated."""

from dataclasses import replace
from typing import NamedTuple

from chat.conversation import context_window
from chat.domain import Outcome, Prompt, Usage, UsageSource
from chat.settings import chat_settings
from chat.worker.active_turns import ActiveTurn
from chat.worker.retry_policy import Decision


class AttemptUsage(NamedTuple):
    """Tokens of one attempt."""

    # Charged to the session's token budget, if there is one.
    tokens: int = 0
    # Counted by the metrics if the model's output is discarded and the turn retried.
    retried_usage: Usage | None = None


def estimate(prompt: Prompt, turn: ActiveTurn) -> Usage:
    return Usage(
        prompt_tokens=sum(map(context_window.estimate_message, prompt.messages)),
        completion_tokens=-(-turn.output_bytes // context_window.BYTES_PER_TOKEN),
        source=UsageSource.ESTIMATED,
    )


def with_estimate(decision: Decision, prompt: Prompt, turn: ActiveTurn) -> Decision:
    """Add an estimated usage to an outcome with text but without usage."""
    if isinstance(decision, Outcome) and decision.usage is None and turn.has_output:
        return replace(decision, usage=estimate(prompt, turn))
    return decision


def measure(decision: Decision, prompt: Prompt, turn: ActiveTurn) -> AttemptUsage:
    """Return what an attempt has used, estimated if the vendor did not report it."""
    has_budget = bool(chat_settings.SESSION_TOKENS_PER_HOUR)
    reported = decision.usage if isinstance(decision, Outcome) else None
    if reported is None and (turn.has_output or has_budget):
        estimated = estimate(prompt, turn)
        tokens = estimated.total_tokens if has_budget else 0
        return AttemptUsage(tokens, estimated if turn.has_output else None)
    return AttemptUsage(reported.total_tokens if reported and has_budget else 0)
