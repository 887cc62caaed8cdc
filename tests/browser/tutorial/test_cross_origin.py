"""A page of another origin uses the tutorial's API, in a real browser."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import BrowserContext

from tests.harness.stack import Stack

TUTORIAL_CLIENT = """
async ([server, texts]) => {
  const created = await fetch(`${server}/token?name=Ada`, { method: "POST" });
  const { token } = await created.json();
  const refreshed = await fetch(`${server}/refresh_token?token=${token}`);
  const { name } = await refreshed.json();
  const socket = new WebSocket(`${server.replace("http", "ws")}/chat?token=${token}`);
  await new Promise((resolve) => { socket.onopen = resolve; });
  const replies = [];
  for (const text of texts) {
    socket.send(text);
    const frame = await new Promise((resolve) => { socket.onmessage = resolve; });
    replies.push(JSON.parse(frame.data).msg);
  }
  socket.close();
  const unknown = await fetch(`${server}/refresh_token?token=unknown`);
  return { name, replies, unknown: unknown.status };
}
"""


class EmptyPage(BaseHTTPRequestHandler):
    """Serves an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>.</title>")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """The origin of the page."""
    with HTTPServer(("localhost", 0), EmptyPage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_page_of_an_allowed_origin_can_use_the_tutorial_api(
    new_context: Callable[..., BrowserContext], build_stack: Callable[..., Stack], origin: str
) -> None:
    stack = build_stack(env={"CORS_ORIGINS": origin}, model_options=("--style", "echo")).start()
    page = new_context().new_page()
    page.goto(origin)
    result = page.evaluate(TUTORIAL_CLIENT, [stack.web().url, ["one", "two"]])
    assert result == {
        "name": "Ada",
        "replies": ["Bot: echo: one", "Bot: echo: two"],
        "unknown": 400,
    }
