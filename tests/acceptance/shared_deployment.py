"""The deployment that most tests share, because starting one takes longer than most tests."""

from pathlib import Path

import requests

from tests.acceptance.deployment import Deployment
from tests.acceptance.history import History
from tests.harness.stack import Stack

# All models are the same server, but each has its own limiter.
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


class SharedDeployment(Deployment):
    """One web process and one worker, each with proxies in front of Redis."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        models = Path(stack.directory) / "models.toml"
        models.parent.mkdir(parents=True, exist_ok=True)
        models.write_text(MODELS.format(url=stack.model.url))
        stack.env["CHAT_MODELS_FILE"] = str(models)
        stack.env["BROKER_URL"] = stack.redis.url
        self.worker_redis_proxy = self.proxy(stack.redis.url)
        self.web_redis_proxy = self.proxy(stack.redis.url)
        self.web_broker_proxy = self.proxy(stack.redis.url)
        self.reroute(self.worker, REDIS_URL=self.worker_redis_proxy.url)
        self.reroute(
            self.web, REDIS_URL=self.web_redis_proxy.url, BROKER_URL=self.web_broker_proxy.url
        )

    def reset(self) -> None:
        """Restore the initial state for the next test."""
        self.stack.web(1).ensure_stopped()
        self.stack.worker(1).ensure_stopped()
        for process in (self.stack.redis, self.stack.model, self.worker, self.web):
            if not process.is_running:
                process.start()
        for proxy in (self.worker_redis_proxy, self.web_redis_proxy, self.web_broker_proxy):
            proxy.resume()
        self.flush(self.stack.redis)
        requests.post(f"{self.stack.model.url}/__reset__", timeout=10).raise_for_status()
        self.history = History()
