"""What a model or a stranger writes stays text on the chat page."""

import json
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Dialog, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.security("S30")]

RUN = "window.ran=1;alert(1)"
OUT = "https://elsewhere.invalid"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f'<iframe srcdoc="<script>{RUN}</script>"></iframe>',
    f'<iframe src="javascript:{RUN}"></iframe>',
    f'<a href="javascript:{RUN}">press me</a>',
    f"[press me](javascript:{RUN})",
    f"[press me](JaVaScRiPt&colon;{RUN})",
    f"[press me](&#106;avascript:{RUN})",
    f"[press me](java\tscript:{RUN})",
    f"[press me](data:text/html,<script>{RUN}</script>)",
    f"[press me](vbscript:{RUN})",
    f"<javascript:{RUN}>",
    f"![x]({OUT}/a.png)",
    f'![x"onerror="{RUN}]({OUT}/b.png)',
    f"[x][1]\n\n[1]: javascript:{RUN}",
    f'<math><mtext><table><mglyph><style><img src=x onerror="{RUN}">',
    f'<form action="{OUT}"><button>press me</button></form>',
    f'<style>@import "{OUT}/c.css";</style><link rel=stylesheet href={OUT}/d.css>',
    f'<meta http-equiv="refresh" content="0;url={OUT}">',
    f'```"><img/src=x/onerror={RUN}>\n</code></pre><script>{RUN}</script>\n```',
    f"```html\n<script>{RUN}</script><img src=x onerror={RUN}>\n```",
    f'<div style="background:url({OUT}/e.png)" onmouseover="{RUN}">look</div>',
    f'<input autofocus onfocus="{RUN}"><details open ontoggle="{RUN}">',
    f'<base href="{OUT}/"><object data="{OUT}/f"></object><embed src="{OUT}/g">',
    f"[x](/admin/logout) [y](#z) <{OUT}> <a id=text name=composer>clobber</a>",
]


def test_nothing_that_a_model_writes_is_run_or_fetched(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    steps = [{"match": f"payload {number};", "reply": each} for number, each in enumerate(PAYLOADS)]
    script = requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=5)
    assert script.ok
    chat = open_page()
    dialogs: list[str] = []
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    chat.page.on("dialog", dismiss)
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.start(PAYLOADS[1])
    for number in range(len(PAYLOADS)):
        chat.send(f"payload {number}; {PAYLOADS[number]}")
    expect(chat.page.locator("[aria-busy=true]")).to_have_count(0)
    expect(chat.page.locator("[data-status=completed]")).to_have_count(len(PAYLOADS))
    # Not only while it grows: also as it is opened again.
    chat.page.reload()
    expect(chat.page.locator("[data-status=completed]")).to_have_count(25)
    for link in chat.page.locator("#messages a").all():
        assert (link.get_attribute("href") or "mailto:").startswith(("https://", "mailto:")), link
    forbidden = (
        "script, img, iframe, svg, style, link, form, object, embed, base, meta, math, input"
    )
    assert chat.page.locator(f"#messages :is({forbidden})").count() == 0
    assert chat.page.locator("#messages [style], #messages [onclick], #messages a[id]").count() == 0
    assert chat.page.evaluate("window.ran") is None
    assert dialogs == []
    assert [url for url in asked if not url.startswith(chat.url)] == []


def test_the_policy_stops_what_the_sanitiser_would_let_through(chat: ChatPage) -> None:
    tried = chat.page.evaluate(
        """() => {
            const results = [];
            try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); results.push("html"); }
            catch { results.push("refused"); }
            const script = document.createElement("script");
            try { script.text = "window.ran = 1"; document.body.append(script); } catch { }
            results.push(String(window.ran));
            return results;
        }"""
    )
    assert tried == ["refused", "undefined"]
    assert chat.faults
    chat.faults.clear()


def test_the_page_bears_its_strict_policy(chat_stack: Stack) -> None:
    headers = requests.get(f"{chat_stack.web().url}/", timeout=5).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_reply_that_is_nested_deeper_than_the_stack_is_shown_as_text(
    chat: ChatPage, chat_stack: Stack
) -> None:
    steps = [{"match": "deeper", "reply": "> " * 20_000 + "here"}]
    requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=5)
    reply = chat.ask("deeper")
    expect(reply.locator(".body")).to_contain_text("here")
    assert json.dumps(chat.faults) == "[]"
