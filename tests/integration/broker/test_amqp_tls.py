"""TLS to RabbitMQ: Celery and Parley's own connections check the broker's certificate."""

import socket
from contextlib import suppress
from queue import Queue
from typing import Any

import pytest
from kombu import Connection

from chat.broker.amqp_url import tls_arguments
from chat.broker.transport import kombu_url
from tests.integration.providers import raw_server

# What an AMQP client sends first.
GREETING = b"AMQP\x00\x00\x09\x01"
CA = f"?ssl_ca_certs={raw_server.CA}"


@pytest.mark.parametrize(
    ("certificate", "query", "is_trusted"),
    [
        ("good", CA, True),
        ("good", "", False),
        ("other_host", CA, False),
        ("other_host", f"{CA}&ssl_check_hostname=no", True),
    ],
)
def test_certificate_of_rabbitmq_is_verified(
    certificate: str, query: str, is_trusted: bool
) -> None:
    greetings: Queue[bytes] = Queue()

    def record(connection: socket.socket) -> None:
        greetings.put(connection.recv(len(GREETING)))

    with raw_server.RawServer(record, certificate=certificate) as server:
        url = f"amqps://guest:guest@127.0.0.1:{server.port}//{query}"
        connection = Connection(kombu_url(url), ssl=tls_arguments(url), connect_timeout=2)
        transport: Any = connection.transport  # kombu has no types
        with connection, suppress(OSError):
            transport.establish_connection()  # the server never speaks AMQP
        if is_trusted:
            assert greetings.get(timeout=2) == GREETING
    assert is_trusted or greetings.empty()
