"""What an export of 1,000,000 messages holds in memory: `python -m bench.exporting`.

It fills a server of its own with 10,000 sessions of 10 messages, then with 100,000, each time
exports all by `manage.py export` as a process of its own, and prints its peak of resident memory:
ten times as many messages must not make it larger.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from django.conf import settings

from bench.home import SESSIONS
from chat.conversation import tokens
from chat.domain import NewSession
from chat.store.client import client
from chat.store.scripts import run_pipeline
from chat.store.sessions import restore_call
from tests.harness.stack import Stack

TURNS = 5
BATCH = 200
"""Sessions written in one trip."""


def fill(count: int) -> None:
    """Open sessions, each with `TURNS` turns of 200 bytes a message."""
    texts = [f"{n} ".ljust(200, "x") for n in range(2 * TURNS)]
    for _ in range(0, count, BATCH):
        answers = run_pipeline(client(), [restore_call(_new(), texts) for _ in range(BATCH)])
        assert all(answer[0] == b"CREATED" for answer in answers), answers[0]


def _new() -> NewSession:
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
    """Export all; return the peak of resident memory (MB), the time and what came of it."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603  # its own command line
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


def main() -> None:
    """Print what both exports took."""
    with tempfile.TemporaryDirectory() as name:
        stack = Stack(Path(name))
        try:
            stack.redis.start()
            settings.REDIS_URL = stack.redis.url
            for count, total in ((SESSIONS // 10, SESSIONS // 10), (SESSIONS * 9 // 10, SESSIONS)):
                fill(count)
                found = export(Path(name) / f"{total}.jsonl")
                assert found["lines"] == total
                print(total * TURNS * 2, "messages:", json.dumps(found))
        finally:
            stack.shut_down()


if __name__ == "__main__":
    main()
