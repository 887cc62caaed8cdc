"""The page behind proxies that answer for Parley, and with a server that lost its latest data."""

from collections.abc import Callable, Iterator

import pytest
import redis
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage
from tests.harness.answering_proxy import AnsweringProxy, response
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

pytestmark = pytest.mark.browser

SIGN_IN = "<h1>Sign in</h1>"
LARGE = 1_000_000  # characters


@pytest.fixture
def proxy(chat_stack: Stack) -> Iterator[AnsweringProxy]:
    with AnsweringProxy(chat_stack.web().url) as proxy:
        yield proxy


@pytest.mark.case("C40")
def test_page_works_behind_a_proxy_that_asks_for_a_password(
    open_page: Callable[..., ChatPage], proxy: AnsweringProxy
) -> None:
    proxy.needs_password = True
    credentials = {"username": "ada", "password": "secret"}
    chat = open_page(url=proxy.url, http_credentials=credentials)
    chat.send_and_wait("Hello")
    chat.page.reload()
    expect(chat.replies).to_have_attribute("data-status", "completed")


@pytest.mark.case("C41")
@pytest.mark.case("C45")
@pytest.mark.case("C47")
def test_answers_of_a_proxy_never_end_a_session(
    open_page: Callable[..., ChatPage], proxy: AnsweringProxy
) -> None:
    chat = open_page(url=proxy.url)
    page = chat.page
    bar = page.locator("#connection")
    proxy.answers["/sessions$"] = response("200 OK", "{}", "application/json")
    chat.submit("Hello")
    wait_until(lambda: len(proxy.answered) >= 2, within=30)  # it tries again, and opens nothing
    assert page.evaluate("Object.keys(localStorage).filter(key => key.endsWith('sessions'))") == []
    proxy.answers.clear()
    expect(chat.replies).to_have_attribute("data-status", "completed")

    proxy.answers["/sessions/"] = response("403 Forbidden", SIGN_IN)
    page.reload()
    expect(bar).to_contain_text("did not reach Parley: acme answered with status 403")
    chat.submit("Sent later")
    chat.act_on("Hello", "Delete")
    chat.button("Delete now").click()
    wait_until(lambda: sum("/messages" not in path for path in proxy.answered) >= 2, within=30)
    deleted = page.evaluate("JSON.parse(localStorage['parley.deleted']).length")
    assert deleted == 1  # it is still to be deleted on the server

    proxy.answers.clear()
    chat.start("Second")
    redirect = response("302 Found", Location="https://sign-in.invalid/")
    proxy.answers["/sessions/"] = redirect
    proxy.disconnect()
    expect(bar).to_contain_text("You need to sign in again.")
    proxy.answers.clear()
    chat.button("Reload").click()
    chat.send_and_wait("Signed in")
    expect(bar).to_be_hidden()


@pytest.mark.case("C42")
def test_event_streams_that_a_proxy_answers_are_replaced_by_polls(
    open_page: Callable[..., ChatPage], proxy: AnsweringProxy
) -> None:
    chat = open_page(url=proxy.url)
    for answer in (response("200 OK", SIGN_IN), response("200 OK", "", "text/event-stream")):
        proxy.answers["/sessions/[^/]+/events"] = answer
        proxy.answered.clear()
        chat.new_chat()
        chat.send_and_wait("Hello [[tokens=20 rate=40]]")
        assert len(proxy.answered) <= 3
    proxy.answers["/sessions/"] = response("200 OK", SIGN_IN)
    chat.page.reload()
    connection = chat.page.locator("#connection")
    expect(connection).to_contain_text("acme answered with status 200")
    chat.page.wait_for_timeout(1000)
    assert len(proxy.answered) < 12  # it waits longer and longer


@pytest.mark.case("C43")
def test_page_works_without_apis_of_new_browsers(open_page: Callable[..., ChatPage]) -> None:
    chat = open_page(viewport={"width": 390, "height": 844})
    chat.page.add_init_script(
        """delete AbortSignal.any; delete AbortSignal.timeout;
           for (const name of ["togglePopover", "showPopover"]) delete HTMLElement.prototype[name];
           delete Element.prototype.checkVisibility; delete globalThis.visualViewport;
           const supports = CSS.supports.bind(CSS);
           CSS.supports = (...tested) => tested[0] !== "field-sizing" && supports(...tested);"""
    )
    chat.page.reload()
    urls: list[str] = []
    chat.page.on("request", lambda request: urls.append(request.url))
    chat.send_and_wait("Hello")
    assert urls.count(f"{chat.url}/sessions") == 1
    chat.button("Open menu").click()
    chat.button("New chat").click()
    expect(chat.page.get_by_role("heading", name="How can I help?")).to_be_visible()
    chat.page.add_init_script("delete Array.prototype.findLastIndex")
    chat.page.reload()
    expect(chat.page.get_by_role("alert")).to_contain_text("Your browser is too old")


@pytest.mark.case("C44")
def test_message_that_the_server_lost_can_be_sent_again(chat: ChatPage, chat_stack: Stack) -> None:
    chat.send_and_wait("Kept")
    session = chat.session["id"]
    with redis.Redis.from_url(chat_stack.redis.url) as server:
        keys = [key for key in server.keys("*") if session.encode() in key]
        backup = {key: (server.dump(key), server.pttl(key)) for key in keys}
        chat.send_and_wait("Lost")
        # As a restore of Redis does.
        for key in server.keys("*"):
            if session.encode() in key:
                server.delete(key)
        for key, (value, ttl) in backup.items():
            server.restore(key, max(ttl, 0), value)
    chat.page.evaluate("dispatchEvent(new Event('online'))")  # the page connects again
    lost = chat.page.locator(".rejected")
    expect(lost).to_contain_text("Not sent: The server has lost this message.")
    chat.button("Send again").click()
    expect(lost).to_have_count(0)
    expect(chat.replies).to_have_count(2)
    expect(chat.user_texts).to_have_text(["Kept", "Lost"])


@pytest.mark.case("C46")
def test_long_pastes_and_dropped_files_are_attached(open_page: Callable[..., ChatPage]) -> None:
    chat = open_page()
    page = chat.page
    chat.field.focus()
    took = page.evaluate(
        """async size => {
          const transfer = new DataTransfer();
          transfer.setData("text/plain", "word ".repeat(size / 5));
          const start = performance.now();
          const options = { clipboardData: transfer, bubbles: true, cancelable: true };
          document.getElementById("text").dispatchEvent(new ClipboardEvent("paste", options));
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          return performance.now() - start;
        }""",
        LARGE,
    )
    attached = page.locator("#attachments li")
    expect(attached).to_contain_text("pasted text, 1,000,000 characters")
    assert took < 3000  # 0.2 s on an idle machine; it took 6 to 10 s
    expect(page.locator("#counter")).to_have_text("1,000,000 of 32,768 characters")
    expect(chat.button("Send")).to_be_disabled()
    attached.get_by_role("button").click()
    drop = """files => {
      const transfer = new DataTransfer();
      for (const [name, bytes] of files) {
        transfer.items.add(new File([new Uint8Array(bytes)], name));
      }
      const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
      return !document.getElementById("log").dispatchEvent(new DragEvent("drop", options));
    }"""
    assert page.evaluate(drop, [["photo.png", [137, 80, 0, 255]]])
    expect(chat.error_bar).to_contain_text("photo.png is not an image, a PDF or a text file.")
    assert page.evaluate(drop, [["notes.txt", [*b"Buy milk. " * 800]]])
    expect(attached).to_contain_text("notes.txt, 8,000 characters")
    page.reload()  # the draft keeps it
    chat.field.fill("Summarise this.")
    chat.field.press("Enter")
    expect(chat.replies).to_have_attribute("aria-busy", "false")
    message = chat.user_texts
    expect(message).to_contain_text("Summarise this.\n\nnotes.txt:\n\nBuy milk.")
    expect(message).not_to_contain_text("Buy milk. " * 300)
    chat.button("Show all 8,029 characters").click()
    expect(message).to_contain_text("Buy milk. " * 300)
    assert len(chat.stored_messages()[0]["content"]) > 8000
