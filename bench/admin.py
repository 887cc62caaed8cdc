"""Measure the admin's pages at 100,000 sessions and 1,000,000 messages: `python -m bench.admin`.

BENCH_SESSIONS names another number of sessions.
"""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import orjson
import requests

from bench.home import HOME, SESSIONS
from chat.store import keys
from chat.store.client import client
from tests.harness.stack import Stack, port_of

MESSAGES = 10
"""Of each session."""
TIMES = 15
AT_ONCE = 1000
LIST = "/admin/chat/session/"
PASSWORD = secrets.token_hex(8)
TEXT = "It stands at three metres and ten, and turns at a quarter past two. " * 3


def id_of(number: int) -> str:
    """Return the id of one of the sessions."""
    return f"ses_{number:024x}"


def fill() -> None:
    """Write the sessions with their messages, as the scripts would have left them."""
    now = round(1000 * time.time())
    numbers = iter(range(SESSIONS))
    while batch := list(islice(numbers, AT_ONCE)):
        pipeline: Any = client().pipeline(transaction=False)
        for number in batch:
            _write(pipeline, id_of(number), number, now - 10 * number)
        pipeline.execute()


def _write(pipeline: Any, session_id: str, number: int, at: int) -> None:
    own = keys.for_session(session_id)
    fields = {"schema": 2, "created_at": at, "last_active_at": at, "tail": MESSAGES // 2}
    fields |= {"expires_at": at + 86_400_000, "max_expires_at": at * 2, "first_message": 1}
    fields |= {"head": MESSAGES // 2 + 1, "running_turn": 0}
    texts = {"name": f'"Customer {number}"', "model": '"default"', "system_prompt": "null"}
    texts |= {"context": "{}", "metadata": "{}"}
    pipeline.hset(own.session, mapping={**fields, **texts, "seq": 3 * MESSAGES, "waiting": 0})
    pipeline.hset(own.messages, mapping=dict(_messages(at)))
    pipeline.zadd(own.by_activity, {session_id: at})
    pipeline.zadd(own.due, {session_id: at + 86_400_000})
    pipeline.hincrby(own.counts, "sessions", 1)
    entry = f'"default"\ncustomer {number}'
    pipeline.hset(own.search_fields, session_id, entry)
    pipeline.sadd(own.search_index, f"{entry}\n{session_id}")
    pipeline.hincrby(own.counts, 'model:"default"', 1)


def _messages(at: int) -> Iterator[tuple[int, bytes]]:
    for number in range(1, MESSAGES + 1):
        is_reply = number % 2 == 0
        yield number, orjson.dumps({
            "seq": number, "status": "completed", "content": TEXT, "id": f"msg_{number}",
            "role": "assistant" if is_reply else "user", "created_at": at / 1000,
            "started_at": at / 1000 if is_reply else None, "completed_at": at / 1000,
            "reply_to": f"msg_{number - 1}" if is_reply else None, "attempt": int(is_reply),
            "model": "default" if is_reply else None, "finish_reason": None, "usage": None,
            "error": None, "wait": None,
        })  # fmt: skip


def signed_in(stack: Stack) -> requests.Session:
    """Return a browser of sorts, with an account of the staff."""
    env = stack.env | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    create = ["createsuperuser", "--noinput", "--username=ada", "--email=ada@example.org"]
    for command in (["migrate", "-v0"], create):
        subprocess.run([sys.executable, "manage.py", *command], env=env, check=True)  # noqa: S603
    browser = requests.Session()
    url = f"{stack.web().url}/admin/login/"
    form = browser.get(url, timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    told = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    browser.post(url, data=told | {"next": LIST}, timeout=30).raise_for_status()
    return browser


def _commands() -> int:
    calls: Any = client().info("commandstats")
    return sum(each["calls"] for each in calls.values())


def measure(browser: requests.Session, url: str) -> tuple[float, float, int]:
    """Return a page's median and longest time, ms, and the commands that Redis carried out."""
    browser.get(url, timeout=30).raise_for_status()
    before, took = _commands(), []
    for _ in range(TIMES):
        started = time.perf_counter()
        answer = browser.get(url, timeout=30)
        took.append(1000 * (time.perf_counter() - started))
        assert answer.status_code == 200, answer
        assert "/login/" not in answer.url
    return median(took), max(took), (_commands() - before - 1) // TIMES


def pages() -> dict[str, str]:
    """Return the paths of the pages by what they show."""
    middle = id_of(SESSIONS // 2)
    session = middle.replace("_", "_5F")
    return {
        "list": LIST,
        "list, in the middle": f"{LIST}?p={SESSIONS // 100}",
        "search by id": f"{LIST}?q={middle}",
        "search that finds nothing": f"{LIST}?q=nobody",
        "search by a part of a name": f"{LIST}?q=mer+{SESSIONS // 2}",
        "filter by model": f"{LIST}?model=default",
        "filter by model and age": f"{LIST}?model=default&activity=1h",
        "filter by status": f"{LIST}?status=running",
        "filter by status idle": f"{LIST}?status=idle",
        "session": f"{LIST}{session}/change/",
        "operations": "/admin/operations/",
    }


def main() -> None:
    """Fill Redis, and print a line a page."""
    stack = Stack(Path(HOME) / "stack", redis_port=port_of(os.environ["REDIS_URL"]))
    try:
        stack.redis.start()
        stack.web().start()
        started = time.monotonic()
        fill()
        print(f"{SESSIONS:,} sessions, {SESSIONS * MESSAGES:,} messages: "
              f"{time.monotonic() - started:.0f} s to write")  # fmt: skip
        browser = signed_in(stack)
        print(f"{'page':28}{'median ms':>10}{'longest ms':>12}{'commands':>10}")
        for name, path in pages().items():
            typical, worst, commands = measure(browser, stack.web().url + path)
            print(f"{name:28}{typical:10.0f}{worst:12.0f}{commands:10}")
    finally:
        stack.shut_down()


if __name__ == "__main__":
    main()
