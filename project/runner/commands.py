"""The programs that make up Parley: their command lines, and how each is known to be ready."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from project.runner import redis_server
from project.runner.healthcheck import answers
from project.runner.process import Program

Environment = Mapping[str, str]


def redis(
    directory: Path,
    *,
    port: int,
    password: str,
    appendonly: bool = True,
    appendfsync: str = "everysec",
) -> Program:
    """Return the Redis server with its data in `directory`.

    Raises:
        FileNotFoundError: no server binary is installed.
    """
    configuration = redis_server.write_configuration(
        directory, port=port, password=password, appendonly=appendonly, appendfsync=appendfsync
    )
    return Program(
        name="redis",
        argv=(redis_server.find_server(), str(configuration)),
        env={},
        ready=partial(answers, redis_server.url_of(port, password)),
        stop_within=1.0,
    )


def fake_model(*options: str, port: int, env: Environment) -> Program:
    """Return the bundled model server; `options` are those of `python -m fakemodel`."""
    return Program(
        name="model",
        argv=(sys.executable, "-m", "fakemodel", "--port", str(port), *options),
        env=env,
        ready=partial(answers, f"tcp://127.0.0.1:{port}"),
        stop_within=0.5,
    )


def worker(name: str = "worker", *, env: Environment, stop_within: float = 5.0) -> Program:
    """Return a Celery worker."""
    return Program(
        name=name,
        argv=(
            *(sys.executable, "-m", "celery", "--app", "celery_app", "--quiet", "worker"),
            *("--hostname", f"{name}@%h"),
            # Workers have nothing to tell one another: the leases in Redis say who does what.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        env=env,
        ready_text=" ready.",
        stop_within=stop_within,
    )


def web(name: str = "web", *, port: int, env: Environment) -> Program:
    """Return a web process on loopback `port`."""
    return Program(
        name=name,
        argv=(
            *(sys.executable, "-m", "project.server.main", "project.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(port)),
            # The requests' own log would show the tokens that the tutorial's routes take in URLs.
            *("--no-access-log", "--no-server-header", "--lifespan", "off"),
            # Whose X-Forwarded-For is believed is Parley's own setting, CHAT_TRUSTED_PROXIES.
            "--no-proxy-headers",
            # Compression takes 90 kB a socket. The largest frame, in bytes, is the largest body.
            *("--ws-per-message-deflate", "false", "--ws-max-size", "65536"),
            # Seconds; a socket's client that does not answer a ping is gone within 30.
            *("--ws-ping-interval", "15", "--ws-ping-timeout", "10"),
            # Whoever still waits for a reply asks again; seconds.
            *("--timeout-graceful-shutdown", "2"),
        ),
        env=env,
        ready=partial(answers, f"http://127.0.0.1:{port}/live"),
        stop_within=3.0,
    )
