"""What clients do with turns: submit, regenerate, cancel."""

from typing import Any

from chat.domain import Accepted, Caller, Cancelled, Submission
from chat.domain.rates import interval_ms
from chat.settings import chat_settings, has_webhook
from chat.store.calls import Steps, send_and_wait, send_script, store_call
from chat.store.message_json import json_escape, past_turn_args
from chat.store.queue_limit import queue_limit
from chat.store.quota import within_quota
from chat.store.routing import Arg
from chat.store.scripts import milliseconds, script_call

# If the sessions of an owner are spread, a partition allows the limit of its turns divided by this.
OWNER_SPREAD = 4


@store_call
def submit(caller: Caller, submission: Submission, *, exceeded: str = "") -> Steps[Accepted]:
    """Accept a user message and the turn that will answer it.

    exceeded: budgets, as in `lua/lib/exceeded_budgets.lua`.

    Raises:
        SessionBusy: `on_busy` is `reject` and a turn is open.
        NotEditable: the message to replace is not that of the last turn.
        NotLastTurn: `after_reply` is not the last reply.
        RateLimited, TokenBudgetExceeded, BudgetExceeded, SessionQueueFull, OwnerQueueFull,
            QueueFull, SessionFull, AddressQuotaExceeded: a limit is reached; nothing was changed.
        StoreFull: Redis is full.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreUnavailable
    """
    content = json_escape(submission.content)
    max_turns = yield from _max_turns_per_partition()
    result = yield from _send_within_quota(
        "submit",
        caller,
        content,
        submission.request,
        milliseconds(submission.deadline),
        milliseconds(chat_settings.WAKE_GRACE),
        submission.on_busy,
        submission.key,
        submission.digest,
        chat_settings.MAX_QUEUED_TURNS_PER_SESSION,
        max_turns,
        interval_ms(chat_settings.MESSAGES_PER_MINUTE),
        chat_settings.MESSAGES_BURST,
        int(has_webhook()),
        chat_settings.SESSION_TOKENS_PER_HOUR,
        exceeded,
        submission.replaces or "",
        submission.params,
        "" if submission.after_reply is None else submission.after_reply,
        submission.parts,
        *past_turn_args(submission.before),
    )
    return _parse_accepted(caller, result)


@store_call
def regenerate(
    caller: Caller,
    number: int,
    *,
    request: bytes,
    deadline: float,
    key: str,
    digest: str,
    exceeded: str = "",
) -> Steps[Accepted]:
    """Accept a turn that answers the session's last user message again.

    number: of the reply to replace, or of its user message; deadline: seconds from now; exceeded:
    budgets, as in `submit`.

    Raises:
        MessageNotFound: the message does not exist.
        NotRegenerable: the message does not belong to the last turn.
        RateLimited, TokenBudgetExceeded, BudgetExceeded, OwnerQueueFull, QueueFull, SessionFull,
            AddressQuotaExceeded: a limit is reached; nothing was changed.
        StoreFull, IdempotencyMismatch, SessionNotFound, SessionExpired, StoreUnavailable
    """
    max_turns = yield from _max_turns_per_partition()
    result = yield from _send_within_quota(
        "regenerate",
        caller,
        number,
        request,
        milliseconds(deadline),
        milliseconds(chat_settings.WAKE_GRACE),
        max_turns,
        interval_ms(chat_settings.MESSAGES_PER_MINUTE),
        chat_settings.MESSAGES_BURST,
        key,
        digest,
        int(has_webhook()),
        chat_settings.SESSION_TOKENS_PER_HOUR,
        exceeded,
    )
    return _parse_accepted(caller, result)


@store_call
def cancel(caller: Caller, number: int) -> Steps[Cancelled]:
    """Cancel the turn of a message: at once if it waits, by a request to its worker if it runs.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call("cancel", caller.session_id, caller.credential, number)
    result = yield from send_script(call)
    status, reply = result[:2]
    return Cancelled(
        reply=reply,
        has_ended=status != b"CANCEL_REQUESTED",
        has_effect=status == b"CANCELLED" or (status == b"CANCEL_REQUESTED" and result[2] == 1),
        needs_wake=status == b"CANCELLED" and not result[2],
    )


def _send_within_quota(name: str, caller: Caller, *args: Arg) -> Steps[list[Any]]:
    call = script_call(name, caller.session_id, caller.credential, *args)
    reply = yield from within_quota(caller.session_id, lambda: send_and_wait(call))
    return reply


def _parse_accepted(caller: Caller, result: list[Any]) -> Accepted:
    status, message, reply, position, awake, *party = result
    if status == b"ACCEPTED":
        queue_limit.count(party[0].decode())
    return Accepted(
        session_id=caller.session_id,
        message=message,
        reply=reply,
        queue_position=position,
        needs_wake=not awake,
    )


def _max_turns_per_partition() -> Steps[str]:
    """Return `max_turns`, see `lua/lib/enqueue_turn.lua`.

    All sessions of a user are in one partition. Those of another owner are spread, so a few may be
    in the same one: it has a quarter of the owner's turns.
    """
    of_user = chat_settings.MAX_TURNS_PER_OWNER
    of_other = -(-of_user // min(chat_settings.PARTITIONS, OWNER_SPREAD))
    of_all = yield from queue_limit.max_per_partition()
    limits = f"{of_all} {of_user} {of_other} {queue_limit.min_share}"
    return " ".join([limits, *queue_limit.full_parties()])
