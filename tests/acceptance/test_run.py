"""`make run` in a fresh clone of the repository."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from redis import Redis

from project.runner.process import ROOT
from tests.harness.environment import without_parley_variables
from tests.harness.ports import free_port
from tests.harness.shell import run_shell
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

NAMES = {"redis", "model", "worker", "web", "parley"}
# Seconds, promised in docs/operations.md.
ENDED_WITHIN = 10.0


class Run:
    """One `make run` and what it has written, in a process group as a terminal gives it."""

    def __init__(self, home: Path, log: Path, *, port: int, env: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.home = home
        self._log = log
        own = {"PARLEY_HOME": str(home), "PORT": str(port)}
        environ = without_parley_variables(os.environ) | own | env
        if "REDIS_URL" not in env:
            del environ["REDIS_URL"]
        with log.open("wb") as output:
            self.make = subprocess.Popen(
                ["make", "run"],
                cwd=ROOT,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ready(self) -> "Run":
        """Return once it says so."""
        wait_until(lambda: "Parley is ready" in self.log or self.make.poll() is not None, within=60)
        assert self.make.poll() is None, self.log
        return self

    @property
    def supervisor(self) -> int:
        """The pid of `manage.py run`."""
        return children(self.make.pid)[0]

    def pids(self, word: str) -> list[int]:
        """The programs that have `word` in their command line."""
        return [
            pid
            for pid in children(self.supervisor)
            if word in Path(f"/proc/{pid}/cmdline").read_text()
        ]

    def all_pids(self) -> list[int]:
        """make, the supervisor and its programs."""
        return [self.make.pid, self.supervisor, *children(self.supervisor)]

    def end(self) -> int:
        """Press Ctrl-C; return make's exit code."""
        os.killpg(self.make.pid, signal.SIGINT)
        return self.make.wait(ENDED_WITHIN)

    def ask(self, content: str, token: str = "") -> dict[str, Any]:
        """Post a message, to a new session without a `token`, and return the finished reply."""
        token = token or self.new_token()
        headers = {"Authorization": f"Bearer {token}"}
        posted = requests.post(
            f"{self.url}/messages", json={"content": content}, headers=headers, timeout=5
        )
        assert posted.status_code == 202, posted.text
        place = self.url + posted.headers["Location"]

        def finished() -> dict[str, Any] | None:
            reply: dict[str, Any] = requests.get(place, headers=headers, timeout=5).json()
            return reply if reply["status"] == "completed" else None

        return wait_until(finished, within=20) or {}

    def new_token(self) -> str:
        """Open a session and return its token."""
        token: str = requests.post(f"{self.url}/sessions", json={}, timeout=5).json()["token"]
        return token


def children(pid: int) -> list[int]:
    """The processes that process `pid` has started and that have not been waited for."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(pids: list[int]) -> bool:
    return not any(map(is_alive, pids))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Return a function that starts `make run`; all runs of a test share a state directory."""
    runs: list[Run] = []

    def start(*, port: int | None = None, **env: str) -> Run:
        log = tmp_path / f"log{len(runs)}"
        runs.append(Run(tmp_path / "home", log, port=port or free_port(), env=env))
        return runs[-1]

    yield start
    for started in runs:
        if started.make.poll() is None:
            # make takes its supervisor with it, and that its programs.
            started.make.kill()
            started.make.wait()


def pasted(log: str) -> str:
    """The commands that the log says to try."""
    return log.partition("Try:\n\n")[2].partition("\n\n")[0]


def test_pasted_curl_gets_a_reply_and_sessions_survive_a_restart(
    run: Callable[..., Run],
) -> None:
    first = run().ready()
    commands = pasted(first.log)
    assert commands.replace(first.url, "http://127.0.0.1:8000") in (ROOT / "README.md").read_text()
    events = run_shell(commands, until='"type":"message.completed"')
    reply = json.loads(events.rpartition("data: ")[2])["message"]
    assert "What did I say before?" in reply["content"]
    assert "Replies come from the fake model" in first.log
    assert "WARNING" not in first.log.partition("Parley is ready")[0]

    token = first.new_token()
    first.ask("My name is Ada.", token)
    pids = first.all_pids()
    first.end()
    assert all_gone(pids)
    assert first.log.count("Admin: user admin, password ") == 1
    assert "\x1b" not in first.log
    assert {"worker", "parley"} <= prefixes(first.log) <= NAMES

    second = run().ready()
    assert "password" not in second.log
    assert "Ada" in second.ask("What is my name?", token)["content"]
    pids = second.all_pids()
    second.make.terminate()
    second.make.wait(ENDED_WITHIN)
    wait_until(lambda: all_gone(pids), within=1)


@pytest.mark.thorough
def test_a_start_that_is_given_up_loses_no_password(run: Callable[..., Run]) -> None:
    first = run()
    wait_until(lambda: children(first.make.pid) and children(first.supervisor), within=60)
    first.end()
    second = run().ready()
    assert (first.log + second.log).count("Admin: user admin, password ") == 1


@pytest.mark.thorough
def test_what_is_killed_comes_back_until_the_third_time(run: Callable[..., Run]) -> None:
    started = run().ready()
    token = started.new_token()
    for name, word in (("worker", "celery"), ("redis", "-server"), ("web", "project.server.main")):
        os.kill(started.pids(word)[0], signal.SIGKILL)
        wait_until(partial(has_logged, started, f"{name} was killed by signal 9"))
    wait_until(lambda: is_up(started), within=20)
    assert started.ask("Still there?", token)["content"]

    pids = started.all_pids()
    for death in (2, 3):
        os.kill(wait_until(lambda: started.pids("project.server.main"))[0], signal.SIGKILL)
        wait_until(partial(has_logged, started, "web was killed by signal 9", times=death))
    assert started.make.wait(ENDED_WITHIN) != 0
    assert all_gone(pids)
    assert "for the third time within a minute" in started.log


@pytest.mark.thorough
def test_killing_the_supervisor_leaves_no_process(run: Callable[..., Run]) -> None:
    started = run().ready()
    second = run()
    assert second.make.wait(20) != 0
    assert "Parley is already running" in second.log
    assert found_by_the_docs_command(started) == started.pids("celery")

    pids = started.all_pids()
    os.kill(started.supervisor, signal.SIGKILL)
    wait_until(lambda: all_gone(pids[1:]), within=2)


@pytest.mark.thorough
def test_killing_make_amid_a_reply_ends_all_in_order(run: Callable[..., Run]) -> None:
    started = run().ready()
    headers = {"Authorization": f"Bearer {started.new_token()}"}
    content = "[[rate:5 tokens:500]] Tell me a long story."
    posted = requests.post(
        f"{started.url}/messages", json={"content": content}, headers=headers, timeout=5
    )
    place = started.url + posted.headers["Location"]
    wait_until(lambda: requests.get(place, headers=headers, timeout=5).json()["content"])
    pids = started.all_pids()
    started.make.kill()
    started.make.wait()
    wait_until(lambda: all_gone(pids), within=ENDED_WITHIN)
    assert "redis stopped" in started.log


@pytest.mark.thorough
def test_a_port_in_use_is_told_at_once(run: Callable[..., Run]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        started = run(port=port)
        assert started.make.wait(20) != 0
    assert f"Port {port} is in use" in started.log
    assert "Traceback" not in started.log


def test_a_redis_that_does_not_answer_is_told_at_once(run: Callable[..., Run]) -> None:
    started = run(REDIS_URL=f"redis://:hidden@127.0.0.1:{free_port()}/0")
    assert started.make.wait(20) != 0
    assert "Redis at REDIS_URL does not answer" in started.log
    assert "hidden" not in started.log


def test_unusable_database_of_staff_is_reported_in_one_line(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "admin.sqlite3").write_text("not a database" * 100)
    started = run()
    assert started.make.wait(20) != 0
    assert "The database of staff accounts: file is not a database." in started.log
    assert "Traceback" not in started.log


@pytest.mark.thorough
def test_a_redis_that_is_named_is_used(
    run: Callable[..., Run], build_stack: Callable[..., Stack]
) -> None:
    redis = build_stack().redis.start()
    started = run(REDIS_URL=redis.url).ready()
    assert started.ask("Hello")["content"]
    started.end()
    assert "redis" not in prefixes(started.log)
    assert redis.is_running


@pytest.mark.thorough
def test_a_redis_that_evicts_ends_the_run_at_once(
    run: Callable[..., Run], build_stack: Callable[..., Stack]
) -> None:
    redis = build_stack().redis.start()
    with Redis.from_url(redis.url) as asked:
        asked.config_set("maxmemory-policy", "allkeys-lru")
    started = run(REDIS_URL=redis.url)
    assert started.make.wait(60) != 0
    told = "Parley cannot start: REDIS_URL: maxmemory-policy must be noeviction"
    assert started.log.count(told) == 1
    assert "restarting it" not in started.log
    assert f"Error {os.EX_CONFIG}" in started.log  # so make tells the exit code


def found_by_the_docs_command(started: Run) -> list[int]:
    """The processes that the command of docs/start.md kills."""
    (command,) = re.findall("^pkill .*$", (ROOT / "docs/start.md").read_text(), re.MULTILINE)
    command = command.replace("pkill -KILL", "pgrep").replace(".parley", str(started.home))
    return [int(pid) for pid in subprocess.check_output(["sh", "-c", command]).split()]


def prefixes(log: str) -> set[str]:
    """The names of who wrote the lines of the log."""
    return set(re.findall(r"^\d\d:\d\d:\d\d (\w+) +\| ", log, re.MULTILINE))


def has_logged(started: Run, text: str, *, times: int = 1) -> bool:
    return started.log.count(text) >= times


def is_up(started: Run) -> bool:
    try:
        return requests.get(f"{started.url}/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False
