"""Helpers for browser tests of the admin."""

import requests
from playwright.sync_api import ConsoleMessage, Page

from tests.harness.run_module import run_module
from tests.harness.stack import Stack

PASSWORD = "staff-password"

COMMANDS = (
    ("migrate", "--verbosity", "0"),
    ("createsuperuser", "--no-input", "--username", "ada", "--email", "ada@example.org"),
)


def create_superuser(stack: Stack) -> None:
    """Create the superuser `ada` on this stack."""
    for command in COMMANDS:
        env = stack.env | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        code, output = run_module("manage", *command, env=env)
        assert code == 0, output


def open_session(url: str, **fields: str) -> tuple[str, dict[str, str]]:
    """Open a session; return its id and the headers that authenticate it."""
    opened = requests.post(f"{url}/sessions", json=fields, timeout=30).json()
    return opened["id"], {"Authorization": f"Bearer {opened['token']}"}


def post_message(url: str, headers: dict[str, str], content: str) -> None:
    """Post a message and check that it is accepted."""
    body = {"content": content}
    response = requests.post(f"{url}/messages", json=body, headers=headers, timeout=30)
    assert response.status_code == 202, response.text


def log_in(tab: Page, url: str) -> None:
    """Log in through the form."""
    tab.goto(f"{url}/admin/login/")
    tab.get_by_label("Username").fill("ada")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()


def is_error(message: ConsoleMessage) -> bool:
    """Return whether a console message is an error; a missing favicon is not."""
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")
