"""The chat page and the admin below a path of a host that has other sites."""

from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from project.runner import commands
from tests.browser.chat_page import ChatPage
from tests.browser.staff import log_in
from tests.harness.ports import free_port
from tests.harness.prefix_proxy import PrefixProxy
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.tiers import thorough

pytestmark = [pytest.mark.browser, pytest.mark.case("C22")]


@pytest.fixture(scope="module")
def prefixed_web(
    chat_stack: Stack, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    """A web process below a path, with the same superuser as at `url`."""
    port = free_port()
    program = commands.web(port=port, env=chat_stack.env | {"URL_PREFIX": "/team/chat"})
    log = tmp_path_factory.mktemp("prefix") / "log"
    web = Process(program, log, url=f"http://127.0.0.1:{port}")
    try:
        assert url
        yield web.start()
    finally:
        web.ensure_stopped()


@pytest.fixture(params=[True, *thorough(False)], ids=["removes", "keeps"])
def proxy(prefixed_web: Process, request: pytest.FixtureRequest) -> Iterator[PrefixProxy]:
    with PrefixProxy(prefixed_web.url, "/team/chat", strip=request.param) as proxy:
        yield proxy
    assert [path for path in proxy.outside if path != "/favicon.ico"] == []


@pytest.mark.thorough
def test_page_chats_and_keeps_its_own_sessions(
    proxy: PrefixProxy, open_page: Callable[..., ChatPage]
) -> None:
    chat = open_page(url=proxy.url)
    expect(chat.send_and_wait("Tell me about engines.")).to_contain_text("engines")
    chat.page.reload()
    expect(chat.replies).to_have_count(1)
    keys = chat.page.evaluate("Object.keys(localStorage)")
    assert keys == ["parley:/team/chat/.sessions"]
    manifest = chat.page.locator("link[rel=manifest]").evaluate("link => link.href")
    assert requests.get(manifest, timeout=30).json()["start_url"] == "./"


@pytest.mark.thorough
def test_api_documentation_calls_below_the_prefix(proxy: PrefixProxy, tab: Page) -> None:
    tab.goto(f"{proxy.url}/")
    tab.get_by_role("link", name="API").click()
    tab.locator("#operations-Service-getModels").click()
    tab.get_by_role("button", name="Try it out").click()
    tab.get_by_role("button", name="Execute").click()
    expect(tab.locator(".request-url")).to_contain_text("/team/chat/models")
    expect(tab.locator(".live-responses-table tbody .response-col_status")).to_have_text("200")


@pytest.mark.thorough
def test_staff_log_in_look_around_and_log_out(proxy: PrefixProxy, tab: Page) -> None:
    # Another Django site of the host, whose cookies have the usual names.
    for name in ("sessionid", "csrftoken"):
        tab.context.add_cookies([{"name": name, "value": "foreign", "url": proxy.origin}])
    tab.goto(f"{proxy.url}/admin/operations/")
    expect(tab).to_have_url(f"{proxy.url}/admin/login/?next=/team/chat/admin/operations/")
    log_in(tab, proxy.url)
    tab.goto(f"{proxy.url}/admin/")
    tab.get_by_role("link", name="Sessions").first.click()
    expect(tab).to_have_url(f"{proxy.url}/admin/chat/session/")
    tab.get_by_role("button", name="Log out").click()
    expect(tab.get_by_text("Log in again")).to_be_visible()
