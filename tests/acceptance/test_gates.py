"""A model's gate, shared by all workers, seen from the model."""

from collections.abc import Callable
from pathlib import Path

import requests

from tests.acceptance.scene import Scene

LIMITED = """
[default]
provider = "openai"
url = "{url}/v1"
model = "parley-dev"
{limits}
"""


def limited(scene: Callable[..., Scene], directory: Path, limits: str) -> Scene:
    """Return a stack of two workers whose one model has limits."""
    here = scene()
    file = directory / "models.toml"
    file.write_text(LIMITED.format(url=here.stack.model.url, limits=limits))
    for process in (here.web, here.worker, here.stack.worker(1)):
        here.reroute(process, CHAT_MODELS_FILE=str(file))
    return here.start(workers=2)


def test_two_workers_together_call_no_more_than_the_gate_lets_pass(
    scene: Callable[..., Scene], tmp_path: Path
) -> None:
    here = limited(scene, tmp_path, "concurrency = 3")
    here.script({"times": 20, "latency": 0.3})
    clients = here.clients(20)
    posts = [client.post("Hello") for client in clients]
    here.rest()
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(post)
        assert (reply["status"], reply["attempt"]) == ("completed", 1)
    record = requests.get(f"{here.stack.model.url}/__calls__", timeout=5).json()
    assert record["most_in_flight"] == 3
