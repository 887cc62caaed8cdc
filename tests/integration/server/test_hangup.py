"""SIGHUP, which service managers and log rotation send, ends no process."""

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from project.runner import commands
from project.runner.process import ROOT
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.client.pty_program import SET_CONTROLLING_TERMINAL

IGNORED = "SIGHUP ignored"
# Exits with 7 at SIGTERM.
PROGRAM = """
import signal, sys, time
from project import hangup
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
hangup.ignore()
print("started", file=sys.stderr, flush=True)
time.sleep(60)
"""


@pytest.fixture
def socket_web(stack: Stack, tmp_path: Path) -> Iterator[Process]:
    """A web process on a Unix socket."""
    program = commands.web(port=1, env=stack.env)
    start = program.argv.index("--host")
    argv = (*program.argv[:start], "--uds", str(tmp_path / "web"), *program.argv[start + 4 :])
    web = Process(replace(program, argv=argv, is_ready=(tmp_path / "web").exists), tmp_path / "log")
    try:
        yield web.start()
    finally:
        web.ensure_stopped()


@pytest.fixture
def terminal() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A program in a terminal; the number is the terminal's other end."""
    master, slave = pty.openpty()
    argv = [sys.executable, "-c", SET_CONTROLLING_TERMINAL, sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=slave, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as program:
        os.close(slave)
        try:
            yield master, program
        finally:
            program.kill()


def get(path: Path, target: str) -> bytes:
    """Return the response to a GET over a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        client.sendall(head.encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.case("C36")
def test_web_process_on_a_unix_socket_ignores_sighup_and_serves_metrics(
    socket_web: Process, tmp_path: Path
) -> None:
    socket_web.signal(signal.SIGHUP)
    wait_until(lambda: IGNORED in socket_web.log)
    response = get(tmp_path / "web", "/metrics")
    assert response.startswith(b"HTTP/1.1 200 ")
    assert b"\nparley_sessions " in response


@pytest.mark.case("C36")
def test_worker_ignores_sighup(stack: Stack) -> None:
    worker = stack.worker()
    worker.signal(signal.SIGHUP)
    wait_until(lambda: IGNORED in worker.log)
    owner = APIClient(stack.web().url).open_session()
    owner.post_message("Hello")
    wait_until(lambda: owner.get_session()["messages"][-1]["status"] == "completed")
    assert worker.is_running


@pytest.mark.case("C36")
def test_process_ends_with_its_terminal_only(terminal: tuple[int, subprocess.Popen[str]]) -> None:
    master, program = terminal
    assert program.stderr is not None
    assert program.stderr.readline() == "started\n"
    program.send_signal(signal.SIGHUP)
    assert IGNORED in program.stderr.readline()
    os.close(master)
    assert program.wait(20) == 7
