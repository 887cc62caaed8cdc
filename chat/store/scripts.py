"""The Lua scripts: read from `lua/`, put together with what they include, called by their SHA-1.

A script names the files of `lua/lib/` that it needs in lines `-- include: session reply`; they
are put before it, in that order. (The idea is BullMQ's `--- @include`.)
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError, RedisError

from chat.store.client import Store
from chat.store.connection import Command

HERE = Path(__file__).parent / "lua"
INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)

Argument: TypeAlias = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """One atomic act."""

    source: str
    sha: str


@dataclass(frozen=True, slots=True)
class Call:
    """A script with its keys and arguments."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[Argument]


@cache
def script(name: str) -> Script:
    """Return the script `lua/<name>.lua`."""
    shebang, _, body = (HERE / f"{name}.lua").read_text().partition("\n")
    parts = " ".join(INCLUDE.findall(body)).split()
    source = "\n".join([shebang, *((HERE / "lib" / f"{part}.lua").read_text() for part in parts)])
    source += "\n" + body
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def run(client: Store, call: Call) -> Any:
    """Call a script in one round trip."""
    (answer,) = run_all(client, [call])
    if isinstance(answer, RedisError):
        raise answer
    return answer


def run_all(client: Store, calls: Sequence[Call]) -> list[Any]:
    """Call many scripts in one round trip; each answer, or the error in its place.

    Scripts are safe to run twice, so what met a server without the script is simply sent again.
    """
    answers = client.wire.ask([_command(call) for call in calls])
    if unknown := [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]:
        again = _teach(client, [calls[i] for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
    return answers


def run_replicated(client: Store, call: Call, *, replicas: int, within: int) -> tuple[Any, int]:
    """Call a script and have replicas hold what it wrote; return its answer and how many do.

    within: milliseconds. WAIT counts what its own connection has written, so both take one trip.
    """
    wait = ("WAIT", replicas, within)
    answer, held = client.wire.ask([_command(call), wait])
    if isinstance(answer, NoScriptError):
        answer, held = _teach(client, [call], wait)
    if isinstance(answer, RedisError):
        raise answer
    return answer, held if isinstance(held, int) else 0


def _command(call: Call) -> Command:
    return ("EVALSHA", call.script.sha, *_given(call))


def _given(call: Call) -> Command:
    return (len(call.keys), *call.keys, *call.arguments)


def _teach(client: Store, calls: Sequence[Call], *more: Command) -> list[Any]:
    """Call scripts that the server does not know, in one trip; it knows them from then on.

    They are sent whole, because the server may be made to forget them between two commands.
    """
    loads = [("SCRIPT", "LOAD", each.source) for each in {call.script for call in calls}]
    whole = [("EVAL", call.script.source, *_given(call)) for call in calls]
    return client.wire.ask([*loads, *whole, *more])[len(loads) :]
