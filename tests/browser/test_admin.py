"""The session pages of the admin, in a real browser."""

import re
from collections.abc import Callable

import pytest
import requests
from django.contrib.admin.utils import quote
from playwright.sync_api import Page, expect

from tests.browser.staff import log_in, open_session, post_message

pytestmark = [pytest.mark.browser, pytest.mark.security("S30")]

NAME = "<img src=x onerror=alert(1)> Ada"


def find_session(tab: Page, name: str) -> None:
    """Search for a session by its name and open it."""
    tab.get_by_role("link", name="Sessions", exact=True).first.click()
    tab.locator("#searchbar").fill("ada")
    tab.keyboard.press("Enter")
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)
    tab.get_by_role("link", name=name).click()


def test_staff_can_watch_and_cancel_a_reply(
    url: str, tab: Page, screenshot: Callable[[str], None]
) -> None:
    for n in range(6):
        open_session(url, name=f"Customer {n}")
    session_id, headers = open_session(url, name=NAME, system_prompt="Be brief.")
    post_message(url, headers, "Hello! <script>alert(1)</script>")
    log_in(tab, url)
    find_session(tab, NAME)
    expect(tab.locator("#msg_2 .status")).to_have_text("completed")

    post_message(url, headers, "Tell me all about engines. [[tokens=2000 rate=20]]")
    reply = tab.locator("#msg_4")
    text = reply.locator(".text")
    expect(reply.locator(".status")).to_have_text("in_progress")
    length = len(text.inner_text())
    expect(text).to_have_text(re.compile(rf"[\s\S]{{{length + 40},}}"))
    expect(tab.locator("#facts")).to_contain_text("running")
    expect(tab.get_by_text("The session has ended.")).to_be_hidden()
    screenshot("admin-session")
    reply.get_by_role("button", name="Cancel").click()
    expect(tab.locator(".messagelist")).to_contain_text("Requested cancellation of msg_4.")
    expect(reply.locator(".status")).to_have_text("cancelled")
    expect(text).not_to_be_empty()

    redact(tab, "msg_1", screenshot)
    tab.goto(f"{url}/admin/chat/session/{quote(session_id)}/history/")
    expect(tab.locator("#change-history")).to_contain_text("Requested cancellation of msg_4.")
    expect(tab.locator("#change-history")).to_contain_text("Redacted msg_1.")
    screenshot("admin-history")
    tab.goto(f"{url}/admin/chat/session/")
    screenshot("admin-list")
    tab.goto(f"{url}/admin/chat/session/?q=customer")
    expect(tab.locator("#result_list tbody tr")).to_have_count(6)


def messages(tab: Page) -> list[tuple[str, str]]:
    """Return the id and the text of each message on the page."""
    found: list[list[str]] = tab.evaluate(
        "[...document.querySelectorAll('#transcript > li')]"
        ".map((each) => [each.id, each.querySelector('.text').innerText])"
    )
    return [(message_id, text) for message_id, text in found]


@pytest.mark.thorough
def test_hidden_tab_catches_up_when_it_is_shown(url: str, tab: Page) -> None:
    session_id, headers = open_session(url)
    post_message(url, headers, "Before the reset")
    log_in(tab, url)
    tab.goto(f"{url}/admin/chat/session/{quote(session_id)}/change/")
    expect(tab.locator("#msg_2 .status")).to_have_text("completed")

    tab.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    requests.post(f"{url}/sessions/{session_id}/reset", headers=headers, timeout=30)
    for n in range(26):
        post_message(url, headers, f"Message {n} [[tokens=1]]")
    tab.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
    last = tab.locator("#msg_54 .status")
    expect(last).to_have_text("completed")
    expect(tab.locator("#msg_1")).to_have_count(0)
    expect(tab.get_by_role("link", name="Older messages")).to_be_visible()
    live = messages(tab)
    assert len(live) == 50
    tab.reload()
    assert messages(tab) == live

    requests.post(f"{url}/sessions/{session_id}/reset", headers=headers, timeout=30)
    expect(tab.get_by_text("No messages yet.")).to_be_visible()
    assert messages(tab) == []


def redact(tab: Page, message: str, screenshot: Callable[[str], None]) -> None:
    """Redact a message and confirm."""
    tab.locator(f"#{message}").get_by_role("button", name="Redact").click()
    screenshot("admin-confirm")
    tab.get_by_role("button", name="Redact").click()
    expect(tab.locator(f"#{message} .text")).to_have_text("[redacted]")
