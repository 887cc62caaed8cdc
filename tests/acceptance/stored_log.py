"""A session's event log in Redis, read without Parley's own code.

`chat/store/lua/lib/event_lines.lua` describes the lines. Messages of events that are not terminal
are rebuilt only as far as the checks read them.
"""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

RedisClient: TypeAlias = Any
Event = dict[str, Any]
KINDS = {"q": "queued", "s": "started", "d": "delta", "r": "reasoning"}


def read_log(redis: RedisClient, prefix: str, session_id: str) -> list[Event]:
    """Return the events. prefix: of the keys of the session's partition."""
    with redis.pipeline(transaction=True) as reads:  # while scripts write
        reads.hgetall(f"{prefix}messages:{session_id}")
        reads.hget(f"{prefix}session:{session_id}", "log_end")
        reads.lrange(f"{prefix}log:{session_id}", 0, -1)
        messages, log_end, lines = reads.execute()
    numbered = enumerate(lines, int(log_end or 0) - len(lines) + 1)
    events = [_expand(line, number, session_id, messages) for number, line in numbered]
    return [*events, *_of_older_version(redis, f"{prefix}events:{session_id}")]


def _of_older_version(redis: RedisClient, stream: str) -> Iterator[Event]:
    for _, entry in redis.xrange(stream):
        yield json.loads(entry["event"])


def _expand(line: str, number: int, session_id: str, messages: dict[str, str]) -> Event:
    if line.startswith("{"):
        event: Event = json.loads(line)
        assert event["seq"] == number
        return event
    at, turn, rest = line[1:].split(" ", 2)
    reply = {"id": f"msg_{2 * int(turn)}", "role": "assistant", "content": ""}
    kind = KINDS.get(line[0], rest)
    event = {
        "type": f"message.{kind}",
        "seq": number,
        "session_id": session_id,
        "created_at": int(at) / 1000,
        "message_id": reply["id"],
    }
    match line[0]:
        case "q":
            prompt, _, is_new = rest.split()
            message = {"message": json.loads(messages[prompt])} if is_new == "1" else {}
            return event | {"reply": reply | {"status": "queued"}} | message
        case "s":
            return event | {"message": reply | {"status": "in_progress"}}
        case "e":
            stored = json.loads(messages[str(2 * int(turn))])
            return event | {"message": stored | {"seq": number, "feedback": None}}
    return event | {"delta": json.loads(f'"{rest}"')}
