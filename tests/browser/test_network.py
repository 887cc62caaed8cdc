"""The chat page survives reloads and network failures."""

import json
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.browser.chat_page import ChatPage
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

pytestmark = pytest.mark.browser

SLOW = "[[rate=40 tokens=60]]"


@pytest.fixture
def proxy(chat_stack: Stack) -> Iterator[Proxy]:
    with Proxy(chat_stack.web().url) as proxy:
        yield proxy


def stored_contents(stack: Stack, chat: ChatPage) -> list[str]:
    """Return the contents of the session's messages on the server, in order."""
    session = chat.session
    response = requests.get(
        f"{stack.web().url}/sessions/{session['id']}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=30,
    )
    return [message["content"] for message in response.json()["messages"]]


def is_complete(reply: Locator, content: str) -> bool:
    """Return whether the page shows the whole reply, ignoring Markdown syntax."""
    letters = [char for char in content if char.isalpha()]
    shown = [char for char in reply.locator(".body").inner_text() if char.isalpha()]
    return shown == letters


def test_message_written_offline_is_sent_later(
    open_page: Callable[..., ChatPage],
    chat_stack: Stack,
    proxy: Proxy,
    take_screenshot: Callable[[Page, str], None],
) -> None:
    chat = open_page(url=proxy.url).start("Later")
    proxy.refuse_connections()
    chat.submit("Written offline")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()
    take_screenshot(chat.page, "chat-offline")
    proxy.accept_connections()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert chat.user_messages.count() == 1
    assert stored_contents(chat_stack, chat)[0] == "Written offline"


@pytest.mark.thorough
def test_chat_selected_offline_is_shown_later(
    open_page: Callable[..., ChatPage], proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Away")
    chat.send_and_wait("Hello")
    chat.new_chat()
    proxy.refuse_connections()
    chat.page.get_by_role("link", name="Away").click()
    expect(chat.page.locator("#connection")).to_contain_text("Connection lost.")
    expect(chat.button("Chat settings")).to_be_disabled()
    chat.submit("And one more")
    proxy.accept_connections()
    # A real click could be too late: the page may have reconnected already.
    chat.page.locator("#connect").dispatch_event("click")
    expect(chat.user_messages).to_have_count(2)
    expect(chat.replies.nth(1)).to_have_attribute("aria-busy", "false")
    expect(chat.page.locator("#connection")).to_be_hidden()


@pytest.mark.thorough
def test_half_open_connections_are_detected(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url)
    chat.page.clock.install()
    chat.page.reload()
    reply = chat.start("Half open").send("Hello [[rate=20 tokens=20]]")
    expect(reply.locator(".body")).not_to_be_empty()
    assert proxy.half_open()
    chat.submit("Into the void")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()

    def is_sent() -> bool:
        # All idle connections of the browser are half-open too; it may try each of them.
        chat.page.clock.fast_forward(21_000)
        return chat.replies.count() == 2

    wait_until(is_sent, within=20, every=1)
    expect(chat.page.locator("[aria-busy=true]")).to_have_count(0)
    assert is_complete(reply, stored_contents(chat_stack, chat)[1])
    assert stored_contents(chat_stack, chat)[2] == "Into the void"


@pytest.mark.thorough
def test_message_that_failed_offline_is_sent_later(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url)
    chat.page.clock.install()
    chat.page.reload()
    chat.start("Long away")
    proxy.refuse_connections()
    chat.submit("Still there?")
    failure = chat.page.get_by_text("Not sent: Could not reach the server.").first

    def has_failed() -> bool:
        chat.page.clock.fast_forward(4000)
        return failure.is_visible()

    wait_until(has_failed, within=30)
    proxy.accept_connections()
    chat.page.clock.fast_forward(15_000)
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert len(stored_contents(chat_stack, chat)) == 2


def test_message_is_posted_once_if_the_response_is_lost(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Once")
    proxy.drop_response_to("Say it once")
    chat.submit("Say it once")
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    expect(chat.page.locator(".pending")).to_have_count(0)
    assert len(stored_contents(chat_stack, chat)) == 2


@pytest.mark.thorough
def test_session_is_created_once_if_the_response_is_lost(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page()
    opened: set[str] = set()

    def lose(route: Route) -> None:
        opened.add(route.fetch().json()["id"])
        route.fulfill(status=400, body='{"error": {"code": "error", "message": "Lost."}}')

    chat.page.route("**/sessions", lose, times=1)
    chat.submit("Only one")
    expect(chat.field).to_have_value("Only one")
    chat.page.reload()  # the idempotency key survives it, as the draft does
    chat.button("Send").click()
    expect(chat.page.get_by_role("heading", name="Only one")).to_be_visible()
    expect(chat.replies).to_have_count(1)
    assert opened == {chat.session["id"]}


def test_unsent_message_survives_a_reload(chat: ChatPage, chat_stack: Stack) -> None:
    posts = "**/sessions/*/messages"
    chat.page.route(posts, lambda route: route.abort())
    chat.submit("Do not forget me")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()
    chat.page.unroute(posts)
    chat.page.reload()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert stored_contents(chat_stack, chat)[0] == "Do not forget me"


def test_rejected_message_shows_its_error_and_can_be_resent(chat: ChatPage) -> None:
    error = {"code": "invalid_request", "message": "Not today.", "retry_after": None}

    def reject(route: Route) -> None:
        route.fulfill(status=400, body=json.dumps({"error": error}))

    posts = "**/sessions/*/messages"
    chat.page.route(posts, reject)
    chat.submit("Hello")
    expect(chat.page.locator(".pending .note")).to_have_text("Not sent: Not today.")
    chat.page.unroute(posts)
    chat.button("Send again").click()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert chat.user_messages.count() == 1


@pytest.mark.thorough
def test_two_tabs_show_the_same_messages(
    chat: ChatPage, open_page: Callable[..., ChatPage]
) -> None:
    other = open_page(same_context_as=chat.page, url=chat.url)
    other.page.get_by_role("link", name="First chat").click()
    here = chat.send(f"From the first {SLOW}")
    there = other.replies.first
    expect(there.locator(".body")).not_to_be_empty()
    expect(here).to_have_attribute("aria-busy", "false")
    expect(there).to_have_attribute("aria-busy", "false")
    other.send_and_wait("From the second")
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.nth(1)).to_have_attribute("aria-busy", "false")
    assert other.user_texts.all_inner_texts() == chat.user_texts.all_inner_texts()
    assert other.replies.all_inner_texts() == chat.replies.all_inner_texts()


@pytest.mark.thorough
def test_page_polls_if_event_streams_are_blocked(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    chat = open_page()
    chat.page.route("**/sessions/*/events*", lambda route: route.fulfill(status=404, body="{}"))
    chat.start("Polling")
    late: list[tuple[Route, APIResponse]] = []
    posts = "**/sessions/*/messages"
    chat.page.route(posts, lambda route: late.append((route, route.fetch())), times=1)
    reply = chat.send(f"Hello {SLOW}")
    expect(chat.page.locator("#messages > .user")).to_have_count(1)  # before any response
    for route, response in late:
        route.fulfill(response=response)
    expect(reply.locator(".body")).not_to_be_empty()
    expect(reply).to_have_attribute("aria-busy", "false")
    assert is_complete(reply, stored_contents(chat_stack, chat)[1])
    chat.button("Chat settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(chat.replies).to_have_count(0)
