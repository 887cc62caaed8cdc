"""What the chat page makes of calls that fail, of a full browser and of late answers."""

import json
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import APIResponse, Locator, Route, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

POSTS = "**/sessions/*/messages"


def refusing(status: int = 400, *, retry_after: int | None = None) -> Callable[[Route], None]:
    """Return what refuses calls with a status, in Parley's own form."""
    error = {"code": "refused", "message": "Not today.", "retry_after": retry_after}
    return lambda route: route.fulfill(status=status, body=json.dumps({"error": error}))


def trouble(chat: ChatPage) -> Locator:
    """Where the page tells of what has failed."""
    return chat.page.get_by_role("alert")


def call(stack: Stack, chat: ChatPage, method: str, path: str = "") -> None:
    """Do something to the page's session behind its back."""
    session = chat.session
    requests.request(
        method,
        f"{stack.web().url}/sessions/{session['id']}{path}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=5,
    ).raise_for_status()


def test_whatever_fails_is_told_and_can_be_tried_again(chat: ChatPage) -> None:
    chat.ask("Hello")
    chat.page.route("**/regenerate", refusing())
    chat.button("Regenerate").click()
    expect(trouble(chat)).to_contain_text("Not today.")
    chat.page.unroute("**/regenerate")
    trouble(chat).get_by_role("button", name="Try again").click()
    expect(chat.replies).to_have_count(2)
    expect(trouble(chat)).to_be_hidden()

    chat.page.route("**/sessions/*", refusing())
    chat.button("Settings").click()
    chat.page.locator("#set-name").fill("Renamed")
    chat.button("Save").click()
    in_dialog = chat.page.locator("dialog").get_by_role("alert")
    expect(in_dialog).to_contain_text("Not today.")
    chat.page.unroute("**/sessions/*")
    in_dialog.get_by_role("button", name="Try again").click()
    expect(chat.page.get_by_role("heading", name="Renamed")).to_be_visible()
    expect(trouble(chat)).to_be_hidden()

    chat.page.route("**/reset", refusing())
    chat.button("Settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(trouble(chat)).to_contain_text("Not today.")
    trouble(chat).get_by_role("button", name="Dismiss").click()
    expect(trouble(chat)).to_be_hidden()
    expect(chat.field).to_be_focused()


def test_models_that_could_not_be_listed_are_asked_for_again(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page()
    chat.page.route("**/models", refusing(503, retry_after=60))
    chat.page.reload()
    expect(trouble(chat)).to_contain_text("Not today.")
    chat.start("No models yet").ask("Hello")
    chat.page.unroute("**/models")
    chat.button("Settings").click()
    expect(chat.page.locator("#set-model option")).to_have_text(["default", "other"])


def test_an_answer_that_comes_after_a_reset_brings_nothing_back(
    chat: ChatPage, chat_stack: Stack
) -> None:
    late: list[tuple[Route, APIResponse]] = []
    chat.page.route(POSTS, lambda route: late.append((route, route.fetch())), times=1)
    chat.write("Before the reset")
    expect(chat.replies.first).to_have_attribute("data-status", "completed")
    expect(chat.page.locator(".pending")).to_have_count(0)  # nor is it shown twice meanwhile
    call(chat_stack, chat, "POST", "/reset")
    expect(chat.replies).to_have_count(0)
    for route, answer in late:
        route.fulfill(response=answer)
    expect(chat.page.locator(".pending")).to_have_count(0)
    chat.ask("After it")
    expect(chat.mine).to_have_text(["YouAfter it"])
    expect(chat.replies).to_have_count(1)


def test_a_message_that_is_too_long_can_be_taken_back_and_shortened(chat: ChatPage) -> None:
    for content in ("long " * 8_000, "longer " * 10_000):
        chat.write(content)
        refused = chat.page.locator(".refused")
        expect(refused).to_contain_text("Not sent:")
        chat.button("Edit").click()
        expect(chat.field).to_have_value(content)
        expect(chat.field).to_be_focused()
        expect(refused).to_have_count(0)
    chat.ask("short")
    assert chat.mine.count() == 1


def test_a_draft_belongs_to_its_session_and_outlives_a_reload(chat: ChatPage) -> None:
    chat.field.fill("Half a thought")
    chat.button("New session").click()
    chat.start("Another talk")
    expect(chat.field).to_have_value("")
    chat.field.fill("Another thought")
    chat.page.reload()
    expect(chat.field).to_have_value("Another thought")
    chat.page.get_by_role("link", name="A talk").click()
    expect(chat.field).to_have_value("Half a thought")
    chat.field.press("Enter")
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    chat.page.reload()
    expect(chat.mine).to_have_count(1)
    expect(chat.field).to_have_value("")


def test_a_browser_that_keeps_and_copies_nothing_loses_no_message(chat: ChatPage) -> None:
    chat.page.evaluate(
        """() => {
            Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
            navigator.clipboard.writeText = () => Promise.reject(new DOMException("Denied"));
            document.execCommand = () => false;
        }"""
    )
    reply = chat.ask("Nowhere kept")
    assert chat.mine.count() == 1
    reply.get_by_role("button", name="Copy reply").click()
    expect(trouble(chat)).to_contain_text("does not allow copying")


def test_a_session_that_is_deleted_elsewhere_says_what_is_left(
    chat: ChatPage, chat_stack: Stack
) -> None:
    chat.ask("Hello")
    chat.page.route(POSTS, refusing(), times=1)
    chat.write("Never sent")
    expect(chat.button("Edit")).to_be_visible()
    call(chat_stack, chat, "DELETE")
    state = chat.page.locator("#state")
    expect(state).to_contain_text("This session was deleted. Its messages are shown as they were.")
    expect(chat.replies).to_have_count(1)
    for gone in ("Regenerate", "Send again", "Edit"):  # there is no field to edit it in
        expect(chat.button(gone)).to_be_hidden()
    expect(chat.page.locator(".refused")).to_contain_text("Never sent")
    expect(chat.button("Open a new session")).to_be_focused()
    chat.page.reload()
    expect(state).to_contain_text("Nothing is left of it.")
    chat.button("Open a new session").click()
    expect(chat.button("Start")).to_be_visible()
