"""Ports that no two servers of the tests ever share, be one of them down for a moment."""

import os
import secrets

from project.runner.healthcheck import is_port_free

LOWEST, HIGHEST = 10_000, 20_000
"""Below those that `make run` chooses from, and those of outgoing connections."""
WORKERS = 8
"""Most processes that the tests are spread over (pytest-xdist), each with ports of its own."""

_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that was not given away before."""
    share = (HIGHEST - LOWEST) // WORKERS
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    lowest = LOWEST + worker * share
    while (port := lowest + secrets.randbelow(share)) in _given or not is_port_free(port):
        pass
    _given.add(port)
    return port
