"""The chat page under its users' hands: focus, keys, touch, and what is read to them."""

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
LASTING = "[[rate=10 tokens=600]]"
AT_END = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"


def is_at_end(log: Locator) -> bool:
    """Tell, a frame later, whether the newest text is in view."""
    log.evaluate("() => new Promise((told) => requestAnimationFrame(() => setTimeout(told)))")
    return bool(log.evaluate(AT_END))


def test_the_focus_is_never_lost(chat: ChatPage) -> None:
    chat.ask("Hello")
    chat.button("Regenerate").press("Enter")
    expect(chat.replies).to_have_count(2)
    expect(chat.field).to_be_focused()
    chat.field.fill("By the button")
    chat.button("Send").press("Enter")
    expect(chat.field).to_be_focused()
    expect(chat.replies).to_have_count(3)
    chat.page.route("**/messages", lambda route: route.fulfill(status=400, body="{}"))
    chat.write("Refused")
    chat.button("Discard").press("Enter")
    expect(chat.page.locator(".pending")).to_have_count(0)
    expect(chat.field).to_be_focused()
    chat.page.unroute("**/messages")
    chat.button("New session").click()
    chat.start("Second")
    chat.button("Delete session A talk").press("Enter")
    chat.button("Delete").press("Enter")
    expect(chat.page.locator("#sessions li")).to_have_count(1)
    expect(chat.button("New session")).to_be_focused()


def test_on_a_phone_a_tap_beside_the_list_closes_it_and_the_newest_text_stays_in_view(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page(viewport=PHONE, has_touch=True, is_mobile=True).start("Pocket talk")
    menu = chat.page.locator("#conversation .phone")
    link = chat.page.get_by_role("link", name="Pocket talk")
    menu.tap()
    expect(link).to_be_visible()
    chat.page.touchscreen.tap(380, 30)  # on what is a button else
    expect(link).to_be_hidden()
    expect(chat.page.locator("dialog[open]")).to_have_count(0)
    menu.tap()
    chat.page.keyboard.press("Escape")
    expect(link).to_be_hidden()
    expect(menu).to_be_focused()
    chat.ask("Fill the page [[tokens=200]]")
    log = chat.page.locator("#log")
    chat.field.fill("one\ntwo\nthree\nfour")
    assert is_at_end(log)
    chat.page.set_viewport_size({"width": 390, "height": 420})  # as its keyboard would
    expect(chat.field).to_be_in_viewport()
    assert is_at_end(log)


def test_stop_takes_no_room_from_the_field_and_escape_does_the_same(chat: ChatPage) -> None:
    before = chat.field.bounding_box()
    reply = chat.send(f"Hello {LASTING}")
    expect(chat.button("Stop")).to_be_visible()
    assert chat.field.bounding_box() == before
    chat.field.press("Escape")
    expect(reply).to_have_attribute("data-status", "cancelled")


def test_code_is_copied_while_it_grows(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    said = "```python\n" + "one + " * 400  # in one line, for one's hand keeps still
    script = {"steps": [{"match": "Grow, please", "reply": said, "rate": 25}]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=5)
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
    expect(chat.page.locator("#said")).to_have_text("Copied.")
    assert len(chat.page.evaluate("navigator.clipboard.readText()")) > length
    chat.button("Stop").click()


def test_a_model_that_fails_and_not_a_worker_is_waited_for(chat: ChatPage) -> None:
    reply = chat.send("Hello [[fault:500 retry_after=5 times=1]]")
    expect(reply).to_contain_text("The model did not answer. Next try in")
    chat.button("Stop").click()


def test_what_a_reply_waits_for_is_told_to_screen_readers_once(chat: ChatPage) -> None:
    chat.page.evaluate(
        """() => {
            window.told = [];
            const said = document.getElementById("said");
            new MutationObserver(() => told.push(said.innerText)).observe(said, {childList: true});
        }"""
    )
    reply = chat.send("Hello [[fault:loading estimated_time=3 times=1]]")
    chat.send("Behind it")
    expect(reply).to_contain_text("The model is loading. Next try in")
    expect(chat.page.locator("[data-status=completed]")).to_have_count(2)
    told = chat.page.evaluate("told").copy()
    words = "\n".join(told)
    assert words.count("The model is loading.") == 1
    assert words.count("Waiting: 1 reply before this one.") == 1
    assert words.count("Reply: ") == 2


def test_enter_that_composes_a_character_does_not_send(chat: ChatPage) -> None:
    chat.field.focus()
    keyboard = chat.page.context.new_cdp_session(chat.page)
    composed = {"text": "にほん", "selectionStart": 3, "selectionEnd": 3}
    keyboard.send("Input.imeSetComposition", composed)
    heard = "addEventListener('keydown', (event) => { window.heard = event.isComposing; })"
    chat.page.evaluate(heard)
    chat.field.press("Enter")
    assert chat.page.evaluate("window.heard") is True
    assert "にほん" in chat.field.input_value()
    keyboard.send("Input.insertText", {"text": "日本"})
    chat.field.press("Enter")
    expect(chat.mine).to_contain_text(["日本"])
