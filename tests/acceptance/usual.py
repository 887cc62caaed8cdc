"""The scene that most rows share, because starting one takes longer than most rows."""

from pathlib import Path

import requests

from tests.acceptance.history import History
from tests.acceptance.scene import Scene
from tests.harness.stack import Stack

MODELS = """
[default]
provider = "openai"
url = "{url}/v1"
model = "fake-model"

[other]
provider = "openai"
url = "{url}/v1"
model = "fake-model"

[narrow]
provider = "openai"
url = "{url}/v1"
model = "fake-model"
concurrency = 3

[slow]
provider = "openai"
url = "{url}/v1"
model = "fake-model"
requests_per_minute = 2
"""
"""Models that are one server, each with a gate of its own."""


class Usual(Scene):
    """One web, one worker, the usual knobs, and a proxy on each of their ways to Redis."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        models = Path(stack.directory) / "models.toml"
        models.parent.mkdir(parents=True, exist_ok=True)
        models.write_text(MODELS.format(url=stack.model.url))
        stack.env["CHAT_MODELS_FILE"] = str(models)
        stack.env["BROKER_URL"] = stack.redis.url
        self.worker_link = self.proxy(stack.redis.url)
        """Between the worker and the data."""
        self.web_link = self.proxy(stack.redis.url)
        """Between the web and the data."""
        self.web_wire = self.proxy(stack.redis.url)
        """Between the web and the broker."""
        self.reroute(self.worker, REDIS_URL=self.worker_link.url)
        self.reroute(self.web, REDIS_URL=self.web_link.url, BROKER_URL=self.web_wire.url)

    def renew(self) -> None:
        """Make it look as if nothing had happened: one row after another passes through."""
        self.stack.web(1).ensure_stopped()
        self.stack.worker(1).ensure_stopped()
        for process in (self.stack.redis, self.stack.model, self.worker, self.web):
            if not process.is_running:
                process.start()
        for link in (self.worker_link, self.web_link, self.web_wire):
            link.resume()
        self.flush(self.stack.redis)
        requests.post(f"{self.stack.model.url}/__reset__", timeout=10).raise_for_status()
        self.history = History()
