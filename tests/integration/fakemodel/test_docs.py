"""The commands in docs/fake-model.md."""

import shlex
import subprocess
from functools import partial

import pytest

from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT
from tests.harness.ports import free_port
from tests.harness.wait import wait_until
from tests.integration.examples.pages import blocks

COMMANDS = [block.code for block in blocks("docs/fake-model.md") if block.language == "sh"]


PAIRS = list(zip(COMMANDS[::2], COMMANDS[1::2], strict=True))


@pytest.mark.parametrize(("server", "client"), PAIRS)
def test_server_of_the_docs_answers_the_client(server: str, client: str) -> None:
    port = str(free_port())
    argv = shlex.split(server.replace("8090", port), comments=True)
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(partial(is_healthy, f"tcp://127.0.0.1:{port}"), within=60)
            call = client.replace("curl ", "curl --silent --fail ").replace("8090", port)
            output = subprocess.check_output(["bash", "-c", call], text=True)
        finally:
            process.terminate()
    assert '"content"' in output
    assert process.returncode == 0
