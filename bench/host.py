"""Runs Parley for the benchmarks, from the revision in the working directory.

`python bench/host.py`: each line of standard input is a call, `{"call": ..., ...arguments}`; each
line of the output is `{"result": ...}` or `{"error": ...}`. Everything but this module comes from
the working directory.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Each Python process imports its own modules, unlike in tests: one forked from another one would
# share memory with it.
NO_FORK = {"PYTHONHASHSEED": "random"}


class Host:
    """The installations that were started, by name."""

    def __init__(self) -> None:
        self._directory = import_module("bench.state_dir").create()
        self._stacks: dict[str, Any] = {}

    def start(
        self, name: str, env: dict[str, str], webs: int, workers: int, options: dict[str, Any]
    ) -> dict[str, Any]:
        """Start an installation; return the URLs and process ids of what runs.

        The store of this process is that of `main`.

        options: further arguments of `Stack`.
        """
        harness = import_module("tests.harness.stack")
        if name == "main":
            options["redis_port"] = harness.port_of(os.environ["REDIS_URL"])
        stack = harness.Stack(self._directory / name, env={**env, **NO_FORK}, **options)
        self._stacks[name] = stack
        try:
            stack.start(webs=webs, workers=workers)
        except AssertionError as error:
            logs = stack.log_tails(5)
            self.stop(name)
            raise AssertionError(f"{error}\n{logs}") from error
        pids = {"redis": stack.redis.pid, "model": stack.model.pid}
        pids |= {f"web{number}": stack.web(number).pid for number in range(webs)}
        pids |= {f"worker{number}": stack.worker(number).pid for number in range(workers)}
        return {
            "webs": [stack.web(number).url for number in range(webs)],
            "model": stack.model.url,
            "redis": stack.redis.url,
            "pids": pids,
        }

    def stop(self, name: str) -> None:
        self._stacks.pop(name).shut_down()

    def create_session(self, messages: int) -> dict[str, str]:
        """Create a session with this number of messages; return its id and token."""
        token, caller = import_module("bench.history").create_session(messages)
        return {"id": caller.session_id, "token": token}

    def close(self) -> None:
        for name in list(self._stacks):
            self.stop(name)


def main() -> None:
    # Standard output carries the results only.
    output, sys.stdout = sys.stdout, sys.stderr
    sys.path[0] = str(Path.cwd())
    host = Host()
    try:
        for line in sys.stdin:
            arguments = json.loads(line)
            try:
                reply = {"result": getattr(host, arguments.pop("call"))(**arguments)}
            except AssertionError as error:  # a process did not start
                reply = {"error": str(error)}
            print(json.dumps(reply), file=output, flush=True)
    finally:
        host.close()


if __name__ == "__main__":
    main()
