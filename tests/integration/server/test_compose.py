"""The services of docker-compose.yml with exactly its commands and environment, without containers.

Only what the containers provide is replaced: host names, ports, directories and images.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError

from project.runner import commands, redis_server
from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT, Program
from tests.harness.compose_nginx import start_nginx
from tests.harness.keys import create_key
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.wait import wait_until

pytestmark = pytest.mark.security("S58")

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
KEY = "pcWnYtGeq1DQYxvJp4dPz1cX0r7wOaSMTf2LKuh5iE3b9RkVyBmAZgNjHsUo"
# All that .env must contain.
DOTENV = {"SECRET_KEY": KEY, "REDIS_PASSWORD": "of-parley"}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^{}]*))?\}")
Start = Callable[..., Process]


def interpolate(text: str) -> str:
    """Replace variables as Compose does with `DOTENV`, inner ones first."""
    while found := VARIABLE.search(text):
        name, kind, word = found.groups()
        value = DOTENV.get(name) or (word if kind == "-" else None)
        assert value is not None, f"{name} is required"
        text = text.replace(found[0], value)
    return text.replace("$$", "$")


def environment(service: str) -> dict[str, str]:
    found = SERVICES[service].get("environment", {})
    return {name: interpolate(str(value)) for name, value in found.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compose")


@pytest.fixture(scope="module")
def start(home: Path) -> Iterator[Start]:
    """Return a function that starts a process, which is ready when its port accepts connections."""
    with ExitStack() as started:

        def start_one(name: str, argv: tuple[str, ...], port: int, **env: str) -> Process:
            program = Program(
                name=name,
                argv=argv,
                env=env,
                is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
                stop_timeout=5.0,
            )
            process = Process(program, home / f"{name}.log", url=f"http://127.0.0.1:{port}").start()
            started.callback(process.ensure_stopped)
            return process

        yield start_one


@pytest.fixture(scope="module")
def redis_port(start: Start, home: Path) -> int:
    """The port of Redis, started by the shell command of its service."""
    port = free_port()
    binary = home / "bin" / "valkey-server"
    binary.parent.mkdir()
    binary.symlink_to(redis_server.find_server())
    shell, option, script = SERVICES["redis"]["command"]
    script = interpolate(script).replace(" - ", f" - --port {port} --dir {home} ", 1)
    script = script.replace("/tmp/admin", f"{home}/admin")  # noqa: S108  # of the container
    path = f"{binary.parent}:/usr/bin:/bin"
    start("redis", (shell, option, script), port, PATH=path, **environment("redis"))
    return port


@pytest.fixture(scope="module")
def web_env(redis_port: int, home: Path) -> dict[str, str]:
    """The environment of the web process."""
    own = environment("web")
    return own | {
        "REDIS_URL": own["REDIS_URL"].replace("redis:6379", f"127.0.0.1:{redis_port}"),
        "CHAT_TRUSTED_PROXIES": "127.0.0.1",
        "PARLEY_HOME": str(home),
    }


@pytest.fixture(scope="module")
def key(web_env: dict[str, str]) -> dict[str, str]:
    """The header with an API key, which is required to open sessions."""
    return {"Authorization": f"Bearer {create_key(web_env)}"}


@pytest.fixture(scope="module")
def url(start: Start, web_env: dict[str, str], home: Path) -> Iterator[str]:
    """The URL of the proxy in front of the web process; with a worker and the fake model."""
    web_port, model_port = free_port(), free_port()
    model = SERVICES["model"]["command"]
    start("model", (sys.executable, *model[1:-1], str(model_port)), model_port)
    env = web_env | {"MODEL_URL": f"http://127.0.0.1:{model_port}/v1"}
    start("web", tuple(commands.web(port=web_port, env={}).argv), web_port, **env)
    start("worker", tuple(commands.worker(env={}).argv), web_port, **env)
    proxy = start_nginx(home / "nginx", web_port)
    yield proxy.url
    proxy.ensure_stopped()


@pytest.mark.thorough
def test_services_of_the_compose_file_answer_a_message(url: str, key: dict[str, str]) -> None:
    session = requests.post(f"{url}/sessions", json={}, headers=key, timeout=10).json()
    headers = {"Authorization": f"Bearer {session['token']}"}
    messages = f"{url}/sessions/{session['id']}/messages"
    posted = requests.post(messages, json={"content": "Hello"}, headers=headers, timeout=10)
    assert posted.status_code == 202

    def has_reply() -> bool:
        page = requests.get(messages, headers=headers, timeout=10).json()
        return any(
            each["role"] == "assistant" and each["status"] == "completed" for each in page["data"]
        )

    wait_until(has_reply, within=30)


@pytest.mark.thorough
def test_what_strangers_could_abuse_is_off(url: str, key: dict[str, str]) -> None:
    assert requests.post(f"{url}/sessions", json={}, timeout=10).status_code == 401
    assert requests.post(f"{url}/token?name=x", timeout=10).status_code == 404
    assert requests.get(f"{url}/metrics", timeout=10).status_code == 404
    hook = {"webhook_url": "https://example.org/"}
    response = requests.post(f"{url}/sessions", json=hook, headers=key, timeout=10)
    assert response.status_code == 400


@pytest.mark.thorough
def test_redis_gives_others_few_rights(redis_port: int, home: Path) -> None:
    address = f"127.0.0.1:{redis_port}/0"
    for who in ("", ":of-parley@", "default:of-parley@"):
        with Redis.from_url(f"redis://{who}{address}") as other, pytest.raises(AuthenticationError):
            other.ping()
    with Redis.from_url(f"redis://parley:of-parley@{address}") as own:
        assert own.info("memory")["maxmemory"] == 768 * 2**20
        with pytest.raises(NoPermissionError):
            own.flushall()
    password = home / "admin"
    assert password.stat().st_mode & 0o777 == 0o600
    with Redis.from_url(f"redis://:{password.read_text()}@{address}") as admin:
        assert admin.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


@pytest.mark.thorough
def test_proxy_limits_the_requests_of_an_address(url: str) -> None:
    """All are sent before the first response is read, so that a busy machine does not slow them."""
    address = urlsplit(url)
    with ExitStack() as opened:
        host, port = address.hostname or "", address.port
        clients = [HTTPConnection(host, port, timeout=30) for _ in range(300)]
        for client in clients:
            opened.callback(client.close)
            client.request("GET", "/live", headers={"X-Forwarded-For": "198.51.100.7"})
        answers = [client.getresponse() for client in clients]
        limited = [each for each in answers if each.status == HTTPStatus.TOO_MANY_REQUESTS]
        assert limited
        assert json.loads(limited[0].read())["error"]["code"] == "rate_limited"
        assert limited[0].headers["Retry-After"] == "1"
