"""The webhook pages of the admin, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TIMEOUT
from tests.browser.staff import log_in, open_session, post_message
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver, respond

pytestmark = pytest.mark.browser


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


@pytest.mark.thorough
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
