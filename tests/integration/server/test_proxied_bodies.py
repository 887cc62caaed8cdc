"""Large bodies and responses behind the nginx of docker-compose.yml."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from project.runner import commands
from tests.harness.compose_nginx import start_nginx
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient
from tests.integration.server.attacks import Attack

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def nginx(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The proxy of a web process that trusts it."""
    directory = tmp_path_factory.mktemp("proxied")
    port = free_port()
    program = commands.web(port=port, env=stack.env | {"CHAT_TRUSTED_PROXIES": "127.0.0.1"})
    web = Process(program, directory / "log", url=f"http://127.0.0.1:{port}")
    try:
        web.start()
        proxy = start_nginx(directory / "nginx", port)
        yield proxy
        proxy.ensure_stopped()
    finally:
        web.ensure_stopped()


def temporary_files(nginx: Process) -> list[str]:
    """Return the temporary files that nginx has open; it deletes their names at once."""
    targets = [str(fd.readlink()) for fd in Path(f"/proc/{nginx.pid}/fd").iterdir()]
    return [each for each in targets if "/body/" in each or "/proxy/" in each]


@pytest.mark.security("S48")
def test_proxy_stores_no_unfinished_bodies(nginx: Process) -> None:
    """They would fill the memory of its container, as /tmp is a tmpfs."""
    client = APIClient(nginx.url).open_session()
    with Attack(nginx.url) as attack:
        for _ in range(5):
            attack.send_unfinished("/messages", size=3 * MIB, token=client.token)
        client.get(client.path)
        assert temporary_files(nginx) == []


@pytest.mark.security("S47")
def test_proxy_stores_no_responses_of_slow_readers(nginx: Process) -> None:
    client = APIClient(nginx.url).open_session()
    # More than the kernel buffers.
    file = client.request("POST", f"{client.path}/files", data=b"x" * 4 * MIB).json()
    with Attack(nginx.url) as attack:
        for _ in range(5):
            attack.read_slowly(client, f"{client.path}/files/{file['id']}")
        for reader in attack.sockets:
            assert reader.recv(12) == b"HTTP/1.1 200"
        client.get(client.path)
        assert temporary_files(nginx) == []


@pytest.mark.security("S48")
def test_client_of_a_proxy_gets_the_error_of_an_unread_body(nginx: Process) -> None:
    """The proxy reads the response before the connection is closed, and does not return 502."""
    for path, status in (("/sessions", 413), ("/admin/login/", 413), ("/messages", 401)):
        for _ in range(3):
            body = b"x" * 3_900_000
            headers = {"Content-Type": "application/json"}
            url = nginx.url + path
            assert requests.post(url, body, headers=headers, timeout=20).status_code == status, path
