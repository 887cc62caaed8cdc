"""The memory that an export of 1,000,000 messages takes: `python -m bench export`.

It fills a Redis with 10,000 sessions of 10 messages, then with 100,000. Each time it runs
`manage.py export` and prints the peak of its resident memory. Ten times as many messages must not
increase it. BENCH_SESSIONS sets another number of sessions.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from chat.conversation import tokens
from chat.domain import History, NewSession, PastTurn
from chat.store.calls import execute_all
from chat.store.sessions import restore_call
from tests.harness.stack import Stack

SESSIONS = int(os.environ.get("BENCH_SESSIONS", "100000"))
TURNS = 5
# Sessions per round trip.
BATCH_SIZE = 200


def fill(count: int) -> None:
    """Create sessions, each with `TURNS` turns and 200 bytes per message."""
    texts = [f"{n} ".ljust(200, "x") for n in range(TURNS)]
    history = History(turns=[PastTurn(text, text) for text in texts])
    for _ in range(0, count, BATCH_SIZE):
        replies = execute_all([restore_call(_new_session(), history) for _ in range(BATCH_SIZE)])
        assert all(reply[0] == b"CREATED" for reply in replies), replies[0]


def _new_session() -> NewSession:
    return NewSession(
        id=tokens.new_session_id(),
        token_hash="0" * 64,
        ttl=86400,
        name=b'""',
        system_prompt=b"null",
        model=b'"default"',
        context=b'{"messages":20,"tokens":0}',
        metadata=b"{}",
    )


def export(target: Path) -> dict[str, float]:
    """Export all sessions; return the peak of resident memory, the time and the size."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "manage.py", "export", "--output", str(target)],
        env={**os.environ, "REDIS_URL": settings.REDIS_URL},
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    with target.open("rb") as file:
        lines = sum(1 for _ in file)
    return {
        "lines": lines,
        "MB on disk": target.stat().st_size / 1e6,
        "peak RSS, MB": usage.ru_maxrss / 1024,
        "seconds": time.monotonic() - started,
    }


def main(directory: Path) -> None:
    """Print the memory and the time of both exports."""
    stack = Stack(directory / "stack")
    try:
        stack.redis.start()
        settings.REDIS_URL = stack.redis.url
        for count, total in ((SESSIONS // 10, SESSIONS // 10), (SESSIONS * 9 // 10, SESSIONS)):
            fill(count)
            results = export(directory / f"{total}.jsonl")
            assert results["lines"] == total
            print(total * TURNS * 2, "messages:", json.dumps(results))
    finally:
        stack.shut_down()
