"""The operations page of the admin, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from redis import Redis

from chat.settings import chat_settings
from tests.browser.admin_data import busy_hour
from tests.browser.conftest import TIMEOUT
from tests.browser.staff import (
    create_superuser,
    is_error,
    log_in,
    open_session,
    post_message,
)
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 1000}
# Milliseconds between two refreshes.
REFRESH_INTERVAL = 5000


@pytest.fixture(scope="module")
def busy_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with the metrics of a busy hour."""
    with Stack(tmp_path_factory.mktemp("operations")) as stack:
        create_superuser(stack.start())
        with Redis.from_url(stack.redis.url) as redis:
            redis.hset("chat:{0}:last_hour", mapping=busy_hour())
            redis.expire("chat:{0}:last_hour", 600)
        yield stack


def running_turns(busy_stack: Stack) -> int:
    """Return how many turns run."""
    with Redis.from_url(busy_stack.redis.url) as redis:
        return sum(
            redis.zcard(f"chat:{{{partition}}}:running")
            for partition in range(chat_settings.PARTITIONS)
        )


@pytest.fixture
def open_tab(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a tab; the test fails on page errors and policy violations."""
    errors: list[str] = []

    def open_(**options: object) -> Page:
        page = new_context(**options).new_page()
        page.clock.install()  # allows `fast_forward`
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console", lambda message: errors.append(message.text) if is_error(message) else None
        )
        return page

    yield open_
    assert errors == []


@pytest.mark.thorough
def test_page_updates_without_a_reload(busy_stack: Stack, open_tab: Callable[..., Page]) -> None:
    url = busy_stack.web().url
    tab = open_tab(viewport=DESK)
    log_in(tab, url)
    expect(tab.get_by_role("heading", name="Operations")).to_be_visible()
    expect(tab.locator(".chart-replies rect")).not_to_have_count(0)
    _, headers = open_session(url, name="Ada <script>alert(1)</script>")
    post_message(url, headers, "Tell me all about engines. [[tokens=4000 rate=20]]")
    link = tab.get_by_role("link", name="Ada <script>alert(1)</script>")
    wait_until(lambda: running_turns(busy_stack) == 1)
    tab.clock.fast_forward(REFRESH_INTERVAL)
    expect(link).to_be_visible(timeout=TIMEOUT)
    expect(tab.locator(".gauges")).to_contain_text("Running turns1")
    tab.get_by_label("Refresh every 5 seconds").uncheck()
    link.click()
    expect(tab.locator("#msg_2 .status")).to_have_text("in_progress")
    tab.locator("#msg_2").get_by_role("button", name="Cancel").click()
    expect(tab.locator("#msg_2 .status")).to_have_text("cancelled")


@pytest.mark.thorough
def test_outdated_figures_are_marked(busy_stack: Stack, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(viewport=DESK)
    log_in(tab, busy_stack.web().url)
    tab.goto(f"{busy_stack.web().url}/admin/operations/")
    tab.context.clear_cookies()
    tab.clock.fast_forward(REFRESH_INTERVAL)
    expect(tab.locator("#stale")).to_contain_text("These figures are outdated", timeout=TIMEOUT)
    expect(tab.locator(".gauges")).to_be_visible()
