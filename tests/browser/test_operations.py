"""The operations page in a real browser: it lives, it reads well, it obeys its own policy."""

import math
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from redis import Redis

from tests.browser.axe import violations
from tests.browser.conftest import PATIENCE
from tests.browser.staff import is_fault, open_session, prepare_account, say, sign_in
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
EVERY = 5000
"""Ms between two refreshes."""


@pytest.fixture(scope="module")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Parley that has had a busy hour."""
    stack = Stack(tmp_path_factory.mktemp("operations"))
    try:
        stack.start()
        prepare_account(stack)
        with Redis.from_url(stack.redis.url) as redis:
            redis.hset("chat:{0}:recent", mapping=a_busy_hour())
            redis.expire("chat:{0}:recent", 600)
        yield stack
    finally:
        stack.end()


def a_busy_hour() -> dict[str, int]:
    """Return what the scripts would have counted, minute by minute."""
    minute = int(time.time()) // 60
    told: dict[str, int] = {}
    for ago in range(59):
        told[f"{minute - ago}:completed"] = round(40 + 25 * math.sin(ago / 7) + ago % 5)
        told[f"{minute - ago}:failed"] = (ago % 11 == 0) + (3 if 20 < ago < 24 else 0)
        for kind, buckets in {"queue": (5, 10, 20), "first_delta": (200, 500, 1000),
                              "turn": (2000, 5000, 10000)}.items():  # fmt: skip
            for bucket, count in zip(buckets, (6, 30, 4), strict=True):
                told[f"{(minute - ago) // 10 * 10}:{kind}:{bucket}"] = 10 * count
    return told


def running(parley: Stack) -> int:
    """Return how many turns run."""
    with Redis.from_url(parley.redis.url) as redis:
        return sum(redis.zcard(f"chat:{{{tag}}}:running") for tag in range(16))


@pytest.fixture
def open_tab(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a tab; no page in it may meet an error or break its policy."""
    wrong: list[str] = []

    def open_(**options: object) -> Page:
        page = new_context(**options).new_page()
        page.clock.install()  # it runs, and may be put forward
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if is_fault(said) else None)
        return page

    yield open_
    assert wrong == []


def test_it_shows_what_happens_without_a_reload(
    parley: Stack, open_tab: Callable[..., Page]
) -> None:
    url = parley.web().url
    tab = open_tab(viewport=DESK)
    sign_in(tab, url)
    tab.get_by_role("link", name="Operations").click()
    expect(tab.get_by_role("heading", name="Operations")).to_be_visible()
    expect(tab.locator(".chart-replies rect")).not_to_have_count(0)
    _, owner = open_session(url, name="Ada <script>alert(1)</script>")
    say(url, owner, "Tell me all about engines. [[tokens=4000 rate=20]]")
    link = tab.get_by_role("link", name="Ada <script>alert(1)</script>")
    wait_until(lambda: running(parley) == 1)
    tab.clock.fast_forward(EVERY)
    expect(link).to_be_visible(timeout=PATIENCE)
    expect(tab.locator(".gauges")).to_contain_text("Running turns1")
    tab.get_by_label("Refresh every 5 seconds").uncheck()
    link.click()
    expect(tab.locator("#msg_2 .status")).to_have_text("in_progress")
    tab.locator("#msg_2").get_by_role("button", name="Cancel").click()
    expect(tab.locator("#msg_2 .status")).to_have_text("cancelled")


def test_old_figures_are_said_to_be_old(parley: Stack, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(viewport=DESK)
    sign_in(tab, parley.web().url)
    tab.goto(f"{parley.web().url}/admin/operations/")
    tab.context.clear_cookies()
    tab.clock.fast_forward(EVERY)
    expect(tab.locator("#stale")).to_contain_text("these figures are old", timeout=PATIENCE)
    expect(tab.locator(".gauges")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": DESK, "color_scheme": "light"}),
        ("dark", {"viewport": DESK, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "color_scheme": "light"}),
    ],
)
def test_it_has_no_fault_of_accessibility_and_nothing_sticks_out(
    name: str,
    options: dict[str, object],
    parley: Stack,
    open_tab: Callable[..., Page],
    take_picture: Callable[[Page, str], None],
) -> None:
    url = parley.web().url
    tab = open_tab(bypass_csp=True, **options)
    sign_in(tab, url)
    _, owner = open_session(url, name="Customer 1")
    say(url, owner, "Tell me all about engines. [[tokens=4000 rate=20]]")
    tab.goto(f"{url}/admin/operations/")
    expect(tab.get_by_role("link", name="Customer 1").first).to_be_visible()
    assert violations(tab) == []
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(wide) == 0
    take_picture(tab, f"admin-operations-{name}")
    tab.goto(f"{url}/admin/")
    expect(tab.get_by_role("link", name="Operations")).to_be_visible()
    take_picture(tab, f"admin-index-{name}")
