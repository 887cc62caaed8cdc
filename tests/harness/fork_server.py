"""A server that forks processes of Parley which need not import most modules again.

Imports are most of the CPU of a start, and the tests start hundreds of processes. The server
once imports the modules that read no setting, before any setting is known, and forks a child for
each start; the child takes its environment and runs its module as `python -m` does.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import IO, Any

from project.runner.pdeathsig import signal_on_parent_exit
from project.runner.process import ROOT, Program

# They import the others. None of them reads a setting or a variable of Parley when it is imported.
PRELOADED = (
    *("celery.apps.worker", "celery.bin.celery", "celery.bin.worker", "celery.worker.consumer"),
    *("channels.auth", "channels.routing", "cryptography.hazmat.primitives.asymmetric.ec"),
    *("django.contrib.admin.options", "django.contrib.admindocs.views", "django.contrib.auth.apps"),
    *("django.contrib.staticfiles.apps", "django.core.management", "django.test.client"),
    *("django.db.backends.sqlite3.base", "django.forms", "django.template.backends.django"),
    *("django.views", "drf_spectacular.utils", "environ", "hiredis", "inflection", "jsonschema"),
    *("jwt", "kombu.transport.redis", "markdown", "orjson", "redis.asyncio.cluster"),
    *("redis.sentinel", "requests", "servestatic.asgi", "uritemplate", "uvicorn.main"),
    *("uvicorn.protocols.http.httptools_impl", "uvloop", "yaml"),
    *("chat.admin.budget_rows", "chat.admin.session_actions", "chat.api.auth", "chat.api.fields"),
    *("chat.api.middleware", "chat.api.schema_serializers", "chat.auth_config", "chat.llm_config"),
    *("chat.operations.health", "chat.providers.openai", "chat.realtime.event_json"),
    *("chat.settings_from_env", "chat.transcripts.export", "chat.worker.bootstep"),
    *("fakemodel.server", "project.server.http_protocol", "project.server.shutdown"),
    *("project.server.url_prefix", "project.server.websocket_protocol"),
)
# Variables that need not be set when Python starts.
AFTER_START = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
# Bytes of a request; most of them are the environment.
MAX_MESSAGE = 128 * 1024
# Seconds. A process that waits for its disk ends later than it is killed.
KILL_TIMEOUT = 30.0


def can_fork(program: Program) -> bool:
    """Whether the fork server can start `program`.

    It must be a module, without variables that Python or the linker reads at the start.
    """
    at_start = {name for name in program.env if name.startswith(("PYTHON", "LD_"))}
    return program.argv[:2] == (sys.executable, "-m") and at_start <= AFTER_START


class ForkedProcess:
    """Like `project.runner.process.ChildProcess`, but a child of the fork server."""

    def __init__(self, program: Program, *, output: IO[bytes]) -> None:
        self.program = program
        self._is_reaped = False
        self._server = _fork_server()
        self.pid = self._server.start(program.argv[2:], program.env, output.fileno())

    @property
    def exit_code(self) -> int | None:
        """None while it runs; then its exit code, or minus the number of the signal."""
        return self._server.exit_code(self.pid)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self.exit_code is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it and all processes that it started."""
        if self._is_reaped:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        assert self._server.exit_code(self.pid, wait=KILL_TIMEOUT) is not None
        self._server.reap(self.pid)
        self._is_reaped = True

    def stop(self, timeout: float | None = None) -> int:
        """Send SIGTERM, and SIGKILL after `timeout` seconds; return the exit code."""
        self.signal(signal.SIGTERM)
        self._server.exit_code(
            self.pid, wait=self.program.stop_timeout if timeout is None else timeout
        )
        self.kill()
        exit_code = self.exit_code
        assert exit_code is not None
        return exit_code


class _ForkServer:
    """The server, as seen by the tests. Methods can be called from several threads."""

    def __init__(self) -> None:
        self._socket, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with server_end:
            self._process = subprocess.Popen(  # which ends with this process: `_serve`
                (sys.executable, "-m", __name__, str(server_end.fileno())),
                cwd=ROOT,
                pass_fds=(server_end.fileno(),),
                start_new_session=True,
            )
        self._lock = threading.Lock()
        self._started: list[int] = []
        self._exit_codes: dict[int, int] = {}

    def start(self, argv: tuple[str, ...], env: Mapping[str, str], output: int) -> int:
        """Run `python -m *argv`; return its process id."""
        request = json.dumps({"argv": argv, "env": dict(env)}).encode()
        assert len(request) < MAX_MESSAGE
        with self._lock:
            socket.send_fds(self._socket, [request], [output])
            while not self._started:
                self._receive(timeout=None)
            return self._started.pop()

    def reap(self, pid: int) -> None:
        """Release the id of a process that has ended; another process may get it from now on."""
        with self._lock:
            self._socket.send(json.dumps({"reap": pid}).encode())

    def exit_code(self, pid: int, *, wait: float = 0.0) -> int | None:
        """Return the exit code, or `None` if the process still runs after `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            with self._lock:
                while pid not in self._exit_codes and self._receive(timeout=0):
                    pass
                exit_code = self._exit_codes.get(pid)
            if exit_code is not None or time.monotonic() >= deadline:
                return exit_code
            time.sleep(0.005)

    def _receive(self, *, timeout: float | None) -> bool:
        """Read one message; return whether there was one."""
        self._socket.settimeout(timeout)
        try:
            message = self._socket.recv(MAX_MESSAGE)
        except (BlockingIOError, TimeoutError):
            return False
        assert message, "the fork server has ended"
        pid, exit_code = json.loads(message)
        if exit_code is None:
            self._started.append(pid)
        else:
            self._exit_codes[pid] = exit_code
        return True


@cache
def _fork_server() -> _ForkServer:
    return _ForkServer()


def serve(channel: socket.socket) -> None:
    """Fork a child for each request, and report each exit; returns in the children only.

    Ends when the tests do.
    """
    # Reading a setting now is an error.
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    wake_up, exits = socket.socketpair()
    wake_up.setblocking(False)
    signal.set_wakeup_fd(wake_up.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: set[int] = set()
    while True:
        readable, _, _ = select.select([channel, exits], [], [])
        if exits in readable:
            exits.recv(MAX_MESSAGE)
            running -= _report_exits(running, channel)
        if channel in readable:
            message, files, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 1)
            if not message:
                os._exit(0)
            request = json.loads(message)
            if "reap" in request:
                os.waitpid(request["reap"], 0)
            elif not (pid := _fork(request, *files, close=(channel, wake_up, exits))):
                return
            else:
                running.add(pid)
                channel.send(json.dumps([pid, None]).encode())


def _fork(request: dict[str, Any], output: int, *, close: tuple[socket.socket, ...]) -> int:
    """Fork a child that does as requested; return its process id, or 0 in the child."""
    pid = os.fork()
    if not pid:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in close:
            end.close()
        _become(request, output)
    else:
        os.close(output)
    return pid


def _report_exits(running: set[int], channel: socket.socket) -> set[int]:
    """Report the exits of `running` processes; return their ids, which remain taken."""
    ended = set()
    for pid in running:
        exit_ = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if exit_ is not None:
            ended.add(pid)
            by_itself = exit_.si_code == os.CLD_EXITED
            exit_code = exit_.si_status if by_itself else -exit_.si_status
            channel.send(json.dumps([pid, exit_code]).encode())
    return ended


def _become(request: dict[str, Any], output: int) -> None:
    """Take the arguments, environment and output of a request, in a new session."""
    os.setsid()
    signal_on_parent_exit(signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]  # PYTHONUNBUFFERED
    sys.argv = request["argv"]


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
