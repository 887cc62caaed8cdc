"""Helpers for browser tests of the admin."""

import subprocess
import sys

import requests
from playwright.sync_api import ConsoleMessage, Page

from project.runner.process import ROOT
from tests.harness.stack import Stack

PASSWORD = "staff-password"

CREATE_SUPERUSER = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("createsuperuser", interactive=False, username="ada", email="ada@example.org")
"""


def create_superuser(stack: Stack) -> None:
    """Create the superuser `ada` on this stack."""
    env = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DJANGO_SETTINGS_MODULE": "project.settings"}
    subprocess.run(
        [sys.executable, "-c", CREATE_SUPERUSER], cwd=ROOT, env=stack.env | env, check=True
    )


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
