"""A RabbitMQ node for tests: on loopback, with its own ports, directories and port mapper."""

import os
import shutil
from functools import partial
from pathlib import Path

import pytest

from project.runner.healthcheck import is_healthy
from project.runner.process import Program
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack

# Debian's command on PATH would change to the user of its system service.
SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
# Erlang's threads wait without spinning. Without input, the node ends with its first process.
ERLANG_OPTIONS = "-noinput -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 1"


def find_server() -> str | None:
    """Return the path of the server, or `None` if it or Erlang's port mapper is missing."""
    server = next(filter(None, map(shutil.which, SERVERS)), None)
    return server if shutil.which("epmd") else None


needs_rabbitmq = pytest.mark.skipif(
    find_server() is None, reason="rabbitmq-server is missing; make tools installs it"
)


def add_rabbitmq(stack: Stack) -> Process:
    """Add a node as the broker of all web processes and workers created later.

    Its port mapper is started here, or the node would start one that outlives it.
    """
    directory = stack.directory / "rabbitmq"
    directory.mkdir(parents=True)
    mapper_port, port = free_port(), free_port()
    address = {"ERL_EPMD_PORT": str(mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    stack.add(_port_mapper(mapper_port, address)).start()
    node = stack.add(_node(directory, port, address), url=f"amqp://127.0.0.1:{port}//")
    stack.env["BROKER_URL"] = node.url
    return node


def _port_mapper(port: int, address: dict[str, str]) -> Program:
    command = shutil.which("epmd")
    assert command
    return Program(
        name="epmd",
        argv=(command, "-port", str(port), "-address", "127.0.0.1"),
        env=address,
        is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
        stop_timeout=1.0,
    )


def _node(directory: Path, port: int, address: dict[str, str]) -> Program:
    server = find_server()
    assert server
    variables = {
        "PATH": os.environ["PATH"],
        # Erlang keeps the cookie of the node there.
        "HOME": str(directory),
        "RABBITMQ_NODENAME": f"parley{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        # Replaces the shell by the node, so that signals reach it.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_OPTIONS,
    }
    return Program(
        name="rabbitmq",
        argv=(server,),
        env=variables | address,
        is_ready=partial(is_healthy, f"tcp://127.0.0.1:{port}"),
        stop_timeout=10.0,
    )
