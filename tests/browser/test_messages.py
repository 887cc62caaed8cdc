"""Sending and receiving messages on the chat page."""

import re
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

# Directives for the fake model: replies of a few seconds, and of a minute.
SLOW = "[[rate=25 tokens=60]]"
VERY_SLOW = "[[rate=10 tokens=600]]"


def test_reply_is_shown_while_it_grows(chat: ChatPage) -> None:
    reply = chat.send(f"Hello {SLOW}")
    body = reply.locator(".body")
    expect(body).not_to_be_empty()
    first = body.inner_text()
    assert reply.get_attribute("aria-busy") == "true"
    expect(reply).to_have_attribute("aria-busy", "false")
    assert len(body.inner_text()) > len(first)
    assert chat.user_messages.count() == 1


def test_stop_keeps_the_partial_reply(chat: ChatPage) -> None:
    reply = chat.send(f"Hello {VERY_SLOW}")
    expect(reply.locator(".body")).not_to_be_empty()
    chat.button("Stop").click()
    expect(reply).to_contain_text("Stopped.")
    expect(reply.locator(".body")).not_to_be_empty()
    expect(chat.button("Stop")).to_be_hidden()


def test_regenerated_reply_replaces_the_earlier_one(chat: ChatPage) -> None:
    earlier = chat.send_and_wait("Hello")
    first = earlier.get_attribute("id")
    chat.button("Regenerate").click()
    expect(chat.page.locator(".variants")).to_have_text("2/2")
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    assert chat.replies.get_attribute("id") != first
    chat.button("Previous reply").click()
    expect(chat.replies).to_have_attribute("id", str(first))
    expect(chat.page.locator(".variants")).to_have_text("1/2")
    expect(chat.button("Previous reply")).to_be_disabled()
    chat.button("Next reply").click()
    expect(chat.page.locator(".variants")).to_have_text("2/2")
    assert chat.user_messages.count() == 1


@pytest.mark.thorough
def test_enter_sends_and_shift_enter_inserts_a_line_break(chat: ChatPage) -> None:
    chat.field.press_sequentially("one")
    chat.field.press("Shift+Enter")
    chat.field.press_sequentially("two")
    assert chat.user_messages.count() == 0
    chat.field.press("Enter")
    expect(chat.user_texts).to_have_text(re.compile("one\ntwo"))
    assert chat.field.input_value() == ""


@pytest.mark.thorough
def test_changed_settings_apply_to_the_next_message(chat: ChatPage, chat_stack: Stack) -> None:
    chat.button("Chat settings").click()
    chat.page.locator("#set-prompt").fill("Speak like a pirate of the browser tests")
    chat.page.locator("#set-model").select_option("other")
    chat.button("Save").click()
    expect(chat.page.locator("#model")).to_have_text("other")
    chat.send_and_wait("Ahoy from the settings")
    params = {"match": "Ahoy from the settings"}
    calls = requests.get(f"{chat_stack.model.url}/__calls__", params, timeout=30).json()["calls"]
    assert calls[0]["messages"][0] == {
        "role": "system",
        "content": "Speak like a pirate of the browser tests",
    }


@pytest.mark.thorough
def test_clear_removes_the_messages_and_keeps_the_chat(chat: ChatPage) -> None:
    chat.send_and_wait("Hello")
    chat.button("Chat settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(chat.replies).to_have_count(0)
    chat.send_and_wait("Hello again")
    assert chat.user_messages.count() == 1


@pytest.mark.thorough
def test_each_chat_in_the_list_has_its_own_messages(chat: ChatPage) -> None:
    chat.send_and_wait("In the first chat")
    chat.start("Second chat")
    expect(chat.replies).to_have_count(0)
    chat.page.get_by_role("link", name="First chat").click()
    expect(chat.user_texts).to_have_text(["In the first chat"])


@pytest.mark.thorough
def test_deleted_chat_is_removed_from_list_and_server(chat: ChatPage, chat_stack: Stack) -> None:
    session = chat.session
    chat.act_on("First chat", "Delete")
    expect(chat.page.get_by_text("Deleted “First chat”.")).to_be_visible()
    chat.button("Undo").click()
    expect(chat.page.get_by_role("heading", name="First chat")).to_be_visible()
    chat.act_on("First chat", "Delete")
    with chat.page.expect_response("**/sessions/*") as deleted:
        chat.button("Delete now").click()
    assert deleted.value.status == 204
    expect(chat.page.locator("#sessions li")).to_have_count(0)
    response = requests.get(
        f"{chat_stack.web().url}/sessions/{session['id']}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=30,
    )
    assert response.status_code in {401, 404}


@pytest.mark.thorough
def test_queued_reply_shows_its_position(chat: ChatPage) -> None:
    chat.send(f"First {VERY_SLOW}")
    chat.send("Second")
    third = chat.send("Third")
    expect(third).to_contain_text("Queued behind 2 replies.")
    chat.button("Stop").click()
    expect(third).to_have_attribute("aria-busy", "false")
    assert chat.user_texts.all_inner_texts() == [f"First {VERY_SLOW}", "Second", "Third"]


def test_failed_reply_shows_its_error_and_can_be_retried(chat: ChatPage) -> None:
    reply = chat.send_and_wait("Hello [[fault:400 times=1]]")
    expect(reply).to_have_attribute("data-status", "failed")
    expect(reply.locator(".note")).not_to_be_empty()
    chat.button("Try again").click()
    expect(chat.replies).to_have_attribute("data-status", "completed")


@pytest.mark.thorough
def test_code_block_can_be_copied(open_page: Callable[..., ChatPage], chat_stack: Stack) -> None:
    content = "Look:\n\n```python\nprint('a < b')\n```\n\nDone."
    step = {"match": "Code, please", "reply": content}
    script = {"steps": [step]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=30)
    chat = open_page(permissions=["clipboard-read", "clipboard-write"]).start("Code")
    reply = chat.send_and_wait("Code, please")
    expect(reply.locator("pre .hljs-string")).to_have_text("'a < b'")
    reply.get_by_role("button", name="Copy code").click()
    expect(chat.page.locator("#announcer")).to_have_text("Copied.")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "print('a < b')\n"


def test_markdown_is_rendered(chat: ChatPage, chat_stack: Stack) -> None:
    content = "# Title\n\n3. three\n4. four\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n[web](https://a.example)"
    script = {"steps": [{"match": "Markdown, please", "reply": content}]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=30)
    reply = chat.send_and_wait("Markdown, please")
    expect(reply.get_by_role("heading", name="Title")).to_be_visible()
    expect(reply.locator(".body ol")).to_have_attribute("start", "3")
    expect(reply.locator("td").last).to_have_attribute("align", "right")
    link = reply.get_by_role("link", name="web")
    expect(link).to_have_attribute("href", "https://a.example")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_page_sends_requests_to_its_own_server_only(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    chat = open_page()
    urls: list[str] = []
    chat.page.on("request", lambda request: urls.append(request.url))
    chat.page.reload()
    chat.start("Alone").send_and_wait("Show me code and a table")
    assert [url for url in urls if not url.startswith(chat_stack.web().url)] == []
    assert urls
