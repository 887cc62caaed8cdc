"""Questions to a server from outside: is the port free, does it answer?

`python -m project.runner.healthcheck URL` asks and tells by its exit code; it is the health check
of the containers.
"""

import http.client
import secrets
import socket
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

TIMEOUT = 0.5
"""Seconds a question may take; it is asked again soon."""
LOWEST, HIGHEST = 20_000, 32_000
"""Where free ports are looked for."""
NOES = {"0", "f", "false", "n", "no"}
"""How redis-py is told no in a URL."""


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
    return answers(f"tcp://127.0.0.1:{port}")


def answers(url: str) -> bool:
    """Return whether a server answers at `url`.

    * `tcp:` it accepts a connection.
    * `http:` a GET gives 200.
    * `file:/path?within=20` the file was touched so many seconds ago at most.
    * `sentinel:` one of them accepts a connection.
    * `redis:`, `rediss:`, `unix:` Redis takes the password and has loaded its data. What the query
      says of certificates (`?ssl_ca_certs=` and so on) holds.
    """
    parts = urlsplit(url)
    if parts.scheme == "sentinel":
        return any(answers(f"tcp://{place}") for place in _sentinels(parts))
    try:
        if parts.scheme == "file":
            return _is_fresh(parts)
        if parts.scheme == "http":
            return _answers_http(parts)
        with _connection(parts) as connection:
            return parts.scheme == "tcp" or _answers_redis(connection, parts)
    except (OSError, http.client.HTTPException):
        return False


def _sentinels(parts: SplitResult) -> list[str]:
    return parts.netloc.rpartition("@")[2].split(",")


def _is_fresh(parts: SplitResult) -> bool:
    within = float(parse_qs(parts.query)["within"][0])
    return time.time() - Path(unquote(parts.path)).stat().st_mtime <= within


def _answers_http(parts: SplitResult) -> bool:
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()


def _connection(parts: SplitResult) -> socket.socket:
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        connection.connect(unquote(parts.path))
        return connection
    host = parts.hostname or "127.0.0.1"
    connection = socket.create_connection((host, parts.port or 6379), TIMEOUT)
    if parts.scheme == "rediss":
        return _tls(parts).wrap_socket(connection, server_hostname=host)
    return connection


def _tls(parts: SplitResult) -> ssl.SSLContext:
    """Return what TLS is to be like by the URL, in whose query redis-py reads it."""
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    context = ssl.create_default_context(
        cafile=asked.get("ssl_ca_certs"), capath=asked.get("ssl_ca_path")
    )
    if certificate := asked.get("ssl_certfile"):
        context.load_cert_chain(certificate, asked.get("ssl_keyfile"), asked.get("ssl_password"))
    context.check_hostname = asked.get("ssl_check_hostname", "true").lower() not in NOES
    if asked.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _answers_redis(connection: socket.socket, parts: SplitResult) -> bool:
    words = ["AUTH", *(unquote(word) for word in (parts.username, parts.password) if word)]
    greeting = f"{' '.join(words)}\r\nPING\r\n" if parts.password else "PING\r\n"
    connection.sendall(greeting.encode())
    received = b""
    while received.count(b"\n") < greeting.count("\n") and (block := connection.recv(4096)):
        received += block
    return b"+PONG" in received


if __name__ == "__main__":
    sys.exit(not answers(sys.argv[1]))
