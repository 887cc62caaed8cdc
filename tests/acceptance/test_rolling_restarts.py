"""Web processes that restart one after the other behind the documented proxies."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.harness.documented_proxies import CERTIFICATE, Site, start_proxy
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.tiers import thorough
from tests.harness.wait import wait_until

CA = str(CERTIFICATE.with_name("ca.pem"))
CLIENTS = 20
# Seconds between two requests of a client.
PAUSE = 0.1
# Seconds between the restarts of the two web processes.
STAGGER = 1.0


@pytest.fixture(scope="module")
def two_webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis, a worker and two web processes that trust the proxy."""
    env = Site.NGINX.env | {"CHAT_SESSIONS_PER_MINUTE": "0"}
    with Stack(tmp_path_factory.mktemp("webs"), env=env) as stack:
        yield stack.start(webs=2)


class RetryingClient(threading.Thread):
    """Posts and polls through the proxy, and sends each request again after its first failure."""

    def __init__(self, url: str, stopping: threading.Event) -> None:
        super().__init__()
        self._http = requests.Session()
        self._url = url
        self._stopping = stopping
        self.accepted: list[str] = []
        # Statuses of first tries that failed; 0 without a response.
        self.retried: list[int] = []
        self.failed: list[int] = []
        self.replies: list[str] = []

    def run(self) -> None:
        session = self._send("POST", "/sessions", 0).json()
        self._http.headers["Authorization"] = f"Bearer {session['token']}"
        path = f"/sessions/{session['id']}"
        number = 0
        while not self._stopping.wait(PAUSE):
            number += 1
            if number % 5:
                self._send("GET", path, number)
            else:
                posted = self._send("POST", f"{path}/messages", number, {"content": str(number)})
                self.accepted.append(posted.json()["reply"]["id"])
        wait_until(lambda: self._send("GET", path, 0).json()["status"] == "idle")
        messages = self._send("GET", f"{path}/messages?limit=200", 0).json()["data"]
        self.replies = [each["id"] for each in messages if each["status"] == "completed"]

    def _send(
        self, method: str, path: str, number: int, body: dict[str, str] | None = None
    ) -> requests.Response:
        for failures in (self.retried, self.failed):
            response, status = None, 0
            try:
                response = self._http.request(
                    method,
                    self._url + path,
                    json=body,
                    headers={"Idempotency-Key": f"{self.name}-{number}-{method}-0123456789"},
                    timeout=20,
                    verify=CA,
                )
                status = response.status_code
            except requests.ConnectionError:
                self._http.adapters.clear()
                self._http.mount("https://", requests.adapters.HTTPAdapter())
            if response is not None and status < 500:
                assert response.ok, response.text
                return response
            failures.append(status)
            time.sleep(float(response.headers["Retry-After"]) if response is not None else PAUSE)
        raise AssertionError(f"{method} {path} failed twice: {self.retried}, {self.failed}")


@pytest.mark.slow
@pytest.mark.fault("F38")
@pytest.mark.parametrize("site", thorough(Site.NGINX, Site.HAPROXY))
def test_restarts_of_web_processes_fail_no_request_twice(
    two_webs: Stack, tmp_path: Path, site: Site
) -> None:
    webs = [two_webs.web(number) for number in range(2)]
    with ExitStack() as stack:
        proxy = start_proxy(site, tmp_path / "proxy", *(web.url for web in webs))
        stack.callback(proxy.ensure_stopped)
        clients = run_clients(proxy, webs)
    retried = sum(len(client.retried) for client in clients)
    accepted = sum(len(client.accepted) for client in clients)
    print(f"{accepted} messages accepted; {retried} requests were sent again")  # noqa: T201
    assert [client.failed for client in clients if client.failed] == []
    if site is Site.HAPROXY:  # it repeats requests with an Idempotency-Key itself
        assert retried == 0
    for client in clients:
        assert client.accepted
        assert set(client.accepted) <= set(client.replies)


def run_clients(proxy: Process, webs: list[Process]) -> list[RetryingClient]:
    """Let the clients work while each web process restarts once; return them."""
    stopping = threading.Event()
    clients = [RetryingClient(proxy.url, stopping) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: all(client.accepted for client in clients), within=30)
        for web in webs:
            web.stop()
            web.start()
            stopping.wait(STAGGER)
    finally:
        stopping.set()
        for client in clients:
            client.join(60)
    return clients
