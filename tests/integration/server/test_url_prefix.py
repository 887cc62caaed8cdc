"""Parley below a path of a host, behind proxies that remove the path and proxies that keep it."""

import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from parley_client import Client
from project.runner import commands
from tests.harness.ports import free_port
from tests.harness.prefix_proxy import PrefixProxy
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient, error_code
from tests.integration.realtime.clients import EventStreamClient, WebSocketClient
from tests.integration.tutorial.client import TutorialClient

pytestmark = pytest.mark.case("C22")

# The path with which prefixes collide most: the tutorial's WebSocket.
PREFIX = "/chat"
# Its headers are believed, unlike those of 127.0.0.1.
PROXY = "127.0.0.2"
LINK = re.compile(r'(?:href|src)="([^"#]+)"')


@pytest.fixture(scope="module")
def web(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    port = free_port()
    env = stack.env | {"URL_PREFIX": f"{PREFIX}/", "CHAT_TRUSTED_PROXIES": PROXY}
    log = tmp_path_factory.mktemp("prefix") / "log"
    process = Process(commands.web(port=port, env=env), log, url=f"http://127.0.0.1:{port}")
    try:
        process.start()
        yield process
    finally:
        process.ensure_stopped()


@pytest.fixture(params=[True, False], ids=["removes", "keeps"])
def proxy(web: Process, request: pytest.FixtureRequest) -> Iterator[PrefixProxy]:
    """Both kinds of proxies. No URL that Parley sends may lead out of the prefix."""
    with PrefixProxy(web.url, PREFIX, strip=request.param) as proxy:
        yield proxy
    assert proxy.outside == []


def test_location_headers_lead_to_the_new_resources(proxy: PrefixProxy) -> None:
    api = APIClient(proxy.url)
    opened = api.post("/sessions", {"name": "Ada"})
    assert opened.headers["Location"] == f"{PREFIX}/sessions/{opened.json()['id']}"
    owner = APIClient(proxy.origin, id=opened.json()["id"], token=opened.json()["token"])
    assert owner.get(opened.headers["Location"]).json()["name"] == "Ada"
    accepted = APIClient(proxy.url, id=owner.id, token=owner.token).post(
        "/messages", {"content": "Hello"}
    )
    reply = owner.get(accepted.headers["Location"])
    assert reply.json()["id"] == accepted.json()["reply"]["id"]


def test_polls_streams_and_websockets_work(proxy: PrefixProxy) -> None:
    owner = APIClient(proxy.url).open_session()
    accepted = owner.post_message("Hello")
    assert owner.get_session(wait=1, after=0)["id"] == owner.id
    with EventStreamClient(owner) as stream, WebSocketClient(owner, origin=proxy.origin) as socket:
        assert stream.receive_until("message.completed")
        assert socket.receive_until("message.completed")
    assert accepted["reply"]["id"] in owner.get(f"{owner.path}/messages").text


def test_tutorial_keeps_its_own_chat_path(proxy: PrefixProxy) -> None:
    tutorial = TutorialClient(proxy.url)
    tutorial.open_session()
    with tutorial.connect(origin=proxy.origin) as socket:
        assert socket.request("Hello")


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/"])
def test_links_of_pages_stay_below_the_prefix(proxy: PrefixProxy, path: str) -> None:
    page = requests.get(proxy.url + path, timeout=10)
    assert page.status_code == 200
    links = [urljoin(page.url, link) for link in LINK.findall(page.text)]
    assert len(links) >= 3
    for link in links:
        assert requests.get(link, timeout=10).status_code == 200, link


def test_schema_names_the_prefix_as_server(proxy: PrefixProxy) -> None:
    schema = requests.get(f"{proxy.url}/schema", timeout=10).json()
    assert schema["servers"] == [{"url": PREFIX}]
    assert "/sessions" in schema["paths"]


def test_admin_redirects_and_cookies_keep_the_prefix(proxy: PrefixProxy) -> None:
    response = requests.get(f"{proxy.url}/admin/operations/", timeout=10, allow_redirects=False)
    login = f"{PREFIX}/admin/login/?next={PREFIX}/admin/operations/"
    assert response.headers["Location"] == login
    cookies = requests.get(proxy.origin + login, timeout=10).headers["Set-Cookie"]
    assert cookies.startswith("parley_csrftoken=")
    assert f"Path={PREFIX}/;" in cookies


def test_unknown_paths_get_the_usual_errors(proxy: PrefixProxy) -> None:
    response = requests.get(f"{proxy.url}/nothing", timeout=10)
    assert (response.status_code, error_code(response)) == (404, "not_found")
    response = requests.get(f"{proxy.url}{PREFIX}x/sessions", timeout=10)
    assert response.status_code == 404


def test_python_client_accepts_a_url_with_a_path(proxy: PrefixProxy) -> None:
    with Client(proxy.url) as client:
        assert client.open(name="Ada").name == "Ada"


def test_missing_slash_is_added(web: Process) -> None:
    with PrefixProxy(web.url, PREFIX, strip=False) as proxy:
        response = requests.get(f"{proxy.url}?a=1", timeout=10, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (307, f"{PREFIX}/?a=1")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "<title>Parley" in requests.get(proxy.url, timeout=10).text


@pytest.mark.security("S53")
def test_removed_prefix_is_not_removed_twice(web: Process) -> None:
    """A proxy's rules for `/chat/admin/` must not be bypassed by `/chat/chat/admin/`."""
    values = {"/chat": 404, "/team, /chat/": 404, "/team": 200, "": 200}
    assert {value: status_of(web, value, source=PROXY) for value in values} == values
    assert status_of(web, "/chat", source="127.0.0.1") == 200


def status_of(web: Process, removed_prefix: str, *, source: str) -> int:
    """Return the status of /chat/live, called from this address."""
    connection = HTTPConnection(urlsplit(web.url).netloc, timeout=10, source_address=(source, 0))
    with closing(connection):
        headers = {"X-Forwarded-Prefix": removed_prefix}
        connection.request("GET", f"{PREFIX}/live", headers=headers)
        return connection.getresponse().status


def test_probes_need_no_prefix(web: Process) -> None:
    for path in ("/live", "/ready", f"{PREFIX}/live"):
        assert requests.get(web.url + path, timeout=10).status_code == 200


def test_root_path_of_uvicorn_may_be_set_as_well(stack: Stack, tmp_path: Path) -> None:
    port = free_port()
    env = stack.env | {"URL_PREFIX": PREFIX, "UVICORN_ROOT_PATH": PREFIX}
    url = f"http://127.0.0.1:{port}"
    process = Process(commands.web(port=port, env=env), tmp_path / "log", url=url)
    try:
        process.start()
        for path in ("/", f"{PREFIX}/", "/static/chat/app.js", f"{PREFIX}/static/chat/app.js"):
            assert requests.get(url + path, timeout=10).status_code == 200, path
    finally:
        process.ensure_stopped()
