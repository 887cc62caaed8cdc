"""Page object of the chat page."""

from typing import Any, Self

import requests
from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.harness.documented_proxies import CERTIFICATE

expect.set_options(timeout=30_000)

# Chromium logs this for error statuses and lost connections; tests cause both on purpose.
NETWORK_ERROR = "Failed to load resource"
# Adds a session to the page's list and opens it.
ADD = """session => {
  const base = new URL(".", location).pathname;
  const key = `${base === "/" ? "parley" : `parley:${base}`}.sessions`;
  const list = JSON.parse(localStorage[key] ?? "[]");
  localStorage[key] = JSON.stringify([{ ...session, at: Date.now() / 1000 }, ...list]);
  location.hash = session.id;
}"""
# Of the proxies in tests.
CA = str(CERTIFICATE.with_name("ca.pem"))


class ChatPage:
    """A tab with the chat page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        # Uncaught errors and violations of the Content-Security-Policy.
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        page.on("console", self._on_console)
        page.goto(f"{url}/")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and NETWORK_ERROR not in message.text:
            self.errors.append(message.text)

    def start(self, name: str, **fields: str) -> Self:
        """Open a new chat through the API and show it."""
        body = {"name": name, "ttl": 30 * 86_400, **fields}
        response = requests.post(f"{self.url}/sessions", json=body, timeout=30, verify=CA)
        session = {key: response.json()[key] for key in ("id", "token", "name")}
        self.page.evaluate(ADD, session)
        expect(self.page.get_by_role("heading", name=name)).to_be_visible()
        expect(self.button("Chat settings")).to_be_enabled()
        return self

    def new_chat(self) -> None:
        """Press the button for a new chat."""
        self.button("New chat").click()
        expect(self.page.get_by_role("heading", name="How can I help?")).to_be_visible()

    def act_on(self, name: str, action: str) -> None:
        """Choose an action in the menu of a chat in the list."""
        self.page.get_by_label(f"Options of {name}").click()
        self.page.locator("#sessions").get_by_role("button", name=action, exact=True).click()

    def submit(self, text: str) -> None:
        """Type a message and press Enter; requires that no dialog is open."""
        expect(self.page.locator("dialog[open]")).to_have_count(0)
        self.field.fill(text)
        self.field.press("Enter")

    def send(self, text: str) -> Locator:
        """Send a message; return its reply once the message is accepted."""
        count = self.replies.count()
        self.submit(text)
        expect(self.replies).to_have_count(count + 1)
        return self.replies.nth(count)

    def send_and_wait(self, text: str) -> Locator:
        """Send a message; return its reply once the reply is final."""
        reply = self.send(text)
        expect(reply).to_have_attribute("aria-busy", "false")
        return reply

    @property
    def field(self) -> Locator:
        """The message field."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def replies(self) -> Locator:
        return self.page.locator("#messages > .assistant")

    @property
    def user_messages(self) -> Locator:
        """The accepted messages of the user."""
        return self.page.locator("#messages > .user:not(.pending)")

    @property
    def user_texts(self) -> Locator:
        """The texts of those messages."""
        return self.user_messages.locator(".body")

    @property
    def error_bar(self) -> Locator:
        """The bar that shows failed actions."""
        return self.page.get_by_role("alert")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def call(self, method: str, path: str = "", **options: Any) -> Any:
        """Call the API for the page's session, outside the page; return the JSON."""
        session = self.session
        response = requests.request(
            method,
            f"{self.url}/sessions/{session['id']}{path}",
            headers={"Authorization": f"Bearer {session['token']}"},
            timeout=30,
            **options,
        )
        response.raise_for_status()
        return response.json() if response.content else None

    def stored_messages(self) -> list[dict[str, Any]]:
        """Return the session's messages on the server, in order."""
        return list(self.call("GET")["messages"])

    @property
    def session(self) -> dict[str, Any]:
        """Id, token and name of the current session."""
        found: dict[str, Any] = self.page.evaluate(
            "JSON.parse(localStorage['parley.sessions'])"
            ".find(each => each.id === location.hash.slice(1))"
        )
        return found
