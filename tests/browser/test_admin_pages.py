"""Every page of the admin in light and dark, on a desk and on a phone."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests
from django.contrib.admin.utils import quote
from playwright.sync_api import BrowserContext, FilePayload, Page, expect
from redis import Redis

from tests.browser.admin_data import busy_hour, busy_month, counters_after
from tests.browser.axe import violations
from tests.browser.staff import create_superuser, log_in, post_message
from tests.harness.keys import create_key
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver, respond

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
# Questions of the sessions.
QUESTIONS = (
    "Where is my order 4711? It should have arrived on Monday.",
    "Can I return a lamp without its box?",
    "Please explain the invoice of October. Why are there two positions for shipping?",
    "How do I reset my password on the phone?",
)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Words that are broken within, because their cell is too narrow for them.
BROKEN_WORDS = """
[...document.querySelectorAll("th, td, dt, h1, h2, button, .sections a")].filter((each) => {
  const words = each.innerText.trim().split(/\\s+/);
  return words.length === 1 && words[0].length < 18 && words[0] !== "" &&
    !each.querySelector("*") && each.getClientRects().length > 0 &&
    (() => {
      const range = document.createRange();
      range.selectNodeContents(each);
      return new Set([...range.getClientRects()].map((rect) => Math.round(rect.top))).size > 1;
    })();
}).map((each) => each.innerText)
"""


@dataclass(frozen=True)
class Staffed:
    """A deployment with something on every page."""

    url: str
    session_id: str


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staffed]:
    """A stack with a busy hour, a history, users, feedback, errors and deliveries."""
    env = {
        "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
        "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32",
    }
    with (
        Stack(tmp_path_factory.mktemp("pages"), env=env) as stack,
        WebhookReceiver() as receiver,
    ):
        receiver.default_responder = respond(503, retry_after="3600")
        create_superuser(stack.start())
        url = stack.web().url
        key = create_key(stack.env)
        ids = [open_session(url, key, number, receiver.url) for number in range(8)]
        with Redis.from_url(stack.redis.url) as redis:
            redis.hset("chat:{0}:last_hour", mapping=busy_hour())
            redis.expire("chat:{0}:last_hour", 600)
            redis.hset("chat:rollups", mapping=busy_month())
            redis.hset("chat:{0}:counters", mapping=counters_after(40))
        yield Staffed(url, ids[0])


def open_session(url: str, key: str, number: int, webhook: str) -> str:
    """Open a session of a user, with an answered question; every fourth reply fails."""
    headers = {"Authorization": f"Bearer {key}", "Parley-User": f"customer-{number % 3}"}
    body = {"name": f"Order {4711 + number}", "webhook_url": webhook} if number < 3 else {}
    opened = requests.post(f"{url}/sessions", json=body, headers=headers, timeout=30).json()
    token = {"Authorization": f"Bearer {opened['token']}"}
    fault = " [[fault:400]]" if number % 4 == 3 else ""
    post_message(url, token, QUESTIONS[number % 4] + fault)
    path = f"{url}/sessions/{opened['id']}/messages/msg_2"
    wait_until(
        lambda: requests.get(path, headers=token, timeout=30).json()["completed_at"] is not None
    )
    if number % 2 == 0:
        rating = {"rating": "up"}
        if number % 4:
            rating = {"rating": "down", "comment": "I asked for the second position."}
        requests.post(f"{path}/feedback", json=rating, headers=token, timeout=30)
    return str(opened["id"])


def paths_of(session_id: str) -> dict[str, str]:
    """Return the path below /admin/ of every page, by the name of its picture."""
    session = f"chat/session/{quote(session_id)}"
    return {
        "operations": "operations/",
        "history": "operations/history/?range=week",
        "list": "chat/session/",
        "filtered": "chat/session/?failed=any&from=2026-01-01",
        "session": f"{session}/change/",
        "events": f"{session}/events/",
        "webhook": f"{session}/webhook/",
        "session-history": f"{session}/history/",
        "delete": f"{session}/delete/",
        "import": "chat/session/import/",
        "user": "user/?tenant=shop&user=customer-0",
        "feedback": "feedback/?rating=all",
        "feedback-one": "feedback/?rating=all&one=1",
        "deliveries": "deliveries/",
        "bans": "bans/",
        "api-keys": "api-keys/",
        "log": "admin/logentry/",
        "accounts": "auth/",
        "users": "auth/user/",
        "account": "auth/user/1/change/",
        "password": "password_change/",
        "nothing": "nothing/",
    }


def confirm_redaction(tab: Page, staffed: Staffed) -> None:
    tab.goto(f"{staffed.url}/admin/chat/session/{quote(staffed.session_id)}/change/")
    tab.get_by_role("button", name="Redact").first.click()


def confirm_end(tab: Page, staffed: Staffed) -> None:
    tab.goto(f"{staffed.url}/admin/bans/")
    tab.get_by_label("Address or network").fill("192.0.2.1")
    tab.get_by_role("button", name="End all sessions").click()


def import_file(tab: Page, staffed: Staffed) -> None:
    tab.goto(f"{staffed.url}/admin/chat/session/import/")
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"}]
    file = FilePayload(
        name="chats.jsonl",
        mimeType="text/plain",
        buffer=json.dumps({"messages": turns}).encode(),
    )
    tab.get_by_label("File").set_input_files(file)
    tab.get_by_role("button", name="Import").click()


# Pages that the submission of a form shows.
FORMS = {"confirm": confirm_redaction, "end": confirm_end, "imported": import_file}


@pytest.mark.thorough
@pytest.mark.timeout(400)  # over 20 pages
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": DESK, "color_scheme": "light"}),
        ("dark", {"viewport": DESK, "color_scheme": "dark"}),
        ("phone", {"viewport": PHONE, "color_scheme": "light"}),
    ],
)
def test_every_page_is_accessible_and_fits(
    name: str,
    options: dict[str, object],
    staffed: Staffed,
    new_context: Callable[..., BrowserContext],
    take_screenshot: Callable[[Page, str], None],
) -> None:
    tab = new_context(bypass_csp=True, **options).new_page()
    problems: list[str] = []

    def check(page: str) -> None:
        problems.extend(f"{page}: {each}" for each in violations(tab))
        problems.extend(f"{page}: broken: {each}" for each in tab.evaluate(BROKEN_WORDS))
        if overflow := tab.evaluate(OVERFLOW):
            problems.append(f"{page}: {overflow} px too wide")
        take_screenshot(tab, f"admin-{page}-{name}")

    tab.goto(f"{staffed.url}/admin/login/")
    check("login")
    log_in(tab, staffed.url)
    expect(tab.get_by_role("heading", name="Operations")).to_be_visible()  # the front page
    for page, path in paths_of(staffed.session_id).items():
        tab.goto(f"{staffed.url}/admin/{path}")
        check(page)
    for page, submit in FORMS.items():
        submit(tab, staffed)
        check(page)
    assert not problems, "\n".join(problems)
