"""Fixtures: a real Chromium, a real stack, and its pages."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.chat_page import ChatPage
from tests.browser.staff import create_superuser, is_error
from tests.harness.issuer import AUDIENCE, public_pem
from tests.harness.ports import free_port
from tests.harness.stack import Stack

# The headless shell takes the least CPU.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
# Chromium runs as root in a container, and sends no background requests.
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# Milliseconds for any action on a page; both cores may be busy.
TIMEOUT = 30_000
# Issuer of the JWTs that the chat's stack accepts.
ISSUER = "https://login.example.org/"
# Environment variable: directory for the screenshots that tests take.
SCREENSHOTS = "SCREENSHOTS"


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Playwright, for these tests only: its event loop would interfere with other tests."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("chromium is not installed; run scripts/browser")
    browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def host_origin() -> str:
    """The origin of a site that embeds the chat. Chromium resolves the name to loopback."""
    return f"http://host.localhost:{free_port()}"


@pytest.fixture(scope="package")
def chat_stack(tmp_path_factory: pytest.TempPathFactory, host_origin: str) -> Iterator[Stack]:
    """A stack with two models for all tests of the chat page, without rate limits."""
    directory = tmp_path_factory.mktemp("page")
    models = directory / "models.toml"
    auth = directory / "auth.toml"
    env = {
        "CHAT_MODELS_FILE": str(models),
        "CHAT_SESSIONS_PER_MINUTE": "0",
        # So that a test can exceed them with little text.
        "CHAT_MAX_CONTENT_BYTES": "32768",
        "CHAT_MAX_CONTENT_CHARS": "32768",
        "CHAT_MAX_BODY_BYTES": "65536",
        "CHAT_MAX_FILE_BYTES": "131072",
        "CHAT_MESSAGES_PER_MINUTE": "0",
        "CHAT_CHANGES_PER_MINUTE": "0",
        "CHAT_MAX_SESSIONS_PER_ADDRESS": "0",
        "CHAT_MAX_BYTES_PER_ADDRESS": "0",
        "CHAT_MAX_QUEUED_TURNS_PER_SESSION": "300",
        "CHAT_MAX_TURNS_PER_OWNER": "0",
        "CHAT_RETRY_BACKOFF": "0.2",
        "CHAT_AUTH_FILE": str(auth),
        "CORS_ORIGINS": host_origin,
        "CHAT_FRAME_ANCESTORS": host_origin,
        "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
        "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32",
    }
    stack = Stack(directory, env=env)
    entry = '[{}]\nprovider = "openai"\nurl = "{}/v1"\nmodel = "fake-model"\n'
    entry += "max_tokens = 100000\ncontext_tokens = 200000\n"
    entries = [entry.format(name, stack.model.url) for name in ("default", "other")]
    models.write_text(entries[0] + 'inputs = ["text", "image"]\n' + entries[1])
    issuer = '[[issuers]]\nissuer = "{}"\naudience = "{}"\ntenant = "shop"\nkey = """{}"""\n'
    auth.write_text(issuer.format(ISSUER, AUDIENCE, public_pem("ES256")))
    with stack:
        yield stack.start()


@pytest.fixture(scope="package")
def url(chat_stack: Stack) -> str:
    """The URL of that stack, with a superuser."""
    create_superuser(chat_stack)
    return chat_stack.web().url


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Return a function that creates a browser context with Playwright's options."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        contexts.append(chromium.new_context(**options))  # type: ignore[arg-type]
        contexts[-1].set_default_timeout(TIMEOUT)
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(
    new_context: Callable[..., BrowserContext], chat_stack: Stack
) -> Iterator[Callable[..., ChatPage]]:
    """Return a function that opens the chat page in a new context, or in that of another page.

    The test fails if a page has an uncaught error or violates its policy.
    """
    opened: list[ChatPage] = []

    def open_(same_context_as: Page | None = None, url: str = "", **options: object) -> ChatPage:
        context = same_context_as.context if same_context_as else new_context(**options)
        page = context.new_page()
        opened.append(ChatPage(page, url or chat_stack.web().url))
        return opened[-1]

    yield open_
    for each in opened:
        assert each.errors == []


@pytest.fixture
def chat(open_page: Callable[..., ChatPage]) -> ChatPage:
    """The chat page with a new chat."""
    return open_page().start("First chat")


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """An empty tab. The test fails if a page logs an error or violates its policy."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def take_screenshot() -> Callable[[Page, str], None]:
    """Return a function that saves a screenshot of a page, if SCREENSHOTS is set."""
    directory = os.environ.get(SCREENSHOTS)

    def take(page: Page, name: str) -> None:
        if directory:
            page.screenshot(path=Path(directory) / f"{name}.png")

    return take


@pytest.fixture
def screenshot(tab: Page, take_screenshot: Callable[[Page, str], None]) -> Callable[[str], None]:
    """Return a function that saves a screenshot of the tab, if SCREENSHOTS is set."""
    return partial(take_screenshot, tab)
