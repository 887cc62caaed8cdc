"""The environment variables of the test process and of all processes that it starts."""

import os
import signal
from collections.abc import Mapping

from tests.harness.ports import free_port
from tests.harness.redis_cluster import ON_CLUSTER

# Variables of the developer's shell that would affect tests.
PREFIXES = ("CHAT_", "LOG_", "MODEL_", "OTEL_")
NAMES = {
    "ALLOWED_HOSTS",
    "BROKER_URL",
    "DATABASE_URL",
    "DEBUG",
    "HUGGINGFACE_INFERENCE_TOKEN",
    "CORS_ORIGINS",
    "CSRF_TRUSTED_ORIGINS",
    "URL_PREFIX",
}


def without_parley_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without the variables that configure Parley."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(PREFIXES) and name not in NAMES
    }


def isolate(parley_home: str) -> None:
    """Give this process its own state directory, and a Redis URL with a free port.

    This starts nothing: the first test that needs Redis starts it on that port.
    """
    environ = without_parley_variables(os.environ)
    servers = {"REDIS_URL": _server_url("redis")}
    if ON_CLUSTER:
        servers = {"REDIS_URL": _server_url("redis+cluster"), "BROKER_URL": _server_url("redis")}
    os.environ.clear()
    os.environ.update(
        environ,
        DJANGO_SETTINGS_MODULE="project.settings",
        PARLEY_HOME=parley_home,
        SECRET_KEY="a-key-for-tests-only-that-protects-nothing-real-0123456",
        **servers,
    )
    # A background job of a shell script ignores Ctrl-C, and its child processes would, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _server_url(scheme: str) -> str:
    return f"{scheme}://:{PASSWORD}@127.0.0.1:{free_port()}/0"


PASSWORD = "of-the-tests"
