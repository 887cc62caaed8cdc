"""Page object of the chat page."""

from typing import Any, Self

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

expect.set_options(timeout=15_000)

# Chromium logs this for error statuses and lost connections; tests cause both on purpose.
NETWORK_ERROR = "Failed to load resource"


class ChatPage:
    """A tab with the chat page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        # Uncaught errors and violations of the Content-Security-Policy.
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._on_console)
        page.goto(f"{url}/")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and NETWORK_ERROR not in message.text:
            self.errors.append(message.text)

    def start(self, name: str, *, system_prompt: str = "", model: str = "") -> Self:
        """Open a new chat."""
        page = self.page
        page.get_by_label("Name", exact=True).first.fill(name)
        if system_prompt:
            page.locator("#new-prompt").fill(system_prompt)
        if model:
            page.locator("#new-model").select_option(model)
        page.get_by_role("button", name="Start chat").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        return self

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
    def error_bar(self) -> Locator:
        """The bar that shows failed actions."""
        return self.page.get_by_role("alert")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def session(self) -> dict[str, Any]:
        """Id, token and name of the current session."""
        found: dict[str, Any] = self.page.evaluate(
            "JSON.parse(localStorage['parley.sessions'])"
            ".find(each => each.id === location.hash.slice(1))"
        )
        return found
