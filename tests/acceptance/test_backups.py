"""A copy of the append-only file, made as docs/backups.md describes, is a backup."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import redis

from parley_client import Client
from project.runner.process import ROOT
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

PAGE = (ROOT / "docs" / "backups.md").read_text()


def copy_as_documented(stack: Stack, to: Path) -> None:
    """Follow the steps of the page."""
    before, after = re.findall(r"redis-cli (CONFIG SET .*)", PAGE)
    with redis.Redis.from_url(stack.redis.url) as server:
        server.execute_command(*before.split())
        wait_until(lambda: not server.info("persistence")["aof_rewrite_in_progress"])
        shutil.copytree(stack.directory / "redis" / "appendonlydir", to)
        server.execute_command(*after.split())


def restore(stack: Stack, copy: Path) -> None:
    """Kill all processes except the model, and restart them on the copy."""
    processes = (stack.worker(), stack.web(), stack.redis)
    for process in processes:
        process.kill()
    shutil.rmtree(stack.directory / "redis" / "appendonlydir")
    shutil.move(copy, stack.directory / "redis" / "appendonlydir")
    stack.redis.start()
    for process in processes[:2]:
        process.launch()
    for process in processes[:2]:
        process.wait_until_ready()


def test_copy_of_running_redis_restores_and_resumes_turns(
    build_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = build_stack(
        appendonly=True, env={"CHAT_LEASE_TTL": "1", "CHAT_LEASE_RENEWAL_INTERVAL": "0.3"}
    ).start()
    session = Client(stack.web().url).open()
    first = session.send("hello").text
    running = session.send("tides [[tokens=40 rate=20]]")
    next(iter(running))
    copy_as_documented(stack, tmp_path / "copy")
    session.send("after the copy")

    restore(stack, tmp_path / "copy")
    reply = session.reply(running.id)
    assert len(reply.text.split()) == 40
    assert (reply.message.status, reply.message.attempt) == ("completed", 2)
    history = [message.content for message in session.history()]
    assert history == ["hello", first, "tides [[tokens=40 rate=20]]", reply.text]
