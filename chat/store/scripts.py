"""The Lua scripts: read from `lua/`, put together with what they include, called by their SHA-1.

A script names the files of `lua/lib/` that it needs in a line `-- include: session reply`; they
are put before it, in that order. (The idea is BullMQ's `--- @include`.)
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from redis import Redis
from redis.exceptions import NoScriptError

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
    found = INCLUDE.search(body)
    parts = found.group(1).split() if found else []
    source = "\n".join([shebang, *((HERE / "lib" / f"{part}.lua").read_text() for part in parts)])
    source += "\n" + body
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


def run(client: Redis, call: Call) -> Any:
    """Call a script in one round trip; a server that does not know it yet is taught it."""
    untyped: Any = client
    arguments = (len(call.keys), *call.keys, *call.arguments)
    try:
        return untyped.evalsha(call.script.sha, *arguments)
    except NoScriptError:
        return untyped.eval(call.script.source, *arguments)


def run_all(client: Redis, calls: Sequence[Call]) -> list[Any]:
    """Call many scripts in one round trip; each answer, or the error in its place.

    Scripts are safe to run twice, so what met a server without the script is simply sent again.
    """
    answers = _pipelined(client, calls)
    if unknown := [i for i, answer in enumerate(answers) if isinstance(answer, NoScriptError)]:
        _teach(client, {calls[i].script for i in unknown})
        again = _pipelined(client, [calls[i] for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
    return answers


def run_replicated(client: Redis, call: Call, *, replicas: int, within: int) -> tuple[Any, int]:
    """Call a script and have replicas hold what it wrote; return its answer and how many do.

    within: milliseconds. WAIT counts what its own connection has written, so both take one trip.
    """
    answer, held = _waited(client, call, replicas, within)
    if isinstance(answer, NoScriptError):
        _teach(client, [call.script])
        answer, held = _waited(client, call, replicas, within)
    if isinstance(answer, Exception):
        raise answer
    return answer, held


def _waited(client: Redis, call: Call, replicas: int, within: int) -> tuple[Any, int]:
    pipeline: Any = client.pipeline(transaction=False)
    pipeline.evalsha(call.script.sha, len(call.keys), *call.keys, *call.arguments)
    pipeline.wait(replicas, within)
    answer, held = pipeline.execute(raise_on_error=False)
    return answer, held if isinstance(held, int) else 0


def _pipelined(client: Redis, calls: Iterable[Call]) -> list[Any]:
    pipeline: Any = client.pipeline(transaction=False)
    for call in calls:
        pipeline.evalsha(call.script.sha, len(call.keys), *call.keys, *call.arguments)
    answers: list[Any] = pipeline.execute(raise_on_error=False)
    return answers


def _teach(client: Redis, unknown: Iterable[Script]) -> None:
    for each in unknown:
        client.script_load(each.source)
