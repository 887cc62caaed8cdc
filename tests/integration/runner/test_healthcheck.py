import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.runner.healthcheck import (
    accepts_connections,
    describe_redis_problem,
    free_port,
    is_healthy,
    is_port_free,
)
from tests.harness.stack import Stack
from tests.harness.wait import wait_until


def test_the_port_of_a_server_is_not_free() -> None:
    port = free_port()
    assert is_port_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_port_free(port)
        assert accepts_connections(port)
    assert not accepts_connections(port)


def test_redis_is_healthy_with_the_right_password(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        stack.redis.start()
        assert is_healthy(stack.redis.url)
        assert describe_redis_problem(stack.redis.url) == ""
        wrong = stack.redis.url.replace("of-the-tests", "wrong")
        assert not is_healthy(wrong)
        assert "responds with an error: WRONGPASS" in describe_redis_problem(wrong)
        stack.redis.freeze()
        assert not is_healthy(stack.redis.url)
    assert not is_healthy(stack.redis.url)
    assert describe_redis_problem(stack.redis.url) == "does not answer"


@pytest.mark.parametrize("scheme", ["tcp", "http", "redis", "rediss"])
def test_a_silent_server_is_healthy_for_tcp_only(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert is_healthy(f"{scheme}://127.0.0.1:{port}/live") is (scheme == "tcp")


def test_a_file_is_healthy_until_it_is_too_old(tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    url = f"file:{heartbeat}?within=60"
    assert not is_healthy(url)
    heartbeat.touch()
    assert is_healthy(url)
    os.utime(heartbeat, (time.time() - 61,) * 2)
    assert not is_healthy(url)


@pytest.mark.thorough
@pytest.mark.parametrize("frozen", ["worker", "redis"])
def test_a_frozen_worker_or_redis_stops_the_heartbeat(tmp_path: Path, frozen: str) -> None:
    """Only a frozen worker stops that of its loop, so that a restart of it would help."""
    heartbeat = tmp_path / "heartbeat"
    env = {"CHAT_HEARTBEAT_FILE": str(heartbeat), "CHAT_SWEEP_INTERVAL": "0.1"}
    url = f"file:{heartbeat}?within=1"
    loop = tmp_path / "heartbeat.loop"
    with Stack(tmp_path, env=env) as stack:
        stack.redis.start()
        worker = stack.worker().start()
        wait_until(lambda: is_healthy(url), within=20)
        process = worker if frozen == "worker" else stack.redis
        process.freeze()
        wait_until(lambda: not is_healthy(url), within=20)
        frozen_at = time.time()
        if frozen == "redis":
            wait_until(lambda: loop.stat().st_mtime > frozen_at, within=60)
        else:
            assert loop.stat().st_mtime < frozen_at
        process.thaw()
        wait_until(lambda: is_healthy(url), within=20)


def test_the_exit_code_shows_the_health() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert _check(f"tcp://127.0.0.1:{port}") == 0
    assert _check(f"tcp://127.0.0.1:{port}") == 1


def _check(url: str) -> int:
    command = [sys.executable, "-m", "project.runner.healthcheck", url]
    return subprocess.run(command, check=False).returncode
