import socket
from dataclasses import replace
from pathlib import Path

from project.runner import commands
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack


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
