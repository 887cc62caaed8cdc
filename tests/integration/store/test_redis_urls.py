"""Every documented form of a URL reaches the same database, as the same user, by every path."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from pytest_django import Settings
from redis import Redis

from chat import broker
from chat.broker import connections
from chat.broker.transport import transport_path
from chat.store.client import client, execute_command
from chat.store.pubsub import PubSubClient
from chat.store.server_info import ping
from project.runner.healthcheck import is_healthy
from tests.harness.wait import wait_until
from tests.integration.store.redis_server import RedisServer

PASSWORD, USER_PASSWORD = "p/@:%", "u&="
QUOTED, USER_QUOTED = "p%2F%40%3A%25", "u%26%3D"
DB = 2

FORMS = {
    "path": f"redis://:{QUOTED}@127.0.0.1:PORT/2",
    "query": f"redis://127.0.0.1:PORT?db=2&password={QUOTED}",
    "user": f"redis://parley:{USER_QUOTED}@127.0.0.1:PORT/2",
    "user in query": f"redis://127.0.0.1:PORT/2?username=parley&password={USER_QUOTED}",
    "options": (
        f"redis://:{QUOTED}@127.0.0.1:PORT/2?health_check_interval=30&max_connections=80"
        "&client_name=named&socket_timeout=2&protocol=3&socket_keepalive=yes&retry_on_timeout=yes"
    ),
    "RESP2": f"redis://:{QUOTED}@127.0.0.1:PORT/2?protocol=2",
    "unix": f"unix://:{QUOTED}@SOCKET?db=2",
    "unix, query": f"unix://SOCKET?db=2&password={QUOTED}&health_check_interval=5",
    "unix, user": f"unix://parley:{USER_QUOTED}@SOCKET?db=2",
    "unix, Celery": f"unix://:{QUOTED}@SOCKET?virtual_host=2",
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, Path]]:
    """A server with passwords, on a port and a Unix socket."""
    directory = tmp_path_factory.mktemp("redis")
    socket = directory / "redis.sock"
    server = RedisServer(directory, "--requirepass", PASSWORD, "--unixsocket", str(socket))
    server.start()
    server.redis.close()
    server.redis = Redis(port=server.port, password=PASSWORD, db=DB)
    server.redis.acl_setuser(
        "parley", enabled=True, passwords=[f"+{USER_PASSWORD}"], keys=["*"], channels=["*"],
        commands=["+@all"],
    )  # fmt: skip
    yield server, socket
    server.close()


@pytest.fixture(params=list(FORMS.values()), ids=list(FORMS))
def url(
    request: pytest.FixtureRequest, locked: tuple[RedisServer, Path], settings: Settings
) -> Iterator[str]:
    """A form of the URL, in the settings of data and broker."""
    server, socket = locked
    found: str = request.param.replace("PORT", str(server.port)).replace("SOCKET", str(socket))
    settings.REDIS_URL = settings.BROKER_URL = found
    server.redis.flushall()
    client.cache_clear()
    yield found
    client().close()
    client.cache_clear()


def expected_user(url: str) -> str:
    return "parley" if "parley" in url else "default"


@pytest.mark.case("C20")
def test_data_reaches_the_database(url: str, locked: tuple[RedisServer, Path]) -> None:
    ping()
    execute_command("SET", "data", "1")
    assert locked[0].redis.get("data") == b"1"
    assert execute_command("ACL", "WHOAMI").decode() == expected_user(url)


@pytest.mark.case("C20")
def test_events_arrive(url: str, locked: tuple[RedisServer, Path]) -> None:
    server, _ = locked
    received: list[bytes] = []

    async def subscribe() -> None:
        connection = PubSubClient(lambda _, message: received.append(message))
        connection.subscribe(b"channel")
        task = asyncio.create_task(connection.run())
        async with asyncio.timeout(5):
            while b"event" not in received:
                await asyncio.to_thread(server.redis.publish, "channel", "event")
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(subscribe())
    assert url


@pytest.mark.case("C20")
def test_wake_ups_reach_the_same_database(
    url: str, locked: tuple[RedisServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Celery("urls", fixups=[], set_as_current=False)
    app.conf.update(
        broker_url=url, broker_transport=transport_path(url), task_default_queue=broker.QUEUE
    )
    monkeypatch.setattr(connections, "current_app", app)
    connections.broker_pool.cache_clear()
    assert broker.wake_session("ses_1")
    assert broker.queue_length() == 1
    assert locked[0].redis.llen(broker.QUEUE) == 1
    connections.broker_pool.cache_clear()
    # A worker reads the URL in this way.
    with app.connection_for_read() as connection, connection.channel() as channel:
        assert "p/@" not in connection.as_uri(include_password=True)
        queue: Any = channel
        message = queue.basic_get(broker.QUEUE)
        assert "ses_1" in str(message.payload)


@pytest.mark.case("C20")
def test_the_health_check_logs_in(url: str) -> None:
    wait_until(lambda: is_healthy(url))
    wrong = url.replace(QUOTED, "wrong").replace(USER_QUOTED, "wrong")
    assert not is_healthy(wrong)
