"""The threads of sync views are shared fairly among clients."""

import asyncio
import threading
from typing import Any, cast

import pytest

from project.server.body_reader import BodyReader
from project.server.fair_threads import FairThreads
from project.server.wsgi_adapter import Response, WSGIAdapter
from tests.harness.wait import wait_until
from tests.integration.server.attacks import ATTACKER, HEALTHY

THREADS = 4


def scope_of(address: str) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "query_string": b"",
        "http_version": "1.1",
        "headers": [],
        "client": (address, 1),
    }


@pytest.mark.security("S44")
def test_one_address_uses_half_of_the_threads() -> None:
    running: list[str] = []
    release = threading.Event()

    def respond(environ: dict[str, Any]) -> Response:
        running.append(environ["REMOTE_ADDR"])
        if environ["REMOTE_ADDR"] == ATTACKER:
            release.wait()
        return 200, [], b""

    threads = FairThreads(THREADS)
    adapter = WSGIAdapter(respond, threads, bodies=cast(BodyReader, None))

    async def receive() -> dict[str, Any]:
        raise AssertionError("the requests have no body")

    async def send(_: Any) -> None:
        pass

    async def run() -> None:
        attack = [
            asyncio.create_task(adapter(scope_of(ATTACKER), receive, send)) for _ in range(20)
        ]
        half = THREADS // 2
        await asyncio.to_thread(wait_until, lambda: running.count(ATTACKER) == half)
        await adapter(scope_of(HEALTHY), receive, send)
        assert running.count(ATTACKER) == half
        release.set()
        await asyncio.gather(*attack)
        assert running.count(ATTACKER) == len(attack)

    try:
        asyncio.run(run())
    finally:
        release.set()
        threads.executor.shutdown()
