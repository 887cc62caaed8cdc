"""Focus, keyboard, touch and screen readers on the chat page."""

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
VERY_SLOW = "[[rate=10 tokens=600]]"
AT_END = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"


def is_at_end(log: Locator) -> bool:
    """Return whether the log is scrolled to its end after the next frame."""
    log.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return bool(log.evaluate(AT_END))


def test_focus_is_never_lost(chat: ChatPage) -> None:
    chat.send_and_wait("Hello")
    chat.button("Regenerate").press("Enter")
    expect(chat.page.locator(".variants")).to_have_text("2/2")
    expect(chat.field).to_be_focused()
    chat.field.fill("With the button")
    chat.button("Send").press("Enter")
    expect(chat.field).to_be_focused()
    expect(chat.replies).to_have_count(2)
    chat.page.route("**/messages", lambda route: route.fulfill(status=400, body="{}"))
    chat.submit("Rejected")
    chat.button("Discard").press("Enter")
    expect(chat.page.locator(".pending")).to_have_count(0)
    expect(chat.field).to_be_focused()
    chat.page.unroute("**/messages")
    chat.start("Second")
    chat.page.get_by_label("Options of First chat").press("Enter")
    chat.page.locator("#sessions").get_by_role("button", name="Delete").press("Enter")
    expect(chat.page.locator("#sessions li")).to_have_count(1)
    expect(chat.button("New chat")).to_be_focused()


@pytest.mark.thorough
def test_phone_menu_closes_and_newest_text_stays_visible(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page(viewport=PHONE, has_touch=True, is_mobile=True).start("Phone chat")
    menu = chat.page.locator("#conversation .phone")
    link = chat.page.get_by_role("link", name="Phone chat")
    menu.tap()
    expect(link).to_be_visible()
    chat.page.touchscreen.tap(380, 30)  # over a button
    expect(link).to_be_hidden()
    expect(chat.page.locator("dialog[open]")).to_have_count(0)
    menu.tap()
    chat.page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    chat.send_and_wait("Fill the page [[tokens=200]]")
    log = chat.page.locator("#log")
    chat.field.fill("one\ntwo\nthree\nfour")
    assert is_at_end(log)
    chat.page.set_viewport_size({"width": 390, "height": 420})  # like an on-screen keyboard
    expect(chat.field).to_be_in_viewport()
    assert is_at_end(log)


@pytest.mark.thorough
def test_stop_button_does_not_resize_the_field(chat: ChatPage) -> None:
    before = chat.field.bounding_box()
    reply = chat.send(f"Hello {VERY_SLOW}")
    expect(chat.button("Stop")).to_be_visible()
    assert chat.field.bounding_box() == before
    chat.field.press("Escape")
    expect(reply).to_have_attribute("data-status", "cancelled")


@pytest.mark.thorough
def test_growing_code_block_can_be_copied(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    content = "```python\n" + "one + " * 400  # in one line, so that the button does not move
    script = {"steps": [{"match": "Grow, please", "reply": content, "rate": 25}]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=30)
    chat = open_page(permissions=["clipboard-read", "clipboard-write"]).start("Growing")
    reply = chat.send("Grow, please")
    code = reply.locator("pre")
    expect(code).to_contain_text("one")
    reply.get_by_role("button", name="Copy code").hover()
    chat.page.mouse.down()
    length = len(code.inner_text())
    chat.page.wait_for_function(
        "length => document.querySelector('pre').innerText.length > length", arg=length
    )
    chat.page.mouse.up()
    expect(chat.page.locator("#announcer")).to_have_text("Copied.")
    assert len(chat.page.evaluate("navigator.clipboard.readText()")) > length
    chat.button("Stop").click()


@pytest.mark.thorough
def test_retry_after_a_model_error_shows_a_countdown(chat: ChatPage) -> None:
    reply = chat.send("Hello [[fault:500 retry_after=5 times=1]]")
    expect(reply).to_contain_text("The model did not respond. Retrying in")
    chat.button("Stop").click()


@pytest.mark.thorough
def test_wait_reason_is_announced_once(chat: ChatPage) -> None:
    chat.page.evaluate(
        """() => {
            window.announced = [];
            const announcer = document.getElementById("announcer");
            const record = () => announced.push(announcer.innerText);
            new MutationObserver(record).observe(announcer, {childList: true});
        }"""
    )
    reply = chat.send("Hello [[fault:loading estimated_time=3 times=1]]")
    chat.send("Behind it")
    expect(reply).to_contain_text("The model is loading. Retrying in")
    expect(chat.page.locator("[data-status=completed]")).to_have_count(2)
    text = "\n".join(chat.page.evaluate("announced"))
    assert text.count("The model is loading.") == 1
    assert text.count("Queued behind 1 reply.") == 1
    assert text.count("Reply: ") == 2


@pytest.mark.thorough
def test_enter_in_an_input_method_does_not_send(chat: ChatPage) -> None:
    chat.field.focus()
    keyboard = chat.page.context.new_cdp_session(chat.page)
    composed = {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    keyboard.send("Input.imeSetComposition", composed)
    listener = (
        "addEventListener('keydown', (event) => { window.wasComposing = event.isComposing; })"
    )
    chat.page.evaluate(listener)
    chat.field.press("Enter")
    assert chat.page.evaluate("window.wasComposing") is True
    assert "にほん" in chat.field.input_value()
    keyboard.send("Input.insertText", {"text": "日本"})
    chat.field.press("Enter")
    expect(chat.user_messages).to_contain_text(["日本"])
