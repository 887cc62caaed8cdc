"""What a web process buffers for slow clients is limited for all of them together."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from bench.cpu import resident_kib
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import TIMEOUT, APIClient
from tests.integration.server.attacks import (
    ATTACKER,
    HEALTHY,
    Attack,
    HealthyClient,
    get_from,
    measure_peak,
    pipeline,
)

MIB = 1024 * 1024
# KiB that the web process may grow by: the limit of 8 MiB, threads, and what malloc keeps.
MAX_GROWTH = 64 * 1024


@pytest.mark.security("S47")
def test_slow_readers_use_limited_memory(
    small_web: Stack, attacker: APIClient, healthy: APIClient
) -> None:
    """Without the limit, the web process grows by half a gigabyte."""
    web = small_web.web()
    for _ in range(8):
        attacker.post_message("x" * 800_000)
    before = resident_kib(web.pid)
    with Attack(web.url) as attack, HealthyClient(healthy, pause=0.06) as client:

        def read() -> None:
            for i in range(60):
                path = attacker.path + ("?limit=200", "/messages?limit=200")[i % 2]
                attack.read_slowly(attacker, path)
                time.sleep(0.02)  # as fast as the server reads them
            wait_until(lambda: len(client.times) > 30)

        peak = measure_peak(lambda: resident_kib(web.pid), read)
    assert client.failures == []
    assert peak - before < MAX_GROWTH


@pytest.mark.security("S47")
def test_reads_of_one_session_are_limited(attacker: APIClient, healthy: APIClient) -> None:
    paths = [f"{attacker.path}{path}" for path in ("", "/messages", "/messages/msg_1")] * 10
    with ThreadPoolExecutor(6) as threads:
        responses = b"".join(
            threads.map(lambda _: pipeline(ATTACKER, attacker.url, paths, attacker.token), range(6))
        )
    assert b"HTTP/1.1 429 " in responses
    assert b'"code":"rate_limited"' in responses
    assert get_from(HEALTHY, healthy.url, healthy.path, healthy.token).startswith(b"HTTP/1.1 200")


@pytest.mark.security("S48")
@pytest.mark.parametrize("cookie", ["", "sessionid=forged"])
def test_unfinished_logins_use_limited_memory(
    small_web: Stack, healthy: APIClient, cookie: str
) -> None:
    web = small_web.web()
    before = resident_kib(web.pid)
    with (
        Attack(web.url) as attack,
        HealthyClient(healthy, pause=0.06) as client,
        ThreadPoolExecutor(20) as threads,
    ):

        def send(_: int) -> None:
            with suppress(OSError):  # connections of an address with many errors are closed
                attack.send_unfinished("/admin/login/", size=MIB, cookie=cookie)

        send(0)
        peak = measure_peak(
            lambda: resident_kib(web.pid), lambda: list(threads.map(send, range(150)))
        )
        attack.sockets[0].settimeout(TIMEOUT)
        assert attack.sockets[0].recv(100).startswith((b"HTTP/1.1 413", b"HTTP/1.1 429"))
        wait_until(lambda: len(client.times) > 3)
    assert client.failures == []
    assert peak - before < MAX_GROWTH


@pytest.mark.security("S48")
def test_unfinished_messages_use_limited_memory(
    small_web: Stack, attacker: APIClient, healthy: APIClient
) -> None:
    """An attacker with a session has the same limit, and others can still post large messages."""
    web = small_web.web()
    before = resident_kib(web.pid)
    with Attack(web.url) as attack, ThreadPoolExecutor(20) as threads:

        def send(_: int) -> None:
            attack.send_unfinished("/messages", size=3 * MIB, token=attacker.token)

        peak = measure_peak(
            lambda: resident_kib(web.pid), lambda: list(threads.map(send, range(40)))
        )
        healthy.post_message("x" * MIB)
    assert peak - before < MAX_GROWTH


@pytest.mark.security("S48")
def test_large_file_for_a_session_of_others_is_not_read(
    small_web: Stack, attacker: APIClient, healthy: APIClient
) -> None:
    with Attack(small_web.web().url, "127.0.0.68") as attack:
        attack.send_unfinished(f"{healthy.path}/files", size=3 * MIB, token=attacker.token)
        assert b"404" in attack.sockets[0].recv(100)


@pytest.mark.security("S48")
@pytest.mark.parametrize("path", ["/messages", "/sessions"])
def test_large_body_of_a_stranger_is_not_read(
    small_web: Stack, attacker: APIClient, healthy: APIClient, path: str
) -> None:
    token = f"{attacker.id}.{healthy.token.partition('.')[2]}"
    expected = {"/messages": b"404", "/sessions": b"413"}[path]
    with Attack(small_web.web().url, "127.0.0.69") as attack:
        attack.send_unfinished(path, size=3 * MIB, token=token)
        assert expected in attack.sockets[0].recv(100)
