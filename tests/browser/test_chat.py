"""Talking on the chat page."""

import re
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

SLOW = "[[rate=25 tokens=60]]"
"""Asks the dev model for a reply that takes some seconds."""
LASTING = "[[rate=10 tokens=600]]"


def test_a_reply_grows_while_it_is_written(chat: ChatPage) -> None:
    reply = chat.send(f"Hello {SLOW}")
    body = reply.locator(".body")
    expect(body).not_to_be_empty()
    first = body.inner_text()
    assert reply.get_attribute("aria-busy") == "true"
    expect(reply).to_have_attribute("aria-busy", "false")
    assert len(body.inner_text()) > len(first)
    assert chat.mine.count() == 1


def test_stop_ends_a_reply_and_keeps_what_was_said(chat: ChatPage) -> None:
    reply = chat.send(f"Hello {LASTING}")
    expect(reply.locator(".body")).not_to_be_empty()
    chat.button("Stop").click()
    expect(reply).to_contain_text("Stopped.")
    expect(reply.locator(".body")).not_to_be_empty()
    expect(chat.button("Stop")).to_be_hidden()


def test_a_regenerated_reply_takes_the_place_of_the_earlier_one(chat: ChatPage) -> None:
    earlier = chat.ask("Hello")
    chat.button("Regenerate").click()
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.nth(1)).to_have_attribute("aria-busy", "false")
    expect(earlier.locator(".body")).to_be_hidden()
    earlier.get_by_role("button", name="Earlier reply").click()
    expect(earlier.locator(".body")).to_be_visible()
    assert chat.mine.count() == 1


def test_enter_sends_and_shift_enter_makes_a_new_line(chat: ChatPage) -> None:
    chat.field.press_sequentially("one")
    chat.field.press("Shift+Enter")
    chat.field.press_sequentially("two")
    assert chat.mine.count() == 0
    chat.field.press("Enter")
    expect(chat.mine).to_have_text(re.compile("one\ntwo"))
    assert chat.field.input_value() == ""


def test_the_model_is_shown_the_system_prompt_once_it_is_edited(
    chat: ChatPage, chat_stack: Stack
) -> None:
    chat.button("Settings").click()
    chat.page.locator("#set-prompt").fill("Speak like a pirate of the browser tests")
    chat.page.locator("#set-model").select_option("other")
    chat.button("Save").click()
    expect(chat.page.locator("#model")).to_have_text("other")
    chat.ask("Ahoy from the settings")
    asked = {"match": "Ahoy from the settings"}
    calls = requests.get(f"{chat_stack.model.url}/__calls__", asked, timeout=5).json()["calls"]
    assert calls[0]["messages"][0] == {
        "role": "system",
        "content": "Speak like a pirate of the browser tests",
    }


def test_reset_clears_the_messages_and_keeps_the_session(chat: ChatPage) -> None:
    chat.ask("Hello")
    chat.button("Settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(chat.replies).to_have_count(0)
    chat.ask("Hello again")
    assert chat.mine.count() == 1


def test_sessions_stand_in_the_side_list_and_keep_apart(chat: ChatPage) -> None:
    chat.ask("Said in the first")
    chat.button("New session").click()
    chat.start("Another talk")
    expect(chat.replies).to_have_count(0)
    chat.page.get_by_role("link", name="A talk").click()
    expect(chat.mine).to_have_text(["YouSaid in the first"])


def test_a_deleted_session_is_gone_from_list_and_server(chat: ChatPage, chat_stack: Stack) -> None:
    session = chat.session
    chat.button("Delete session A talk").click()
    chat.button("Delete").click()
    expect(chat.button("Start")).to_be_visible()
    expect(chat.page.locator("#sessions li")).to_have_count(0)
    answer = requests.get(
        f"{chat_stack.web().url}/sessions/{session['id']}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=5,
    )
    assert answer.status_code in {401, 404}


def test_waiting_replies_tell_their_place(chat: ChatPage) -> None:
    chat.send(f"First {LASTING}")
    chat.send("Second")
    third = chat.send("Third")
    expect(third).to_contain_text("Waiting: 2 replies before this one.")
    chat.button("Stop").click()
    expect(third).to_have_attribute("aria-busy", "false")
    assert chat.mine.all_inner_texts() == [f"You\nFirst {LASTING}", "You\nSecond", "You\nThird"]


def test_a_failed_reply_says_why_and_can_be_tried_again(chat: ChatPage) -> None:
    reply = chat.ask("Hello [[fault:400 times=1]]")
    expect(reply).to_have_attribute("data-status", "failed")
    expect(reply.locator(".note")).not_to_be_empty()
    chat.button("Try again").click()
    expect(chat.replies.nth(1)).to_have_attribute("data-status", "completed")


def test_code_can_be_copied(open_page: Callable[..., ChatPage], chat_stack: Stack) -> None:
    said = "Look:\n\n```python\nprint('a < b')\n```\n\nDone."
    step = {"match": "Code, please", "reply": said}
    script = {"steps": [step]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=5)
    chat = open_page(permissions=["clipboard-read", "clipboard-write"]).start("Code")
    reply = chat.ask("Code, please")
    expect(reply.locator("pre .hljs-string")).to_have_text("'a < b'")
    reply.get_by_role("button", name="Copy code").click()
    expect(reply.get_by_text("Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "print('a < b')\n"


def test_markdown_is_shown_as_it_is_meant(chat: ChatPage, chat_stack: Stack) -> None:
    said = "# Title\n\n3. three\n4. four\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n[web](https://a.example)"
    script = {"steps": [{"match": "Markdown, please", "reply": said}]}
    requests.post(f"{chat_stack.model.url}/__script__", json=script, timeout=5)
    reply = chat.ask("Markdown, please")
    expect(reply.get_by_role("heading", name="Title")).to_be_visible()
    expect(reply.locator(".body ol")).to_have_attribute("start", "3")
    expect(reply.locator("td").last).to_have_attribute("align", "right")
    link = reply.get_by_role("link", name="web")
    expect(link).to_have_attribute("href", "https://a.example")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_the_page_asks_nobody_but_its_own_server(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    chat = open_page()
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.page.reload()
    chat.start("Alone").ask("Show me code and a table")
    assert [url for url in asked if not url.startswith(chat_stack.web().url)] == []
    assert asked
