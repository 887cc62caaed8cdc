"""Questions to a server from outside: is the port free, does it answer?"""

import http.client
import secrets
import socket
from urllib.parse import unquote, urlsplit

TIMEOUT = 0.5
"""Seconds a question may take; it is asked again soon."""
LOWEST, HIGHEST = 20_000, 32_000
"""Where free ports are looked for."""


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment.

    It lies below those that the kernel gives to outgoing connections: one of these could take the
    port of a server that is down for a moment, even by a client's connecting to itself.
    """
    while not port_is_free(port := LOWEST + secrets.randbelow(HIGHEST - LOWEST)):
        pass
    return port


def port_is_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def accepts(port: int) -> bool:
    """Return whether something accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
    except OSError:
        return False
    return True


def answers_http(port: int, path: str) -> bool:
    """Return whether a GET of `path` on this loopback port gives 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def answers_redis(url: str) -> bool:
    """Return whether the Redis of a `redis://` URL is up and has loaded its data."""
    parts = urlsplit(url)
    words = ["AUTH", *(unquote(word) for word in (parts.username, parts.password) if word)]
    greeting = f"{' '.join(words)}\r\nPING\r\n" if parts.password else "PING\r\n"
    address = (parts.hostname or "127.0.0.1", parts.port or 6379)
    try:
        with socket.create_connection(address, TIMEOUT) as connection:
            connection.sendall(greeting.encode())
            return b"+PONG" in _lines(connection, greeting.count("\n"))
    except OSError:
        return False


def _lines(connection: socket.socket, count: int) -> bytes:
    received = b""
    while received.count(b"\n") < count and (block := connection.recv(4096)):
        received += block
    return received
