"""Layout, accessibility, size and speed of the chat page."""

import gzip
import re
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.acceptance.client import Client
from tests.acceptance.history import History
from tests.browser.axe import violations
from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
TABLET = {"width": 820, "height": 1180}
DESK = {"width": 1200, "height": 800}
# Size of all resources of the page before formulas, compressed with gzip.
MAX_BYTES = 100_000
REPLY = """Here is a small function that does it:

```python
def primes(limit: int) -> list[int]:
    \"\"\"Return the primes below `limit`.\"\"\"
    sieve = [True] * limit
    return [n for n in range(2, limit) if sieve[n] and not any(n % p == 0 for p in range(2, n))]
```

- It is **short**, not fast.
- The [sieve of Eratosthenes](https://en.wikipedia.org/wiki/Sieve) is faster.

| limit | primes |
|------:|-------:|
| 10 | 4 |
| 100 | 25 |
"""

MORE = "There are 25 of them: 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, and so on."


def script_reply(stack: Stack, match: str, reply: str, **fields: object) -> None:
    steps = [{"match": match, "reply": reply, "times": 0, **fields}]
    requests.post(f"{stack.model.url}/__script__", json={"steps": steps}, timeout=30)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            "light", {"viewport": DESK, "color_scheme": "light"}, marks=pytest.mark.thorough
        ),
        pytest.param(
            "dark", {"viewport": DESK, "color_scheme": "dark"}, marks=pytest.mark.thorough
        ),
        pytest.param(
            "tablet", {"viewport": TABLET, "color_scheme": "light"}, marks=pytest.mark.thorough
        ),
        ("phone", {"viewport": PHONE, "color_scheme": "light", "has_touch": True}),
    ],
)
def test_page_is_accessible_and_does_not_overflow(
    name: str,
    options: dict[str, object],
    open_page: Callable[..., ChatPage],
    chat_stack: Stack,
    take_screenshot: Callable[[Page, str], None],
) -> None:
    script_reply(chat_stack, "primes below", REPLY)
    script_reply(chat_stack, "below one hundred", MORE, rate=20)
    chat = open_page(bypass_csp=True, **options)
    assert violations(chat.page) == []
    take_screenshot(chat.page, f"chat-{name}-new")
    chat.start("Primes", system_prompt="Answer briefly.")
    chat.send_and_wait("How do I list the primes below a limit in Python?")
    more = chat.send("Thank you! And which are below one hundred?")
    expect(more).to_contain_text("2, 3, 5, 7")
    take_screenshot(chat.page, f"chat-{name}")
    expect(more).to_have_attribute("data-status", "completed")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert chat.page.evaluate(overflow) == 0
    chat.button("Chat settings").click()
    take_screenshot(chat.page, f"chat-{name}-settings")
    assert violations(chat.page) == []
    chat.button("Cancel").click()
    chat.page.route("**/messages", lambda route: route.fulfill(status=400, body="{}"))
    chat.submit("Rejected")
    expect(chat.page.locator(".rejected")).to_be_visible()
    assert violations(chat.page) == []


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_other_states_are_accessible(scheme: str, open_page: Callable[..., ChatPage]) -> None:
    chat = open_page(bypass_csp=True, color_scheme=scheme).start("Ends")
    reply = chat.send_and_wait("Hello [[reasoning]]")
    reply.get_by_text("Reasoning", exact=True).click()
    assert violations(chat.page) == []
    chat.page.context.set_offline(True)
    expect(chat.page.locator("#connection")).to_be_visible()
    assert violations(chat.page) == []
    chat.page.context.set_offline(False)
    chat.page.locator("#log").press("?")
    expect(chat.page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    assert violations(chat.page) == []
    chat.page.keyboard.press("Escape")
    chat.call("DELETE")
    expect(chat.button("Start a new chat")).to_be_visible()
    assert violations(chat.page) == []
    chat.page.goto(f"{chat.url}/embed")
    expect(chat.page.get_by_label("Message", exact=True)).to_be_visible()
    assert violations(chat.page) == []


@pytest.mark.thorough
def test_tab_key_reaches_all_controls_in_order(chat: ChatPage) -> None:
    chat.send_and_wait("Hello")
    focused = (
        "(({ id, ariaLabel, innerText }) => id || ariaLabel || innerText)(document.activeElement)"
    )
    chat.page.locator("#new").focus()
    found: list[str] = []
    while "text" not in found:
        chat.page.keyboard.press("Tab")
        found.append(chat.page.evaluate(focused))
    expected = [
        "search",
        "First chat",
        "API",
        "Admin",
        "edit",
        "log",
        "Copy reply",
        "Regenerate",
        "text",
    ]
    assert [each for each in found if each in expected] == expected


def test_finished_reply_is_announced_as_a_whole(chat: ChatPage) -> None:
    reply = chat.send_and_wait("Hello")
    announcer = chat.page.locator("#announcer")
    expect(announcer).to_have_text(re.compile("^Reply: "))
    assert reply.locator(".body").inner_text().split()[-1] in announcer.inner_text()


OBSERVE_SHIFTS = """
    window.shifts = [];
    new PerformanceObserver((list) => list.getEntries().forEach(({ value }) => shifts.push(value)))
        .observe({ type: "layout-shift" });
"""
TOTAL_SHIFT = """() => new Promise((resolve) => {
    const sum = () => resolve(shifts.reduce((one, other) => one + other, 0));
    // Shifts are reported after the frame that contains them.
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(sum, 50)));
})"""
# Cumulative layout shift while a reply grows. A jump by a third of the page is 0.05.
MAX_SHIFT = 0.02


@pytest.mark.thorough
def test_layout_does_not_shift_while_a_reply_grows(chat: ChatPage, chat_stack: Stack) -> None:
    script_reply(chat_stack, "in many parts", f"{REPLY}\n" * 4, rate=250)
    for _ in range(3):
        chat.send_and_wait("Fill the page [[tokens=60]]")
    reply = chat.send("Tell it in many parts")
    expect(reply.locator(".body")).not_to_be_empty()
    chat.page.evaluate(OBSERVE_SHIFTS)
    assert reply.get_attribute("aria-busy") == "true"
    expect(reply).to_have_attribute("aria-busy", "false")
    shift = chat.page.evaluate(TOTAL_SHIFT)
    assert shift < MAX_SHIFT
    at_end = "log.scrollHeight - log.scrollTop - log.clientHeight < 2"
    assert chat.page.evaluate(f"(log = document.getElementById('log'), {at_end})")


@pytest.mark.thorough
def test_scroll_position_is_kept_while_a_reply_grows(chat: ChatPage) -> None:
    for _ in range(3):
        chat.send_and_wait("Fill the page [[tokens=80]]")
    reply = chat.send("And on [[rate=100 tokens=100]]")
    expect(reply.locator(".body")).not_to_be_empty()
    log = chat.page.locator("#log")
    log.evaluate("log => { log.scrollTop = 120; }")
    expect(chat.page.locator("#newest")).to_be_visible()
    expect(reply).to_have_attribute("aria-busy", "false")
    assert log.evaluate("log => log.scrollTop") == 120
    chat.page.locator("#newest").click()
    expect(reply.locator("footer")).to_be_in_viewport()


@pytest.mark.thorough
def test_history_of_500_messages_opens_within_a_second(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    client = Client(chat_stack.web().url, History()).open(name="Long")
    for number in range(250):
        client.post(f"Question {number} [[tokens=30]]")
    path = f"/sessions/{client.session_id}?limit=1"
    wait_until(lambda: client.call("GET", path).body["status"] == "idle", within=60)
    chat = open_page()
    entry = f"{{id: '{client.session_id}', token: '{client.token}', name: 'Long'}}"
    chat.page.evaluate(f"localStorage['parley.sessions'] = JSON.stringify([{entry}])")
    chat.page.goto(f"{chat.url}/#{client.session_id}")
    wait_until(lambda: time_to_open(chat) < 1000, within=30)  # repeat if other load delayed it
    expect(chat.user_messages.last).to_contain_text("Question 249")
    older = chat.page.locator("#older")

    def all_are_loaded() -> bool:
        older.dispatch_event("click")  # a real click would scroll, and require it to be visible
        return chat.user_messages.count() == 250

    wait_until(all_are_loaded, within=30)
    expect(older).to_be_hidden()
    assert chat.replies.count() == 250
    expect(chat.user_messages.first).to_contain_text("Question 0")


def time_to_open(chat: ChatPage) -> float:
    """Reload; return the milliseconds until the newest messages are shown."""
    chat.page.add_init_script(
        """const check = () => document.querySelector("#messages [data-action=copy]")
            ? (window.opened = performance.now()) : requestAnimationFrame(check);
        check();"""
    )
    chat.page.reload()
    expect(chat.button("Copy reply").first).to_be_visible()
    milliseconds: float = chat.page.evaluate("window.opened")
    return milliseconds


@pytest.mark.thorough
def test_reply_of_100_000_characters_is_shown_completely(chat: ChatPage, chat_stack: Stack) -> None:
    block = (
        "A paragraph with **strong** words and `code`, as models write them.\n\n- one\n- two\n\n"
    )
    script_reply(chat_stack, "at great length", block * (100_000 // len(block) + 1) + "The end.")
    reply = chat.send_and_wait("Tell it at great length")
    expect(reply.locator(".body > p").last).to_have_text("The end.")
    assert len(reply.locator(".body").inner_text()) > 80_000


@pytest.mark.thorough
def test_page_with_code_is_small(chat: ChatPage, chat_stack: Stack) -> None:
    plain = size(chat)
    code = "".join(f"```{name}\n1\n```\n\n" for name in ("python", "html", "bash", "json", "sql"))
    script_reply(chat_stack, "in five languages", code)
    reply = chat.send_and_wait("Write it in five languages")
    expect(reply.locator(".hljs-number")).to_have_count(3)  # Python, JSON and SQL
    print(f"{plain} bytes, {size(chat)} with code")  # noqa: T201
    assert size(chat) < MAX_BYTES


def size(chat: ChatPage) -> int:
    """Return the bytes of all files of the page, compressed with gzip, once it has the renderer."""
    resources = "performance.getEntriesByType('resource').map(each => each.name)"
    chat.page.wait_for_function(f"{resources}.some(url => url.endsWith('/marked.js'))")
    files = {url for url in chat.page.evaluate(resources) if "/static/" in url}
    urls = {f"{chat.url}/", f"{chat.url}/static/chat/icon.svg", *files}
    return sum(len(gzip.compress(requests.get(url, timeout=30).content)) for url in urls)


@pytest.mark.thorough
def test_page_is_painted_within_a_second(open_page: Callable[..., ChatPage]) -> None:
    chat = open_page()
    wait_until(lambda: time_to_paint(chat) < 1000, within=30)  # repeat as above


def time_to_paint(chat: ChatPage) -> float:
    """Reload; return the milliseconds until the first paint."""
    chat.page.reload()
    expect(chat.field).to_be_focused()
    paints = "performance.getEntriesByName('first-contentful-paint')"
    chat.page.wait_for_function(f"{paints}.length > 0")
    milliseconds: float = chat.page.evaluate(f"{paints}[0].startTime")
    return milliseconds


def test_page_uses_the_event_stream(chat: ChatPage) -> None:
    urls: list[str] = []
    chat.page.on("request", lambda request: urls.append(request.url))
    chat.page.reload()
    chat.send_and_wait("Hello")
    assert any("/events?after=" in url for url in urls)
    assert not any("wait=" in url for url in urls)
