"""The chat page in Chromium: first paint, layout shift, main-thread time and sizes.

`python -m bench page` starts a stack. PAGE_URL names a running Parley instead, such as one of an
earlier version, with a slash at the end. Times are medians of `LOADS` loads without a cache.
"""

import gzip
import os
import shutil
import time
from pathlib import Path
from statistics import median
from typing import Any

import requests
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.browser.chat_page import ADD
from tests.browser.conftest import BROWSERS, FLAGS
from tests.harness.stack import Stack

LOADS = 5
# How much slower the processor is for the time until the page is interactive.
THROTTLING = 4
# A reply of 10 s.
MESSAGE = "Tell me a long story [[rate=100 tokens=1000]]"
REPLY_TIMEOUT = 120_000
VIEWPORT = {"width": 1200, "height": 800}
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => shifts.push(...list.getEntries().map(({ value }) => value)))
  .observe({ type: "layout-shift", buffered: true });
const check = () => {
  if (document.activeElement !== document.body) window.interactive = performance.now();
  else requestAnimationFrame(check);
};
check();
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
RESOURCES = "performance.getEntriesByType('resource').map(each => each.name)"
IS_ANSWERED = """document.querySelector("#messages > .assistant")
  ?.getAttribute("aria-busy") === "false" """


def load(browser: Browser, url: str, *, throttling: int) -> tuple[Page, dict[str, float]]:
    """Open the page in a new context; return it with its figures, in ms."""
    context = browser.new_context(viewport=VIEWPORT, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    cdp = page.context.new_cdp_session(page)
    cdp.send("Emulation.setCPUThrottlingRate", {"rate": throttling})
    page.add_init_script(OBSERVE)
    page.goto(url)
    page.wait_for_function(f"window.interactive && {PAINT}")
    figures = {
        "first paint, ms": page.evaluate(PAINT),
        "interactive, ms": page.evaluate("window.interactive"),
    }
    return page, figures


def measure_loads(browser: Browser, url: str, throttling: int) -> dict[str, float]:
    samples = []
    for _ in range(LOADS):
        page, figures = load(browser, url, throttling=throttling)
        samples.append(figures)
        page.context.close()
    return {name: median(sample[name] for sample in samples) for name in samples[0]}


def measure_reply(browser: Browser, url: str) -> dict[str, float]:
    """Send a message; return what its growing reply costs."""
    page, _ = load(browser, url, throttling=1)
    session = {"name": "Benchmark", **requests.post(f"{url}sessions", timeout=30).json()}
    page.evaluate(ADD, session)
    page.wait_for_selector("#text:enabled")
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    page.fill("#text", MESSAGE)
    before, started = _task_seconds(cdp), time.monotonic()
    page.press("#text", "Enter")
    page.wait_for_function(IS_ANSWERED, timeout=REPLY_TIMEOUT)
    figures = {
        "main thread while a reply streams, s": _task_seconds(cdp) - before,
        "duration of the reply, s": time.monotonic() - started,
        "layout shift": page.evaluate("shifts.reduce((sum, each) => sum + each, 0)"),
    }
    page.context.close()
    return figures


def _task_seconds(cdp: CDPSession) -> float:
    metrics: list[dict[str, Any]] = cdp.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


def measure_sizes(browser: Browser, url: str) -> dict[str, float]:
    """Return gzipped sizes, in bytes: of the page before code and formulas, and of others."""
    page, _ = load(browser, url, throttling=1)
    page.wait_for_load_state("networkidle")
    urls = {url, *page.evaluate(RESOURCES)}
    static = [each for each in urls if each == url or "/static/" in each]
    page.context.close()
    sizes: dict[str, float] = {
        "page, bytes": sum(map(_gzipped, static)),
        "files of the page": len(static),
    }
    client = Path(__file__).parents[1] / "clients/js/dist/index.js"
    sizes["client, bytes"] = len(gzip.compress(client.read_bytes()))
    sizes["element, bytes"] = _gzipped(f"{url}embed/parley-chat.js")
    return sizes


def _gzipped(url: str) -> int:
    return len(gzip.compress(requests.get(url, timeout=30).content))


def measure(url: str) -> None:
    """Print one line per figure."""
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        show(measure_loads(browser, url, 1))
        show(measure_loads(browser, url, THROTTLING), f", {THROTTLING}x throttling")
        show(measure_reply(browser, url))
        show(measure_sizes(browser, url))
        browser.close()


def show(figures: dict[str, float], condition: str = "") -> None:
    for name, value in figures.items():
        print(f"{name + condition:42}{value:12,.3f}", flush=True)


def main(directory: Path) -> None:
    """Measure the page at PAGE_URL, or of a new stack."""
    if url := os.environ.get("PAGE_URL"):
        measure(url)
        return
    with Stack(directory / "stack") as stack:
        measure(f"{stack.start().web().url}/")
