"""The soak's deployment: two web processes, two workers, a separate broker, proxies everywhere."""

from pathlib import Path

from tests.acceptance.deployment import Deployment
from tests.acceptance.shared_deployment import MODELS
from tests.harness.processes import Process
from tests.harness.proxy import Proxy

# Seconds. Short, so that the timeouts of hanging models are tested often.
SHORT_TIMEOUTS = """
[{name}.timeouts]
connect = 2.0
first_event = 2.0
between_events = 2.0
total = 10.0
"""
# Numbers of the web processes, and of the workers.
NUMBERS = (0, 1)


class SoakDeployment(Deployment):
    """Each process has its own proxies."""

    broker: Process
    # Proxies to Redis and to the broker, one for each of `processes`.
    redis_proxies: list[Proxy]
    broker_proxies: list[Proxy]
    # Proxies to the web processes.
    web_proxies: list[Proxy]

    def build(self) -> "SoakDeployment":
        """Start all processes."""
        self.broker = self.stack.broker().start()
        self._shorten_model_timeouts()
        self.redis_proxies = [self._add_redis_proxy(process) for process in self.processes]
        self.broker_proxies = [self._add_broker_proxy(process) for process in self.processes]
        self.start(webs=len(NUMBERS), workers=len(NUMBERS))
        self.web_proxies = [self.proxy(web.url) for web in self.webs]
        return self

    @property
    def webs(self) -> list[Process]:
        return [self.stack.web(number) for number in NUMBERS]

    @property
    def workers(self) -> list[Process]:
        return [self.stack.worker(number) for number in NUMBERS]

    @property
    def processes(self) -> list[Process]:
        """The processes without state."""
        return self.webs + self.workers

    def _shorten_model_timeouts(self) -> None:
        path = Path(self.stack.directory) / "models.toml"
        timeouts = "".join(SHORT_TIMEOUTS.format(name=name) for name in ("default", "other"))
        path.write_text(MODELS.format(url=self.stack.model.url) + timeouts)
        self.stack.env["CHAT_MODELS_FILE"] = str(path)
        for process in self.processes:
            self.reroute(process, CHAT_MODELS_FILE=str(path))

    def _add_redis_proxy(self, process: Process) -> Proxy:
        proxy = self.proxy(self.stack.redis.url)
        self.reroute(process, REDIS_URL=proxy.url)
        return proxy

    def _add_broker_proxy(self, process: Process) -> Proxy:
        proxy = self.proxy(self.broker.url)
        self.reroute(process, BROKER_URL=proxy.url)
        return proxy
