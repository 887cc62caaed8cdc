"""The chat page as its users know it."""

from typing import Any, Self

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

expect.set_options(timeout=15_000)

NETWORK = "Failed to load resource"
"""How Chromium's console tells of an answer that is a refusal, or of a connection that is lost."""


class ChatPage:
    """One tab with the page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        """What went wrong in the page without being handled, breaches of its policy among it."""
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._heard)
        page.goto(f"{url}/")

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and NETWORK not in message.text:
            self.faults.append(message.text)

    def start(self, name: str, *, system_prompt: str = "", model: str = "") -> Self:
        """Open a session."""
        page = self.page
        page.get_by_label("Name", exact=True).first.fill(name)
        if system_prompt:
            page.locator("#new-prompt").fill(system_prompt)
        if model:
            page.locator("#new-model").select_option(model)
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        return self

    def send(self, text: str) -> Locator:
        """Send a message; return its reply once it has been accepted."""
        count = self.replies.count()
        self.write(text)
        expect(self.replies).to_have_count(count + 1)
        return self.replies.nth(count)

    def write(self, text: str) -> None:
        """Send a message, whatever becomes of it; nobody writes behind an open dialog."""
        expect(self.page.locator("dialog[open]")).to_have_count(0)
        self.field.fill(text)
        self.field.press("Enter")

    def ask(self, text: str) -> Locator:
        """Send a message and return its reply once it is over."""
        reply = self.send(text)
        expect(reply).to_have_attribute("aria-busy", "false")
        return reply

    @property
    def field(self) -> Locator:
        """Where messages are written."""
        return self.page.get_by_label("Message", exact=True)

    @property
    def replies(self) -> Locator:
        """All replies, in order."""
        return self.page.locator("#messages > .assistant")

    @property
    def mine(self) -> Locator:
        """All messages of the user, in order; not those that wait to be accepted."""
        return self.page.locator("#messages > .user:not(.pending)")

    def button(self, name: str) -> Locator:
        """Return the button of that name."""
        return self.page.get_by_role("button", name=name, exact=True)

    @property
    def session(self) -> dict[str, Any]:
        """Id and token of the session that is shown."""
        found: dict[str, Any] = self.page.evaluate(
            "JSON.parse(localStorage['parley.sessions'])"
            ".find(each => each.id === location.hash.slice(1))"
        )
        return found
