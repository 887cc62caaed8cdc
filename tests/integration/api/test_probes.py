"""Health checks as load balancers and orchestrators send them."""

from collections.abc import Callable, Iterator

import pytest

from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, RawConnection, status_and_code

pytestmark = pytest.mark.case("C33")

BROWSER = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
# Sender -> request line and headers. Parley's own hosts are `ALLOWED_HOSTS`.
PROBES = {
    "HAProxy": "OPTIONS / HTTP/1.0\r\n",
    "HAProxy with an asterisk": "OPTIONS * HTTP/1.0\r\n",
    "Apache": "OPTIONS * HTTP/1.1\r\nHost: web-1.internal:8000\r\n",
    "HAProxy with a path": "OPTIONS /live HTTP/1.0\r\n",
    "HAProxy with a version": "OPTIONS /ready HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "classic ELB": "GET / HTTP/1.1\r\nHost: 10.1.2.3:8000\r\nUser-Agent: ELB-HealthChecker/1.0\r\n"
    "Accept: */*\r\n",
    "ALB": "GET / HTTP/1.1\r\nHost: 10.1.2.3:8000\r\nUser-Agent: ELB-HealthChecker/2.0\r\n"
    "Accept-Encoding: gzip, compressed\r\n",
    "IPv6": "GET / HTTP/1.1\r\nHost: [fd00::7]:8000\r\n",
    "Google": "GET / HTTP/1.1\r\nHost: 10.1.2.3\r\nUser-Agent: GoogleHC/1.0\r\n",
    "nginx": "GET / HTTP/1.0\r\n",
    "nginx by upstream": "GET /live HTTP/1.0\r\nHost: parley\r\n",
    "Kubernetes": "GET /ready HTTP/1.1\r\nHost: 10.1.2.3:8000\r\nUser-Agent: kube-probe/1.31\r\n"
    "Accept: */*\r\n",
    "query": "GET /live?x=1 HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "slash": "GET /ready/ HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "HEAD": "HEAD /live HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "HEAD of the page": "HEAD / HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "any name": "GET /live HTTP/1.1\r\nHost: web-1.internal\r\n",
}
OTHERS = {
    "a browser": f"GET / HTTP/1.1\r\nHost: 10.1.2.3\r\n{BROWSER}",
    "a foreign name": "GET / HTTP/1.1\r\nHost: evil.example\r\n",
    "an asterisk": "GET * HTTP/1.1\r\nHost: evil.example\r\n",
    "a form": "POST / HTTP/1.1\r\nHost: 10.1.2.3\r\nContent-Length: 0\r\n",
    "the API": "GET /models HTTP/1.1\r\nHost: 10.1.2.3\r\n",
    "the admin": "GET /admin/ HTTP/1.1\r\nHost: 10.1.2.3\r\n",
}


@pytest.fixture(scope="module")
def public(parley: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[APIClient]:
    """A web process as in production: HTTPS, and a host name that is not its own address."""
    env = {**parley.redis_env, "ALLOWED_HOSTS": "chat.example.org", "HTTPS": "True"}
    stack = Stack(tmp_path_factory.mktemp("public"), env=env)
    try:
        yield APIClient(stack.web().start().url)
    finally:
        stack.shut_down()


def respond(api: APIClient, head: str) -> bytes:
    with RawConnection(api.url) as connection:
        connection.send(head.encode(), b"Connection: close\r\n\r\n")
        return b"".join(iter(connection.read_response, b""))


@pytest.mark.parametrize("name", PROBES)
def test_probe_gets_200_without_a_redirect(public: APIClient, name: str) -> None:
    response = respond(public, PROBES[name])
    assert response.startswith(b"HTTP/1.1 200 ")
    body = b"" if name.startswith("HEAD") else b'{"status":"ok"}'
    assert response.partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("name", OTHERS)
def test_other_requests_for_a_foreign_host_are_rejected(public: APIClient, name: str) -> None:
    response = respond(public, OTHERS[name])
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"invalid_host"' in response


def test_page_is_served_where_its_host_is_allowed(api: APIClient) -> None:
    for headers in ({}, {"Accept": "*/*"}):
        assert "<title>Parley" in api.get("/", headers=headers).text


def test_options_reports_a_redis_that_is_down(api_with: Callable[..., APIClient]) -> None:
    api = api_with(REDIS_URL="redis://127.0.0.1:1/0", CHAT_STORE_TIMEOUT="0.2")
    assert status_and_code(api.request("OPTIONS", "/ready")) == (503, "store_unavailable")
    assert api.request("OPTIONS", "/live").status_code == 200
