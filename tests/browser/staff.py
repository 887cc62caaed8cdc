"""What tests of the admin in a browser have in common."""

import subprocess
import sys

import requests
from playwright.sync_api import ConsoleMessage, Page

from project.runner.process import ROOT
from tests.harness.stack import Stack

PASSWORD = "of-the-staff"

PREPARE = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
call_command("createsuperuser", interactive=False, username="ada", email="ada@example.org")
"""


def prepare_account(stack: Stack) -> None:
    """Make an account for the staff of this Parley."""
    own = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "DJANGO_SETTINGS_MODULE": "project.settings"}
    subprocess.run([sys.executable, "-c", PREPARE], cwd=ROOT, env=stack.env | own, check=True)


def open_session(url: str, **fields: str) -> tuple[str, dict[str, str]]:
    """Return the id of a new session, and its owner's headers."""
    opened = requests.post(f"{url}/sessions", json=fields, timeout=10).json()
    return opened["id"], {"Authorization": f"Bearer {opened['token']}"}


def say(url: str, owner: dict[str, str], content: str) -> None:
    """Post a message."""
    answer = requests.post(f"{url}/messages", json={"content": content}, headers=owner, timeout=10)
    assert answer.status_code == 202, answer.text


def sign_in(tab: Page, url: str) -> None:
    """Sign in by the form."""
    tab.goto(f"{url}/admin/login/?next=/admin/")
    tab.get_by_label("Username").fill("ada")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Log in").click()


def is_fault(said: ConsoleMessage) -> bool:
    """Whether a page has logged an error; the browser's own wish for an icon is none."""
    return said.type == "error" and not said.location["url"].endswith("/favicon.ico")
