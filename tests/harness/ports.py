"""Ports for test servers; no two servers share one, even while one of them is down."""

import os
import secrets

from project.runner.healthcheck import is_port_free

# Below the ports of `make run` and of outgoing connections.
FIRST, END = 10_000, 20_000
# Maximum number of pytest-xdist processes; each has its own range of ports.
WORKERS = 8

_allocated: set[int] = set()


def free_port() -> int:
    """Return a loopback port that is not in use and was not returned before."""
    share = (END - FIRST) // WORKERS
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    lowest = FIRST + worker * share
    while (port := lowest + secrets.randbelow(share)) in _allocated or not is_port_free(port):
        pass
    _allocated.add(port)
    return port
