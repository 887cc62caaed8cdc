"""Markdown as models write it: formulas, footnotes, code and reasoning."""

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Page, expect

from fakemodel.replies.compose import REASONING
from tests.browser.axe import violations
from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = pytest.mark.browser

MATHS = r"""The root of \( x^2 = a_1 \) is $$\sqrt{a}$$ and \(\frac{1}{2}\).
It is about ~5~ or so, at a price of $5 or $6.

\[
a
- b
= \sqrt{c}
\]

$$
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}
$$

~~Wrong~~ is struck[^1]. Not a formula: \( \unknown{ \) and `$$x$$`.

[^1]: The *note* has its own line.
"""
CODE = f"```kotlin\nfun main() = println({'1 + ' * 60}1)\n```\n"
THINKING = "<think>\nThe user wants a word.\n</think>\n\nHere it is."


def script(stack: Stack, **replies: str) -> None:
    steps = [{"match": f"show {match}", "reply": reply} for match, reply in replies.items()]
    requests.post(f"{stack.model.url}/__script__", json={"steps": steps}, timeout=30)


def test_formulas_footnotes_code_and_reasoning_are_rendered(
    open_page: Callable[..., ChatPage],
    chat_stack: Stack,
    take_screenshot: Callable[[Page, str], None],
) -> None:
    script(chat_stack, maths=MATHS, kotlin=CODE, thinking=THINKING)
    chat = open_page(bypass_csp=True).start("Markdown")
    urls: list[str] = []
    chat.page.on("request", lambda request: urls.append(request.url))

    thinking = chat.send_and_wait("show thinking")
    expect(thinking.locator(".body")).to_have_text("Here it is.")
    expect(thinking.get_by_text("The user wants a word.")).to_be_hidden()
    thinking.get_by_text("Reasoning").click()
    expect(thinking.get_by_text("The user wants a word.")).to_be_visible()
    assert not any("katex" in url or "highlight" in url for url in urls)

    maths = chat.send_and_wait("show maths")
    expect(maths.locator(".math.drawn")).to_have_count(6)
    expect(maths.locator(".math.display .katex")).to_have_count(3)
    for readable in maths.locator(".katex-mathml").all():
        assert readable.evaluate("each => getComputedStyle(each).position") == "absolute"
    expect(maths.get_by_text("\\unknown{", exact=True)).to_be_visible()
    expect(maths.locator(".sqrt svg")).to_have_count(2)
    expect(maths.locator("del")).to_have_text(["Wrong"])
    expect(maths.locator("sup")).to_have_text(["1", "1"])
    expect(maths.locator(".footnote em")).to_have_text("note")
    expect(maths).to_contain_text("about ~5~ or so, at a price of $5 or $6")
    expect(maths.locator("code")).to_have_text("$$x$$")
    take_screenshot(chat.page, "chat-maths")

    code = chat.send_and_wait("show kotlin")
    expect(code.locator(".hljs-keyword").first).to_have_text("fun")
    overflows = "pre => pre.scrollWidth > pre.clientWidth"
    assert code.locator("pre").evaluate(overflows)
    code.get_by_role("button", name="Wrap long lines").click()
    assert not code.locator("pre").evaluate(overflows)
    assert violations(chat.page) == []


def test_reasoning_of_the_model_is_collapsed(
    chat: ChatPage, take_screenshot: Callable[[Page, str], None]
) -> None:
    reply = chat.send_and_wait("Hello [[reasoning]]")
    for _ in range(2):
        expect(reply.get_by_text(REASONING)).to_be_hidden()
        reply.get_by_text("Reasoning", exact=True).click()
        expect(reply.get_by_text(REASONING)).to_be_visible()
        expect(reply.locator(".body")).not_to_contain_text(REASONING)
        take_screenshot(chat.page, "chat-reasoning")
        chat.page.reload()


def test_formulas_obey_the_policy_while_they_grow(chat: ChatPage, chat_stack: Stack) -> None:
    script(chat_stack, growth=MATHS * 3)
    reply = chat.send_and_wait("show growth [[rate=200]]")
    expect(reply.locator(".math.drawn")).to_have_count(18)
    expect(reply.locator(".math.display .katex")).to_have_count(9)
    assert chat.errors == []
