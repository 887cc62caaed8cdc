"""What the chat page keeps when tabs are reloaded and networks fail."""

import json
from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import APIResponse, Locator, Route, expect

from tests.browser.chat_page import ChatPage
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.browser

SLOW = "[[rate=40 tokens=60]]"


@pytest.fixture
def proxy(chat_stack: Stack) -> Iterator[Proxy]:
    with Proxy(chat_stack.web().url) as proxy:
        yield proxy


def stored(stack: Stack, chat: ChatPage) -> list[str]:
    """Return what the server holds of the session, as texts in order."""
    session = chat.session
    answer = requests.get(
        f"{stack.web().url}/sessions/{session['id']}",
        headers={"Authorization": f"Bearer {session['token']}"},
        timeout=5,
    )
    return [message["content"] for message in answer.json()["messages"]]


def is_whole(reply: Locator, content: str) -> bool:
    """Tell whether the page shows all words of a reply, in order and once."""
    letters = [char for char in content if char.isalpha()]
    shown = [char for char in reply.locator(".body").inner_text() if char.isalpha()]
    return shown == letters


def test_a_reload_in_the_middle_of_a_reply_loses_nothing(chat: ChatPage, chat_stack: Stack) -> None:
    reply = chat.send(f"Hello {SLOW}")
    expect(reply.locator(".body")).not_to_be_empty()
    chat.page.reload()
    expect(reply).to_have_attribute("aria-busy", "false")
    assert is_whole(reply, stored(chat_stack, chat)[1])


def test_a_network_cut_in_the_middle_of_a_reply_loses_nothing(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Cut")
    reply = chat.send(f"Hello {SLOW}")
    expect(reply.locator(".body")).not_to_be_empty()
    proxy.refuse()
    expect(chat.page.locator("#state")).to_be_visible()
    proxy.listen()
    expect(chat.page.locator("#state")).to_be_hidden()
    expect(reply).to_have_attribute("aria-busy", "false")
    assert is_whole(reply, stored(chat_stack, chat)[1])


def test_a_message_written_without_a_network_is_sent_once_it_is_back(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Later")
    proxy.refuse()
    chat.write("Written offline")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()
    proxy.listen()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert chat.mine.count() == 1
    assert stored(chat_stack, chat)[0] == "Written offline"


def test_a_session_opened_without_a_network_is_shown_once_it_is_back(
    open_page: Callable[..., ChatPage], proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Away")
    chat.ask("Hello")
    chat.button("New session").click()
    proxy.refuse()
    chat.page.get_by_role("link", name="Away").click()
    expect(chat.page.locator("#state")).to_contain_text("No connection.")
    expect(chat.button("Settings")).to_be_disabled()
    chat.write("And one more")
    proxy.listen()
    # By the time that a click were aimed, the page may have come back by itself.
    chat.page.locator("#connect").dispatch_event("click")
    expect(chat.mine).to_have_count(2)
    expect(chat.replies.nth(1)).to_have_attribute("aria-busy", "false")
    expect(chat.page.locator("#state")).to_be_hidden()


def test_connections_that_died_without_a_word_are_given_up(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url)
    chat.page.clock.install()
    chat.page.reload()
    reply = chat.start("Half open").send("Hello [[rate=20 tokens=20]]")
    expect(reply.locator(".body")).not_to_be_empty()
    assert proxy.half_open()
    chat.write("Into the void")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()

    def is_sent() -> bool:
        # Each link that the browser has kept idle is as dead, and may be tried in its turn.
        chat.page.clock.fast_forward(21_000)
        return chat.replies.count() == 2

    wait_until(is_sent, within=20, every=1)
    expect(chat.page.locator("[aria-busy=true]")).to_have_count(0)
    assert is_whole(reply, stored(chat_stack, chat)[1])
    assert stored(chat_stack, chat)[2] == "Into the void"


def test_what_was_given_up_without_a_network_is_sent_once_it_is_back(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url)
    chat.page.clock.install()
    chat.page.reload()
    chat.start("Long away")
    proxy.refuse()
    chat.write("Still there?")
    given_up = chat.page.get_by_text("Not sent: The server cannot be reached.").first

    def is_given_up() -> bool:
        chat.page.clock.fast_forward(4000)
        return given_up.is_visible()

    wait_until(is_given_up, within=15)
    proxy.listen()
    chat.page.clock.fast_forward(15_000)
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert len(stored(chat_stack, chat)) == 2


def test_a_message_whose_answer_is_lost_is_not_posted_twice(
    open_page: Callable[..., ChatPage], chat_stack: Stack, proxy: Proxy
) -> None:
    chat = open_page(url=proxy.url).start("Once")
    proxy.lose_answer_to("Say it once")
    chat.write("Say it once")
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    expect(chat.page.locator(".pending")).to_have_count(0)
    assert len(stored(chat_stack, chat)) == 2


def test_a_session_that_is_tried_again_is_not_opened_twice(
    open_page: Callable[..., ChatPage],
) -> None:
    chat = open_page()
    opened: set[str] = set()

    def lose(route: Route) -> None:
        opened.add(route.fetch().json()["id"])
        route.fulfill(status=400, body="{}")

    chat.page.route("**/sessions", lose, times=1)
    chat.page.get_by_label("Name", exact=True).first.fill("Only one")
    chat.button("Start").click()
    chat.button("Try again").click()
    expect(chat.page.get_by_role("heading", name="Only one")).to_be_visible()
    assert opened == {chat.session["id"]}


def test_what_could_not_be_sent_outlives_a_reload(chat: ChatPage, chat_stack: Stack) -> None:
    posts = "**/sessions/*/messages"
    chat.page.route(posts, lambda route: route.abort())
    chat.write("Do not forget me")
    expect(chat.page.get_by_text("Sending…")).to_be_visible()
    chat.page.unroute(posts)
    chat.page.reload()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert stored(chat_stack, chat)[0] == "Do not forget me"


def test_a_refused_message_says_why_and_can_be_sent_again(chat: ChatPage) -> None:
    error = {"code": "invalid_request", "message": "Not today.", "retry_after": None}

    def refuse(route: Route) -> None:
        route.fulfill(status=400, body=json.dumps({"error": error}))

    posts = "**/sessions/*/messages"
    chat.page.route(posts, refuse)
    chat.write("Hello")
    expect(chat.page.locator(".pending .note")).to_have_text("Not sent: Not today.")
    chat.page.unroute(posts)
    chat.button("Send again").click()
    expect(chat.replies.first).to_have_attribute("aria-busy", "false")
    assert chat.mine.count() == 1


def test_two_tabs_on_one_session_show_the_same(
    chat: ChatPage, open_page: Callable[..., ChatPage]
) -> None:
    other = open_page(beside=chat.page, url=chat.url)
    other.page.get_by_role("link", name="A talk").click()
    here = chat.send(f"From the first {SLOW}")
    there = other.replies.first
    expect(there.locator(".body")).not_to_be_empty()
    expect(here).to_have_attribute("aria-busy", "false")
    expect(there).to_have_attribute("aria-busy", "false")
    other.ask("From the second")
    expect(chat.replies).to_have_count(2)
    expect(chat.replies.nth(1)).to_have_attribute("aria-busy", "false")
    assert other.mine.all_inner_texts() == chat.mine.all_inner_texts()
    assert other.replies.all_inner_texts() == chat.replies.all_inner_texts()


def test_where_event_streams_do_not_get_through_the_page_polls(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    chat = open_page()
    chat.page.route("**/sessions/*/events*", lambda route: route.fulfill(status=404, body="{}"))
    chat.start("Polling")
    late: list[tuple[Route, APIResponse]] = []
    posts = "**/sessions/*/messages"
    chat.page.route(posts, lambda route: late.append((route, route.fetch())), times=1)
    reply = chat.send(f"Hello {SLOW}")
    expect(chat.page.locator("#messages > .user")).to_have_count(1)  # though no answer has come
    for route, answer in late:
        route.fulfill(response=answer)
    expect(reply.locator(".body")).not_to_be_empty()
    expect(reply).to_have_attribute("aria-busy", "false")
    assert is_whole(reply, stored(chat_stack, chat)[1])
    chat.button("Settings").click()
    chat.button("Clear messages").click()
    chat.button("Clear").click()
    expect(chat.replies).to_have_count(0)


def test_what_is_read_anew_keeps_older_messages_but_those_that_are_no_more(
    chat: ChatPage,
) -> None:
    seen = chat.page.evaluate(
        """async () => {
            const { Conversation } = await import("/static/chat/conversation.js");
            const messages = (...numbers) => numbers.map((number) => ({ id: `msg_${number}` }));
            const known = new Conversation({});
            const ids = () => [...known.ordered.map(({ id }) => id), known.hasOlder].join();
            known.replace({ seq: 9, messages: messages(5, 6), has_more: true });
            known.extend("msg_5", { data: messages(3, 4), has_more: false });
            known.replace({ seq: 20, messages: messages(6, 7), has_more: true });
            const seen = [ids()];
            known.follow({ seq: 30, messages: messages(9, 10) });
            seen.push(known.isBehind);
            known.replace({ seq: 30, messages: messages(9, 10), has_more: false });
            known.extend("msg_3", { data: messages(1, 2), has_more: true });
            seen.push(ids());
            known.apply({ type: "gap", requested: 30, earliest: 41 });
            known.apply({ type: "snapshot", seq: 50, messages: messages(10, 11), has_more: true });
            seen.push(ids());
            known.apply({ type: "gap", requested: 50, earliest: 1 });
            known.apply({ type: "snapshot", seq: 51, messages: messages(9, 10), has_more: true });
            return [...seen, ids()];
        }"""
    )
    assert seen == [
        "msg_3,msg_4,msg_5,msg_6,msg_7,false",
        True,
        "msg_9,msg_10,false",
        "msg_9,msg_10,msg_11,false",
        "msg_9,msg_10,true",
    ]
