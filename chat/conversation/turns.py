"""Turns: submit, regenerate, cancel."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, ParamSpec, Protocol, TypeVar

import orjson

from chat import broker
from chat.accounts import read_limits
from chat.accounts.exceeded_budgets import exceeded_budgets
from chat.conversation import files, policies
from chat.conversation.idempotency import digest, storage_key
from chat.domain import (
    Accepted,
    Caller,
    Cancelled,
    FinishReason,
    OnBusy,
    Options,
    PromptMessage,
    Status,
    Submission,
    TurnExtras,
)
from chat.domain.errors import NothingToContinue
from chat.domain.files import Part
from chat.domain.ids import message_number
from chat.logging import log_context, log_turn
from chat.settings import chat_settings
from chat.store import snapshots, turns
from chat.store.calls import Steps, StoreCall
from chat.store.message_json import message_number_in, parts_json
from chat.tracing import tracing

logger = logging.getLogger(__name__)

P = ParamSpec("P")

# Of turns of the native API.
NO_EXTRAS = TurnExtras()
# The user message that continues a reply.
CONTINUE = "Continue exactly where you stopped."


class _HasTurn(Protocol):
    """The result of a store call that accepts a turn."""

    @property
    def session_id(self) -> str: ...

    @property
    def needs_wake(self) -> bool: ...


R = TypeVar("R", bound=_HasTurn)


class _AcceptingCall(StoreCall[P, R]):
    """A store call that accepts a turn. It wakes a worker if none has the session.

    As a part of another store call (`steps`), it leaves the wake-up to that call.
    """

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        accepted = super().__call__(*args, **kwargs)
        if accepted.needs_wake:
            broker.wake_session(accepted.session_id)
        return accepted

    async def on_loop(self, *args: P.args, **kwargs: P.kwargs) -> R:
        accepted = await super().on_loop(*args, **kwargs)
        if accepted.needs_wake:
            broker.wake_in_background(accepted.session_id)
        return accepted


def accepts_turn(function: Callable[P, Steps[R]]) -> _AcceptingCall[P, R]:
    return _AcceptingCall(function)


@accepts_turn
def submit(
    *,
    caller: Caller,
    content: str = "",
    parts: Sequence[Part] = (),
    is_continuation: bool = False,
    replaces: str | None = None,
    on_busy: OnBusy = OnBusy.ENQUEUE,
    options: Options | None = None,
    deadline: float | None = None,
    key: str = "",
    request_id: str = "",
    extras: TurnExtras = NO_EXTRAS,
) -> Steps[Accepted]:
    """Accept a user message and wake a worker if the session has none.

    parts: all of the message, if it has more than text; `content` has its text then.

    is_continuation: instead of `content`, ask for the rest of a reply that ended at its maximum
    length.

    replaces: id of the message of the last turn, of which this one is an edited version.

    deadline: seconds within which the turn must end; key: the client's idempotency key.

    Raises:
        NotLastTurn: nothing was changed.
        SessionBusy, RateLimited, TokenBudgetExceeded, BudgetExceeded, SessionQueueFull, QueueFull,
            SessionFull: nothing was changed.
        MessageNotFound, NotEditable: `replaces` is not the message of the last turn.
        NotAllowed, InvalidRequest: the operator does not allow the options.
        UnsupportedContent: the session's model does not read the parts.
        NothingToContinue: the last reply did not end at its maximum length.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    yield from _check_message(caller, options)
    yield from policies.check_instructions(caller, extras.instructions)
    with tracing.span("submit", session=caller.session_id):
        request: list[Any] = [content or is_continuation, on_busy, options, deadline]
        # A process of an older version computes the digest without it.
        if replaces:
            request.append(replaces)
        if parts:
            parts = yield from files.check_parts.steps(caller, parts)
            request.append([part.to_json() for part in parts])
        submission = Submission(
            content=(yield from _continuation(caller)) if is_continuation else content,
            request=_request_json(options, request_id, extras),
            deadline=min(deadline or chat_settings.TURN_DEADLINE, chat_settings.TURN_DEADLINE),
            on_busy=on_busy,
            replaces=message_number(replaces) if replaces else None,
            key=storage_key(key),
            digest=_submit_digest(request, extras) if key else "",
            params=extras.params,
            after_reply=extras.after_reply,
            parts=parts_json(parts),
            before=extras.before,
        )
        exceeded = yield from exceeded_budgets.lines()
        accepted = yield from turns.submit.steps(caller, submission, exceeded=exceeded)
        _log(accepted)
        return accepted


def _submit_digest(request: Sequence[object], extras: TurnExtras) -> str:
    """Return the digest of a submission; an earlier version's if it has no extras."""
    return digest("submit", *request, *(() if extras == NO_EXTRAS else (extras,)))


def _check_message(caller: Caller, options: Options | None) -> Steps[None]:
    if caller.principal is not None:
        read_limits.check_message(caller.principal)
    yield from policies.check_message_options(caller, options)


def _continuation(caller: Caller) -> Steps[str]:
    """Return the message that asks for the rest of the last reply."""
    snapshot = yield from snapshots.read.steps(caller, limit=1)
    newest = snapshot.messages
    reply = orjson.loads(newest[-1]) if newest else {}
    if (reply.get("status"), reply.get("finish_reason")) != (
        Status.INCOMPLETE,
        FinishReason.LENGTH,
    ):
        raise NothingToContinue
    return CONTINUE


@accepts_turn
def regenerate(
    *,
    caller: Caller,
    message_id: str,
    options: Options | None = None,
    key: str = "",
    request_id: str = "",
) -> Steps[Accepted]:
    """Accept a turn that replies to the last user message again. The earlier reply is kept.

    Raises:
        MessageNotFound, NotRegenerable: the message does not exist, or is not in the last turn.
        RateLimited, TokenBudgetExceeded, BudgetExceeded, QueueFull: a limit is reached; nothing was
            changed.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    yield from _check_message(caller, options)
    with tracing.span("submit", session=caller.session_id):
        exceeded = yield from exceeded_budgets.lines()
        accepted = yield from turns.regenerate.steps(
            caller,
            message_number(message_id),
            request=_request_json(options, request_id),
            deadline=chat_settings.TURN_DEADLINE,
            key=storage_key(key),
            digest=digest("regenerate", message_id, options) if key else "",
            exceeded=exceeded,
        )
        _log(accepted)
        return accepted


def cancel(*, caller: Caller, message_id: str) -> Cancelled:
    """Cancel the turn of a reply or user message. Partial text is kept.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    cancelled = turns.cancel(caller, message_number(message_id))
    if cancelled.needs_wake:
        broker.wake_session(caller.session_id)
    return cancelled


def _log(accepted: Accepted) -> None:
    number = message_number_in(accepted.reply)
    with log_context(session=accepted.session_id, turn=number // 2, **tracing.log_fields()):
        log_turn(logger, f"msg_{number}: accepted")


def _request_json(
    options: Options | None, request_id: str, extras: TurnExtras = NO_EXTRAS
) -> bytes:
    """Return trace context, request id, options and extras as JSON, without what is not set."""
    request: dict[str, Any] = tracing.inject()
    if request_id:
        request["request_id"] = request_id
    if extras.instructions:
        request["instructions"] = extras.instructions
    if extras.is_untruncated:
        request["is_untruncated"] = True
    if extras.messages:
        request["messages"] = [_message_json(message) for message in extras.messages]
    if options is not None:
        fields = asdict(options).items()
        request["options"] = {name: value for name, value in fields if value not in (None, ())}
    return orjson.dumps(request)


def _message_json(message: PromptMessage) -> Sequence[object]:
    """Return a message as older versions read it, if it has only text."""
    parts = [part.to_json() for part in message.parts]
    return (message.role, message.content, *((parts,) if parts else ()))
