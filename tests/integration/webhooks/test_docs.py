"""The examples in docs/webhooks.md work."""

import json
import re
import shutil
import subprocess
import time
from typing import Any

import pytest
from pytest_django import Settings

from chat.env_parsers import parse_webhook_secrets
from chat.webhooks.signing import sign
from project.runner.process import ROOT

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
SECRET = "whsec_" + "C" * 32
BODY = b'{"content":"\xc3\xbc \xf0\x9f\x98\x80"}'
NODE = shutil.which("node")


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def headers(settings: Settings) -> dict[str, str]:
    settings.CHAT_WEBHOOK_SECRETS = f"whsec_{'D' * 32},{SECRET}"
    assert len(parse_webhook_secrets(settings.CHAT_WEBHOOK_SECRETS)) == 2
    timestamp = str(int(time.time()))
    signature = sign("ses_1_msg_2", timestamp, BODY)
    return {
        "webhook-id": "ses_1_msg_2",
        "webhook-timestamp": timestamp,
        "webhook-signature": signature,
    }


def test_python_example_verifies_signatures(headers: dict[str, str]) -> None:
    found: dict[str, Any] = {}
    exec(compile(example("python"), "webhooks.md", "exec"), found)  # noqa: S102  # from the documentation
    verify = found["verify"]
    assert verify(SECRET, headers, BODY)
    assert not verify(SECRET, headers, BODY + b" ")
    assert not verify("whsec_" + "E" * 32, headers, BODY)
    assert not verify(SECRET, headers | {"webhook-timestamp": "1700000000"}, BODY)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_node_example_verifies_signatures(headers: dict[str, str]) -> None:
    other = "whsec_" + "E" * 32
    script = example("js") + (
        "\nconst [headers, body, secrets] = JSON.parse(require('fs').readFileSync(0));"
        "\nconst bytes = Buffer.from(body);"
        "\nconsole.log(JSON.stringify([...secrets.map((s) => verify(s, headers, bytes)),"
        " verify(secrets[0], headers, Buffer.from(body + ' '))]));"
    )
    arguments = json.dumps([headers, BODY.decode(), [SECRET, other]])
    assert NODE is not None
    output = subprocess.check_output([NODE, "-e", script], input=arguments, text=True, timeout=60)
    assert json.loads(output) == [True, False, False]
