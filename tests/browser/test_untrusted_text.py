"""Text of models and users cannot run code or load resources on the chat page."""

import json
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Dialog, expect

from tests.browser.chat_page import ChatPage
from tests.harness.stack import Stack
from tests.harness.tiers import thorough

pytestmark = [pytest.mark.browser, pytest.mark.security("S30")]

RUN = "window.ran=1;alert(1)"
ELSEWHERE = "https://elsewhere.invalid"
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
    f"![x]({ELSEWHERE}/a.png)",
    f'![x"onerror="{RUN}]({ELSEWHERE}/b.png)',
    f"[x][1]\n\n[1]: javascript:{RUN}",
    f'<math><mtext><table><mglyph><style><img src=x onerror="{RUN}">',
    f'<form action="{ELSEWHERE}"><button>press me</button></form>',
    f'<style>@import "{ELSEWHERE}/c.css";</style><link rel=stylesheet href={ELSEWHERE}/d.css>',
    f'<meta http-equiv="refresh" content="0;url={ELSEWHERE}">',
    f'```"><img/src=x/onerror={RUN}>\n</code></pre><script>{RUN}</script>\n```',
    f"```html\n<script>{RUN}</script><img src=x onerror={RUN}>\n```",
    f'<div style="background:url({ELSEWHERE}/e.png)" onmouseover="{RUN}">look</div>',
    f'<input autofocus onfocus="{RUN}"><details open ontoggle="{RUN}">',
    f'<base href="{ELSEWHERE}/"><object data="{ELSEWHERE}/f"></object><embed src="{ELSEWHERE}/g">',
    f"[x](/admin/logout) [y](#z) <{ELSEWHERE}> <a id=text name=composer>clobber</a>",
]


def test_model_output_is_never_executed_or_fetched(
    open_page: Callable[..., ChatPage], chat_stack: Stack
) -> None:
    steps = [{"match": f"payload {number};", "reply": each} for number, each in enumerate(PAYLOADS)]
    script = requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=30)
    assert script.ok
    chat = open_page()
    dialogs: list[str] = []
    urls: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    chat.page.on("dialog", dismiss)
    chat.page.on("request", lambda request: urls.append(request.url))
    chat.start(PAYLOADS[1])
    for number in range(len(PAYLOADS)):
        chat.send(f"payload {number}; {PAYLOADS[number]}")
    expect(chat.page.locator("[aria-busy=true]")).to_have_count(0)
    expect(chat.page.locator("[data-status=completed]")).to_have_count(len(PAYLOADS))
    # Check the stored replies too, not only the streamed ones.
    chat.page.reload()
    expect(chat.page.locator("[data-status=completed]")).to_have_count(25)
    for link in chat.page.locator("#messages a").all():
        assert (link.get_attribute("href") or "mailto:").startswith(("https://", "mailto:")), link
    forbidden = (
        "script, img, iframe, svg, style, link, form, object, embed, base, meta, math, input"
    )
    assert chat.page.locator(f"#messages .body :is({forbidden})").count() == 0
    assert chat.page.locator("#messages [style], #messages [onclick], #messages a[id]").count() == 0
    assert chat.page.evaluate("window.ran") is None
    assert dialogs == []
    assert [url for url in urls if not url.startswith(chat.url)] == []


def test_policy_blocks_html_that_bypasses_the_sanitizer(chat: ChatPage) -> None:
    results = chat.page.evaluate(
        """() => {
            const results = [];
            try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); results.push("html"); }
            catch { results.push("blocked"); }
            const script = document.createElement("script");
            try { script.text = "window.ran = 1"; document.body.append(script); } catch { }
            results.push(String(window.ran));
            return results;
        }"""
    )
    assert results == ["blocked", "undefined"]
    assert chat.errors
    chat.errors.clear()


def test_page_has_a_strict_security_policy(chat_stack: Stack) -> None:
    headers = requests.get(f"{chat_stack.web().url}/", timeout=30).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.thorough
def test_deeply_nested_markdown_is_shown_as_text(chat: ChatPage, chat_stack: Stack) -> None:
    steps = [{"match": "deeper", "reply": "> " * 20_000 + "here"}]
    requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=30)
    reply = chat.send_and_wait("deeper")
    expect(reply.locator(".body")).to_contain_text("here")
    assert json.dumps(chat.errors) == "[]"


@pytest.mark.security("S57")
@pytest.mark.parametrize(
    "text",
    [
        "*_**__a " * 2500,
        *thorough(r"*_**__a \(a$$" * 2500, "a**b" * 20_000, "a" + " " * 20_000 + "b"),
        *thorough("**a " * 5000, r"\(x^2\) " * 3000),
        "- a\n" + "b\n" * 20_000,
        *thorough("`a` " * 40_000, "- a\n" * 40_000, "!" * 60_000, "> - " * 500),
        *thorough(f"{'|a' * 20_000}|\n{'|-' * 20_000}|\n", "|a|\n|-|\n" + "|b|\n" * 30_000),
        *thorough("```ts\n" + "a" * 50_000 + "\n```\n", "```cs\n" + "a \n" * 10_000 + "```\n"),
    ],
)
def test_slow_markdown_is_rendered_in_bounded_time(
    chat: ChatPage, chat_stack: Stack, text: str
) -> None:
    steps = [{"match": "slow", "reply": text + "here"}]
    requests.post(f"{chat_stack.model.url}/__script__", json={"steps": steps}, timeout=30)
    devtools = chat.page.context.new_cdp_session(chat.page)
    # Of the renderer's main thread, so a busy machine makes no difference.
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    reply = chat.send_and_wait("slow")
    expect(reply.locator(".body")).to_contain_text("here")
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    (seconds,) = (each["value"] for each in metrics if each["name"] == "TaskDuration")
    # Bounded, it takes 0.1 to 3.5 s; unbounded, one task took 9 s.
    assert seconds < 6
