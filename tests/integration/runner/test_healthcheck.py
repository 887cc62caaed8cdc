"""Who answers, and who does not."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.runner.healthcheck import accepts, answers, free_port, port_is_free
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until


def test_a_port_with_a_server_is_not_free() -> None:
    port = free_port()
    assert port_is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
        assert accepts(port)
    assert not accepts(port)


def test_redis_answers_who_knows_its_password(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    try:
        stack.redis.start()
        assert answers(stack.redis.url)
        assert not answers(stack.redis.url.replace("of-the-tests", "wrong"))
        stack.redis.freeze()
        assert not answers(stack.redis.url)
    finally:
        stack.end()
    assert not answers(stack.redis.url)


@pytest.mark.parametrize("scheme", ["tcp", "http", "redis", "rediss"])
def test_who_accepts_but_says_nothing_does_not_answer(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert answers(f"{scheme}://127.0.0.1:{port}/live") is (scheme == "tcp")


def test_a_file_is_fresh_for_as_long_as_is_said(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    url = f"file:{pulse}?within=60"
    assert not answers(url)
    pulse.touch()
    assert answers(url)
    os.utime(pulse, (time.time() - 61,) * 2)
    assert not answers(url)


@pytest.mark.parametrize("silence", ["worker", "redis"])
def test_a_worker_has_a_pulse_until_it_or_redis_stands_still(tmp_path: Path, silence: str) -> None:
    pulse = tmp_path / "pulse"
    stack = Stack(tmp_path, env={"CHAT_HEARTBEAT_FILE": str(pulse), "CHAT_SWEEP_INTERVAL": "0.1"})
    url = f"file:{pulse}?within=1"
    try:
        stack.redis.start()
        worker = stack.worker().start()
        wait_until(lambda: answers(url), within=20)
        frozen = worker if silence == "worker" else stack.redis
        frozen.freeze()
        wait_until(lambda: not answers(url), within=20)
        frozen.thaw()
        wait_until(lambda: answers(url), within=20)
    finally:
        stack.end()


def test_the_exit_code_tells() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _probe(f"tcp://127.0.0.1:{port}") == 0
    assert _probe(f"tcp://127.0.0.1:{port}") == 1


def _probe(url: str) -> int:
    command = [sys.executable, "-m", "project.runner.healthcheck", url]
    return subprocess.run(command, check=False).returncode
