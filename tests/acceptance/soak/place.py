"""Where the soak happens: two webs, two workers, a broker of its own, and a proxy on every way."""

from pathlib import Path

from tests.acceptance.scene import Scene
from tests.acceptance.usual import MODELS
from tests.harness.processes import Process
from tests.harness.proxy import Proxy

HASTY = """
[{name}.timeouts]
connect = 2.0
first_delta = 2.0
between_deltas = 2.0
total = 10.0
"""
"""Seconds: a model that hangs is to be noticed often."""
NUMBERS = (0, 1)
"""Of the webs, and of the workers."""


class Place(Scene):
    """What the scene has, and each way of each process by its own proxy."""

    broker: Process

    def build(self) -> "Place":
        """Start it all."""
        self.broker = self.stack.broker().start()
        self._let_models_be_hasty()
        self.data_links = [self._data_link(process) for process in self.servants]
        """Between each of the servants and the data."""
        self.broker_links = [self._broker_link(process) for process in self.servants]
        self.start(webs=len(NUMBERS), workers=len(NUMBERS))
        self.doors = [self.proxy(web.url) for web in self.webs]
        """Between the clients and each web."""
        return self

    @property
    def webs(self) -> list[Process]:
        """Its web processes."""
        return [self.stack.web(number) for number in NUMBERS]

    @property
    def workers(self) -> list[Process]:
        """Its workers."""
        return [self.stack.worker(number) for number in NUMBERS]

    @property
    def servants(self) -> list[Process]:
        """Those that hold no state."""
        return self.webs + self.workers

    def _let_models_be_hasty(self) -> None:
        path = Path(self.stack.directory) / "models.toml"
        hasty = "".join(HASTY.format(name=name) for name in ("default", "other"))
        path.write_text(MODELS.format(url=self.stack.model.url) + hasty)
        self.stack.env["CHAT_MODELS_FILE"] = str(path)
        for process in self.servants:
            self.reroute(process, CHAT_MODELS_FILE=str(path))

    def _data_link(self, process: Process) -> Proxy:
        link = self.proxy(self.stack.redis.url)
        self.reroute(process, REDIS_URL=link.url)
        return link

    def _broker_link(self, process: Process) -> Proxy:
        link = self.proxy(self.broker.url)
        self.reroute(process, BROKER_URL=link.url)
        return link
