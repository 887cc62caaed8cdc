"""A real Chromium, and the chat page of a real stack in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.chat_page import ChatPage
from tests.browser.staff import is_fault, prepare_account
from tests.harness.stack import Stack

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
"""A browser for root in a container, that asks nobody outside for anything."""
PATIENCE = 15_000
"""Milliseconds that the page may take for anything; both cores may be busy."""
PICTURES = "PICTURES"
"""Variable that names a directory for the pictures that tests take."""


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright for these tests alone: its event loop would be in the way of others'."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium here; scripts/browser installs it")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def chat_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Parley for all tests of the page, which opens more sessions a minute than one address may.

    Two models, so that there is something to choose.
    """
    directory = tmp_path_factory.mktemp("page")
    models = directory / "models.toml"
    env = {
        "CHAT_MODELS_FILE": str(models),
        "CHAT_SESSIONS_PER_MINUTE": "0",
        "CHAT_MESSAGES_PER_MINUTE": "0",
        "CHAT_MAX_QUEUED_TURNS_PER_SESSION": "300",
        "CHAT_RETRY_BACKOFF": "0.2",
        "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
        "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32",
    }
    stack = Stack(directory, env=env)
    entry = '[{}]\nprovider = "openai"\nurl = "{}/v1"\nmodel = "fake-model"\n'
    entry += "max_tokens = 100000\ncontext_tokens = 200000\n"
    models.write_text("".join(entry.format(name, stack.model.url) for name in ("default", "other")))
    try:
        yield stack.start()
    finally:
        stack.end()


@pytest.fixture(scope="package")
def url(chat_stack: Stack) -> str:
    """Of the same Parley, whose staff has an account."""
    prepare_account(chat_stack)
    return chat_stack.web().url


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that makes a browser profile; it takes Playwright's own arguments."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        contexts.append(chromium.new_context(**options))  # type: ignore[arg-type]
        contexts[-1].set_default_timeout(PATIENCE)
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(
    new_context: Callable[..., BrowserContext], chat_stack: Stack
) -> Iterator[Callable[..., ChatPage]]:
    """Return a function that opens the chat page in a new profile, or beside another `page`.

    After the test, none of the pages may have met an error that it did not handle, or broken its
    policy.
    """
    opened: list[ChatPage] = []

    def open_(beside: Page | None = None, url: str = "", **options: object) -> ChatPage:
        context = beside.context if beside else new_context(**options)
        page = context.new_page()
        opened.append(ChatPage(page, url or chat_stack.web().url))
        return opened[-1]

    yield open_
    for each in opened:
        assert each.faults == []


@pytest.fixture
def chat(open_page: Callable[..., ChatPage]) -> ChatPage:
    """The chat page, with a session opened in it."""
    return open_page().start("A talk")


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """An empty tab; the test fails when a page logs an error or breaks its own policy."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if is_fault(said) else None)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def take_picture() -> Callable[[Page, str], None]:
    """Return a function that takes a picture of a page, if anybody wants it."""
    directory = os.environ.get(PICTURES)

    def take(page: Page, name: str) -> None:
        if directory:
            page.screenshot(path=Path(directory) / f"{name}.png")

    return take


@pytest.fixture
def picture(tab: Page, take_picture: Callable[[Page, str], None]) -> Callable[[str], None]:
    """Return a function that takes a picture of the tab, if anybody wants it."""
    return partial(take_picture, tab)
