"""The webhook pages of the admin, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import TIMEOUT
from tests.browser.staff import log_in, open_session, post_message
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver, respond

pytestmark = pytest.mark.browser

# Pages of a session.
PAGES = ("change", "webhook", "events")


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """A webhook receiver that returns 503."""
    with WebhookReceiver() as running:
        running.default_responder = respond(503, retry_after="3600")
        yield running


def row_of(tab: Page, name: str) -> str:
    """Reload; return the text of the table row with this name, or an empty string."""
    tab.reload()
    return " ".join(tab.locator("tr", has_text=name).all_inner_texts())


def test_staff_can_find_and_retry_a_failed_delivery(
    url: str, receiver: WebhookReceiver, tab: Page, take_screenshot: Callable[[Page, str], None]
) -> None:
    session_id, headers = open_session(url, name="Billing", webhook_url=receiver.url)
    post_message(url, headers, "Hello!")
    receiver.wait_for(1)
    log_in(tab, url)
    tab.get_by_role("link", name="Deliveries").click()
    wait_until(lambda: "503" in row_of(tab, "Billing"))
    take_screenshot(tab, "admin-deliveries")
    tab.get_by_role("link", name="Billing").click()
    delivery = tab.locator("#delivery-2")
    expect(delivery).to_contain_text("pending")
    expect(tab.locator("#content-main")).to_contain_text(receiver.url)
    take_screenshot(tab, "admin-webhook")

    receiver.default_responder = respond(204)
    delivery.get_by_role("button", name="Deliver again").click()
    expect(tab.locator(".messagelist")).to_contain_text("Scheduled another delivery of msg_2.")
    assert receiver.wait_for(2)[1].id == f"{session_id}_msg_2"
    wait_until(lambda: "delivered" in row_of(tab, "msg_2"))
    tab.goto(f"{url}/admin/deliveries/")
    assert row_of(tab, "Billing") == ""
    tab.get_by_role("link", name="Delivered").click()
    expect(tab.locator("tr", has_text="Billing")).to_contain_text("204", timeout=TIMEOUT)


@pytest.mark.thorough
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_admin_pages_are_accessible_and_do_not_overflow(
    scheme: str,
    width: int,
    url: str,
    new_context: Callable[..., BrowserContext],
    take_screenshot: Callable[[Page, str], None],
) -> None:
    with WebhookReceiver() as receiver:
        session_id, headers = open_session(url, name="Billing", webhook_url=receiver.url)
        post_message(url, headers, "Hello!")
        receiver.wait_for(1)
    viewport = {"width": width, "height": 900}
    tab = new_context(bypass_csp=True, viewport=viewport, color_scheme=scheme).new_page()
    log_in(tab, url)
    session = f"chat/session/{quote(session_id)}"
    our_pages = ("deliveries/?group=delivered", *(f"{session}/{each}/" for each in PAGES))
    lists = ("admin/logentry/", f"chat/session/?q={session_id}")  # mostly Django's own markup
    for path in (*our_pages, *lists):
        tab.goto(f"{url}/admin/{path}")
        assert path in lists or violations(tab) == [], path
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.evaluate(overflow) == 0, path
        take_screenshot(tab, f"admin-{path.partition('?')[0].strip('/').split('/')[-1]}-{scheme}")
