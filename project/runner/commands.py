"""The programs of Parley: their command lines, and how to tell that each is ready."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from project.runner import redis_server
from project.runner.healthcheck import is_healthy
from project.runner.process import Program

Environment = Mapping[str, str]
LOOPBACK = "127.0.0.1"


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
    server = redis_server.find_server()
    return Program(
        name="redis",
        argv=(server, str(configuration)),
        env={},
        is_ready=partial(is_healthy, redis_server.build_url(port, password)),
        is_hidden=redis_server.is_kernel_advice,
        explain_failure=partial(redis_server.explain_failure, directory=directory, server=server),
        stop_timeout=1.0,
    )


def fake_model(*options: str, port: int, env: Environment) -> Program:
    """Return the bundled model server; `options` are those of `python -m fakemodel`."""
    return Program(
        name="model",
        argv=(sys.executable, "-m", "fakemodel", "--port", str(port), *options),
        env=env,
        is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
        stop_timeout=0.5,
    )


def worker(name: str = "worker", *, env: Environment, stop_timeout: float = 5.0) -> Program:
    return Program(
        name=name,
        argv=(
            *(sys.executable, "-m", "celery", "--app", "celery_app", "--quiet", "worker"),
            *("--hostname", f"{name}@%h"),
            # Workers need no events from one another: the leases in Redis assign the turns.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        env=env,
        ready_text=" ready.",
        stop_timeout=stop_timeout,
    )


def web_argv(*, host: str, port: int, shutdown_timeout: int) -> tuple[str, ...]:
    """Return the command line of a web process.

    shutdown_timeout: seconds. A client that still waits for a response retries.
    """
    return (
        *(sys.executable, "-m", "project.server.main", "project.asgi:application"),
        *("--host", host, "--port", str(port)),
        # The access log would contain the tokens in the URLs of the tutorial's routes.
        *("--no-access-log", "--no-server-header", "--lifespan", "off"),
        # CHAT_TRUSTED_PROXIES says whose X-Forwarded-For headers are believed.
        "--no-proxy-headers",
        # Compression takes 90 kB per WebSocket. Frames may be as large as bodies, in bytes.
        *("--ws-per-message-deflate", "false"),
        # Seconds; together they disconnect a client that does not answer pings within 30.
        *("--ws-ping-interval", "15", "--ws-ping-timeout", "10"),
        *("--timeout-graceful-shutdown", str(shutdown_timeout)),
    )


def web(name: str = "web", *, port: int, env: Environment, host: str = LOOPBACK) -> Program:
    """Return a web process on `host`, which must include loopback."""
    return Program(
        name=name,
        argv=web_argv(host=host, port=port, shutdown_timeout=2),
        env=env,
        is_ready=partial(is_healthy, f"http://127.0.0.1:{port}/live"),
        stop_timeout=3.0,
    )
