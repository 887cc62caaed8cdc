"""The API reference, and the programs for browsers in docs/subscriptions.md."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.api_reference import show_only
from tests.harness.stack import Stack
from tests.integration.examples.pages import blocks

pytestmark = pytest.mark.browser

# Collects the events of a new session until its first reply has ended.
FOLLOW = """async () => {
  %s
  const { id, token } = await (await fetch("/sessions", { method: "POST" })).json();
  const types = [];
  await new Promise((resolve) => {
    %s(id, token, ({ type }) => {
      types.push(type);
      if (type === "message.completed") resolve();
    });
    fetch("/messages", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ content: "Why is the sea salty?" }),
    });
  });
  return types;
}"""


@pytest.mark.parametrize("function", ["follow", "stream"])
def test_programs_of_the_docs_receive_a_reply(tab: Page, chat_stack: Stack, function: str) -> None:
    tab.goto(chat_stack.web().url)
    programs = [block.code for block in blocks("docs/subscriptions.md") if block.language == "js"]
    [program] = [code for code in programs if function_of(code) == function]
    types = tab.evaluate(FOLLOW % (program, function))
    assert types[0] == "message.queued"
    assert "message.delta" in types


def function_of(code: str) -> str:
    """Return the name of the function that a program defines."""
    return code.partition("function ")[2].partition("(")[0]


def test_api_reference_starts_with_the_chat_calls(
    chat_stack: Stack,
    new_context: Callable[..., BrowserContext],
    take_screenshot: Callable[[Page, str], None],
) -> None:
    page = new_context(color_scheme="dark").new_page()
    show_only(page, "postMessages", "getModels")
    page.goto(f"{chat_stack.web().url}/docs")
    expect(page.locator("h3.opblock-tag").first).to_contain_text("Chat")
    assert "dark-mode" in (page.locator("html").get_attribute("class") or "")
    page.locator("#operations-Chat-postMessages").click()
    block = page.locator("#operations-Chat-postMessages")
    expect(block).to_contain_text("What did I say before?")
    expect(block).to_contain_text("a worker writes the reply")
    take_screenshot(page, "api-reference-dark")
