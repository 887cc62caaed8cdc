"""Lua scripts: read from `lua/`, combined with their includes, called by EVALSHA; their errors.

A script lists the files of `lua/lib/` that it needs in lines such as `-- include: session events`.
They are inserted there in that order (the idea is BullMQ's `--- @include`). A file of `lib/` can
include others, which are inserted before it; each is inserted once. What the script does not use
of them is left out, see `lua_source.py`. `calls.py` executes calls of scripts.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from chat.domain import errors
from chat.domain.budgets import Period, Scope, exceeded_message
from chat.domain.errors import BudgetExceeded, ParleyError, Unavailable
from chat.settings import chat_settings
from chat.store import keys, lua_source, routing
from chat.store.client import client
from chat.store.routing import Arg, Command, Exchange, Request
from chat.store.topology import Node, Topology

SCRIPTS_DIR = Path(__file__).parent / "lua"


@dataclass(frozen=True, slots=True)
class Script:
    """A script with its includes, and the SHA-1 that EVALSHA takes."""

    source: str
    sha: str
    # Of the session's keys that it takes; None for all.
    key_positions: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A script with its keys and arguments."""

    script: Script
    keys: Sequence[str]
    args: Sequence[Arg]


# What one round trip consists of: scripts, and plain commands that may run twice.
Call: TypeAlias = ScriptCall | Command


@cache
def read_script(name: str) -> Script:
    """Return the script `lua/<name>.lua`, in the form for the server that `REDIS_URL` names."""
    source, key_positions = lua_source.assemble(SCRIPTS_DIR, name)
    if client().topology.is_cluster:  # see pubsub.py
        source = source.replace("redis.call('PUBLISH'", "redis.call('SPUBLISH'")
    sha = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return Script(source, sha, key_positions)


def script_call(name: str, session_id: str, *args: Arg) -> ScriptCall:
    """Return the call of a script that acts on one session."""
    common = (session_id, _size_limits(), key_ttl_margin())
    script, own = read_script(name), keys.for_session(session_id)
    selected = own if script.key_positions is None else [own[i] for i in script.key_positions]
    return ScriptCall(script, selected, (*common, *args))


def call_with_delivery_keys(name: str, session_id: str, *args: Arg) -> ScriptCall:
    """Return the call of a script that finishes or deletes deliveries; it has two more KEYS."""
    call = script_call(name, session_id, *args)
    finished = keys.finished_deliveries(keys.partition_of(session_id))
    return ScriptCall(call.script, (*call.keys, *finished), call.args)


def _size_limits() -> str:
    """Return the limits of a session's size: events and bytes of its log, and bytes in all.

    The log gets at most half of the session's bytes, so that it alone does not fill it.
    """
    max_bytes = chat_settings.MAX_SESSION_BYTES
    log_bytes = min(chat_settings.EVENT_LOG_BYTES, max_bytes // 2)
    return f"{chat_settings.EVENT_LOG_SIZE} {log_bytes} {max_bytes}"


def key_ttl_margin() -> int:
    """Return the seconds that keys outlive their session's expiry.

    Scripts extend the TTL of keys only after half of this margin has passed. Four times the
    deadline of a turn keeps the keys until every accepted turn has ended.
    """
    margin: int = max(chat_settings.KEY_TTL_MARGIN, 4 * chat_settings.TURN_DEADLINE)
    return margin


def milliseconds(seconds: float) -> int:
    """Return a duration as scripts take it."""
    return round(seconds * 1000)


def execute_calls(calls: Sequence[Call], topology: Topology) -> Exchange[list[Any]]:
    """Execute calls; return their replies, errors among them.

    Scripts are safe to run twice, so requests with scripts that a server has not loaded are
    repeated, and those after them with the same first key, which may depend on them. A call of WAIT
    goes to the server of the call before it, on the same connection.

    Raises:
        ConnectionError, TimeoutError: no server answered; the calls may have run.
    """
    groups = _with_waits(calls)
    requests = [_request(*group) for group in groups]
    results = yield from routing.execute(requests, topology)
    if unknown := _unknown(requests, results):
        repeated = _load_requests([groups[i] for i in unknown], topology)
        again = yield from routing.execute(repeated, topology)
        for i, replies in zip(unknown, again, strict=True):
            results[i] = replies[-len(results[i]) :]
    return [reply for replies in results for reply in replies]


def _unknown(requests: Sequence[Request], results: Sequence[Sequence[Any]]) -> list[int]:
    """Return the positions of the requests to repeat."""
    keys_: set[str] = set()
    positions = []
    for i, (request, replies) in enumerate(zip(requests, results, strict=True)):
        if isinstance(replies[0], NoScriptError):
            keys_.add(request.key)
        if request.key in keys_:
            positions.append(i)
    return positions


def _with_waits(calls: Sequence[Call]) -> list[tuple[Call, list[Command]]]:
    """Return each call with the WAIT after it, if there is one."""
    groups: list[tuple[Call, list[Command]]] = []
    for call in calls:
        if not isinstance(call, ScriptCall) and call[0] == "WAIT":
            groups[-1][1].append(call)
        else:
            groups.append((call, []))
    return groups


def _request(call: Call, more: Sequence[Command]) -> Request:
    if isinstance(call, ScriptCall):
        return Request((("EVALSHA", call.script.sha, *_args(call)), *more), call.keys[0])
    return Request.from_command(*call)


def _load_requests(
    groups: Sequence[tuple[Call, Sequence[Command]]], topology: Topology
) -> list[Request]:
    """Return requests that load scripts and run them.

    EVAL sends the source as well: another client may flush the scripts between two commands.
    """
    requests = []
    loaded: set[tuple[Script, Node]] = set()
    for call, more in groups:
        if not isinstance(call, ScriptCall):
            requests.append(_request(call, more))
            continue
        script, key = call.script, call.keys[0]
        commands: list[Command] = [("EVAL", script.source, *_args(call)), *more]
        if (script, node := topology.node_of(key)) not in loaded:
            loaded.add((script, node))
            commands.insert(0, ("SCRIPT", "LOAD", script.source))
        requests.append(Request(commands, key))
    return requests


def _args(call: ScriptCall) -> Command:
    return (len(call.keys), *call.keys, *call.args)


# Types, not instances: an exception that is raised again keeps the frames of all earlier callers.
ERRORS: dict[bytes, type[ParleyError]] = {
    error.code.upper().encode(): error
    for error in (
        errors.BudgetExceeded,
        errors.FeedbackNotAllowed,
        errors.IdempotencyMismatch,
        errors.LeaseLost,
        errors.MessageNotFound,
        errors.NotEditable,
        errors.NotLastTurn,
        errors.NotRegenerable,
        errors.OwnerQueueFull,
        errors.QueueFull,
        errors.RateLimited,
        errors.SessionBusy,
        errors.SessionExpired,
        errors.SessionFilesFull,
        errors.SessionFull,
        errors.SessionGone,
        errors.SessionNotFound,
        errors.SessionQueueFull,
        errors.TokenBudgetExceeded,
    )
}


def script_error(reply: Sequence[Any]) -> ParleyError | None:
    """Return a new error if the script replied with one: its code, and ms until a retry, if known.

    `SESSION_NOT_FOUND` also means that the token belongs to another session
    (`lua/lib/authorize.lua`).
    """
    error_type = ERRORS.get(reply[0])
    if error_type is None:
        return None
    if error_type is BudgetExceeded and reply[1:]:
        return _budget_exceeded(*reply[1:])
    if issubclass(error_type, Unavailable) and reply[1:]:
        return error_type(retry_after=reply[1] / 1000)
    return error_type()


def _budget_exceeded(ms: int, budget: bytes, ends_at: int) -> BudgetExceeded:
    scope, period = budget.decode().split(":")
    message = exceeded_message(Scope(scope), Period(period), ends_at / 1000)
    return BudgetExceeded(message, retry_after=ms / 1000)
