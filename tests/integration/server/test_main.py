import socket
from dataclasses import replace
from pathlib import Path

import pytest

from project.runner import commands
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack


@pytest.mark.security("S53")
def test_proxy_on_a_unix_socket_names_the_client(stack: Stack, tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    rates = {"CHAT_SESSIONS_PER_MINUTE": "1", "CHAT_SESSIONS_BURST": "1"}
    env = stack.env | rates | {"CHAT_TRUSTED_PROXIES": "unix"}
    program = commands.web(port=free_port(), env=env)
    argv = (*program.argv, "--uds", path)
    web = Process(replace(program, argv=argv, is_ready=Path(path).exists), tmp_path / "log")

    def open_from(address: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(path)
            client.sendall(
                b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                b"X-Forwarded-For: %b\r\n\r\n" % address.encode()
            )
            return client.recv(4096)[9:12]

    try:
        web.start()
        addresses = ("203.0.113.1", "203.0.113.2:1", "203.0.113.1:2")
        assert [open_from(address) for address in addresses] == [b"201", b"201", b"429"]
    finally:
        web.ensure_stopped()


@pytest.mark.thorough
def test_worker_processes_use_our_protocols(stack: Stack, tmp_path: Path) -> None:
    """Each is a new interpreter and must set Django up before it loads the protocols."""
    port = free_port()
    program = commands.web(port=port, env=stack.env)
    web = Process(replace(program, argv=(*program.argv, "--workers", "2")), tmp_path / "log")
    try:
        web.start()
        with socket.create_connection(("127.0.0.1", port), 10) as client:
            client.sendall(b"garbage\r\n\r\n")
            response = client.recv(4096)
        assert b'{"error":{"code":"invalid_request"' in response
        assert web.stop() == 0
    finally:
        web.ensure_stopped()
