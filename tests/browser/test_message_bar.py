"""The buttons below messages; titles and texts that the operator chooses."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from project.runner import commands
from tests.browser.chat_page import ChatPage
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

VERY_SLOW = "[[rate=10 tokens=600]]"
# Within a second of each other, also on a busy machine.
PRESS_ESCAPE_TWICE = """() => {
  for (let i = 0; i < 2; i++)
    document.activeElement.dispatchEvent(
      new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
}"""


@pytest.fixture
def operated_url(chat_stack: Stack, tmp_path: Path) -> Iterator[str]:
    """The URL of a web process with titles by the model, a contact and a colour."""
    settings = {
        "CHAT_TITLES": "model",
        "CHAT_PAGE_CONTACT": "help@acme.example",
        "CHAT_PAGE_COLOR": "#e91e63",
        "CHAT_PAGE_NAME": "Acme",
    }
    port = free_port()
    program = commands.web(port=port, env=chat_stack.env | settings)
    web = Process(program, tmp_path / "log", url=f"http://127.0.0.1:{port}")
    try:
        yield web.start().url
    finally:
        web.ensure_stopped()


def test_replies_are_rated_and_messages_edited(chat: ChatPage) -> None:
    page = chat.page
    chat.send_and_wait("Hello")
    # The rating of another client arrives as an event.
    chat.call("POST", "/messages/msg_2/feedback", json={"rating": "up"})
    good, bad = chat.button("Good reply"), chat.button("Bad reply")
    expect(good).to_have_attribute("aria-pressed", "true")
    chat.button("Comment").click()
    page.locator("#prompt-text").fill("Short and right")
    chat.button("Save").click()
    expect(page.locator("#prompt")).to_be_hidden()
    feedback = chat.stored_messages()[1]["feedback"]
    assert feedback == {"rating": "up", "comment": "Short and right"}
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "true")
    expect(good).to_have_attribute("aria-pressed", "false")
    bad.click()
    expect(bad).to_have_attribute("aria-pressed", "false")
    assert chat.stored_messages()[1]["feedback"] is None

    chat.user_messages.hover()
    chat.button("Edit message").click()
    page.locator("#prompt-text").fill("Hello again")
    page.locator("#prompt-submit").click()
    expect(chat.user_texts).to_have_text(["Hello again"])
    expect(chat.replies).to_contain_text("Hello again")
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    expect(page.locator(".variants")).to_have_text("2/2")
    chat.button("Previous message").click()
    expect(chat.user_texts).to_have_text(["Hello"])
    assert chat.stored_messages()[2]["replaces"] == "msg_1"


def test_cut_replies_continue_and_all_queued_replies_stop(chat: ChatPage) -> None:
    page = chat.page
    cut = chat.send_and_wait("Hello [[fault:length after=5 times=1]]")
    expect(cut).to_contain_text("Stopped at the length limit.")
    chat.button("Continue").click()
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.last).to_have_attribute("data-status", "completed")
    failed = chat.send_and_wait("Fail [[fault:400 times=1]]")
    expect(failed).to_have_attribute("data-status", "failed")
    chat.send_and_wait("Go on")
    chat.button("Ask again").click()
    expect(chat.replies).to_have_count(5)
    expect(chat.user_texts.last).to_contain_text("Fail")
    expect(chat.replies.last).to_have_attribute("aria-busy", "false")

    chat.send(f"First {VERY_SLOW}")
    chat.send("Second")
    expect(chat.button("Stop all")).to_be_visible()
    page.evaluate(PRESS_ESCAPE_TWICE)
    expect(page.locator("[data-status=cancelled]")).to_have_count(2)


def test_operator_chooses_titles_contact_and_colour(
    open_page: Callable[..., ChatPage], chat_stack: Stack, operated_url: str
) -> None:
    steps = [{"match": "\n---\n", "reply": "“A Blue Sky.”\n"}]
    requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=30)
    chat = open_page(url=operated_url, color_scheme="light")
    chat.send_and_wait("Why is the sky blue?")
    expect(chat.page.get_by_role("heading", name="A Blue Sky", exact=True)).to_be_visible()
    expect(chat.page).to_have_title("A Blue Sky · Acme")
    failed = chat.send_and_wait("Hello [[fault:400 times=1]]")
    expect(failed).to_contain_text("If this happens again, ask help@acme.example.")
    background = "getComputedStyle(document.getElementById('new')).backgroundColor"
    red, green, _ = chat.page.evaluate(background).removeprefix("rgb(").split(", ")
    assert int(red) > 2 * int(green)


def test_expired_chat_offers_a_new_one_with_the_old_text(
    chat: ChatPage, take_screenshot: Callable[[Page, str], None]
) -> None:
    page = chat.page
    chat.send_and_wait("Hello")
    chat.field.fill("Half a thought")
    chat.call("DELETE")
    page.evaluate(
        """() => {
          const list = JSON.parse(localStorage["parley.sessions"]);
          list[0].expires_at = 1;
          localStorage["parley.sessions"] = JSON.stringify(list);
        }"""
    )
    page.reload()
    bar = page.locator("#connection")
    expect(bar).to_contain_text("This chat has expired. Its messages are no longer available.")
    take_screenshot(page, "chat-expired")
    chat.button("Start a new chat").click()
    expect(chat.field).to_have_value("Half a thought")
    chat.send_and_wait("And on")
