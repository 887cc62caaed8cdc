"""All of Parley in a browser, through nginx and Caddy with the files of docs/nginx.md."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from project.runner import commands
from tests.browser.api_reference import show_only
from tests.browser.chat_page import ChatPage
from tests.browser.staff import PASSWORD
from tests.harness.documented_proxies import Site, start_proxy
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.tiers import thorough

pytestmark = [pytest.mark.browser, pytest.mark.case("C22"), pytest.mark.case("C31")]

# Opens a session, posts a message and receives its end over both subscriptions, which stay open: a
# proxy that buffers would deliver nothing. Returns URL and status of the session and of the reply.
USE_API = """async () => {
  const call = async (path, token, body) => {
    const headers = {"Content-Type": "application/json", Authorization: `Bearer ${token}`};
    const response = await fetch(path, {method: "POST", headers, body: JSON.stringify(body)});
    const location = response.headers.get("Location") ?? "";
    return [new URL(location, response.url).href, await response.json()];
  };
  const [session, {id, token}] = await call("sessions", "", {});
  const ticket = async () => (await call(`sessions/${id}/ticket`, token, {}))[1].ticket;
  const stream = new EventSource(`sessions/${id}/events?ticket=${await ticket()}`);
  const streamed = new Promise(resolve => stream.addEventListener("message.completed", resolve));
  const address = new URL(`sessions/${id}/ws?ticket=${await ticket()}`, location.href);
  const socket = new WebSocket(address.href.replace("http", "ws"));
  const received = new Promise(resolve => socket.addEventListener("message", event => {
    if (JSON.parse(event.data).type === "message.completed") resolve();
  }));
  const [reply] = await call("messages", token, {content: "Hello"});
  await Promise.all([streamed, received]);
  stream.close();
  socket.close();
  const headers = {Authorization: `Bearer ${token}`};
  const get = async url => (await fetch(url, {headers})).json();
  return [session, (await get(session)).status, reply, (await get(reply)).status];
}"""


@pytest.fixture(scope="module")
def start_web(
    chat_stack: Stack, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Site], Process]]:
    """Return a function that starts a web process with the documented environment of a site."""
    started: dict[str, Process] = {}

    def start(site: Site) -> Process:
        if site.prefix not in started:
            port = free_port()
            program = commands.web(port=port, env=chat_stack.env | site.env)
            log = tmp_path_factory.mktemp("web") / "log"
            web = started[site.prefix] = Process(program, log, url=f"http://127.0.0.1:{port}")
            web.start()
        return started[site.prefix]

    assert url  # it has created the superuser
    yield start
    for web in started.values():
        web.ensure_stopped()


@pytest.fixture(
    params=[
        Site.NGINX_REMOVES_PREFIX,
        *thorough(Site.NGINX, Site.NGINX_KEEPS_PREFIX, Site.CADDY, Site.HAPROXY),
    ]
)
def proxy(
    request: pytest.FixtureRequest, start_web: Callable[[Site], Process], tmp_path: Path
) -> Iterator[Process]:
    site: Site = request.param
    process = start_proxy(site, tmp_path / "proxy", start_web(site).url)
    yield process
    process.ensure_stopped()


def test_page_api_docs_and_admin_work_through_a_documented_proxy(
    proxy: Process, open_page: Callable[..., ChatPage]
) -> None:
    chat = open_page(url=proxy.url, ignore_https_errors=True).start("First chat")
    expect(chat.send_and_wait("Tell me about engines.")).to_contain_text("engines")
    session, state, reply, status = chat.page.evaluate(USE_API)
    assert session.startswith(f"{proxy.url}/sessions/ses_")
    assert (reply, state, status) == (f"{session}/messages/msg_2", "idle", "completed")
    show_only(chat.page, "getModels")
    chat.page.get_by_role("link", name="API").click()
    expect(chat.page.locator("#operations-Service-getModels")).to_be_visible()
    check_admin(chat.page, proxy.url)


def check_admin(page: Page, url: str) -> None:
    """Sign in and out, which takes CSRF tokens and the origin of the page."""
    page.goto(f"{url}/admin/operations/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{url}/admin/operations/")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Log in again")).to_be_visible()
