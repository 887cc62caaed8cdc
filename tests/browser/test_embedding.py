"""The chat in a page of another site, which has a strict policy: as an element and in an iframe.

The pages are made of the examples in docs/embedding.md.
"""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page, expect

from project.runner.process import ROOT
from tests.browser.axe import violations
from tests.browser.conftest import ISSUER
from tests.harness.issuer import sign
from tests.harness.keys import create_key
from tests.harness.stack import Stack
from tests.harness.tiers import thorough
from tests.harness.wait import wait_until
from tests.integration.examples.pages import blocks

pytestmark = pytest.mark.browser

DOCS = (ROOT / "docs/embedding.md").read_text()
DOCS_URL = "https://chat.example.org"


class HostSite:
    """A site with a strict policy, whose page a test writes."""

    def __init__(self, origin: str, parley: str) -> None:
        self.origin = origin
        self.parley = parley
        self.files: dict[str, tuple[str, str]] = {}
        self.policy = f"default-src 'none'; style-src {origin}; frame-src {parley}; "
        self.policy += re.sub(
            r"(script-src|connect-src)", rf"\1 {origin}", self.example("text", "script-src")
        )
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, text = site.files.get(self.path, ("text/plain", ""))
                self.send_response(200 if text else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Security-Policy", site.policy)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        port = int(urlsplit(origin).port or 0)
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def example(self, language: str, text: str) -> str:
        """Return the block of the docs that contains a text, for the Parley of the tests."""
        blocks = re.findall(rf"^```{language}\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
        [block] = [block for block in blocks if text in block]
        return " ".join(block.split()).replace(DOCS_URL, self.parley)

    def element(self, attributes: str = "") -> str:
        return self.example("html", "embed/parley-chat.js").replace('name="Support"', attributes)

    def write(self, body: str, *, script: str = "export {};", style: str = "main {}") -> str:
        """Write the page and return its URL."""
        head = '<link rel="stylesheet" href="/style.css">'
        head += '<script type="module" src="/script.js"></script>'
        page = f"<!doctype html><html lang=en><head><title>Shop</title>{head}</head>"
        page += f"<body><main><h1>Shop</h1>{body}</main></body></html>"
        self.files["/"] = ("text/html", page)
        self.files["/script.js"] = ("text/javascript", script)
        self.files["/style.css"] = ("text/css", style)
        return f"{self.origin}/"


@pytest.fixture
def host(host_origin: str, chat_stack: Stack) -> Iterator[HostSite]:
    site = HostSite(host_origin, chat_stack.web().url)
    yield site
    site.server.shutdown()
    site.server.server_close()


def send(chat: Page | FrameLocator, text: str) -> Locator:
    """Send a message and return the last reply."""
    field = chat.get_by_label("Message", exact=True)
    field.fill(text)
    field.press("Enter")
    return chat.locator("li.reply").last


def expect_ended(reply: Locator, text: str = "") -> None:
    expect(reply).to_have_attribute("aria-busy", "false")
    expect(reply.locator(".body")).to_contain_text(text)


def open_chat(stack: Stack, user: str) -> str:
    """Open a session as the docs show, with a new API key; return the session's token."""
    [code] = re.findall(r"^```python\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code.replace(DOCS_URL, stack.web().url), "docs/embedding.md", "exec"), names)  # noqa: S102
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLEY_API_KEY", create_key(stack.env))
        return str(names["open_chat"](user))


def test_element_chats_in_a_page_with_a_strict_policy(
    tab: Page, host: HostSite, take_screenshot: Callable[[Page, str], None]
) -> None:
    style = host.example("css", "--parley-accent")
    tab.goto(host.write(host.element('name="Support"'), style=style))
    launcher = tab.get_by_role("button", name="Open chat")
    expect(launcher).to_have_css("background-color", "rgb(10, 120, 60)")
    launcher.click()
    expect(tab.get_by_role("dialog", name="Support")).to_be_visible()
    expect(tab.locator("[part=header]")).to_have_css("background-color", "rgb(10, 120, 60)")
    expect(tab.locator("[part=close]")).to_have_css("color", "rgb(255, 255, 255)")
    reply = send(tab, "Show me some Python code [[rate=30]]")
    expect(tab.locator("li.reply[aria-busy=true] .body")).to_contain_text("Here is")
    expect_ended(reply)
    expect(reply.locator("pre .hljs-keyword").first).to_be_visible()
    take_screenshot(tab, "embed-themed")
    text = reply.locator(".body").inner_text()
    tab.reload()
    tab.get_by_role("button", name="Open chat").click()
    expect(tab.locator("li.reply .body")).to_have_text(text, use_inner_text=True)


def test_element_continues_the_session_that_the_backend_opened(
    tab: Page, host: HostSite, chat_stack: Stack, take_screenshot: Callable[[Page, str], None]
) -> None:
    session_token = open_chat(chat_stack, "alice@example.org")
    script = """
      const events = [];
      const chat = document.querySelector("parley-chat");
      for (const name of ["session", "message", "reply"]) {
        chat.addEventListener(`parley-${name}`, () => events.push(name));
      }
      Object.assign(window, { chat, events });
    """
    attributes = 'mode="inline" theme="dark" requires-token name="Support"'
    tab.goto(host.write(host.element(attributes), script=script))
    expect(tab.get_by_label("Message", exact=True)).to_be_disabled()
    tab.evaluate("token => { chat.token = token; }", session_token)
    expect_ended(send(tab, "Tell me about engines."), "engines")
    assert tab.evaluate("events") == ["session", "message", "reply"]
    fields = tab.evaluate("chat.session.refresh()")
    assert fields["name"] == "alice@example.org"
    assert tab.evaluate("localStorage.length") == 0
    tab.get_by_role("button", name="Good reply").click()
    expect(tab.get_by_role("button", name="Good reply")).to_have_attribute("aria-pressed", "true")
    take_screenshot(tab, "embed-inline-dark")


def test_element_takes_the_token_of_the_page_and_reports_replies(
    tab: Page, host: HostSite, chat_stack: Stack
) -> None:
    script = """
      document.querySelector("parley-chat").addEventListener("parley-reply", () => {
        document.title = "Replied";
      });
    """
    loader = host.element().partition("<parley-chat")[0]
    element = host.example("html", 'token="ses_').replace(
        "ses_5f0c....RkM3", open_chat(chat_stack, "dora@example.org")
    )
    tab.goto(
        host.write(loader + element.replace(" token", f' url="{host.parley}" token'), script=script)
    )
    tab.get_by_role("button", name="Open chat").click()
    expect_ended(send(tab, "What did I say before?"), "the first message")
    expect(tab).to_have_title("Replied")


def test_element_opens_a_session_with_a_jwt_and_keeps_it_for_the_user(
    tab: Page, host: HostSite, chat_stack: Stack
) -> None:
    def visit(user: str) -> None:
        tab.goto("about:blank")
        tab.goto(host.write(host.element(f'open token="{sign(ISSUER, user)}"')))

    visit("alice")
    expect_ended(send(tab, "Tell me about engines."), "engines")
    session = tab.evaluate("document.querySelector('parley-chat').session.id")
    response = requests.get(
        f"{chat_stack.web().url}/sessions/{session}",
        headers={"Authorization": f"Bearer {sign(ISSUER, 'alice')}"},
        timeout=30,
    )
    assert response.status_code == 200
    visit("bob")
    expect(tab.get_by_text("How can I help?")).to_be_visible()
    visit("alice")
    expect(tab.locator("li.reply")).to_have_count(1)


def test_readme_shows_the_element_of_the_docs() -> None:
    [readme] = [each.code for each in blocks("README.md") if each.language == "html"]
    shown = [each.code for each in blocks("docs/embedding.md") if each.language == "html"]
    assert readme.replace("http://127.0.0.1:8000", DOCS_URL) == shown[0]


def test_missing_origin_is_explained_in_the_console(
    new_context: Callable[..., BrowserContext], host: HostSite
) -> None:
    tab = new_context().new_page()
    logged: list[str] = []
    tab.on("console", lambda each: logged.append(each.text))
    token = requests.post(f"{host.parley}/sessions", timeout=30).json()["token"]
    url = host.write(host.element(f'mode="inline" token="{token}"'))
    tab.goto(url.replace("host.localhost", "shop.localhost"))
    expect(tab.get_by_role("status").filter(has_text="Connection lost.")).to_be_visible()
    [warning] = [each for each in logged if "CORS_ORIGINS" in each]
    assert f"add {host.origin.replace('host.', 'shop.')} to" in warning


def test_element_asks_the_page_for_a_token(tab: Page, host: HostSite, chat_stack: Stack) -> None:
    token = sign(ISSUER, "carol")
    host.files["/chat-token"] = ("text/plain", token)
    script = host.example("js", "getToken")
    tab.goto(host.write(host.element("open"), script=script))
    expect_ended(send(tab, "Tell me about engines."), "engines")
    session = tab.evaluate("document.querySelector('parley-chat').session.id")
    response = requests.get(
        f"{chat_stack.web().url}/sessions/{session}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert response.status_code == 200


def test_element_shows_images_of_messages(tab: Page, host: HostSite, chat_stack: Stack) -> None:
    session = requests.post(f"{chat_stack.web().url}/sessions", json={}, timeout=30).json()
    url = f"{chat_stack.web().url}/sessions/{session['id']}"
    headers = {"Authorization": f"Bearer {session['token']}"}
    picture = (ROOT / "docs/images/chat-phone.png").read_bytes()
    file = requests.post(
        f"{url}/files?filename=cat.png", picture, headers=headers, timeout=30
    ).json()
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image", "file_id": file["id"]}]
    requests.post(f"{url}/messages", json={"parts": parts}, headers=headers, timeout=30)
    tab.goto(host.write(host.element(f'open token="{session["token"]}"')))
    image = tab.get_by_role("img", name="cat.png")
    assert image.evaluate("async image => (await image.decode(), image.naturalWidth > 100)")
    expect(tab.locator("li.user .body")).to_have_text("What is this?")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="cat.png").click()
    assert download.value.suggested_filename == "cat.png"


@pytest.mark.security("S61")
def test_element_refuses_api_keys(
    new_context: Callable[..., BrowserContext], host: HostSite
) -> None:
    page = new_context().new_page()
    page.goto(host.write(host.element('open token="pk_0123_secret"')))
    expect(page.get_by_label("Message", exact=True)).to_be_disabled()


def test_element_shows_text_if_the_policy_forbids_the_sanitizer(
    new_context: Callable[..., BrowserContext], host: HostSite
) -> None:
    host.policy = host.policy.replace("dompurify", "other")
    page = new_context().new_page()
    page.goto(host.write(host.element("open")))
    reply = send(page, "Show me some Python code")
    expect_ended(reply, "```python")
    expect(reply.locator(".plain")).to_be_visible()


def test_element_offers_a_new_chat_when_the_session_has_ended(
    new_context: Callable[..., BrowserContext],
    host: HostSite,
    take_screenshot: Callable[[Page, str], None],
) -> None:
    page = new_context(viewport={"width": 900, "height": 680}).new_page()
    page.goto(host.write(host.element('open name="Support"')))
    reply = send(page, "Show me some Python code")
    expect_ended(reply)
    expect(reply.locator("pre .hljs-keyword").first).to_be_visible()
    take_screenshot(page, "embed-bubble")
    page.evaluate("() => document.querySelector('parley-chat').session.delete()")
    expect(page.get_by_role("status").first).to_contain_text("This chat has ended.")
    page.get_by_role("button", name="Start a new chat").click()
    expect(page.locator("li.reply")).to_have_count(0)
    expect_ended(send(page, "Tell me about rivers."), "rivers")


def test_frame_chats_in_a_page_with_a_strict_policy(
    tab: Page, host: HostSite, chat_stack: Stack, take_screenshot: Callable[[Page, str], None]
) -> None:
    session = requests.post(f"{chat_stack.web().url}/sessions", json={}, timeout=30).json()
    host.files["/chat-token"] = ("text/plain", session["token"])
    script = host.example("js", "parley.configure")
    script += (
        "window.events = []; addEventListener('message', ({ data }) => events.push(data.type));"
    )
    html = re.sub(r'src="[^"]*"', "", host.example("html", "<iframe"))
    tab.goto(host.write(html, script=script))
    frame = tab.frame_locator("iframe")
    reply = send(frame, "Tell me about engines. [[rate=30 tokens=60]]")
    expect(frame.locator("li.reply[aria-busy=true] .body")).to_contain_text("You wrote")
    expect_ended(reply, "engines")
    expect(frame.locator("[part=send]")).to_have_css("background-color", "rgb(10, 120, 60)")
    expected = [f"parley.{name}" for name in ("ready", "session", "message", "reply")]
    assert tab.evaluate("events") == expected
    take_screenshot(tab, "embed-frame")
    tab.reload()
    expect(frame.locator("li.reply")).to_have_count(1)


@pytest.mark.security("S61")
def test_frame_hides_its_token_and_ignores_messages_of_other_pages(
    tab: Page, chat_stack: Stack
) -> None:
    url = chat_stack.web().url
    token = requests.post(f"{url}/sessions", json={}, timeout=30).json()["token"]
    tab.goto(f"{url}/embed#token={token}&theme=dark&name=Support")
    expect_ended(send(tab, "Tell me about engines."), "engines")
    assert tab.url == f"{url}/embed"
    configure = "postMessage({ type: 'parley.configure', name: 'Other' }, '*')"
    tab.evaluate(f"() => new Promise(done => {{ addEventListener('message', done); {configure} }})")
    expect(tab.get_by_role("heading", name="Support")).to_be_visible()


@pytest.mark.security("S61")
def test_frame_is_refused_to_other_sites(
    new_context: Callable[..., BrowserContext], host: HostSite
) -> None:
    page = new_context().new_page()
    host.write(host.example("html", "<iframe"))
    page.goto(host.origin.replace("host.", "other."))
    expect(page.locator("iframe")).to_be_visible()
    wait_until(lambda: page.frames[1].url.startswith("chrome-error:"))


@pytest.mark.parametrize("theme", ["dark", *thorough("light")])
def test_element_is_accessible(
    new_context: Callable[..., BrowserContext], host: HostSite, theme: str
) -> None:
    page = new_context(bypass_csp=True).new_page()
    page.goto(host.write(host.element(f'mode="inline" theme="{theme}"')))
    expect_ended(send(page, "Show me some Python code"))
    assert violations(page) == []
