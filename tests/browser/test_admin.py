"""Staff at work, in a real browser."""

import re
from collections.abc import Callable

import pytest
import requests
from django.contrib.admin.utils import quote
from playwright.sync_api import Page, expect

from tests.browser.staff import open_session, say, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.security("S30")]

NAME = "<img src=x onerror=alert(1)> Ada"


def find(tab: Page, name: str) -> None:
    """Find a session by its name, and open it."""
    tab.get_by_role("link", name="Sessions", exact=True).first.click()
    tab.locator("#searchbar").fill("ada")
    tab.keyboard.press("Enter")
    expect(tab.locator("#result_list tbody tr")).to_have_count(1)
    tab.get_by_role("link", name=name).click()


def test_staff_watch_a_reply_grow_and_cancel_it(
    url: str, tab: Page, picture: Callable[[str], None]
) -> None:
    for n in range(6):
        open_session(url, name=f"Customer {n}")
    session_id, owner = open_session(url, name=NAME, system_prompt="Be brief.")
    say(url, owner, "Hello! <script>alert(1)</script>")
    sign_in(tab, url)
    find(tab, NAME)
    expect(tab.locator("#msg_2 .status")).to_have_text("completed")

    say(url, owner, "Tell me all about engines. [[tokens=2000 rate=20]]")
    reply = tab.locator("#msg_4")
    text = reply.locator(".text")
    expect(reply.locator(".status")).to_have_text("in_progress")
    seen = len(text.inner_text())
    expect(text).to_have_text(re.compile(rf"[\s\S]{{{seen + 40},}}"))
    expect(tab.locator("#facts")).to_contain_text("running")
    expect(tab.get_by_text("The session has ended.")).to_be_hidden()
    picture("admin-session")
    reply.get_by_role("button", name="Cancel").click()
    expect(tab.locator(".messagelist")).to_contain_text("Asked to cancel msg_4.")
    expect(reply.locator(".status")).to_have_text("cancelled")
    expect(text).not_to_be_empty()

    redact(tab, "msg_1", picture)
    tab.goto(f"{url}/admin/chat/session/{quote(session_id)}/history/")
    expect(tab.locator("#change-history")).to_contain_text("Asked to cancel msg_4.")
    expect(tab.locator("#change-history")).to_contain_text("Redacted msg_1.")
    picture("admin-history")
    tab.goto(f"{url}/admin/chat/session/")
    picture("admin-list")
    tab.goto(f"{url}/admin/chat/session/?q=customer")
    expect(tab.locator("#result_list tbody tr")).to_have_count(6)


def shown(tab: Page) -> list[tuple[str, str]]:
    """Return the name of each message in the tab, and its text."""
    told: list[list[str]] = tab.evaluate(
        "[...document.querySelectorAll('#transcript > li')]"
        ".map((each) => [each.id, each.querySelector('.text').innerText])"
    )
    return [(name, text) for name, text in told]


def test_a_tab_that_was_hidden_shows_what_there_is(url: str, tab: Page) -> None:
    session_id, owner = open_session(url)
    say(url, owner, "Before the reset")
    sign_in(tab, url)
    tab.goto(f"{url}/admin/chat/session/{quote(session_id)}/change/")
    expect(tab.locator("#msg_2 .status")).to_have_text("completed")

    tab.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    requests.post(f"{url}/sessions/{session_id}/reset", headers=owner, timeout=10)
    for n in range(26):
        say(url, owner, f"Message {n} [[tokens=1]]")
    tab.evaluate("Object.defineProperty(document, 'hidden', {value: false})")
    last = tab.locator("#msg_54 .status")
    expect(last).to_have_text("completed")
    expect(tab.locator("#msg_1")).to_have_count(0)
    expect(tab.get_by_role("link", name="Older messages")).to_be_visible()
    live = shown(tab)
    assert len(live) == 50
    tab.reload()
    assert shown(tab) == live

    requests.post(f"{url}/sessions/{session_id}/reset", headers=owner, timeout=10)
    expect(tab.get_by_text("No messages yet.")).to_be_visible()
    assert shown(tab) == []


def redact(tab: Page, message: str, picture: Callable[[str], None]) -> None:
    """Take a text away, after the question whether to."""
    tab.locator(f"#{message}").get_by_role("button", name="Redact").click()
    picture("admin-confirm")
    tab.get_by_role("button", name="Redact").click()
    expect(tab.locator(f"#{message} .text")).to_have_text("[redacted]")
