"""Checks of a server from outside: is its port free, is it healthy?

`python -m project.runner.healthcheck URL` exits with 0 if the server is healthy, else with 1. It is
the health check of the containers.
"""

import http.client
import secrets
import socket
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, parse_qsl, unquote, urlsplit

# Seconds for one check; callers repeat it.
TIMEOUT = 0.5
# The range of `free_port`.
MIN_PORT, MAX_PORT = 20_000, 32_000
# What redis-py reads as false in a URL.
FALSE_VALUES = {"0", "f", "false", "n", "no"}


def free_port() -> int:
    """Return a loopback port on which no server listens at this moment.

    It lies below the kernel's ephemeral ports. An outgoing connection could otherwise take the port
    of a server that is restarting, even by connecting to itself.
    """
    while not is_port_free(port := MIN_PORT + secrets.randbelow(MAX_PORT - MIN_PORT)):
        pass
    return port


def is_port_free(port: int) -> bool:
    """Return whether a server could listen on this loopback port."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def accepts_connections(port: int) -> bool:
    """Return whether a server accepts connections on this loopback port."""
    return is_healthy(f"tcp://127.0.0.1:{port}")


def is_healthy(url: str) -> bool:
    """Return whether the server at `url` is healthy.

    * `tcp:` it accepts a connection.
    * `http:` a GET returns 200.
    * `file:/path?within=20` the file was touched within that many seconds.
    * `sentinel:` one of the Sentinels accepts a connection.
    * `redis+cluster:`, `rediss+cluster:` one of the nodes is healthy, as below.
    * `redis:`, `rediss:`, `unix:` Redis accepts the password and has loaded its data. The query may
      hold TLS options as redis-py reads them (`?ssl_ca_certs=` and so on).
    """
    parts = urlsplit(url)
    if parts.scheme == "sentinel":
        return any(is_healthy(f"tcp://{address}") for address in _hosts(parts))
    if parts.scheme in {"redis+cluster", "rediss+cluster"}:
        return any(map(is_healthy, _node_urls(parts)))
    try:
        if parts.scheme == "file":
            return _is_file_fresh(parts)
        if parts.scheme == "http":
            return _returns_ok(parts)
        with _connect(parts) as connection:
            return parts.scheme == "tcp" or b"+PONG" in _ping_redis(connection, parts)
    except (OSError, http.client.HTTPException):
        return False


def describe_redis_problem(url: str) -> str:
    """Return why the Redis at `url` cannot be used: its error message, or "" if it is healthy."""
    if is_healthy(url):
        return ""
    parts = urlsplit(url)
    if parts.scheme in {"redis+cluster", "rediss+cluster"}:
        parts = urlsplit(_node_urls(parts)[0])
    try:
        with _connect(parts) as connection:
            lines = _ping_redis(connection, parts).decode(errors="replace").splitlines()
    except OSError:
        return "does not answer"
    errors = [line[1:] for line in lines if line.startswith("-")]
    return f"responds with an error: {errors[0]}" if errors else "does not answer"


def _hosts(parts: SplitResult) -> list[str]:
    return parts.netloc.rpartition("@")[2].split(",")


def _node_urls(parts: SplitResult) -> list[str]:
    """Return a URL of each node that the URL of a Cluster names."""
    scheme = parts.scheme.removesuffix("+cluster")
    login, at, _ = parts.netloc.rpartition("@")
    return [
        parts._replace(scheme=scheme, netloc=login + at + host).geturl() for host in _hosts(parts)
    ]


def _is_file_fresh(parts: SplitResult) -> bool:
    max_age = float(parse_qs(parts.query)["within"][0])
    return time.time() - Path(unquote(parts.path)).stat().st_mtime <= max_age


def _returns_ok(parts: SplitResult) -> bool:
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()


def _connect(parts: SplitResult) -> socket.socket:
    if parts.scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        connection.connect(unquote(parts.path))
        return connection
    host = parts.hostname or "127.0.0.1"
    connection = socket.create_connection((host, parts.port or 6379), TIMEOUT)
    if parts.scheme == "rediss":
        return _tls_context(parts).wrap_socket(connection, server_hostname=host)
    return connection


def _tls_context(parts: SplitResult) -> ssl.SSLContext:
    """Return the TLS settings of the URL's query, which redis-py reads in the same way."""
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    context = ssl.create_default_context(
        cafile=options.get("ssl_ca_certs"), capath=options.get("ssl_ca_path")
    )
    if certificate := options.get("ssl_certfile"):
        key, password = options.get("ssl_keyfile"), options.get("ssl_password")
        context.load_cert_chain(certificate, key, password)
    check_hostname = options.get("ssl_check_hostname", "true").lower()
    context.check_hostname = check_hostname not in FALSE_VALUES
    if options.get("ssl_cert_reqs", "").lower().removeprefix("cert_") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _ping_redis(connection: socket.socket, parts: SplitResult) -> bytes:
    """Return the replies to AUTH, if there is a password, and PING."""
    query = dict(parse_qsl(parts.query))
    username = unquote(parts.username or "") or query.get("username", "")
    password = unquote(parts.password or "") or query.get("password", "")
    login = [word for word in (username, password) if word]
    request = (_command("AUTH", *login) if password else b"") + _command("PING")
    connection.sendall(request)
    received = b""
    replies = 2 if password else 1
    while received.count(b"\n") < replies and (block := connection.recv(4096)):
        received += block
    return received


def _command(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"".join([b"*%d\r\n" % len(parts), *(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)])


if __name__ == "__main__":
    sys.exit(not is_healthy(sys.argv[1]))
