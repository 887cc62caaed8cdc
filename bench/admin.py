"""The admin's pages with 100,000 sessions and 1,000,000 messages: `python -m bench admin`.

BENCH_SESSIONS sets another number of sessions.
"""

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import chain, islice
from pathlib import Path
from statistics import median

import orjson
import requests

from chat.domain import ApiKey
from chat.store import api_keys, keys, openers
from chat.store.client import execute_command, execute_commands
from chat.store.routing import Arg, Command
from tests.harness.stack import Stack, port_of

SESSIONS = int(os.environ.get("BENCH_SESSIONS", "100000"))
# Messages per session.
MESSAGES = 10
# Requests per page.
REQUESTS = 15
# Sessions of the user; all have the same API key and tenant.
USER_SESSIONS = 1000
USER = f"user:{0:024x}"
KEY_ID = "0123456789ab"
# Sessions per round trip.
BATCH_SIZE = 1000
LIST = "/admin/chat/session/"
PASSWORD = secrets.token_hex(8)
TEXT = "It stands at three metres and ten, and turns at a quarter past two. " * 3

# The counts of a reply to INFO commandstats.
CALLS = re.compile(rb"calls=(\d+)")


def session_id_of(number: int) -> str:
    """Return an id. Its first digits decide the partition: those of the user share one."""
    first = 0 if number < USER_SESSIONS else number * 40_503 % 65_536
    return f"ses_{first:04x}{number:020x}"


def address_of(number: int) -> str:
    return str(ip_address("10.0.0.0") + number)


def fill() -> None:
    """Write the sessions and their messages in the format of the scripts."""
    api_keys.add(ApiKey(id=KEY_ID, key_hash="", name="shop", tenant="shop", created_at=1.0))
    now = round(1000 * time.time())
    numbers = iter(range(SESSIONS))
    while batch := list(islice(numbers, BATCH_SIZE)):
        commands: list[Command] = []
        for number in batch:
            commands += _session(session_id_of(number), number, now - 10 * number)
        execute_commands(commands)


def _session(session_id: str, number: int, at: int) -> Iterator[Command]:
    own = keys.for_session(session_id)
    fields: dict[str, Arg] = {
        "schema": 2,
        "created_at": at,
        "last_active_at": at,
        "tail": MESSAGES // 2,
    }
    fields |= {"expires_at": at + 86_400_000, "max_expires_at": at * 2, "first_message": 1}
    fields |= {"head": MESSAGES // 2 + 1, "running_turn": 0}
    texts = {"name": f'"Customer {number}"', "model": '"default"', "system_prompt": "null"}
    texts |= {"context": "{}", "metadata": "{}"}
    entry = f'"default"\ncustomer {number}'
    owner = USER if number < USER_SESSIONS else ""
    values = (address_of(number), KEY_ID, "shop", owner, "")
    opener = {name: each for name, each in zip(openers.FIELDS, values, strict=True) if each}
    opened_by = openers.labels(*values)
    fields |= {**texts, **opener, "seq": 3 * MESSAGES, "waiting": 0}
    yield ("HSET", own.session, *chain.from_iterable(fields.items()))
    yield ("HSET", own.messages, *(arg for message in _messages(at) for arg in message))
    yield ("ZADD", own.by_activity, at, session_id)
    yield ("ZADD", own.due, at + 86_400_000, session_id)
    yield ("HINCRBY", own.counts, "sessions", 1)
    yield ("HSET", own.search_fields, session_id, f"{entry}\n{' '.join(opened_by)}")
    yield ("SADD", own.search_index, f"{entry}\n{session_id}")
    yield ("HINCRBY", own.counts, 'model:"default"', 1)
    failed = ["failed:model_error"] if number % 2 else []
    for label in (*failed, *opened_by):
        yield ("ZADD", own.labels, 0, f"{label} {session_id}")
    yield ("ZADD", own.ratings, at, f"{session_id} 2 down")


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


def log_in(stack: Stack) -> requests.Session:
    """Create a superuser, log in, and return an HTTP session."""
    env = stack.env | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    create = ["createsuperuser", "--noinput", "--username=ada", "--email=ada@example.org"]
    for command in (["migrate", "-v0"], create):
        subprocess.run([sys.executable, "manage.py", *command], env=env, check=True)  # noqa: S603
    browser = requests.Session()
    url = f"{stack.web().url}/admin/login/"
    form = browser.get(url, timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    data = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    browser.post(url, data=data | {"next": LIST}, timeout=30).raise_for_status()
    return browser


def _command_count() -> int:
    return sum(map(int, CALLS.findall(execute_command("INFO", "commandstats"))))


def measure(browser: requests.Session, url: str) -> tuple[float, float, int]:
    """Return a page's median and maximum time in ms, and the number of Redis commands."""
    browser.get(url, timeout=30).raise_for_status()
    before, times = _command_count(), []
    for _ in range(REQUESTS):
        started = time.perf_counter()
        response = browser.get(url, timeout=30)
        times.append(1000 * (time.perf_counter() - started))
        assert response.status_code == 200, response
        assert "/login/" not in response.url
    return median(times), max(times), (_command_count() - before - 1) // REQUESTS


def pages() -> dict[str, str]:
    """Return the paths of the pages by their description."""
    middle = session_id_of(SESSIONS // 2)
    session = middle.replace("_", "_5F")
    return {
        "list": LIST,
        "list, in the middle": f"{LIST}?p={SESSIONS // 100}",
        "search by id": f"{LIST}?q={middle}",
        "search without results": f"{LIST}?q=no-match",
        "search by part of a name": f"{LIST}?q=mer+{SESSIONS // 2}",
        "filter by model": f"{LIST}?model=default",
        "filter by model and age": f"{LIST}?model=default&activity=1h",
        "filter by status": f"{LIST}?status=running",
        "filter by status idle": f"{LIST}?status=idle",
        "filter by error": f"{LIST}?failed=any",
        "search by name and error": f"{LIST}?q=mer&failed=any",
        "search by name, half of all": f"{LIST}?q=5",
        "search by name, far page": f"{LIST}?q=mer&p={SESSIONS // 100}",
        "filter by model, far page": f"{LIST}?model=default&p={SESSIONS // 100}",
        "filter by error, far page": f"{LIST}?failed=any&p={SESSIONS // 200}",
        "filter by status idle, far": f"{LIST}?status=idle&p={SESSIONS // 100}",
        "filter by address": f"{LIST}?address={address_of(SESSIONS // 2)}",
        "filter by network, all match": f"{LIST}?address=10.0.0.0/8",
        "filter by API key, all match": f"{LIST}?key={KEY_ID}",
        "filter by tenant, all match": f"{LIST}?tenant=shop",
        "filter by tenant and network": f"{LIST}?tenant=shop&address=10.0.0.0/17",
        "filter by tenant and error": f"{LIST}?tenant=shop&failed=any",
        "filter by tenant, far page": f"{LIST}?tenant=shop&p={SESSIONS // 100}",
        "filter by user, 1,000 match": f"{LIST}?user={USER}",
        "feedback": "/admin/feedback/",
        "history": "/admin/operations/history/?range=month",
        "session": f"{LIST}{session}/change/",
        "operations": "/admin/operations/",
    }


def main(directory: Path) -> None:
    """Fill Redis, and print one line per page."""
    stack = Stack(directory / "stack", redis_port=port_of(os.environ["REDIS_URL"]))
    try:
        stack.redis.start()
        stack.web().start()
        started = time.monotonic()
        fill()
        print(f"{SESSIONS:,} sessions, {SESSIONS * MESSAGES:,} messages: "
              f"{time.monotonic() - started:.0f} s to write")  # fmt: skip
        browser = log_in(stack)
        print(f"{'page':28}{'median ms':>10}{'maximum ms':>12}{'commands':>10}")
        for name, path in pages().items():
            median_ms, max_ms, commands = measure(browser, stack.web().url + path)
            print(f"{name:28}{median_ms:10.0f}{max_ms:12.0f}{commands:10}")
    finally:
        stack.shut_down()
