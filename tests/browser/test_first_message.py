"""A new chat begins with its first message; the list of chats."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_page import ChatPage
from tests.harness.wait import wait_until

pytestmark = pytest.mark.browser

DAY = 86_400


def test_first_message_creates_the_session(
    open_page: Callable[..., ChatPage],
    take_screenshot: Callable[[Page, str], None],
) -> None:
    chat = open_page()
    page = chat.page
    expect(chat.field).to_be_focused()
    created: list[str] = []
    page.on("request", lambda request: created.append(request.url))
    page.get_by_role("button", name="Explain how a rainbow forms").click()
    expect(chat.field).to_have_value("Explain how a rainbow forms")
    page.locator("#new-model").select_option("other")
    page.get_by_text("Instructions").first.click()
    page.locator("#new-prompt").fill("Answer like a physicist.")
    take_screenshot(page, "chat-instructions")
    sessions = f"{chat.url}/sessions"
    assert created.count(sessions) == 0
    question = "Why is the sky blue?\nAnd the sunset red, at least on most days of the year?"
    chat.send_and_wait(question)
    assert created.count(sessions) == 1
    expect(page.get_by_role("heading", name="Why is the sky blue?")).to_be_visible()
    expect(page.locator("#model")).to_have_text("other")
    stored = chat.call("GET")
    assert stored["system_prompt"] == "Answer like a physicist."
    assert stored["expires_at"] - stored["last_active_at"] == pytest.approx(30 * DAY, abs=5)
    # The next chat starts from the default model and without instructions.
    chat.new_chat()
    expect(page.locator("#new-prompt")).to_have_value("")


def test_list_is_searched_grouped_and_changed_by_keyboard(chat: ChatPage) -> None:
    page = chat.page
    chat.start("Second chat")
    page.evaluate(
        """day => {
          const list = JSON.parse(localStorage["parley.sessions"]);
          list[1].at -= day; // First chat
          const old = { id: "ses_0", token: "ses_0.x", name: "Ancient", at: 1, expires_at: 2 };
          const busy = { ...list[1], id: "ses_1", name: "Elsewhere", isBusy: true };
          localStorage["parley.sessions"] = JSON.stringify([...list, old, busy]);
        }""",
        DAY,
    )
    page.reload()
    expect(page.locator("#sessions h2")).to_have_text(["Today", "Yesterday", "Older"])
    expect(page.locator("#sessions li", has_text="Ancient")).to_contain_text("Expired")
    expect(page.get_by_role("img", name="A reply is being written")).to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Search chats")).to_be_focused()
    page.keyboard.type("first")
    expect(page.locator("#sessions li")).to_have_count(1)
    page.get_by_label("Search chats").fill("")
    chat.act_on("First chat", "Rename")
    page.get_by_label("Name", exact=True).last.fill("Renamed")
    page.locator("#prompt-submit").click()
    expect(page.get_by_role("link", name="Renamed")).to_be_visible()
    chat.field.fill("?")
    page.locator("#log").press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+O")
    expect(page.get_by_role("heading", name="How can I help?")).to_be_visible()


@pytest.mark.parametrize("key", ["Control+p", "Meta+p"])
def test_key_prints_all_messages(chat: ChatPage, key: str) -> None:
    chat.call("POST", "/messages", json={"content": "First. " * 1000})
    for number in range(60):
        chat.call("POST", "/messages", json={"content": f"Question {number} [[tokens=1]]"})
    wait_until(lambda: chat.call("GET", "?limit=1")["status"] == "idle", within=60)
    chat.page.reload()
    expect(chat.user_messages.last).to_contain_text("Question 59")
    note = chat.page.get_by_text("Earlier messages are not printed.")
    expect(note).to_be_hidden()
    chat.page.emulate_media(media="print")
    expect(note).to_be_visible()
    texts = "[...document.querySelectorAll('.user .body')].map(each => each.innerText).join()"
    chat.page.evaluate(f"window.print = () => {{ window.printed = {texts}; }}")
    chat.page.keyboard.press(key)
    chat.page.wait_for_function("window.printed")
    printed = chat.page.evaluate("window.printed")
    assert (printed.count("Question "), printed.count("First.")) == (60, 1000)


def test_chat_is_exported_and_printed_completely(chat: ChatPage) -> None:
    page = chat.page
    for number in range(2):
        chat.send_and_wait(f"Fill the page {number} [[tokens=300]]")
    page.locator("#more summary").click()
    with page.expect_download() as download:
        chat.button("Export as Markdown").last.click()
    assert download.value.suggested_filename == "First chat.md"
    text = download.value.path().read_text()
    assert text.startswith("# First chat\n\n## You\n\nFill the page 0")
    with page.expect_download() as download:
        chat.act_on("First chat", "Export as JSON")
    assert '"role": "assistant"' in download.value.path().read_text()
    page.emulate_media(media="print")
    height = "document.documentElement.scrollHeight"
    assert page.evaluate(height) > 1.5 * page.viewport_size["height"]  # type: ignore[index]
    expect(chat.field).to_be_hidden()
    page.emulate_media(media="screen", forced_colors="active")
    border = "getComputedStyle(document.querySelector('.user .body')).borderTopWidth"
    assert page.evaluate(border) == "1px"
