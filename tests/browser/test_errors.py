"""Failed calls, late responses and a full localStorage on the chat page."""

import json
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import APIResponse, Route, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

POSTS = "**/sessions/*/messages"


def rejecting(status: int = 400, *, retry_after: int | None = None) -> Callable[[Route], None]:
    """Return a route handler that responds with an error in Parley's format."""
    error = {"code": "invalid_request", "message": "Not today.", "retry_after": retry_after}
    return lambda route: route.fulfill(status=status, body=json.dumps({"error": error}))


def call(stack: Stack, chat: ChatPage, method: str, path: str = "") -> None:
    """Call the API for the page's session, outside the page."""
    session = chat.session
    requests.request(
        method,
        f"{stack.web().url}/sessions/{session['id']}{path}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=30,
    ).raise_for_status()


def test_failed_action_is_reported_and_can_be_retried(chat: ChatPage) -> None:
    chat.send_and_wait("Hello")
    chat.page.route("**/regenerate", rejecting())
    chat.button("Regenerate").click()
    expect(chat.error_bar).to_contain_text("Not today.")
    chat.page.unroute("**/regenerate")
    chat.error_bar.get_by_role("button", name="Try again").click()
    expect(chat.page.locator(".variants")).to_have_text("2/2")
    expect(chat.error_bar).to_be_hidden()

    chat.page.route("**/sessions/*", rejecting())
    chat.button("Chat settings").click()
    chat.page.locator("#set-name").fill("Renamed")
    chat.button("Save").click()
    in_dialog = chat.page.locator("dialog").get_by_role("alert")
    expect(in_dialog).to_contain_text("Not today.")
    chat.page.unroute("**/sessions/*")
    in_dialog.get_by_role("button", name="Try again").click()
    expect(chat.page.get_by_role("heading", name="Renamed")).to_be_visible()
    expect(chat.error_bar).to_be_hidden()

    chat.page.route("**/reset", rejecting())
    chat.button("Chat settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(chat.error_bar).to_contain_text("Not today.")
    chat.error_bar.get_by_role("button", name="Dismiss").click()
    expect(chat.error_bar).to_be_hidden()
    expect(chat.field).to_be_focused()


@pytest.mark.thorough
def test_failed_list_of_models_is_loaded_again(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page()
    chat.page.route("**/models", rejecting(503, retry_after=60))
    chat.page.reload()
    expect(chat.error_bar).to_contain_text("Not today.")
    chat.send_and_wait("Hello")
    chat.page.unroute("**/models")
    chat.button("Chat settings").click()
    expect(chat.page.locator("#set-model option")).to_have_text(["default", "other"])


@pytest.mark.thorough
def test_response_after_a_reset_restores_nothing(chat: ChatPage, chat_stack: Stack) -> None:
    late: list[tuple[Route, APIResponse]] = []
    chat.page.route(POSTS, lambda route: late.append((route, route.fetch())), times=1)
    chat.submit("Before the reset")
    expect(chat.replies.first).to_have_attribute("data-status", "completed")
    expect(chat.page.locator(".pending")).to_have_count(0)  # and it is not shown twice
    call(chat_stack, chat, "POST", "/reset")
    expect(chat.replies).to_have_count(0)
    for route, response in late:
        route.fulfill(response=response)
    expect(chat.page.locator(".pending")).to_have_count(0)
    chat.send_and_wait("After it")
    expect(chat.user_texts).to_have_text(["After it"])
    expect(chat.replies).to_have_count(1)


@pytest.mark.thorough
def test_message_that_is_too_long_can_be_edited(chat: ChatPage) -> None:
    chat.field.fill("long " * 6_000)
    expect(chat.page.locator("#counter")).to_have_text("30,000 of 32,768 characters")
    expect(chat.button("Send")).to_be_enabled()
    chat.field.fill("€" * 11_000)
    expect(chat.page.locator("#counter")).to_have_text("33,000 of 32,768 bytes")
    expect(chat.button("Send")).to_be_disabled()
    chat.page.route(POSTS, rejecting(413), times=1)
    chat.submit("rejected by a proxy")
    chat.button("Edit").click()
    expect(chat.field).to_have_value("rejected by a proxy")
    expect(chat.field).to_be_focused()
    expect(chat.page.locator(".rejected")).to_have_count(0)
    chat.send_and_wait("short")
    assert chat.user_messages.count() == 1


def test_draft_belongs_to_its_chat_and_survives_a_reload(chat: ChatPage) -> None:
    chat.field.fill("Half a thought")
    chat.new_chat()
    expect(chat.field).to_have_value("")
    chat.start("Second chat")
    expect(chat.field).to_have_value("")
    chat.field.fill("Another thought")
    chat.page.reload()
    expect(chat.field).to_have_value("Another thought")
    chat.page.get_by_role("link", name="First chat").click()
    expect(chat.field).to_have_value("Half a thought")
    chat.field.press("Enter")
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    chat.page.reload()
    expect(chat.user_messages).to_have_count(1)
    expect(chat.field).to_have_value("")


@pytest.mark.thorough
def test_page_works_without_localstorage_and_clipboard(chat: ChatPage) -> None:
    chat.page.evaluate(
        """() => {
            Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
            navigator.clipboard.writeText = () => Promise.reject(new DOMException("Denied"));
            document.execCommand = () => false;
        }"""
    )
    reply = chat.send_and_wait("Not stored")
    assert chat.user_messages.count() == 1
    reply.get_by_role("button", name="Copy reply").click()
    expect(chat.error_bar).to_contain_text("blocked copying")


@pytest.mark.thorough
def test_chat_deleted_elsewhere_remains_readable(chat: ChatPage, chat_stack: Stack) -> None:
    chat.send_and_wait("Hello")
    chat.page.route(POSTS, rejecting(), times=1)
    chat.submit("Never sent")
    expect(chat.button("Edit")).to_be_visible()
    call(chat_stack, chat, "DELETE")
    connection = chat.page.locator("#connection")
    expect(connection).to_contain_text("This chat was deleted. You can still read its messages.")
    expect(chat.replies).to_have_count(1)
    for gone in ("Regenerate", "Send again", "Edit"):  # the message field is hidden
        expect(chat.button(gone)).to_be_hidden()
    expect(chat.page.locator(".rejected")).to_contain_text("Never sent")
    expect(chat.button("Start a new chat")).to_be_focused()
    chat.page.reload()
    expect(connection).to_contain_text("Its messages are no longer available.")
    chat.button("Start a new chat").click()
    expect(chat.field).to_have_value("Never sent")
