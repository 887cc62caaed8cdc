"""A page of another origin talks with Parley as the tutorial's pages do, in a real browser."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import BrowserContext

from tests.harness.stack import Stack

TALK = """
async ([server, texts]) => {
  const opened = await fetch(`${server}/token?name=Ada`, { method: "POST" });
  const { token } = await opened.json();
  const found = await fetch(`${server}/refresh_token?token=${token}`);
  const { name } = await found.json();
  const socket = new WebSocket(`${server.replace("http", "ws")}/chat?token=${token}`);
  await new Promise((resolve) => { socket.onopen = resolve; });
  const heard = [];
  for (const text of texts) {
    socket.send(text);
    const frame = await new Promise((resolve) => { socket.onmessage = resolve; });
    heard.push(JSON.parse(frame.data).msg);
  }
  socket.close();
  const unknown = await fetch(`${server}/refresh_token?token=unknown`);
  return { name, heard, unknown: unknown.status };
}
"""


class Pages(BaseHTTPRequestHandler):
    """Gives the one page that there is."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>.</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Where the pages come from."""
    with HTTPServer(("localhost", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.browser
def test_a_page_from_elsewhere_may_do_what_the_tutorials_does(
    new_context: Callable[..., BrowserContext], build_stack: Callable[..., Stack], origin: str
) -> None:
    stack = build_stack(env={"CORS_ORIGINS": origin}, model_options=("--style", "echo")).start()
    page = new_context().new_page()
    page.goto(origin)
    told = page.evaluate(TALK, [stack.web().url, ["one", "two"]])
    assert told == {"name": "Ada", "heard": ["Bot: echo: one", "Bot: echo: two"], "unknown": 400}
