"""Pages of other sites that use their visitors' browsers."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.harness.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.security("S56")]

# A browser sends both without asking, and hides only the responses from the page.
ATTACKS = {
    "request": 'fetch(url, {method: "POST", mode: "no-cors"})',
    "form": """(() => {
      const form = document.createElement("form");
      Object.assign(form, {method: "POST", action: url, enctype: "text/plain"});
      document.body.append(form);
      form.submit();
    })()""",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_page_of_another_site_cannot_open_sessions(
    new_context: Callable[..., BrowserContext], chat_stack: Stack, attack: str
) -> None:
    page = new_context().new_page()
    # Chromium resolves this name to loopback; for it, localhost is another site. The server is any
    # that sends no Content-Security-Policy.
    page.goto(chat_stack.model.url.replace("127.0.0.1", "foreign.localhost"))
    sessions = f"{chat_stack.web().url}/sessions"
    with page.expect_response(sessions) as response:
        page.evaluate(f"url => void {ATTACKS[attack]}", sessions)
    assert response.value.status == 403
