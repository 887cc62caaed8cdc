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
    Finish,
    HistoryMessage,
    Lease,
    Options,
    Outcome,
    Retry,
    Role,
    Said,
    Status,
    Usage,
)
from chat.domain.errors import LeaseLost, SessionGone, StoreUnavailable, TurnLost
from chat.settings import chat_settings
from chat.store.calls import call
from chat.store.client import client, is_own_fault, translated
from chat.store.scripts import Call, run, run_all

LOST: dict[bytes, type[TurnLost]] = {
    b"GONE": SessionGone,
    b"LEASE_LOST": LeaseLost,
}
ROLES = {role.value: role for role in Role}
STATUSES = {status.value: status for status in Status}
"""Looked up in a seventh of the time in which an enumeration finds its members; a claim's history
has some twenty of both."""
FIELDS = {kind: {field.name for field in fields(kind)} for kind in (Context, Options)}
"""What this version knows of what is stored as members of JSON."""


def claim(session_id: str, *, nonce: str, worker: str) -> Claim | None:
    """Take the session's next turn, or `None` when there is none to take now.

    nonce: made once per try, so that the same try again gets the same claim.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    request = call(
        "claim",
        session_id,
        nonce,
        worker,
        _ms(chat_settings.LEASE_TTL),
        Context().messages,
        2 * chat_settings.MAX_PAGE_LIMIT,
    )
    with translated():
        words = run(client(), request)
    return _claim(session_id, nonce, words) if words[0] == b"CLAIMED" else None


def _claim(session_id: str, nonce: str, words: list[Any]) -> Claim:
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
        context=Context(**_known(Context, orjson.loads(context))),
        options=_options(asked.get("options", {})),
        request_id=asked.get("request_id", ""),
        traceparent=asked.get("traceparent", ""),
        accepted_at=stored["created_at"],
        claimed_at=stored["started_at"],
        history=[_history(orjson.loads(message)) for message in reversed(words[9:])],
    )


def _options(asked: dict[str, Any]) -> Options:
    known = _known(Options, asked)
    return Options(**{**known, "stop": tuple(known.get("stop", ()))})


def _known(kind: type[Context | Options], stored: dict[str, Any]) -> dict[str, Any]:
    """Return what this version knows of what a newer one may have stored, during a deploy."""
    return {name: value for name, value in stored.items() if name in FIELDS[kind]}


def _history(stored: dict[str, Any]) -> HistoryMessage:
    return HistoryMessage(
        id=stored["id"],
        role=ROLES[stored["role"]],
        content=stored["content"],
        status=STATUSES[stored["status"]],
        reply_to=stored["reply_to"],
    )


def flush(writes: Sequence[tuple[Lease, Said | None]]) -> list[bool | Exception]:
    """Append what each turn has said, or renew its lease when it said nothing; one round trip.

    Gives for each whether its turn is to be cancelled, or why nothing was written: `LeaseLost`,
    `SessionGone`, or `StoreUnavailable`, after which the same may be sent again. Any other error is
    a fault of Parley's own, which sending it again does not mend.
    """
    calls = [_append(lease, said) if said else _renew(lease) for lease, said in writes]
    with translated():
        return [_flushed(answer) for answer in run_all(client(), calls)]


def _append(lease: Lease, said: Said) -> Call:
    return call(
        "append",
        lease.session_id,
        lease.fence,
        lease.nonce,
        _ms(chat_settings.LEASE_TTL),
        said.offset,
        said.fragment,
    )


def _renew(lease: Lease) -> Call:
    return call("renew", lease.session_id, lease.fence, lease.nonce, _ms(chat_settings.LEASE_TTL))


def _flushed(answer: Any) -> bool | Exception:
    if isinstance(answer, RedisError):
        return answer if is_own_fault(answer) else StoreUnavailable(str(answer))
    if answer[0] in {b"APPENDED", b"RENEWED"}:
        return bool(answer[1])
    return LOST.get(answer[0], LeaseLost)()


def finish(lease: Lease, outcome: Outcome, said: Said, *, tokens: int = 0) -> Finish:
    """Commit the turn's one outcome; return what is to be done now.

    said: the last piece; tokens: that the attempt took, for the session's budget. The same call
    again changes nothing.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis gave no answer; the call may be made again.
    """
    words = _ended(
        call(
            "finish",
            lease.session_id,
            lease.fence,
            lease.nonce,
            said.offset,
            said.fragment,
            outcome.status,
            orjson.dumps(outcome.model),
            _members(outcome),
            _ms(chat_settings.WAKE_GRACE),
            tokens,
        )
    )
    if words[0] != b"FINISHED":
        return Finish(waits=False)
    return Finish(waits=words[1] > 0, posted=bool(words[2]))


def _members(outcome: Outcome) -> bytes:
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


def _took(usage: Usage | None) -> str:
    return f"{usage.prompt_tokens} {usage.completion_tokens}" if usage else ""


def retry(lease: Lease, again: Retry, *, tokens: int = 0, took: Usage | None = None) -> None:
    """Give the turn back to the inbox's head; what was said of it is dropped.

    tokens: as `finish` has them; took: the same for the figures. The same call again changes
    nothing.

    Raises:
        LeaseLost, SessionGone: nothing was written.
        StoreUnavailable: Redis gave no answer; the call may be made again.
    """
    _ended(
        call(
            "retry",
            lease.session_id,
            lease.fence,
            lease.nonce,
            _ms(again.delay),
            again.reason,
            int(again.uses_attempt),
            orjson.dumps(again.model),
            orjson.dumps(asdict(again.error) if again.error else None),
            int(again.may_be_woken),
            tokens,
            _took(took),
        )
    )


def _ended(request: Call) -> list[Any]:
    with translated():
        words: list[Any] = run(client(), request)
    if lost := LOST.get(words[0]):
        raise lost
    return words


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
