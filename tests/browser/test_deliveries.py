"""Staff look after webhooks, in a real browser."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.admin.utils import quote
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.axe import violations
from tests.browser.conftest import PATIENCE
from tests.browser.staff import open_session, say, sign_in
from tests.harness.receiver import Receiver, status
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.browser

PAGES = ("change", "webhook", "events")
"""Of a session."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """It is down."""
    with Receiver() as running:
        running.then = status(503, retry_after="3600")
        yield running


def row_of(tab: Page, name: str) -> str:
    """Return what the page tells of a session's delivery, or nothing."""
    tab.reload()
    return " ".join(tab.locator("tr", has_text=name).all_inner_texts())


def test_staff_find_what_was_not_delivered_and_have_it_delivered_again(
    url: str, receiver: Receiver, tab: Page, take_picture: Callable[[Page, str], None]
) -> None:
    session_id, owner = open_session(url, name="Billing", webhook_url=receiver.url)
    say(url, owner, "Hello!")
    receiver.wait_for(1)
    sign_in(tab, url)
    tab.get_by_role("link", name="Deliveries").click()
    wait_until(lambda: "503" in row_of(tab, "Billing"))
    take_picture(tab, "admin-deliveries")
    tab.get_by_role("link", name="Billing").click()
    delivery = tab.locator("#delivery-2")
    expect(delivery).to_contain_text("pending")
    expect(tab.locator("#content-main")).to_contain_text(receiver.url)
    take_picture(tab, "admin-webhook")

    receiver.then = status(204)
    delivery.get_by_role("button", name="Deliver again").click()
    expect(tab.locator(".messagelist")).to_contain_text("Asked for msg_2 to be delivered again.")
    assert receiver.wait_for(2)[1].id == f"{session_id}_msg_2"
    wait_until(lambda: "delivered" in row_of(tab, "msg_2"))
    tab.goto(f"{url}/admin/deliveries/")
    assert row_of(tab, "Billing") == ""
    tab.get_by_role("link", name="Delivered").click()
    expect(tab.locator("tr", has_text="Billing")).to_contain_text("204", timeout=PATIENCE)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_pages_of_the_admin_have_no_fault_of_accessibility_and_nothing_sticks_out(
    scheme: str,
    width: int,
    url: str,
    new_context: Callable[..., BrowserContext],
    take_picture: Callable[[Page, str], None],
) -> None:
    with Receiver() as receiver:
        session_id, owner = open_session(url, name="Billing", webhook_url=receiver.url)
        say(url, owner, "Hello!")
        receiver.wait_for(1)
    viewport = {"width": width, "height": 900}
    tab = new_context(bypass_csp=True, viewport=viewport, color_scheme=scheme).new_page()
    sign_in(tab, url)
    session = f"chat/session/{quote(session_id)}"
    own = ("deliveries/?state=delivered", *(f"{session}/{each}/" for each in PAGES))
    lists = ("admin/logentry/", f"chat/session/?q={session_id}")  # Django's own work, mostly
    for place in (*own, *lists):
        tab.goto(f"{url}/admin/{place}")
        assert place in lists or violations(tab) == [], place
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.evaluate(wide) == 0, place
        take_picture(tab, f"admin-{place.partition('?')[0].strip('/').split('/')[-1]}-{scheme}")
