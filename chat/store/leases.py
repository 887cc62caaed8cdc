"""Turns as workers act on them: claim, append, renew, finish, retry.

Every act after `claim` carries the lease; one that no longer stands writes nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import orjson
from redis.exceptions import RedisError

from chat.domain import (
    Claim,
    Context,
    Delta,
    Finish,
    HistoryMessage,
    Lease,
    Options,
    Outcome,
    Retry,
    Role,
    Status,
    Usage,
)
from chat.domain.errors import LeaseLost, SessionGone, StoreUnavailable, TurnLost
from chat.settings import chat_settings
from chat.store.client import client, is_programming_error, map_errors
from chat.store.scripts import ScriptCall, milliseconds, run_pipeline, run_script, script_call

LEASE_ERRORS: dict[bytes, type[TurnLost]] = {
    b"GONE": SessionGone,
    b"LEASE_LOST": LeaseLost,
}
ROLES = {role.value: role for role in Role}
STATUSES = {status.value: status for status in Status}
"""Looked up in a seventh of the time in which an enumeration finds its members; a claim's history
has some twenty of both."""
KNOWN_FIELDS = {kind: {field.name for field in fields(kind)} for kind in (Context, Options)}
"""What this version knows of what is stored as members of JSON."""


def claim(session_id: str, *, nonce: str, worker: str) -> Claim | None:
    """Take the session's next turn, or `None` when there is none to take now.

    nonce: made once per try, so that the same try again gets the same claim.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    request = script_call(
        "claim",
        session_id,
        nonce,
        worker,
        milliseconds(chat_settings.LEASE_TTL),
        Context().messages,
        2 * chat_settings.MAX_PAGE_LIMIT,
    )
    with map_errors():
        words = run_script(client(), request)
    return _parse_claim(session_id, nonce, words) if words[0] == b"CLAIMED" else None


def _parse_claim(session_id: str, nonce: str, words: list[Any]) -> Claim:
    fence, turn, attempt, ms_left, system_prompt, context, ask, reply = words[1:9]
    stored = orjson.loads(reply)
    asked = orjson.loads(ask)
    return Claim(
        lease=Lease(session_id=session_id, fence=fence, nonce=nonce),
        turn=turn,
        reply_id=stored["id"],
        attempt=attempt,
        seconds_left=ms_left / 1000,
        model=stored["model"],
        system_prompt=orjson.loads(system_prompt) or "",
        context=Context(**_known_fields(Context, orjson.loads(context))),
        options=_parse_options(asked.get("options", {})),
        request_id=asked.get("request_id", ""),
        traceparent=asked.get("traceparent", ""),
        accepted_at=stored["created_at"],
        claimed_at=stored["started_at"],
        history=[_parse_history(orjson.loads(message)) for message in reversed(words[9:])],
    )


def _parse_options(asked: dict[str, Any]) -> Options:
    known = _known_fields(Options, asked)
    return Options(**{**known, "stop": tuple(known.get("stop", ()))})


def _known_fields(kind: type[Context | Options], stored: dict[str, Any]) -> dict[str, Any]:
    """Return what this version knows of what a newer one may have stored, during a deploy."""
    return {name: value for name, value in stored.items() if name in KNOWN_FIELDS[kind]}


def _parse_history(stored: dict[str, Any]) -> HistoryMessage:
    return HistoryMessage(
        id=stored["id"],
        role=ROLES[stored["role"]],
        content=stored["content"],
        status=STATUSES[stored["status"]],
        reply_to=stored["reply_to"],
    )


def flush(writes: Sequence[tuple[Lease, Delta | None]]) -> list[bool | Exception]:
    """Append what each turn has said, or renew its lease when it said nothing; one round trip.

    Gives for each whether its turn is to be cancelled, or why nothing was written: `LeaseLost`,
    `SessionGone`, or `StoreUnavailable`, after which the same may be sent again. Any other error is
    a fault of Parley's own, which sending it again does not mend.
    """
    calls = [_append(lease, said) if said else _renew(lease) for lease, said in writes]
    with map_errors():
        return [_parse_flush(answer) for answer in run_pipeline(client(), calls)]


def _append(lease: Lease, said: Delta) -> ScriptCall:
    return script_call(
        "append",
        lease.session_id,
        lease.fence,
        lease.nonce,
        milliseconds(chat_settings.LEASE_TTL),
        said.offset,
        said.fragment,
    )


def _renew(lease: Lease) -> ScriptCall:
    return script_call(
        "renew", lease.session_id, lease.fence, lease.nonce, milliseconds(chat_settings.LEASE_TTL)
    )


def _parse_flush(answer: Any) -> bool | Exception:
    if isinstance(answer, RedisError):
        return answer if is_programming_error(answer) else StoreUnavailable(str(answer))
    if answer[0] in {b"APPENDED", b"RENEWED"}:
        return bool(answer[1])
    return LEASE_ERRORS.get(answer[0], LeaseLost)()


def finish(lease: Lease, outcome: Outcome, said: Delta, *, tokens: int = 0) -> Finish:
    """Commit the turn's one outcome; return what is to be done now.

    said: the last piece; tokens: that the attempt took, for the session's budget. The same call
    again changes nothing.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis gave no answer; the call may be made again.
    """
    words = _execute(
        script_call(
            "finish",
            lease.session_id,
            lease.fence,
            lease.nonce,
            said.offset,
            said.fragment,
            outcome.status,
            orjson.dumps(outcome.model),
            _result_members(outcome),
            milliseconds(chat_settings.WAKE_GRACE),
            tokens,
        )
    )
    if words[0] != b"FINISHED":
        return Finish(waits=False)
    return Finish(waits=words[1] > 0, posted=bool(words[2]))


def _result_members(outcome: Outcome) -> bytes:
    """Return the members that stand in the reply's JSON as they are, in their order there."""
    usage, error = outcome.usage, outcome.error
    ending = {
        "finish_reason": outcome.finish_reason,
        "usage": _usage(usage) if usage else None,
        "error": asdict(error) if error else None,
    }
    return orjson.dumps(ending)[1:-1]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "source": usage.source,
        "total_tokens": usage.total_tokens,
    }


def _usage_arg(usage: Usage | None) -> str:
    return f"{usage.prompt_tokens} {usage.completion_tokens}" if usage else ""


def retry(lease: Lease, again: Retry, *, tokens: int = 0, usage: Usage | None = None) -> None:
    """Give the turn back to the inbox's head; what was said of it is dropped.

    tokens: as `finish` has them; took: the same for the figures. The same call again changes
    nothing.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis gave no answer; the call may be made again.
    """
    _execute(
        script_call(
            "retry",
            lease.session_id,
            lease.fence,
            lease.nonce,
            milliseconds(again.delay),
            again.reason,
            int(again.uses_attempt),
            orjson.dumps(again.model),
            orjson.dumps(asdict(again.error) if again.error else None),
            int(again.may_be_woken),
            tokens,
            _usage_arg(usage),
        )
    )


def _execute(request: ScriptCall) -> list[Any]:
    with map_errors():
        words: list[Any] = run_script(client(), request)
    if lost := LEASE_ERRORS.get(words[0]):
        raise lost
    return words
