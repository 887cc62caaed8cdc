"""The Django project of docs/django.md: its users chat, and it receives the replies."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from project.runner.process import ROOT, Program
from tests.browser.test_embedding import expect_ended, send
from tests.harness.keys import create_key
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.examples.pages import blocks

pytestmark = pytest.mark.browser

PROJECT = ROOT / "examples/django_project"


@pytest.fixture
def shop(chat_stack: Stack, host_origin: str, tmp_path: Path) -> Iterator[Process]:
    """The project, with an account, at the origin that Parley allows."""
    port = urlsplit(host_origin).port
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(PROJECT),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "DJANGO_SUPERUSER_PASSWORD": "secret",
        "PARLEY_URL": chat_stack.web().url,
        "PARLEY_API_KEY": create_key(chat_stack.env),
        "PARLEY_WEBHOOK_SECRET": chat_stack.env["CHAT_WEBHOOK_SECRETS"],
        "SHOP_DATABASE": str(tmp_path / "shop.sqlite3"),
        "SHOP_URL": f"http://127.0.0.1:{port}",
    }
    # Not `python -m`: such programs are forked with Parley's packages and paths.
    admin = (str(Path(sys.executable).with_name("django-admin")),)
    account = ("createsuperuser", "--noinput", "--username", "alice", "--email", "a@example.org")
    for command in (("migrate", "--verbosity", "0"), account):
        subprocess.run([*admin, *command], env=env, cwd=tmp_path, check=True)
    program = Program(
        name="shop",
        argv=(*admin, "runserver", "--noreload", f"127.0.0.1:{port}"),
        env=env,
        ready_text="Quit the server",
        stop_timeout=1.0,
    )
    process = Process(program, tmp_path / "shop.log", url=host_origin)
    try:
        yield process.start()
    finally:
        process.ensure_stopped()


def test_user_of_the_project_chats_and_it_receives_the_reply(tab: Page, shop: Process) -> None:
    tab.goto(shop.url)
    tab.get_by_label("Username").fill("alice")
    tab.get_by_label("Password").fill("secret")
    tab.get_by_role("button", name="Log in").click()
    expect(tab.get_by_role("heading", name="Hello alice")).to_be_visible()
    expect_ended(send(tab, "What did I say before?"), "the first message")
    wait_until(lambda: "message.completed: This is the first message" in shop.log)
    forged = requests.post(f"{shop.program.env['SHOP_URL']}/chat/replies", data=b"{}", timeout=30)
    assert forged.status_code == 401


def test_page_shows_the_code_of_the_project() -> None:
    code = (PROJECT / "shop/chat.py").read_text()
    views = [block.code for block in blocks("docs/django.md") if block.language == "python"]
    assert len(views) == 2
    assert all(view in code for view in views)
    (page,) = PROJECT.glob("**/*.html")
    shown = [block.code for block in blocks("docs/django.md") if block.language == "html"]
    assert all(line.strip() in page.read_text() for line in "".join(shown).splitlines())
