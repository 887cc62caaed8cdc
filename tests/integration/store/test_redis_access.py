"""Access to Redis: passwords, the documented ACL, TLS."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from chat.domain.errors import StoreUnavailable
from chat.store.client import client
from chat.store.server_info import ping
from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient
from tests.integration.providers import raw_server
from tests.integration.store.redis_server import RedisServer

PAGE = (ROOT / "docs" / "security.md").read_text()
PASSWORD = "of-the-boss"
FORBIDDEN = [
    *(("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("SHUTDOWN",)),
    *(("ACL", "LIST"), ("GET", "of-others"), ("REPLICAOF", "a", "1")),
]


def documented(password: str) -> list[str]:
    """Return the ACL rules of Parley's user in docs/security.md."""
    match = re.search(r"^user (parley .+)$", PAGE, re.MULTILINE)
    assert match
    return [password if word.startswith(">") else word for word in match[1].split()]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis with a password, and a user `parley` with the documented ACL and password `own`."""
    server = RedisServer(tmp_path, "--requirepass", PASSWORD, "--user", *documented(">own"))
    server.start()
    server.redis = Redis.from_url(url_of(server, f":{PASSWORD}"))
    yield server
    server.close()


def url_of(server: RedisServer, who: str) -> str:
    return f"redis://{who}@127.0.0.1:{server.port}/0"


@pytest.mark.security("S38")
def test_redis_rejects_wrong_or_missing_passwords(guarded: RedisServer) -> None:
    for who in ("", ":wrong", "parley:wrong", "default:own"):
        url = url_of(guarded, who) if who else guarded.url
        with Redis.from_url(url) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()


@pytest.mark.security("S38")
def test_redis_of_make_run_requires_a_password(stack: Stack) -> None:
    port = stack.redis.url.rpartition(":")[2]
    url = f"redis://127.0.0.1:{port}"
    with Redis.from_url(url) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


@pytest.mark.security("S38")
def test_documented_acl_is_sufficient(guarded: RedisServer, tmp_path: Path) -> None:
    env = {"REDIS_URL": url_of(guarded, "parley:own")}
    with Stack(tmp_path / "parley", env=env) as parley:
        parley.model.start()
        parley.worker().launch()
        parley.web().start()
        parley.worker().wait_until_ready()
        owner = APIClient(parley.web().url).open_session()
        owner.post_message("hello")
        wait_until(lambda: owner.get_session()["messages"][-1]["status"] == "completed", within=30)
        assert owner.post(f"{owner.path}/ticket").status_code == 201
        assert owner.request("DELETE", owner.path).status_code == 204
    refused = guarded.redis.acl_log()
    assert not refused, refused


@pytest.mark.security("S38")
@pytest.mark.parametrize("command", FORBIDDEN, ids=lambda command: command[0])
def test_documented_acl_allows_nothing_else(guarded: RedisServer, command: tuple[str, ...]) -> None:
    url = url_of(guarded, "parley:own")
    with Redis.from_url(url) as parley, pytest.raises(NoPermissionError):
        parley.execute_command(*command)


@pytest.mark.security("S38")
@pytest.mark.parametrize(
    ("certificate", "query", "is_trusted"),
    [
        ("good", f"?ssl_ca_certs={raw_server.CA}", True),
        ("good", "", False),
        ("good", "?ssl_cert_reqs=none", True),
        ("good", "?ssl_cert_reqs=CERT_NONE", True),
        ("good", "?ssl_cert_reqs=CERT_REQUIRED", False),
        ("expired", f"?ssl_ca_certs={raw_server.CA}", False),
        ("other_host", f"?ssl_ca_certs={raw_server.CA}", False),
        ("other_host", f"?ssl_ca_certs={raw_server.CA}&ssl_check_hostname=no", True),
    ],
)
def test_tls_certificate_of_redis_is_verified(
    guarded: RedisServer, settings: Settings, certificate: str, query: str, is_trusted: bool
) -> None:
    handler = raw_server.forward_to(guarded.port)
    with raw_server.RawServer(handler, certificate=certificate) as tls:
        settings.REDIS_URL = f"rediss://:{PASSWORD}@127.0.0.1:{tls.port}/0{query}"
        client.cache_clear()
        if is_trusted:
            ping()
            wait_until(lambda: is_healthy(settings.REDIS_URL))
        else:
            assert not is_healthy(settings.REDIS_URL)
            with pytest.raises(StoreUnavailable):
                ping()
        client().close()
        client.cache_clear()
