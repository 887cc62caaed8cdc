"""Connections are limited in all and by address, and probes are answered beyond the limits."""

import resource
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from project.runner import commands
from project.server.delayed_errors import MAX_DELAYED_PER_ADDRESS
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.server.attacks import HEALTHY, Attack, get_from, pipeline

# Half of what 512 descriptors leave, and all of it.
MAX_PER_ADDRESS, MAX_CONNECTIONS = 160, 320


def status(response: bytes) -> str:
    return response[9:12].decode()


def test_soft_limit_of_descriptors_is_raised(small_web: Stack) -> None:
    soft, hard = resource.prlimit(small_web.web().pid, resource.RLIMIT_NOFILE)
    assert (soft, hard) == (512, 512)


@pytest.mark.security("S49")
def test_one_address_cannot_use_all_connections(
    small_web: Stack, attacker: APIClient, healthy: APIClient
) -> None:
    url, address = small_web.web().url, "127.0.0.70"
    owners = [attacker.open_session() for _ in range(25)]
    with Attack(url, address) as attack:
        for owner in owners:
            for _ in range(20):
                with suppress(OSError):
                    attack.open_stream(owner)
        assert status(get_from(HEALTHY, url, healthy.path, healthy.token)) == "200"
        rejected = get_from(address, url, healthy.path, healthy.token)
        assert status(rejected) == "429"
        assert b'"code":"rate_limited"' in rejected
        assert status(get_from(address, url, "/live")) == "200"
    assert status(get_from(address, url, healthy.path, healthy.token)) == "200"


@pytest.mark.security("S49")
def test_probes_are_answered_when_all_connections_are_used(
    small_web: Stack, healthy: APIClient
) -> None:
    url = small_web.web().url
    with Attack(url) as attack:
        for i in range(700):
            with suppress(OSError):
                attack.connect(f"127.0.1.{i % 4 + 1}")
        rejected = get_from(HEALTHY, url, healthy.path, healthy.token)
        assert status(rejected) == "503"
        assert b'"code":"unavailable"' in rejected
        for path in ("/live", "/ready"):
            assert status(get_from(HEALTHY, url, path)) == "200"
    assert status(get_from(HEALTHY, url, healthy.path, healthy.token)) == "200"


def test_idle_connections_of_proxies_outlive_those_of_clients(
    small_web: Stack, tmp_path: Path
) -> None:
    """A proxy that sends a request while its connection is closed gets no response."""
    proxy, client = "127.0.0.8", "127.0.0.9"
    port = free_port()
    program = commands.web(port=port, env=small_web.env | {"CHAT_TRUSTED_PROXIES": proxy})
    program = replace(program, argv=(*program.argv, "--timeout-keep-alive", "1"))
    web = Process(program, tmp_path / "log", url=f"http://127.0.0.1:{port}")
    request = b"HEAD /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    try:
        web.start()
        with Attack(web.url) as connections:
            opened = [connections.connect(address) for address in (proxy, client)]
            for each in opened:
                each.sendall(request)
                assert status(each.recv(65536)) == "200"
            assert opened[1].recv(1) == b""
            opened[0].sendall(request)
            assert status(opened[0].recv(65536)) == "200"
    finally:
        web.ensure_stopped()


@pytest.mark.security("S43")
@pytest.mark.security("S48")
def test_errors_of_an_address_that_ignores_them_are_delayed(
    small_web: Stack, healthy: APIClient
) -> None:
    """A few wait. Further connections of the address are closed before anything is read."""
    url, address = small_web.web().url, "127.0.0.67"

    def is_last_closed() -> bool:
        with Attack(url, address) as attack, suppress(ConnectionError):
            for _ in range(4):
                pipeline(address, url, ["/nothing"] * 32)
            for _ in range(MAX_DELAYED_PER_ADDRESS + 1):
                attack.connect().sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
            *waiting, last = attack.sockets
            with suppress(ConnectionError):
                if last.recv(1):
                    return False
            assert status(get_from(HEALTHY, url, healthy.path, healthy.token)) == "200"
            return {status(each.recv(100)) for each in waiting} == {"429"}
        return False

    wait_until(is_last_closed)
    wait_until(lambda: status(get_from(address, url, "/nothing")) == "404")
